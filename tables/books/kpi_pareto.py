"""EDGE: downtime by work unit and reason, the longest first: ISO 22400's ADOT by its causes."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection

from streams.contract.topics import SUMMARY_DOWNTIME
from streams.values import quantity
from tables.books.amounts import NANO
from tables.books.kpi_asked import ParetoAsked
from tables.books.kpi_clocks import clocks_of, period_of
from tables.books.kpi_figures import Period, by_calendar
from tables.books.kpi_masters import lines_of
from tables.books.kpi_sums import summed
from tables.books.plants import Plants
from tables.kpi.ratios import of_billionths, plain

REASONS_MAX: Final = 500
"""Rows of an answer; the seconds of the others are in the shares' denominator."""

Cause = tuple[str, str, str, bool]
"""Plant, work unit, reason, and whether it was planned."""


def pareto(
    connection: Connection,
    plants: Plants,
    query: ParetoAsked,
    now: int,
    *,
    zones: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return `period` and `items`: seconds and stops of each work unit and reason, and its share.

    Stops that overlap add up, each as it was reported. Raises `AskedError`.
    """
    found: dict[Cause, list[int]] = {}
    period = Period()
    for plant, clock in clocks_of(connection, plants, query.plant, zones or {}, now).items():
        lines = lines_of(connection, plants, plant, query.line)
        for of, names in by_calendar(clock, lines):
            begin, end = period_of(of, query.from_, query.to, clock.now)
            period.widen(begin, end)
            by = ("work_unit", "reason", "planned")
            sums = summed(
                connection, plant, tuple(names), SUMMARY_DOWNTIME, [(0, begin, end)], by,
                ("seconds", "stops"),
            )  # fmt: skip
            for (_, unit, reason, planned, measure), value in sums.items():
                cause = plant, unit or "", reason or "", bool(planned)
                found.setdefault(cause, [0, 0])[measure == "stops"] += value
    period.at_least(query, now)
    total = sum(seconds for seconds, _ in found.values())
    ordered = sorted(found.items(), key=lambda each: (-each[1][0], -each[1][1], each[0]))
    items = [
        {
            "plant": plant,
            "work_unit": unit,
            "reason": reason,
            "planned": planned,
            "seconds": quantity.text(seconds),
            "stops": stops // NANO,
            "share": plain(of_billionths(seconds, total)),
        }
        for (plant, unit, reason, planned), (seconds, stops) in ordered
        if seconds or stops
    ]
    return {"period": period.plain(), "items": items[:REASONS_MAX]}
