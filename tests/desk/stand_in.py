"""Stands in for the desk: the page's own files, and the API's shapes from a plant that is made up."""

import asyncio
import json
from collections import Counter
from importlib import resources
from typing import Any

from aiohttp import web

from agents.serve.http_server import HEADERS
from stand_in_figures import (
    CALENDAR,
    ITEM,
    event_of,
    figures,
    health,
    kpis,
    line_page,
    lines,
    order_page,
    report,
    transactions,
)
from stand_in_plant import (
    DOUBLE,
    EVENTS,
    FRESH,
    SENTENCES,
    Row,
    at,
    exception_page,
    exceptions,
    hold,
    order_row,
    overview,
    totals,
)

KINDS = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "json": "application/json",
}
CHECKED_BY_FILTER = ("plant", "line", "class", "code", "status", "order", "assigned_to")


class StandIn:
    """A desk with one person, or with tokens; `asked` has the paths of requests."""

    def __init__(self, scope: str = "approve", tokens: dict[str, str] | None = None) -> None:
        """Let everybody in with this scope, or only who has one of `tokens` (token: scope)."""
        self.scope = scope
        self.tokens = tokens
        self.exceptions = exceptions()
        self.acts: list[Row] = []
        self.asked: list[str] = []
        self.bodies: list[Row] = []
        self.overview = overview()
        self.totals = totals()
        self._changed = asyncio.Event()
        self.listeners = 0
        self.odd = True
        self.away = False

    def change(self) -> None:
        """Tell who listens that the books have changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    def app(self) -> web.Application:
        """Return the application: the page, its files, the API."""
        app = web.Application(middlewares=[self._middleware()])
        app.router.add_get("/", self._file)
        app.router.add_get("/page/{name}", self._file)
        app.router.add_get("/api/v1/live", self._live)
        app.router.add_post("/api/v1/exceptions/act", self._act)
        app.router.add_route("*", "/api/v1/{path:.+}", self._answer)
        app.on_response_prepare.append(_secure)
        return app

    def _middleware(self) -> Any:
        @web.middleware
        async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
            return await self._guard(request, handler)

        return guard

    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path.startswith("/api/"):
            self.asked.append(request.path_qs.removeprefix("/api/v1"))
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if self.tokens is not None and token not in self.tokens:
                return _refusal(401, "unauthorized", "a token is needed")
            if self.away:
                return _refusal(503, "unavailable", "the database can't be reached")
        answer: web.StreamResponse = await handler(request)
        return answer

    def _scope(self, request: web.Request) -> str:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return self.scope if self.tokens is None else self.tokens[token]

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info.get("name", "index.html")
        file = resources.files("agents.desk").joinpath("page", name)
        if not file.is_file():
            return web.Response(status=404)
        kind = KINDS.get(name.rpartition(".")[2], "text/plain")
        return web.Response(body=file.read_bytes(), content_type=kind, charset="utf-8")

    async def _live(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.listeners += 1
        try:
            while True:
                opened = sum(one["status"] == "open" for one in self.exceptions)
                message = {"at": at(), "overview": True, "exceptions_open": opened}
                await response.write(f"event: changed\ndata: {json.dumps(message)}\n\n".encode())
                changed = self._changed
                while not changed.is_set():
                    await response.write(b": keep-alive\n\n")
                    await asyncio.sleep(0.1)
        except (ConnectionError, asyncio.CancelledError):
            return response
        finally:
            self.listeners -= 1

    async def _answer(self, request: web.Request) -> web.Response:
        if request.query.get("format") == "csv":
            return web.Response(text="id,reason\r\n1,'=1+1\r\n", content_type="text/csv")
        if request.method == "POST":
            self.bodies.append(await request.json())
        found = self._document(request.match_info["path"], dict(request.query), request)
        return (
            _refusal(404, "not_found", "there's no such thing")
            if found is None
            else web.json_response(found)
        )

    def _document(self, path: str, query: dict[str, str], request: web.Request) -> Row | None:
        head, _, rest = path.partition("/")
        if path in (simple := self._simple(query, request)):
            return simple[path]
        if head == "lines":
            one = lines().get(rest)
            return one and line_page(one, query.get("from"), query.get("to"))
        if head == "orders":
            return order_page(rest.partition("/")[2])
        if head == "events":
            return next(
                (
                    {**one, "fresh": FRESH}
                    for one in EVENTS
                    if f"{one['topic']}/{one['partition']}/{one['offset']}" == rest
                ),
                None,
            )
        if head == "kpis":
            return figures(rest)
        if path == "exceptions/one":
            return next(
                (
                    exception_page(one, self.acts)
                    for one in self.exceptions
                    if one["id"] == query["id"]
                ),
                None,
            )
        if head == "reports":
            return report(query["plant"], query["date"], query.get("shift"))
        if path == "transactions/one":
            known = [one for one in transactions() if one["id"] == query["id"]]
            return (
                known[0] | {"record": {"id": known[0]["id"]}, "events": [event_of(EVENTS[0])]}
                if known
                else None
            )
        return None

    def _simple(self, query: dict[str, str], request: web.Request) -> dict[str, Row]:
        found = self._found(query)
        reasons = Counter((one["code"], one["reason"]) for one in found).most_common(10)
        return {
            "me": {"name": "anna", "scope": self._scope(request), "plants": ["*"], "approval": ["DE01"]},
            "overview": self.overview, "totals": self.totals, "kpis": kpis(), "health": health(),
            "orders": _list([order_row(), order_row("4712", exceptions_open=0, progress=None, quantity=None)]),
            "trace": _trace(query.get("q", "4711"), self.odd),
            "transactions": _list(transactions()), "events": _list([event_of(one) for one in EVENTS]),
            "double-bookings": _list([DOUBLE]), "exceptions": {**_list(found), "total": len(found)},
            "exceptions/reasons": {"items": [{"code": code, "reason": reason, "count": n, "oldest": at(1900)} for (code, reason), n in reasons]},
            "exceptions/ageing": {"items": [{"class": name, "open": 3, "overdue": 1, "oldest": at(1900), "buckets":
                                             {"1h": 1, "8h": 0, "1d": 1, "7d": 1, "older": 0}} for name in ("data", "business", "technical")]},
            "acts": _list(self.acts or [_assigned()]),
            "reference": _list([CALENDAR] if query.get("kind") == "shift_calendar" else [ITEM, CALENDAR]),
            "reference/kinds": {"items": [{"kind": "item", "count": 1204}, {"kind": "shift_calendar", "count": 1}], "next": None},
            "holds": _list([hold(), hold("H-9", scope="item", value="M-7", touched=0, oldest=None)]),
            "parked": _list([event_of(EVENTS[0]) | {"hold": "H-17"}]),
        }  # fmt: skip

    def _found(self, query: dict[str, str]) -> list[Row]:
        wanted = {name: query[name] for name in CHECKED_BY_FILTER if name in query}
        text = query.get("text", "")
        return [one for one in self.exceptions
                if all(one[name] == value for name, value in wanted.items()) and text in one["reason"]]  # fmt: skip

    async def _act(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        chosen = (
            self._found(body["filter"])
            if body["filter"] is not None
            else [one for one in self.exceptions if one["id"] in body["ids"]]
        )
        results = [self._acted(one, body) for one in chosen]
        done = sum(one["result"] == "done" for one in results)
        return web.json_response(
            {
                "dry_run": body["dry_run"],
                "batch": body["batch"] or "b",
                "done": done,
                "items": results,
            }
        )

    def _acted(self, one: Row, body: Row) -> Row:
        said = {"id": one["id"], "reason": None, "code": None, "version": one["version"]}
        if (body["versions"] or {}).get(one["id"], one["version"]) != one["version"]:
            return said | {"result": "conflict"}
        sends = body["act"] in ("fix", "resend", "approve")
        if sends and "M-999" in (body["value"] or json.dumps(one)):
            return said | {
                "result": "would_be_refused",
                "code": "unknown_master",
                "reason": "data.item is 'M-999': no such item is known",
            }
        if body["dry_run"]:
            return said | {"result": "would_be_accepted"}
        before = {"status": one["status"], "version": one["version"]}
        one["version"] += 1
        one["assigned_to"] = body["to"] or one["assigned_to"]
        one["status"] = {"dismiss": "dismissed", "reject": "open"}.get(
            body["act"], "resent" if sends else one["status"]
        )
        self.acts.append(_assigned() | {"id": f"a{len(self.acts)}", "act": body["act"], "subject": one["id"], "why": body["why"],
                                        "before": before, "after": {"status": one["status"], "version": one["version"]}})  # fmt: skip
        return said | {"result": "done", "version": one["version"]}


def _assigned() -> Row:
    return {"id": "a-0", "at": at(9), "who": "anna", "act": "assign", "subject": "mes.events.v1/3/63", "plant": "DE01", "line": "L3",
            "why": "I ask the planners", "batch": None, "before": {"version": 0}, "after": {"version": 1, "assigned_to": "anna"}}  # fmt: skip


def _trace(text: str, odd: bool) -> Row:
    known = text in ("4711", "p1", "p2")
    return {
        "fresh": FRESH, "query": text, "kind": "order" if known else None,
        "found": [{"kind": "order", "label": text, "plant": "DE01", "line": None, "count": 3},
                  {"kind": "lot", "label": text, "plant": "DE01", "line": None, "count": 1}] if known else [],
        "events": EVENTS if known else [], "transactions": transactions() if known else [],
        "exceptions": exceptions()[:1] if known else [], "double_bookings": [DOUBLE] if known and odd else [], "more": False,
        "sentence": SENTENCES[: None if odd else -1] if known else [],
    }  # fmt: skip


def _list(items: list[Row]) -> Row:
    return {"items": items, "next": None}


def _refusal(status: int, code: str, message: str) -> web.Response:
    return web.json_response(
        {"error": {"code": code, "message": message, "member": None}}, status=status
    )


async def _secure(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
