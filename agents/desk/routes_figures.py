"""Routes that give figures: KPIs by ISO 22400-2, reports, totals."""

from typing import Final

from agents.desk import answers_figures as answers
from agents.desk import reports
from agents.desk.reading import freshly, reading
from agents.desk.route import Route
from tables.books import (
    kpi_asked,
    kpi_consumption,
    kpi_figures,
    kpi_integration,
    kpi_late,
    kpi_pareto,
    kpi_schedule,
    kpi_totals,
    kpi_wip,
)

ROUTES: Final = (
    Route(
        path="/kpis",
        says="Availability, effectiveness, quality ratio, OEE and others, over time",
        query=kpi_asked.FiguresAsked,
        answer=answers.Figures,
        read=freshly(kpi_figures.figures),
    ),
    Route(
        path="/kpis/pareto",
        says="Downtime by reason, the longest first",
        query=kpi_asked.ParetoAsked,
        answer=answers.Pareto,
        read=freshly(kpi_pareto.pareto),
    ),
    Route(
        path="/kpis/consumption",
        says="What was consumed",
        query=kpi_asked.ConsumptionAsked,
        answer=answers.Consumption,
        read=freshly(kpi_consumption.consumption),
    ),
    Route(
        path="/kpis/wip",
        says="What is between two operations",
        query=kpi_asked.WipAsked,
        answer=answers.Wip,
        read=freshly(kpi_wip.wip),
    ),
    Route(
        path="/kpis/schedule",
        says="Orders: attainment, ageing, throughput",
        query=kpi_asked.ScheduleAsked,
        answer=answers.Schedule,
        read=freshly(kpi_schedule.schedule),
    ),
    Route(
        path="/kpis/integration",
        says="How well the data come, by plant and source",
        query=kpi_asked.IntegrationAsked,
        answer=answers.Integration,
        read=freshly(kpi_integration.integration),
    ),
    Route(
        path="/kpis/late",
        says="Why lines are late",
        query=kpi_asked.LateAsked,
        answer=answers.Late,
        read=freshly(kpi_late.late),
    ),
    Route(
        path="/reports/shift",
        says="A shift's report",
        query=kpi_asked.ReportAsked,
        answer=answers.Report,
        read=reading(reports.shift_report),
        table=lambda report: reports.csv_of(report).encode(),
    ),
    Route(
        path="/reports/day",
        says="A day's report",
        query=kpi_asked.ReportAsked,
        answer=answers.Report,
        read=reading(reports.day_report),
        table=lambda report: reports.csv_of(report).encode(),
    ),
    Route(
        path="/totals",
        says="Whether the totals add up: accepted, left, not left",
        query=kpi_asked.TotalsAsked,
        answer=answers.Totals,
        read=freshly(kpi_totals.totals),
    ),
)
