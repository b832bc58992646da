"""The desk's page in Chromium, before a stand-in for the desk, at one moment of a made-up plant."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from aiohttp import web
from playwright.async_api import Browser, Page

from stand_in import StandIn
from stand_in_plant import NOW, ORDER

WAIT_MS = 10_000
READY = "#main:not([aria-busy]) .view h1"
POSTED = quote("pc:DE01/L3:/DE01/mes|p1", safe="")

VIEWS = {
    "overview": "#/",
    "line": "#/line/DE01/L3",
    "orders": "#/orders",
    "order": f"#/order/DE01/{ORDER}",
    "trace": f"#/trace?q={ORDER}",
    "nothing traced": "#/trace",
    "event": "#/event/mes.events.v1/3/103",
    "transactions": "#/transactions",
    "transaction": f"#/transaction?id={POSTED}",
    "double bookings": "#/double-bookings",
    "exceptions": "#/exceptions",
    "exception": "#/exception?id=mes.events.v1/3/117",
    "reports": "#/reports",
    "kpis": "#/kpis",
    "pareto": "#/kpis/pareto",
    "consumption": "#/kpis/consumption",
    "wip": "#/kpis/wip",
    "schedule": "#/kpis/schedule",
    "integration": "#/kpis/integration",
    "late": "#/kpis/late",
    "reference": "#/reference",
    "holds": "#/holds",
    "health": "#/health",
    "audit": "#/audit",
}
"""Each view's address."""


@asynccontextmanager
async def served(desk: StandIn) -> AsyncIterator[str]:
    """Serve a stand-in; yield its URL, with a slash at its end."""
    runner = web.AppRunner(desk.app(), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened(
    browser: Browser,
    url: str,
    view: str = "#/",
    *,
    wide: int = 1280,
    quiet: bool = True,
    **more: Any,
) -> AsyncIterator[Page]:
    """Open a view, drawn; unless not `quiet`, the page must say no error and ask no other host."""
    complaints: list[str] = []
    asked: list[str] = []
    settings = {"locale": "en-GB", "timezone_id": "Europe/Berlin"} | more
    context = await browser.new_context(viewport={"width": wide, "height": 900}, **settings)
    context.set_default_timeout(WAIT_MS)
    try:
        page = await context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        await page.clock.set_fixed_time(NOW)
        await page.goto(url + view)
        await page.wait_for_selector(READY if quiet else "#main")
        yield page
        if quiet:
            assert complaints == []
            assert [one for one in asked if not one.startswith((url, "data:", "blob:"))] == []
    finally:
        await context.close()


async def go(page: Page, view: str) -> None:
    """Go to another view, as a link would."""
    mark = "document.querySelector('#main > .view')?.setAttribute('data-old', '')"
    await page.evaluate(f"{mark}; location.hash = {view!r}")
    await page.wait_for_selector("#main:not([aria-busy]) > .view:not([data-old]) h1")


async def text(page: Page, where: str) -> str:
    """Return what is read there, white space folded."""
    return " ".join((await page.locator(where).first.inner_text()).split())
