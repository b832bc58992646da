"""Which event leaves as what, and when: the policy file, read and checked."""

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec import Struct, field

from streams.contract.events import TYPES
from streams.contract.members import Member, member_problem, members
from streams.contract.rejection import shown
from streams.contract.topics import ERP_TRANSACTIONS, MACHINE_EVENTS, OUTPUTS
from streams.contract.transactions import COMMON, EXCEPTION, NOTIFICATION, OF_WINDOW, REVERSAL

DOWNTIME: Final = "summary.downtime.v1"
AVAILABILITY: Final = "summary.availability.v1"
MACHINE_STATE: Final = "summary.machine_state.v1"


class Lasting(NamedTuple):
    """A summary of what lasts: no event feeds it by itself. `event` is one that has its row."""

    event: str
    row: tuple[str, ...]
    measures: tuple[str, ...]


LASTING: Final = {
    DOWNTIME: Lasting(
        "downtime.started.v1", ("work_unit", "reason", "planned"), ("seconds", "stops")
    ),
    AVAILABILITY: Lasting("downtime.started.v1", ("work_unit",), ("down", "planned_down")),
    MACHINE_STATE: Lasting("machine.state.v1", ("work_unit", "state"), ("seconds",)),
}
"""The summaries that episodes feed, and those that timelines of machine states do."""

MEASURES_MAX: Final = 4
"""Of a row: compiled code keeps so many sums in each, and four are what any row has needed."""

KINDS_MAX: Final = 24
"""Windowed record types: the sums of each lie in every line."""

CONTRIBUTIONS_MAX: Final = 6
"""Windowed record types that one event type feeds."""

RECORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""The name of a record type: it's written as it is, and names a struct."""

MEASURE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")

OWN_RECORDS: Final = frozenset({EXCEPTION, NOTIFICATION, REVERSAL})
"""What lineside sends whatever the policy says."""

OWN_MEMBERS: Final = frozenset({*OF_WINDOW, *COMMON, "count", "event"})

Measures = dict[str, str]
"""Measure by name -> the event's member that feeds it."""


class Transaction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A type of record for the ERP."""

    short: str
    when: Literal["at_once", "window"]
    inputs: dict[str, Measures]
    row: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    where: dict[str, dict[str, str]] = field(default_factory=dict)
    leave_out: tuple[str, ...] = ()
    event: bool = False


class Summary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A type of record for analytics; its topic has the name of the type."""

    short: str
    row: tuple[str, ...]
    measures: tuple[str, ...]
    inputs: dict[str, Measures] = field(default_factory=dict)
    where: dict[str, dict[str, str]] = field(default_factory=dict)


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole table; the order of its entries is the order in which equal ends leave."""

    transactions: dict[str, Transaction]
    summaries: dict[str, Summary]


class PolicyError(ValueError):
    """A policy that can't be followed; its text is one sentence for the person who wrote it."""


def default_policy() -> Policy:
    """Return the policy that ships with lineside (`streams/contract/policy.toml`)."""
    return read_policy(files("streams.contract").joinpath("policy.toml").read_text("utf-8"))


def read_policy(toml: str) -> Policy:
    """Return the policy in `toml`, or raise `PolicyError` naming what is wrong first."""
    policy, problems = _read(toml)
    problem = next(problems, None)
    if policy is None or problem is not None:
        raise PolicyError(problem)
    return policy


def policy_problems(toml: str) -> list[str]:
    """Return all that is wrong with the policy in `toml`, a sentence each."""
    return list(_read(toml)[1])


def _read(toml: str) -> tuple[Policy | None, Iterator[str]]:
    try:
        policy = msgspec.convert(tomllib.loads(toml), Policy)
    except (ValueError, RecursionError) as error:  # also: an integer of thousands of digits
        return None, iter([f"the policy can't be read: {error}"])
    return policy, _problems(policy)


def _problems(policy: Policy) -> Iterator[str]:
    shorts: set[str] = {"mn", "rv"}
    entries: list[tuple[str, Transaction | Summary]] = [
        *policy.transactions.items(),
        *policy.summaries.items(),
    ]
    for name, entry in entries:
        if not (entry.short.isascii() and entry.short.isalnum()) or entry.short in shorts:
            yield f"{name}: short {entry.short!r} is taken or not alphanumeric"
        shorts.add(entry.short)
        yield from _entry_problems(name, entry)
    yield from _number_problems(entries)
    for name in policy.summaries:
        if name not in OUTPUTS or name == ERP_TRANSACTIONS:
            yield f"summary {name!r} has no topic of its name"
    for name, lasting in LASTING.items():
        fed = policy.summaries.get(name)
        if fed is None and name != DOWNTIME:
            continue  # policies of earlier versions don't name it
        if fed is None or fed.inputs or fed.measures != lasting.measures:
            told = " and ".join(lasting.measures)
            yield f"{name} must be there, without inputs, with {told}"
        elif fed.row != lasting.row:
            yield f"{name}: the row must be {', '.join(lasting.row)}"


