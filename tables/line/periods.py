"""What holds for events by their time: rules of a plant, from one boundary of a line to the next.

A line has at least one period. The first begins long ago, and holds what the settings say.
"""

from bisect import bisect_right
from datetime import tzinfo
from itertools import pairwise
from typing import Any, Final

from streams.contract.reference import Timing
from streams.values.instant import SECOND
from tables.known.known import Known
from tables.line import clocks
from tables.line.plans import Plan, plans_for
from tables.line.rules import Rules
from tables.line.windows import FOREVER, LONG_AGO, Cadence

AT_ONCE: Final = "at_once"

WAITED_FOR: Final = (
    "erp.production_confirmation.v1",
    "erp.goods_issue.v1",
    "erp.scrap_posting.v1",
    "erp.labor_confirmation.v1",
)
"""Whose windows a final confirmation waits for."""

RULED: Final = (WAITED_FOR[0], "erp.goods_receipt.v1", *WAITED_FOR[1:])
"""The record types whose windows the rules of a plant may change."""


class Timings:
    """Lengths of time that the `timing` of a plant may change, in microseconds."""

    def __init__(self, grace: int, idle_grace: int, breakdown: int, future_max: int) -> None:
        self.grace = grace
        self.idle_grace = idle_grace
        self.breakdown = breakdown
        self.future_max = future_max


class Period:
    """What holds for events whose time is at or past `begin`, and before `end`.

    `plans` are by event type, `cadences` by record type (None: it goes at once).
    """

    def __init__(
        self,
        begin: int,
        zone: tzinfo | None,
        plans: list[Plan],
        cadences: list[Cadence | None],
        waits: list[Cadence],
    ) -> None:
        self.begin = begin
        self.end = FOREVER
        self.zone = zone
        self.plans = plans
        self.cadences = cadences
        self.waits = waits
        """Of which a final confirmation waits for the last window that holds its time."""


class Boundary:
    """From `begin` on the rules of a plant that are valid from `valid_from` hold on a line."""

    def __init__(self, begin: int, valid_from: int, zone: str | None, cadences: Any) -> None:
        self.begin = begin
        self.valid_from = valid_from
        self.zone = zone
        """Its name; None: the settings'."""
        self.cadences: dict[str, tuple[str, int | None]] = cadences
        """(when, seconds) by record type; one that isn't there goes as in the settings."""


def base_timings(rules: Rules) -> Timings:
    """Return what the settings say."""
    found: Timings | None = rules.made.get("timings")
    if found is None:
        found = rules.made["timings"] = Timings(
            rules.grace, rules.idle_grace, rules.breakdown, rules.future_max
        )
    return found


def timings_of(rules: Rules, known: Known, plant: str) -> Timings:
    """Return the lengths of time of a plant; what `timing` doesn't name is as in the settings."""
    own = known.plants.get(plant)
    return timings_told(rules, None if own is None else own.timing)


def timings_told(rules: Rules, told: Timing | None) -> Timings:
    """Return the lengths of time that a `timing` tells, with what the settings say besides."""
    if told is None:
        return base_timings(rules)

    def length(named: int | None, setting: int) -> int:
        return setting if named is None else named * SECOND

    return Timings(
        length(told.grace_seconds, rules.grace),
        length(told.idle_grace_seconds, rules.idle_grace),
        length(told.breakdown_seconds, rules.breakdown),
        length(told.future_seconds_max, rules.future_max),
    )


def base_period(rules: Rules, plant: str) -> Period:
    """Return the period of a line whose plant has no rules."""
    zone = rules.zones.get(plant)
    found: Period | None = rules.made.get(("period", zone))
    if found is None:
        found = rules.made["period", zone] = _period(rules, LONG_AGO, zone, {})
    return found


def period_at(periods: list[Period], last: Period, at: int) -> Period:
    """Return the period that holds an instant; `last` is the one to look at first."""
    if last.begin <= at < last.end:
        return last
    return periods[bisect_right([each.begin for each in periods], at) - 1]


