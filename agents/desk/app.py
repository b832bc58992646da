"""The desk's application: its routes, its page, its probes, and what stands before them."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import msgspec
from aiohttp import hdrs, web
from sqlalchemy.exc import DBAPIError

from agents.desk.access import BODY_BYTES_MAX, PERSON, canonical
from agents.desk.asked import Asked, Nothing, read_body, read_query
from agents.desk.csv_of import csv_of
from agents.desk.desk import Desk
from agents.desk.errors import DeskError
from agents.desk.openapi import document
from agents.desk.page_files import add_page
from agents.desk.probes import add_probes
from agents.desk.route import BASE, Route
from agents.desk.routes import ROUTES
from agents.serve.http_server import HEADERS
from streams.log.writing import Lost
from streams.trouble import Trouble

CONTENT_SECURITY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Middleware(Protocol):
    """Stands before the routes."""

    async def __call__(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        """Answer a request, or let `handler` do it."""
        ...


log = logging.getLogger("lineside.desk")


def create_desk(desk: Desk) -> web.Application:
    """Return the desk's application."""
    app = web.Application(
        middlewares=[_measured(desk), desk.access.guard, _told],
        client_max_size=BODY_BYTES_MAX,
    )
    for route in ROUTES:
        app.router.add_route(route.method, route.pattern, _answer(desk, route))
        if route.method == "GET":
            app.router.add_route("HEAD", route.pattern, _answer(desk, route))
    app.router.add_get(f"{BASE}/live", desk.live.stream)
    app.router.add_get(f"{BASE}/openapi.json", _openapi())
    add_page(app)
    add_probes(app, desk)
    app.on_response_prepare.append(_secure)
    app.on_shutdown.append(desk.live.close)
    return app


def _measured(desk: Desk) -> Middleware:
    """Return what counts requests by their route."""

    @web.middleware
    async def measured(request: web.Request, handler: Answer) -> web.StreamResponse:
        began, status = time.perf_counter(), 500
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            path, seconds = canonical(request), time.perf_counter() - began
            desk.measures.answered(request.method, path, status, seconds)

    return measured


@web.middleware
async def _told(request: web.Request, handler: Answer) -> web.StreamResponse:
    """Let what went wrong be an answer in JSON: nothing that is asked ends the desk."""
    try:
        return await handler(request)
    except (DeskError, web.HTTPException, ConnectionError, asyncio.CancelledError):
        raise
    except Trouble as error:  # the log or the database, in a sentence
        raise DeskError("unavailable", str(error)) from None
    except Lost:
        said = "the log broke off: what was asked for may be done; ask again with the same batch"
        raise DeskError("unavailable", said) from None
    except DBAPIError:
        raise DeskError("unavailable", "the database is away") from None
    except Exception:
        log.exception("a request to %s failed", canonical(request))
        raise DeskError("broken", "the desk made a mistake: its log says which") from None


def _answer(desk: Desk, route: Route) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        person = request[PERSON]()
        if person is None:
            raise DeskError("unauthorized", "the token was taken away")
        plants = person.plants_of(route.scope)
        if plants is not None and (route.whole or not plants):
            where = "in all plants" if route.whole else "in a plant"
            raise DeskError("forbidden", f"this takes the scope {route.scope} {where}")
        asked = Asked(person, plants, time.time_ns() // 1_000, desk.rules, desk.zones)
        if route.act is not None:
            read_query(request, Nothing, formats=("json",))
            question: Any = await request.read()
            wanted = "json"
        elif route.body is not None:
            read_query(request, Nothing, formats=("json",))
            question, wanted = await read_body(request, route.body), "json"
        else:
            question, wanted = read_query(request, route.query, formats=route.formats)
        _check_plant(asked, question)
        answered = await _found(desk, route, asked, question)
        if wanted == "csv":
            return _table(route, answered)
        return web.Response(
            body=msgspec.json.encode(answered), content_type="application/json", charset="utf-8"
        )

    return answer


async def _found(desk: Desk, route: Route, asked: Asked, question: Any) -> Any:
    if route.act is not None:
        return await route.act(desk, asked, question)
    if route.do is not None:
        return await route.do(desk, asked, question)
    read = route.read
    assert read is not None, f"{route.path} has nothing that answers it"
    return await desk.read(lambda connection: read(connection, asked, question))


def _check_plant(asked: Asked, question: Any) -> None:
    """Refuse a question about a plant that isn't the person's, whether there is one or not."""
    plant = getattr(question, "plant", None)
    if asked.plants is not None and plant is not None and plant not in asked.plants:
        raise DeskError("forbidden", "this plant isn't among those of your token", "plant")


def _table(route: Route, answered: Any) -> web.Response:
    if route.table is not None:
        body = route.table(answered)
    else:
        assert route.item is not None
        items = [msgspec.to_builtins(each) for each in msgspec.to_builtins(answered)["items"]]
        body = csv_of(items, route.item.__struct_encode_fields__)
    name = route.path.strip("/").partition("/{")[0].replace("/", "-")
    headers: dict[str, str] = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}.csv"'}
    after = answered.get("next") if isinstance(answered, dict) else None
    if after:
        headers["X-Next-Cursor"] = after
    return web.Response(body=body, content_type="text/csv", charset="utf-8", headers=headers)


def _openapi() -> Answer:
    text = msgspec.json.format(msgspec.json.encode(document(ROUTES)))

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=text, content_type="application/json", charset="utf-8")

    return answer


async def _secure(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY
    response.headers["Server"] = HEADERS["Server"]
