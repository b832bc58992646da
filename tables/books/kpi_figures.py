"""EDGE: key figures of plants, lines, work units, orders or items over time, from the books."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from streams.values import instant, quantity
from tables.books.asked import AskedError
from tables.books.kpi_asked import ROWS_MAX, FiguresAsked
from tables.books.kpi_clocks import PlantClock, clocks_of, period_of
from tables.books.kpi_facts import Books, Place, facts_of
from tables.books.kpi_masters import Lines, lines_of
from tables.books.plants import Plants
from tables.kpi.buckets import Bucket, buckets
from tables.kpi.days import Clock
from tables.kpi.facts import Facts, added, plain_kpis, plain_made


class Row(Struct, frozen=True):
    """Facts of one thing in one part of a period."""

    bucket: Bucket
    plant: str
    place: Place
    complete: bool
    """Whether the summaries of the bucket are complete, but for late events."""
    facts: Facts


class Period(Struct):
    """From the earliest begin to the latest end of all lines' periods."""

    begin: int | None = None
    end: int | None = None

    def at_least(self, query: Any, now: int) -> None:
        """Take the period that a plant in UTC would have, where there is no line."""
        if self.begin is None:
            self.widen(*period_of(Clock(UTC), query.from_, query.to, now))

    def widen(self, begin: int, end: int) -> None:
        """Take in another period."""
        self.begin = begin if self.begin is None else min(begin, self.begin)
        self.end = end if self.end is None else max(end, self.end)

    def plain(self) -> dict[str, Any]:
        """Return the period as the API gives it."""
        return {
            "from": None if self.begin is None else instant.text(self.begin),
            "to": None if self.end is None else instant.text(self.end),
        }


def figures(
    connection: Connection,
    plants: Plants,
    query: FiguresAsked,
    now: int,
    *,
    zones: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return `zone`, `period` and `items`. Raises `AskedError`."""
    clocks = clocks_of(connection, plants, query.plant, zones or {}, now)
    period = Period()
    rows = list(rows_of(connection, plants, query, clocks, period))
    period.at_least(query, now)
    names = {each.zone_name for each in clocks.values()}
    return {
        "zone": names.pop() if len(names) == 1 else None,
        "period": period.plain(),
        "problems": sorted({told for each in clocks.values() for told in each.problems}),
        "items": [_plain(each) for each in rows],
    }


def rows_of(
    connection: Connection,
    plants: Plants,
    query: FiguresAsked,
    clocks: Mapping[str, PlantClock],
    period: Period,
) -> Iterator[Row]:
    """Yield the rows by plant, time, and what they are of; `period` takes in those of the lines."""
    group = "work_unit" if query.work_unit is not None and query.group == "line" else query.group
    left = ROWS_MAX
    for plant, clock in clocks.items():
        lines = lines_of(connection, plants, plant, query.line)
        rows: list[Row] = []
        for calendar_clock, of in by_calendar(clock, lines):
            begin, end = period_of(calendar_clock, query.from_, query.to, clock.now, query.by)
            period.widen(begin, end)
            divided = buckets(calendar_clock, query.by, begin, end)
            left -= len(divided) * len(of)
            if left < 0:
                raise AskedError(
                    "by",
                    f"by is {query.by}: of so many lines and so long a time that is more than "
                    f"{ROWS_MAX:,} rows; ask for less time, for one line, or by {_coarser(query)}",
                )
            books = Books(connection, plant, of)
            facts = facts_of(books, divided, group, query.work_unit)
            for place, each in sorted(facts.items(), key=lambda one: _sort_key(one[0])):
                bucket = divided[place.bucket]
                between = query.by == "shift" and bucket.shift is None
                if between and each.is_empty and calendar_clock.calendar is not None:
                    continue  # between shifts nothing was made, as it should be
                known = of[place.line]
                complete = known is not None and known.closed_to >= bucket.to
                rows.append(Row(bucket, plant, place, complete, each))
        yield from _grouped(rows, query, group)


def by_calendar(clock: PlantClock, lines: Lines) -> Iterable[tuple[Clock, Lines]]:
    """Return the lines that share a calendar, with it."""
    shared: dict[int | None, tuple[Clock, Lines]] = {}
    for line, known in lines.items():
        of = clock.clock_of(line)
        which = None if of.calendar is None else id(of.calendar)
        shared.setdefault(which, (of, {}))[1][line] = known
    return shared.values()


def _grouped(rows: list[Row], query: FiguresAsked, group: str) -> Iterator[Row]:
    """Yield rows of one plant, added up over lines where they are asked for by something else."""
    if group in ("line", "work_unit"):
        yield from sorted(rows, key=lambda row: (row.bucket.from_, _sort_key(row.place)[1:]))
        return
    together: dict[Any, list[Row]] = {}
    for row in rows:
        bucket = row.bucket
        dated = query.by == "day" or (query.by == "shift" and bucket.shift is not None)
        when = (bucket.date, bucket.shift) if dated else (bucket.from_, bucket.to)
        together.setdefault((when, row.place.order, row.place.item), []).append(row)
    merged = [_merged(each, query.line) for each in together.values()]
    yield from sorted(merged, key=lambda row: (row.bucket.from_, _sort_key(row.place)[1:]))


def _merged(rows: list[Row], line: str | None) -> Row:
    first = rows[0].bucket
    bucket = Bucket(
        min(each.bucket.from_ for each in rows),
        max(each.bucket.to for each in rows),
        first.date,
        first.shift,
        (),
    )
    place = Place(0, line or "", None, rows[0].place.order, rows[0].place.item)
    complete = all(each.complete for each in rows)
    return Row(bucket, rows[0].plant, place, complete, added(each.facts for each in rows))


def _sort_key(place: Place) -> tuple[int, str, str, str, str]:
    return (
        place.bucket,
        place.line,
        place.work_unit or "",
        place.order or "",
        place.item or "",
    )


def _coarser(query: FiguresAsked) -> str:
    return {"minute": "hour", "hour": "shift or day", "shift": "day"}.get(query.by, "total")


def _plain(row: Row) -> dict[str, Any]:
    facts = row.facts
    return {
        "from": instant.text(row.bucket.from_),
        "to": instant.text(row.bucket.to),
        "date": row.bucket.date.isoformat(),
        "shift": row.bucket.shift,
        "plant": row.plant,
        "line": row.place.line or None,
        "work_unit": row.place.work_unit,
        "order": row.place.order,
        "item": row.place.item,
        "complete": row.complete,
        "kpis": plain_kpis(facts),
        "made": plain_made(facts),
        "down_seconds": quantity.text(facts.down),
        "planned_down_seconds": quantity.text(facts.planned_down),
        "busy_seconds": quantity.text(facts.busy),
    }
