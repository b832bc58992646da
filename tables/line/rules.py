"""The rules of a partition: the contract's settings and its policy, ready to be followed."""

from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from streams.contract.events import TYPES
from streams.contract.members import members
from streams.contract.policy import (
    AVAILABILITY,
    DOWNTIME,
    LASTING,
    MACHINE_STATE,
    Policy,
    Summary,
    Transaction,
    default_policy,
)  # fmt: skip
from streams.contract.reference_values import WINDOWS_SECONDS
from streams.contract.topics import ERP_TRANSACTIONS, MACHINE_EVENTS, MES_EVENTS
from streams.contract.transactions import at_once_data, windowed_data
from streams.values.instant import SECOND

SECONDS_MAX: Final = 100 * 366 * 86_400
"""Of a length of time, a hundred years: in microseconds it fits 64 bits beside any instant."""

PAGE_ROWS: Final = 16
SHARED_PAGES: Final = 4
"""Rows of one window are written in pages, so that a change writes little: the first 64 rows share
four pages, each further row has one of its own. A window of ordinary size is one page."""

RowMembers = tuple[str | bool | None, ...]


class Timing(Struct, frozen=True, kw_only=True):
    """The contract's lengths of time, in seconds."""

    summary_window_seconds: int = 60
    posting_window_seconds: int = 300
    grace_seconds: int = 30
    idle_grace_seconds: int = 120
    breakdown_seconds: int = 600
    episode_limit_seconds: int = 86_400
    state_limit_seconds: int = 86_400
    future_seconds_max: int = 600
    mes_retention_seconds: int = 7 * 86_400
    machine_retention_seconds: int = 4 * 86_400
    ledger_bucket_seconds: int = 3_600
    """Expired ledger entries go in steps of this much event time."""

    def problem(self) -> str | None:
        """Return a sentence on the first value that can't work, None if all can."""
        for name in Timing.__struct_fields__:
            value = getattr(self, name)
            floor = 0 if name in ("grace_seconds", "idle_grace_seconds") else 1
            if value < floor:
                return f"{name} is {value}: it must be at least {floor}"
            if value > SECONDS_MAX:
                return f"{name} is {value}: it must be at most {SECONDS_MAX}"
        if WINDOWS_SECONDS % self.posting_window_seconds:
            return (
                f"posting_window_seconds is {self.posting_window_seconds}: it must divide "
                f"{WINDOWS_SECONDS}, so that a window ends at every local midnight"
            )
        longest = max(self.summary_window_seconds, self.posting_window_seconds)
        for name in ("mes_retention_seconds", "machine_retention_seconds"):
            if getattr(self, name) < longest + self.grace_seconds:
                return (
                    f"{name} is {getattr(self, name)}: it must cover a window with its grace "
                    f"({longest + self.grace_seconds})"
                )
        return None


class Kind(Struct, frozen=True, kw_only=True):
    """A windowed record type: `index` says which, `place` where it stands among equal ends."""

    index: int
    place: int
    record: str
    short: str
    topic: str
    length: int
    """By the settings; rules of a plant may give other windows to what goes to the ERP."""
    row: tuple[str, ...]
    measures: tuple[str, ...]
    erp: bool
    episodic: bool
    uom: int
    """Where its row has the unit of its measures, -1 if it has none."""
    first_unit_sum: int
    """Where its first measure is in the sums of a unit."""
    data: type[Struct]
    """what a record of a row carries"""


class Contribution(NamedTuple):
    """What one event adds to one row of one windowed record type; a tuple, to be unpacked fast."""

    kind_index: int
    width: int
    """how many measures a row has"""
    erp: bool
    slots: tuple[tuple[int, str], ...]
    """(place of the measure in the row, the event's member that feeds it)"""
    where: dict[str, str]


class AtOnce(Struct, frozen=True, kw_only=True):
    """A record that one event causes by itself."""

    record: str
    short: str
    event: bool
    where: dict[str, str]
    data: type[Struct]
    """what the record carries"""
    names: tuple[str, ...]
    """the event's members that leave, in their order"""


class Plan(Struct, frozen=True, kw_only=True):
    """What becomes of an accepted event of one type."""

    event: str
    contributions: tuple[Contribution, ...]
    singly: tuple[AtOnce, ...]
    """What an event is posted as where it goes at once; where it goes by window, one with a serial
    or a final one is"""


