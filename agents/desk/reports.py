"""Reports of shifts and days: a row for each line and unit of measure, and their sum."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from streams.contract.rejection import shown
from streams.values import instant, quantity
from tables.books.asked import AskedError
from tables.books.kpi_asked import FiguresAsked, ParetoAsked, ReportAsked
from tables.books.kpi_clocks import PlantClock, clocks_of, day_named
from tables.books.kpi_figures import Period, Row, rows_of
from tables.books.kpi_pareto import pareto
from tables.books.plants import Plants
from tables.kpi.cells import csv_text
from tables.kpi.facts import Facts, added, of_made, plain_kpis, plain_made, ratios
from tables.kpi.ratios import percent

COLUMNS: Final = (
    "plant", "line", "work_unit", "order", "item", "date", "shift", "from", "to", "complete",
    "uom", "good", "scrap", "rework", "quality_ratio", "scrap_ratio", "rework_ratio",
    "availability", "effectiveness", "oee", "busy_seconds", "down_seconds", "planned_down_seconds",
)  # fmt: skip
"""Of a row; ratios in percent. What is of time is in the first row of a line only."""

REASONS_MAX: Final = 10
"""The longest causes of downtime that a report names."""

Zones = Mapping[str, str]


def shift_report(
    connection: Connection,
    plants: Plants,
    query: ReportAsked,
    now: int,
    *,
    zones: Zones | None = None,
) -> dict[str, Any]:
    """Return the report of a shift, or of each shift of a date. Raises `AskedError`.

    Without a date: of the day that lasts now; with neither date nor shift, of the shift that does.
    """
    plant, clock = _plant(connection, plants, query, now, zones)
    day = _date(query, clock)
    shift = query.shift
    if query.date is None and shift is None:
        lasting = clock.shift_at(query.line, clock.now)
        shift = None if lasting is None else lasting.name
    asked = _of_day(query, plant, day, "shift")
    period = Period()
    rows = list(rows_of(connection, plants, asked, {plant: clock}, period))
    if shift is not None:
        rows = [row for row in rows if row.bucket.shift == shift] or _no_such(shift, day, rows)
    what = "Shifts" if shift is None else f"Shift {shift}"
    title = f"{what} of {day.isoformat()}, {_where(plant, query.line)}"
    return _report(connection, plants, title, clock, rows, period, now)


def day_report(
    connection: Connection,
    plants: Plants,
    query: ReportAsked,
    now: int,
    *,
    zones: Zones | None = None,
) -> dict[str, Any]:
    """Return the report of a plant's day; without a date of the one that lasts now."""
    plant, clock = _plant(connection, plants, query, now, zones)
    day = _date(query, clock)
    period = Period()
    asked = _of_day(query, plant, day, "day")
    rows = list(rows_of(connection, plants, asked, {plant: clock}, period))
    title = f"Day {day.isoformat()}, {_where(plant, query.line)}"
    return _report(connection, plants, title, clock, rows, period, now)


def figures_report(
    connection: Connection,
    plants: Plants,
    query: FiguresAsked,
    now: int,
    *,
    zones: Zones | None = None,
) -> dict[str, Any]:
    """Return key figures in the form of a report, of one plant."""
    plant, clock = _plant(connection, plants, query, now, zones)
    period = Period()
    rows = list(rows_of(connection, plants, query, {plant: clock}, period))
    title = f"By {query.by}, {_where(plant, query.line)}"
    return _report(connection, plants, title, clock, rows, period, now)


def csv_of(report: Mapping[str, Any]) -> str:
    """Return the rows of a report as CSV; no cell is a formula."""
    return csv_text(COLUMNS, ([row[name] for name in COLUMNS] for row in report["rows"]))


def _plant(
    connection: Connection,
    plants: Plants,
    query: ReportAsked | FiguresAsked,
    now: int,
    zones: Zones | None,
) -> tuple[str, PlantClock]:
    clocks = clocks_of(connection, plants, query.plant, zones or {}, now)
    if len(clocks) == 1:
        return next(iter(clocks.items()))
    if query.plant is not None or not clocks:
        given = "missing, and there is none" if query.plant is None else shown(query.plant)
        raise AskedError("plant", f"plant is {given}: no plant that you see")
    raise AskedError("plant", f"plant is missing: a report is of one, e.g. {next(iter(clocks))}")


