"""The stand-in answers as the desk does: each answer has the members of the desk's own structs."""

import json
import re
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from agents.desk.routes_desk import ROUTES as DESK
from agents.desk.routes_exceptions import ROUTES as EXCEPTIONS
from agents.desk.routes_figures import ROUTES as FIGURES
from agents.desk.routes_lines import ROUTES as LINES
from agents.desk.routes_trace import ROUTES as TRACE
from desk_pages import POSTED, served
from stand_in import StandIn
from tables.books.sentences import TEXTS as SENTENCES
from test_page_texts import ENGLISH

ROUTES = (*EXCEPTIONS, *FIGURES, *LINES, *TRACE, *DESK)

PATHS = (
    "/me", "/overview", "/lines/DE01/L3", "/orders", "/orders/DE01/4711", "/trace?q=4711", "/transactions",
    f"/transactions/one?id={POSTED}", "/events", "/events/mes.events.v1/3/103", "/double-bookings", "/exceptions",
    "/exceptions/reasons", "/exceptions/one?id=mes.events.v1/3/117", "/exceptions/ageing", "/acts", "/reference",
    "/reference/kinds", "/holds", "/parked", "/kpis", "/kpis/pareto", "/kpis/consumption", "/kpis/wip", "/kpis/schedule",
    "/kpis/integration", "/kpis/late", "/reports/shift?plant=DE01&date=2026-11-25&shift=night",
    "/reports/day?plant=DE01&date=2026-11-25", "/totals", "/health",
)  # fmt: skip


def answer_of(path: str) -> Any:
    """Return the struct of the desk's answer to a GET of this path."""
    plain = path.partition("?")[0]
    fits = [
        route
        for route in ROUTES
        if route.method == "GET" and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path), plain)
    ]
    return min(fits, key=lambda route: route.path.count("{")).answer


@pytest.mark.parametrize("path", PATHS)
async def test_an_answer_of_the_stand_in_is_one_of_the_desk(path: str) -> None:
    async with served(StandIn()) as url, ClientSession() as session:
        async with session.get(f"{url}api/v1{path}") as response:
            found: dict[str, Any] = json.loads(await response.text())
        told = msgspec.to_builtins(msgspec.convert(found, answer_of(path)))
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


def test_each_sentence_of_the_desk_is_known_to_the_page() -> None:
    assert {f"sentence.{code}" for code in SENTENCES} - set(ENGLISH) == set()