def _period(
    rules: Rules, begin: int, zone: tzinfo | None, named: dict[str, tuple[str, int | None]]
) -> Period:
    whens = {kind.record: _when(rules, kind.record, named) for kind in rules.kinds if kind.erp}
    by_window = frozenset(record for record, (when, _) in whens.items() if when != AT_ONCE)
    cadences = [
        _cadence(whens[kind.record], begin, zone) if kind.erp else _summary(rules, kind.length)
        for kind in rules.kinds
    ]
    waits = [Cadence(rules.posting, begin)]
    for kind, cadence in zip(rules.kinds, cadences, strict=True):
        if kind.record in WAITED_FOR and cadence is not None:
            waits.append(cadence)
    return Period(begin, zone, _variant(rules, by_window), cadences, waits)


def _when(rules: Rules, record: str, named: dict[str, tuple[str, int | None]]) -> tuple[str, int]:
    when, seconds = named.get(record, ("window" if record in rules.by_window else AT_ONCE, None))
    return when, rules.posting if seconds is None else seconds


def _cadence(told: tuple[str, int], begin: int, zone: tzinfo | None) -> Cadence | None:
    when, length = told
    if when == AT_ONCE:
        return None
    if when == "window":
        return Cadence(length, begin)
    return Cadence(0, begin, zone, when == "day")


def _summary(rules: Rules, length: int) -> Cadence:
    found: Cadence | None = rules.made.get(("summary", length))
    if found is None:
        found = rules.made["summary", length] = Cadence(length)
    return found


def _variant(rules: Rules, by_window: frozenset[str]) -> list[Plan]:
    made: dict[frozenset[str], list[Plan]] = rules.made.setdefault("plans", {})
    found = made.get(by_window)
    if found is None:
        found = made[by_window] = plans_for(rules, by_window, len(made))
    return found


def periods_of(rules: Rules, plant: str, boundaries: list[Boundary]) -> list[Period]:
    """Return the periods of a line, in their order.

    Of two boundaries at one instant the one with the later `valid_from` holds from it on.
    """
    base = base_period(rules, plant)
    if not boundaries:
        return [base]
    first = Period(LONG_AGO, base.zone, base.plans, base.cadences, base.waits)
    periods = [first]
    for each in sorted(boundaries, key=lambda one: (one.begin, one.valid_from)):
        zone = base.zone if each.zone is None else clocks.zone(each.zone)
        made = _period(rules, each.begin, zone, each.cadences)
        if periods[-1].begin == each.begin:
            periods.pop()
        else:
            periods[-1].end = each.begin
        periods.append(made)
        periods[-1].end = FOREVER
        if len(periods) > 1:
            periods[-2].end = each.begin
    return periods


def boundary_for(
    rules: Rules, plant: str, boundaries: list[Boundary], valid_from: int, watermark: int | None
) -> int:
    """Return the instant from which rules valid from `valid_from` hold on a line.

    It is the first local midnight, by the zone that holds just before it, that is at or past
    `valid_from` and past the watermark (None: of a line that hasn't been seen).
    """
    least = valid_from if watermark is None else max(valid_from, watermark + 1)
    base = base_period(rules, plant).zone
    stretches: list[tuple[int, tzinfo | None]] = [(LONG_AGO, base)]
    for each in sorted(boundaries, key=lambda one: (one.begin, one.valid_from)):
        if stretches[-1][0] == each.begin:
            stretches.pop()
        stretches.append((each.begin, base if each.zone is None else clocks.zone(each.zone)))
    for (begin, zone), (end, _) in pairwise([*stretches, (FOREVER, None)]):
        if begin >= least:  # at its begin itself the zone before it decides
            least = begin + 1
        if end < least:
            continue
        midnight = clocks.first_midnight(zone, least)
        if midnight <= end:
            return midnight
    raise AssertionError("the last stretch has no end")
