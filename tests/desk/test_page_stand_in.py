"""The stand-in answers as the desk does: each answer has the members of the desk's own structs."""

import json
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from agents.desk import answers_exceptions, answers_figures, answers_lines, answers_trace
from agents.desk.routes_exceptions import ROUTES as EXCEPTIONS
from agents.desk.routes_figures import ROUTES as FIGURES
from agents.desk.routes_lines import ROUTES as LINES
from agents.desk.routes_trace import ROUTES as TRACE
from desk_pages import POSTED, served
from stand_in import StandIn
from tables.books.sentences import TEXTS as SENTENCES
from test_page_texts import ENGLISH

ANSWERS = {
    "/me": answers_lines.Me,
    "/overview": answers_lines.Overview,
    "/lines/DE01/L3": answers_lines.LinePage,
    "/orders": answers_lines.Orders,
    "/orders/DE01/4711": answers_lines.OrderPage,
    "/trace?q=4711": answers_trace.Trace,
    "/transactions": answers_trace.Transactions,
    f"/transactions/one?id={POSTED}": answers_trace.TransactionPage,
    "/events": answers_trace.Events,
    "/events/mes.events.v1/3/103": answers_trace.EventPage,
    "/double-bookings": answers_trace.DoubleBookings,
    "/exceptions": answers_exceptions.Exceptions,
    "/exceptions/reasons": answers_exceptions.Reasons,
    "/exceptions/one?id=mes.events.v1/3/117": answers_exceptions.ExceptionPage,
    "/exceptions/ageing": answers_exceptions.Ageing,
    "/acts": answers_trace.Acts,
    "/reference": answers_lines.References,
    "/reference/kinds": answers_lines.Kinds,
    "/holds": answers_lines.Holds,
    "/parked": answers_lines.AllParked,
    "/kpis": answers_figures.Figures,
    "/kpis/pareto": answers_figures.Pareto,
    "/kpis/consumption": answers_figures.Consumption,
    "/kpis/wip": answers_figures.Listed,
    "/reports/shift?plant=DE01&date=2026-11-25&shift=night": answers_figures.Report,
    "/totals": answers_figures.Totals,
    "/health": answers_figures.Health,
}


@pytest.mark.parametrize("path", ANSWERS)
async def test_an_answer_of_the_stand_in_is_one_of_the_desk(path: str) -> None:
    async with served(StandIn()) as url, ClientSession() as session:
        async with session.get(f"{url}api/v1{path}") as response:
            found: dict[str, Any] = json.loads(await response.text())
        told = msgspec.to_builtins(msgspec.convert(found, ANSWERS[path]))
        assert _members(found, told, path) == []


def _members(found: Any, told: Any, where: str) -> list[str]:
    """Return the members that are in one only."""
    if isinstance(found, dict):
        more = [f"{where}.{name}" for name in found.keys() ^ told.keys()]
        return more + [
            one
            for name in found.keys() & told.keys()
            for one in _members(found[name], told[name], f"{where}.{name}")
        ]
    if isinstance(found, list):
        return [one for pair in zip(found, told, strict=True) for one in _members(*pair, where)]
    return []


def test_each_path_that_is_stood_in_for_is_one_of_the_desk() -> None:
    known = {route.path for route in (*EXCEPTIONS, *FIGURES, *LINES, *TRACE)} | {"/me", "/health"}
    for path in ANSWERS:
        plain = path.partition("?")[0]
        own = [
            one
            for one in known
            if one == plain or (one.count("/") == plain.count("/") and "{" in one)
        ]
        assert own, path


def test_each_sentence_of_the_desk_is_known_to_the_page() -> None:
    assert {f"sentence.{code}" for code in SENTENCES} - set(ENGLISH) == set()
