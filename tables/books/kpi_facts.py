"""EDGE: the facts of some lines of a plant, by bucket and line, work unit, order or item."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection

from streams.contract.topics import (
    SUMMARY_AVAILABILITY,
    SUMMARY_MACHINE,
    SUMMARY_MACHINE_STATE,
    SUMMARY_PRODUCTION,
)
from tables.books.kpi_asked import Group
from tables.books.kpi_masters import Known, Unit, units_of
from tables.books.kpi_stretches import Numbered
from tables.books.kpi_sums import Key, summed
from tables.books.last_operations import Finished
from tables.kpi.buckets import Bucket
from tables.kpi.days import clipped, length
from tables.kpi.facts import Facts, Ideal, Made
from tables.kpi.states import DOWN

PER_MICROSECOND: Final = 1_000
"""Billionths of a second."""

MADE: Final = ("good", "scrap", "rework")


class Place(Struct, frozen=True, order=True):
    """Of what facts are: the number of the bucket, and what of the plant."""

    bucket: int
    line: str
    work_unit: str | None = None
    order: str | None = None
    item: str | None = None


class Books(Struct, frozen=True):
    """Where facts are looked for: some lines of a plant, which share a calendar."""

    connection: Connection
    plant: str
    lines: Mapping[str, Known | None]

    def summed(
        self,
        type_: str,
        stretches: Sequence[Numbered],
        by: Sequence[str],
        measures: Sequence[str],
        lines: Sequence[str] | None = None,
        where: Finished | None = None,
    ) -> dict[Key, int]:
        """Return measures in billionths, by stretch, columns and measure."""
        of = tuple(self.lines) if lines is None else lines
        return summed(self.connection, self.plant, of, type_, stretches, by, measures, where=where)


def facts_of(
    books: Books, buckets: Sequence[Bucket], group: Group, work_unit: str | None
) -> dict[Place, Facts]:
    """Return the facts by place: of each line or work unit, or of orders or items."""
    whole = [(number, each.from_, each.to) for number, each in enumerate(buckets)]
    if group in ("order", "item"):
        column = "order_id" if group == "order" else "item"
        return _made_by(books, whole, group, column)
    every = units_of(books.connection, books.plant, tuple(books.lines))
    units = [each for each in every if work_unit in (None, each.work_unit)]
    by_unit = group == "work_unit"
    found: dict[Place, Facts] = {}
    for number in range(len(buckets)):
        if by_unit:
            found.update({Place(number, each.line, each.work_unit): Facts() for each in units})
        else:
            found.update({Place(number, line): Facts() for line in books.lines})
    if by_unit:
        counted = books.summed(SUMMARY_MACHINE, whole, ("line", "work_unit"), MADE[:2])
        for (number, line, unit, measure), value in counted.items():
            if value and work_unit in (None, unit):
                _put(found.setdefault(Place(number, line, unit), Facts()).of(None), measure, value)
    else:
        made = books.summed(SUMMARY_PRODUCTION, whole, ("line", "uom"), MADE, where="line")
        for (number, line, uom, measure), value in made.items():
            if value:
                _put(found.setdefault(Place(number, line), Facts()).of(uom), measure, value)
    _add_time(books, buckets, units, every, by_unit, found)
    return found


def _made_by(
    books: Books, whole: Sequence[Numbered], group: Group, column: str
) -> dict[Place, Facts]:
    made = books.summed(SUMMARY_PRODUCTION, whole, ("line", column, "uom"), MADE, where="order")
    found: dict[Place, Facts] = {}
    for (number, line, name, uom, measure), value in made.items():
        if value:
            place = Place(
                number,
                line,
                order=name if group == "order" else None,
                item=name if group == "item" else None,
            )
            _put(found.setdefault(place, Facts()).of(uom), measure, value)
    return found


def _add_time(
    books: Books,
    buckets: Sequence[Bucket],
    units: Sequence[Unit],
    every: Sequence[Unit],
    by_unit: bool,
    found: dict[Place, Facts],
) -> None:
    """Add the time of work units: planned, stopped, and what is ideal for what they made."""
    planned = [
        (number, begin, end) for number, each in enumerate(buckets) for begin, end in each.planned
    ]
    by = ("line", "work_unit")
    stopped = books.summed(SUMMARY_AVAILABILITY, planned, by, ("down", "planned_down"))
    down = {key[:3]: value for key, value in stopped.items() if key[3] == "down"}
    planned_down = {key[:3]: value for key, value in stopped.items() if key[3] != "down"}
    _add_states(books, planned, units, down)
    ideals, unclear = _ideals(books, planned, every)
    for number, bucket in enumerate(buckets):
        for unit in units:
            known = books.lines[unit.line]
            if known is None:
                continue
            lasted = length(clipped(list(bucket.planned), known.begun, known.closed_to))
            place = number, unit.line, unit.work_unit
            ideal = None
            if unit.ideal is not None and unit.line not in unclear:
                ideal = Ideal(unit.ideal, ideals.get(place, Made()))
            at = Place(number, unit.line, unit.work_unit if by_unit else None)
            found[at].add_unit(
                lasted * PER_MICROSECOND, down.get(place, 0), planned_down.get(place, 0), ideal
            )


def _add_states(
    books: Books, planned: Sequence[Numbered], units: Sequence[Unit], down: dict[Key, int]
) -> None:
    """Add how long those work units stood still of which only machine states tell."""
    told = {(each.line, each.work_unit) for each in units if not each.stops}
    if not told:
        return
    lines = sorted({line for line, _ in told})
    by = ("line", "work_unit", "state")
    states = books.summed(SUMMARY_MACHINE_STATE, planned, by, ("seconds",), lines)
    for (number, line, unit, state, _), value in states.items():
        if state in DOWN and (line, unit) in told:
            place = number, line, unit
            down[place] = down.get(place, 0) + value


def _ideals(
    books: Books, planned: Sequence[Numbered], units: Sequence[Unit]
) -> tuple[dict[Key, Made], set[str]]:
    """Return what work units with an ideal time made within planned time, and lines left out.

    As machines counted it. What a line without such counts confirmed was made by its only work
    unit. If it has several, or pieces of several units of measure, nobody knows: it is left out.
    """
    fast = [each for each in units if each.ideal is not None]
    if not fast:
        return {}, set()
    lines = sorted({each.line for each in fast})
    found: dict[Key, Made] = {}
    counted = books.summed(SUMMARY_MACHINE, planned, ("line", "work_unit"), MADE[:2], lines)
    for (number, line, unit, measure), value in counted.items():
        _put(found.setdefault((number, line, unit), Made()), measure, value)
    uncounted = sorted(set(lines) - {line for _, line, _ in found})
    if not uncounted:
        return found, set()
    made = books.summed(SUMMARY_PRODUCTION, planned, ("line", "uom"), MADE, uncounted)
    uoms: dict[str, set[str | None]] = {}
    for _, line, uom, _ in made:
        uoms.setdefault(line, set()).add(uom)
    of_line: dict[str, set[str]] = {}
    for each in units:
        of_line.setdefault(each.line, set()).add(each.work_unit)
    unclear = {line for line in uoms if len(uoms[line]) > 1 or len(of_line[line]) > 1}
    for (number, line, _, measure), value in made.items():
        if line not in unclear:
            (unit,) = of_line[line]
            _put(found.setdefault((number, line, unit), Made()), measure, value)
    return found, unclear


def _put(made: Made, measure: str, value: int) -> None:
    if measure == "good":
        made.good += value
    elif measure == "scrap":
        made.scrap += value
    else:
        made.rework += value
