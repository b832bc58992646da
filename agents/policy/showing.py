"""Which rules hold for each plant, and from when: of the settings, and of reference records."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from streams.contract.policy import Policy, Transaction
from streams.contract.reference import ANYWHERE, Reference
from streams.contract.topics import MES_EVENTS
from streams.values import instant
from streams.values.instant import SECOND
from tables.known.known import Known
from tables.line.line import Line
from tables.line.periods import Period, Timings, base_timings
from tables.line.rules import Rules
from tables.line.windows import LONG_AGO, Cadence
from tables.partition import learning
from tables.partition.partition import Partition
from tables.store.store import MemoryStore

OTHERS: Final = "all other plants"

LINE: Final = "a line that was not seen before"


class Holding(Struct, frozen=True):
    """What holds for events whose time is at or past `begin`; None: what held before is no rule."""

    begin: str | None
    valid_from: str | None
    """Of the rules record; None: the settings."""
    time_zone: str
    holds_now: bool
    records: dict[str, str]
    """When each record type leaves."""


class PlantRules(Struct, frozen=True):
    """The rules of a plant on a line that was not seen before."""

    plant: str
    require: list[str]
    timing: dict[str, int]
    timing_told: list[str]
    """Those that a `timing` record says; the others are the settings'."""
    holds: list[str]
    """What is on hold: the hold, its scope and value."""
    periods: list[Holding]


def shown_rules(
    rules: Rules, policy: Policy, zones: dict[str, str], told: Iterable[Reference], at: int
) -> list[PlantRules]:
    """Return what holds for each plant that is named anywhere, and for all others."""
    partition = Partition(MES_EVENTS, 0, rules, MemoryStore(), lasting=False)
    for each in told:
        partition.commit(partition.learn(each))
    plants = sorted({*partition.known.plants, *zones} - {ANYWHERE})
    return [_plant(each, rules, policy, zones, partition.known, at) for each in (*plants, OTHERS)]


def _plant(
    plant: str, rules: Rules, policy: Policy, zones: dict[str, str], known: Known, at: int
) -> PlantRules:
    line = Line(plant, LINE, at, rules)
    learning.begin_line(line, known)
    own = known.plants.get(plant)
    base = lengths(base_timings(rules))
    timing = lengths(line.timings)
    return PlantRules(
        plant=plant,
        require=[] if own is None else sorted(own.require),
        timing=timing,
        timing_told=[name for name in timing if timing[name] != base[name]],
        holds=[] if own is None else sorted(_holds(own.holds)),
        periods=[
            _holding(each, line, rules, policy, zones.get(plant, "UTC"), at)
            for each in line.periods
        ],
    )


def _holds(holds: dict[tuple[str, str], dict[str, str | None]]) -> Iterable[str]:
    for (scope, value), named in holds.items():
        for hold, item in named.items():
            yield f"{hold}: {scope} {value}" + ("" if item is None else f" of item {item}")


def lengths(timings: Timings) -> dict[str, int]:
    """Return lengths of time in seconds, by the member of a `timing` record."""
    return {
        "grace_seconds": timings.grace // SECOND,
        "idle_grace_seconds": timings.idle_grace // SECOND,
        "breakdown_seconds": timings.breakdown // SECOND,
        "future_seconds_max": timings.future_max // SECOND,
    }


def _holding(
    period: Period, line: Line, rules: Rules, policy: Policy, zone: str, at: int
) -> Holding:
    told = rule_of(line, period)
    return Holding(
        begin=None if period.begin == LONG_AGO else instant.text(period.begin),
        valid_from=None if told is None else instant.text(told.valid_from),
        time_zone=zone if told is None or told.zone is None else told.zone,
        holds_now=period.begin <= at < period.end,
        records=_records(period.cadences, rules, policy),
    )


def rule_of(line: Line, period: Period) -> Any:
    """Return the boundary whose rules a period has, None where it has the settings'."""
    found = [each for each in line.boundaries if each.begin == period.begin]
    return max(found, key=lambda one: one.valid_from) if found else None


def _records(cadences: Sequence[Cadence | None], rules: Rules, policy: Policy) -> dict[str, str]:
    by_kind = {
        kind.record: told_cadence(cadence)
        for kind, cadence in zip(rules.kinds, cadences, strict=True)
    }
    entries: dict[str, Any] = {**policy.transactions, **policy.summaries}
    return {
        name: by_kind.get(name, "at once")
        for name, entry in entries.items()
        if name in by_kind or isinstance(entry, Transaction)
    }


def told_cadence(cadence: Cadence | None) -> str:
    """Return when a record type leaves, in words."""
    if cadence is None:
        return "at once"
    if cadence.length:
        return f"window of {cadence.length / SECOND:g} s"
    return "day" if cadence.daily else "hour"