class Rules(Struct, frozen=True, kw_only=True):
    """What a partition follows; lengths in microseconds."""

    grace: int
    idle_grace: int
    breakdown: int
    episode_limit: int
    state_limit: int
    future_max: int
    retention: int
    shorter_retention: int
    """Of the two input topics."""
    bucket: int
    posting: int
    """The length of a posting window."""
    kinds: tuple[Kind, ...]
    unit_sums: int
    """How many sums a unit has: measures of the record types whose rows name it."""
    by_window: frozenset[str]
    """The record types for the ERP that go by window, as far as no rules of a plant say else."""
    finals_place: int
    """Where final confirmations stand among equal ends: behind what goes to the ERP by window."""
    downtime: Kind
    availability: Kind | None
    states: Kind | None
    """None where a policy doesn't send it, as before it"""
    plans: dict[type, Plan]
    """By the struct of the event."""
    zones: dict[str, ZoneInfo] = field(default_factory=dict)
    kinds_by_short: dict[bytes, Kind]
    made: dict[Any, Any] = field(default_factory=dict)
    """What `tables.line.periods` has made of these rules."""


def rules_for(
    topic: str,
    timing: Timing | None = None,
    policy: Policy | None = None,
    zones: dict[str, ZoneInfo] | None = None,
) -> Rules:
    """Return the rules for the partitions of an input topic."""
    timing = timing or Timing()
    policy = policy or default_policy()
    retention = {
        MES_EVENTS: timing.mes_retention_seconds,
        MACHINE_EVENTS: timing.machine_retention_seconds,
    }[topic]
    posting, summary = timing.posting_window_seconds, timing.summary_window_seconds
    entries: list[tuple[str, Transaction | Summary, int]] = [
        (name, entry, posting) for name, entry in policy.transactions.items() if entry.row
    ]
    entries += [(name, entry, summary) for name, entry in policy.summaries.items()]
    in_units = [len(entry.measures) if "uom" in entry.row else 0 for _, entry, _ in entries]
    kinds = tuple(
        _kind(index, name, entry, seconds, sum(in_units[:index]))
        for index, (name, entry, seconds) in enumerate(entries)
    )
    return Rules(
        grace=timing.grace_seconds * SECOND,
        idle_grace=timing.idle_grace_seconds * SECOND,
        breakdown=timing.breakdown_seconds * SECOND,
        episode_limit=timing.episode_limit_seconds * SECOND,
        state_limit=timing.state_limit_seconds * SECOND,
        future_max=timing.future_seconds_max * SECOND,
        retention=retention * SECOND,
        shorter_retention=min(timing.mes_retention_seconds, timing.machine_retention_seconds)
        * SECOND,
        bucket=timing.ledger_bucket_seconds * SECOND,
        posting=posting * SECOND,
        kinds=kinds,
        unit_sums=sum(in_units),
        finals_place=2 * sum(kind.erp for kind in kinds) - 1,
        by_window=frozenset(
            name for name, entry in policy.transactions.items() if entry.when == "window"
        ),
        kinds_by_short={kind.short.encode(): kind for kind in kinds},
        downtime=next(kind for kind in kinds if kind.record == DOWNTIME),
        availability=next((kind for kind in kinds if kind.record == AVAILABILITY), None),
        states=next((kind for kind in kinds if kind.record == MACHINE_STATE), None),
        plans={
            struct: Plan(
                event=event,
                contributions=tuple(
                    _contribution(kind, entry, event)
                    for kind, (_, entry, _) in zip(kinds, entries, strict=True)
                    if event in entry.inputs
                ),
                singly=tuple(
                    _at_once(name, entry, event)
                    for name, entry in policy.transactions.items()
                    if event in entry.inputs
                ),
            )
            for event, struct in TYPES.items()
        },
        zones=zones or {},
    )


def _kind(
    index: int, name: str, entry: Transaction | Summary, seconds: int, first_unit_sum: int
) -> Kind:
    erp = isinstance(entry, Transaction)
    return Kind(
        index=index,
        place=2 * index,
        record=name,
        short=entry.short,
        topic=ERP_TRANSACTIONS if erp else name,
        length=seconds * SECOND,
        row=entry.row,
        measures=entry.measures,
        erp=erp,
        episodic=name in LASTING,
        uom=entry.row.index("uom") if "uom" in entry.row else -1,
        first_unit_sum=first_unit_sum,
        data=windowed_data(name, entry.row, entry.measures, erp),
    )


def _contribution(kind: Kind, entry: Transaction | Summary, event: str) -> Contribution:
    return Contribution(
        kind_index=kind.index,
        width=len(kind.measures),
        erp=kind.erp,
        slots=tuple(
            (entry.measures.index(measure), member)
            for measure, member in entry.inputs[event].items()
        ),
        where=entry.where.get(event, {}),
    )


def _at_once(name: str, entry: Transaction, event: str) -> AtOnce:
    leaving = [
        member
        for member in members(TYPES[event].__annotations__["data"])
        if member.name not in entry.leave_out
    ]
    names = tuple(member.name for member in leaving)
    return AtOnce(
        record=name,
        short=entry.short,
        event=entry.event,
        where=entry.where.get(event, {}),
        data=at_once_data(name, names),
        names=names,
    )