def _date(query: ReportAsked, clock: PlantClock) -> date:
    if query.date is not None:
        return day_named("date", query.date)
    return clock.day_at(query.line, clock.now).date


def _of_day(query: ReportAsked, plant: str, day: date, by: Any) -> FiguresAsked:
    following = (day + timedelta(days=1)).isoformat()
    return FiguresAsked(plant=plant, line=query.line, from_=day.isoformat(), to=following, by=by)


def _no_such(shift: str, day: date, rows: Sequence[Row]) -> list[Row]:
    """Raise `AskedError`, which names the shifts that there are; return nothing of no lines."""
    if not rows:
        return []
    names = sorted({row.bucket.shift for row in rows if row.bucket.shift is not None})
    there = f"has {', '.join(names)}" if names else "has no shift: the plant has no shift calendar"
    raise AskedError("shift", f"shift is {shown(shift)}: {day.isoformat()} {there}")


def _where(plant: str, line: str | None) -> str:
    return plant if line is None else f"{plant}/{line}"


def _report(
    connection: Connection,
    plants: Plants,
    title: str,
    clock: PlantClock,
    rows: Sequence[Row],
    period: Period,
    now: int,
) -> dict[str, Any]:
    if rows:
        period = Period(min(row.bucket.from_ for row in rows), max(row.bucket.to for row in rows))
    elif period.begin is None:
        period.widen(now, now)
    total = added(row.facts for row in rows)
    return {
        "title": title,
        "zone": clock.zone_name,
        **period.plain(),
        "complete": bool(rows) and all(row.complete for row in rows),
        "problems": list(clock.problems),
        "rows": [flat for row in rows for flat in _flat(row)],
        "totals": {
            "kpis": plain_kpis(total),
            "made": plain_made(total),
            "busy_seconds": quantity.text(total.busy),
            "down_seconds": quantity.text(total.down),
            "planned_down_seconds": quantity.text(total.planned_down),
        },
        "pareto": _pareto(connection, plants, rows, period, now),
    }


def _pareto(
    connection: Connection, plants: Plants, rows: Sequence[Row], period: Period, now: int
) -> list[dict[str, Any]]:
    """Return the longest stops of the rows' lines in the report's time."""
    if not rows or period.begin is None or period.end is None:
        return []
    lines = {row.place.line for row in rows}
    asked = ParetoAsked(
        plant=rows[0].plant,
        line=lines.pop() or None if len(lines) == 1 else None,
        from_=instant.text(period.begin),
        to=instant.text(period.end),
    )
    found: list[dict[str, Any]] = pareto(connection, plants, asked, now)["items"]
    return found[:REASONS_MAX]


def _flat(row: Row) -> Iterable[dict[str, Any]]:
    """Yield a row for each unit of measure; one without any where nothing was made."""
    bucket, facts = row.bucket, row.facts
    shared = {
        "plant": row.plant,
        "line": row.place.line or None,
        "work_unit": row.place.work_unit,
        "order": row.place.order,
        "item": row.place.item,
        "date": bucket.date.isoformat(),
        "shift": bucket.shift,
        "from": instant.text(bucket.from_),
        "to": instant.text(bucket.to),
        "complete": row.complete,
    }
    of_time = _of_time(facts)
    if not facts.made:
        yield {**dict.fromkeys(COLUMNS), **shared, **of_time}
    for uom, made in sorted(facts.made.items(), key=lambda each: each[0] or ""):
        pieces = {
            "uom": uom,
            "good": quantity.text(made.good),
            "scrap": quantity.text(made.scrap),
            "rework": quantity.text(made.rework),
            **{name: percent(ratio) for name, ratio in of_made(made).items()},
        }
        yield {**shared, **pieces, **of_time}
        of_time = dict.fromkeys(of_time)


def _of_time(facts: Facts) -> dict[str, str | None]:
    each = ratios(facts)
    return {
        **{name: percent(each[name]) for name in ("availability", "effectiveness", "oee")},
        "busy_seconds": quantity.text(facts.busy),
        "down_seconds": quantity.text(facts.down),
        "planned_down_seconds": quantity.text(facts.planned_down),
    }
