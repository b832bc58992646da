"""EDGE: what was consumed, by item, lot and unit of measure over time."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from streams.contract.topics import SUMMARY_CONSUMPTION
from streams.values import instant, quantity
from tables.books.asked import AskedError
from tables.books.kpi_asked import ROWS_MAX, ConsumptionAsked
from tables.books.kpi_clocks import clocks_of, period_of
from tables.books.kpi_figures import Period, by_calendar
from tables.books.kpi_masters import lines_of
from tables.books.kpi_sums import summed
from tables.books.plants import Plants
from tables.kpi.buckets import Bucket, buckets


def consumption(
    connection: Connection,
    plants: Plants,
    query: ConsumptionAsked,
    now: int,
    *,
    zones: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return `period` and `items`. Raises `AskedError`."""
    rows: dict[tuple[Any, ...], int] = {}
    spans: dict[tuple[str, str, str], list[int]] = {}
    period = Period()
    wanted = None if query.order is None else {"order_id": query.order}
    for plant, clock in clocks_of(connection, plants, query.plant, zones or {}, now).items():
        lines = lines_of(connection, plants, plant, query.line)
        for of, names in by_calendar(clock, lines):
            begin, end = period_of(of, query.from_, query.to, clock.now, query.by)
            period.widen(begin, end)
            divided = buckets(of, query.by, begin, end)
            sums = summed(
                connection, plant, tuple(names), SUMMARY_CONSUMPTION,
                [(number, each.from_, each.to) for number, each in enumerate(divided)],
                ("item", "lot", "uom"), ("quantity",), wanted,
            )  # fmt: skip
            for (number, item, lot, uom, _), value in sums.items():
                bucket = divided[number]
                when = _label(query.by, bucket)
                span = spans.setdefault((plant, *when), [bucket.from_, bucket.to])
                span[0], span[1] = min(span[0], bucket.from_), max(span[1], bucket.to)
                key = (plant, *when, item, lot, uom)
                rows[key] = rows.get(key, 0) + value
            if len(rows) > ROWS_MAX:
                raise AskedError(
                    "by",
                    f"by is {query.by}: that is more than {ROWS_MAX:,} rows; ask for less time",
                )
    period.at_least(query, now)
    items = [
        {
            "from": instant.text(spans[plant, date, shift][0]),
            "to": instant.text(spans[plant, date, shift][1]),
            "shift": shift if query.by == "shift" and shift else None,
            "plant": plant,
            "item": item,
            "lot": lot,
            "uom": uom,
            "quantity": quantity.text(value),
        }
        for (plant, date, shift, item, lot, uom), value in rows.items()
        if value
    ]
    items.sort(key=lambda each: tuple(str(each[name] or "") for name in ORDER))
    return {"period": period.plain(), "items": items}


ORDER = ("plant", "from", "item", "lot", "uom")


def _label(by: str, bucket: Bucket) -> tuple[str, str]:
    """Return what rows of several calendars have in common: the day and shift, else the time."""
    if by == "day" or (by == "shift" and bucket.shift is not None):
        return bucket.date.isoformat(), bucket.shift or ""
    if by == "total":
        return "", ""
    return instant.text(bucket.from_), ""
