"""Questions to the books, each by its function and its struct, as the desk asks them."""

from typing import Any

import msgspec
from sqlalchemy import Engine

from kpi.kpi_rows import at
from tables.books import (
    kpi_asked,
    kpi_consumption,
    kpi_integration,
    kpi_late,
    kpi_pareto,
    kpi_schedule,
    kpi_totals,
    kpi_wip,
)

NOW = at("2026-11-21T12:00:00Z")
PERIOD = {"from": "2026-11-21", "to": "2026-11-22"}
QUESTIONS = {
    "pareto": (kpi_pareto.pareto, kpi_asked.ParetoAsked),
    "consumption": (kpi_consumption.consumption, kpi_asked.ConsumptionAsked),
    "wip": (kpi_wip.wip, kpi_asked.WipAsked),
    "schedule": (kpi_schedule.schedule, kpi_asked.ScheduleAsked),
    "integration": (kpi_integration.integration, kpi_asked.IntegrationAsked),
    "late": (kpi_late.late, kpi_asked.LateAsked),
    "totals": (kpi_totals.totals, kpi_asked.TotalsAsked),
}


def asked(
    engine: Engine,
    what: str,
    plants: Any = None,
    now: int = NOW,
    more: tuple[Any, ...] = (),
    **members: Any,
) -> dict[str, Any]:
    function, struct = QUESTIONS[what]
    with engine.connect() as connection:
        answer: dict[str, Any] = function(
            connection, plants, msgspec.convert(members, struct), now, *more
        )  # type: ignore[operator]
    return answer