def _windowed(entry: Transaction | Summary) -> bool:
    return isinstance(entry, Summary) or entry.when == "window"


def _number_problems(entries: list[tuple[str, Transaction | Summary]]) -> Iterator[str]:
    """Refuse what has more than there is room for, in the plain core as in the compiled one.

    A type with a row counts: a plant's rules may let it go by window.
    """
    windowed = [(name, entry) for name, entry in entries if entry.row]
    if len(windowed) > KINDS_MAX:
        yield f"{len(windowed)} record types go by window: at most {KINDS_MAX} may"
    for name, entry in windowed:
        if len(entry.measures) > MEASURES_MAX:
            yield (
                f"{name} has {len(entry.measures)} measures: at most {MEASURES_MAX}; make it two "
                "record types"
            )
    for kind in TYPES:
        fed = [name for name, entry in windowed if kind in entry.inputs]
        if len(fed) > CONTRIBUTIONS_MAX:
            yield (
                f"{kind} feeds {len(fed)} record types that go by window: at most "
                f"{CONTRIBUTIONS_MAX}"
            )


def _name_problems(name: str, entry: Transaction | Summary) -> Iterator[str]:
    if not RECORD.fullmatch(name) or name in OWN_RECORDS:
        yield (
            f"record type {shown(name)} must be 1 to 100 letters, digits, '.', '_' or '-', and "
            f"none of {', '.join(sorted(OWN_RECORDS))}"
        )
    names = [*entry.row, *entry.measures]
    twice = [one for one in names if names.count(one) > 1]
    if twice:
        yield f"{name}: {shown(twice[0])} is twice in its row and measures"
    for measure in entry.measures:
        if not MEASURE.fullmatch(measure) or measure in OWN_MEMBERS:
            yield (
                f"{name}: measure {shown(measure)} must be small letters, digits or '_', and none "
                f"of {', '.join(sorted(OWN_MEMBERS))}"
            )


def _where_problems(
    name: str, kind: str, member: Member | None, member_name: str, value: str
) -> Iterator[str]:
    """Refuse a condition that no event of the type meets."""
    if member is None:
        yield f"{name}: {kind} has no member {member_name!r} to look at"
        return
    if member.kind != "text":
        yield f"{name}: {member_name!r} of {kind} is no text, so where can't look at it"
        return
    problem = member_problem(member, value)
    if problem is not None:
        yield (
            f"{name}: {member_name!r} of {kind} is never {shown(value)}, as where asks: {problem}"
        )


def _members(kind: str) -> tuple[Member, ...]:
    return members(TYPES[kind].__annotations__["data"])


def _entry_problems(name: str, entry: Transaction | Summary) -> Iterator[str]:
    windowed = _windowed(entry)
    rowed = windowed or bool(entry.row)  # a reference.rules.v1 may let it go by window
    yield from _name_problems(name, entry)
    if windowed and not (entry.row and entry.measures):
        yield f"{name} goes by window, so it needs a row and measures"
    for kind, measures in entry.inputs.items():
        if kind not in TYPES:
            yield f"{name}: no input type {kind!r}"
            continue
        if not windowed and TYPES[kind].TOPIC == MACHINE_EVENTS:
            yield f"{name}: {kind} is a machine event: none goes to the ERP by itself"
        known = {member.name: member for member in _members(kind)}
        missing = [member for member in entry.row if member not in known]
        if rowed and missing:
            yield f"{name}: {kind} has no member {missing[0]!r} for its row"
        there = [known[member] for member in entry.row if member in known]
        odd = [one.name for one in there if one.kind not in ("text", "flag")]
        if rowed and odd:
            yield f"{name}: {odd[0]!r} of {kind} is no text or flag, so no row member"
        for measure, member in measures.items():
            if measure not in entry.measures:
                yield f"{name}: {measure!r} of {kind} is none of its measures"
            if member not in known or known[member].kind != "measure":
                yield f"{name}: {kind} has no measure {member!r}"
        for member, value in entry.where.get(kind, {}).items():
            yield from _where_problems(name, kind, known.get(member), member, value)
        if windowed and isinstance(entry, Transaction) and not measures:
            yield f"{name}: {kind} feeds none of its measures, so it would never leave"
    for kind in entry.where:
        if kind not in entry.inputs:
            yield f"{name}: where names {kind!r}, which is none of its inputs"
    for member in entry.leave_out if isinstance(entry, Transaction) else ():
        inputs = [kind for kind in entry.inputs if kind in TYPES]
        if not any(member == one.name for kind in inputs for one in _members(kind)):
            yield f"{name}: none of its inputs has {shown(member)}, to be left out"
