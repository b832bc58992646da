"""The page before the real desk, over books that a factory's job has filled."""

from pathlib import Path
from shutil import copy
from urllib.parse import quote

import pytest
from playwright.async_api import Browser
from sqlalchemy import select

from desk.desks import served
from desk_pages import READY, VIEWS, go, opened, text
from tables.books.opening import open_books
from tables.books.schema import EXCEPTIONS, INPUTS, TRANSACTIONS
from test_page import browser

__all__ = ["browser"]

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.browser]

OWN = ("line", "order", "trace", "event", "transaction", "exception")
"""Views of one thing: those of the books are looked up in them."""


async def test_each_view_shows_what_the_desk_has(
    browser: Browser, filled_file: Path, tmp_path: Path
) -> None:
    engine = open_books(f"sqlite:///{copy(filled_file, tmp_path)}")
    with engine.connect() as connection:
        event = connection.execute(
            select(INPUTS)
            .where(INPUTS.c.order_id.is_not(None), INPUTS.c.outcome == "accepted")
            .limit(1)
        ).one()
        refused = connection.execute(
            select(EXCEPTIONS).where(EXCEPTIONS.c.line.is_not(None)).limit(1)
        ).one()
        posted = connection.execute(select(TRANSACTIONS.c.id).limit(1)).scalar_one()
    views = {name: view for name, view in VIEWS.items() if name not in OWN} | {
        "line": f"#/line/{event.plant}/{event.line}",
        "order": f"#/order/{event.plant}/{event.order_id}",
        "trace": f"#/trace?q={event.event_id}",
        "event": f"#/event/{event.topic}/{event.number}/{event.position}",
        "transaction": f"#/transaction?id={quote(posted, safe='')}",
        "exception": f"#/exception?id={quote(refused.id, safe='')}",
    }
    async with (
        served(engine, unlimited=True, query_seconds_max=60) as (_, url),
        opened(browser, url) as page,
    ):
        page.set_default_timeout(60_000)
        for name, view in views.items():
            await go(page, view)
            await page.wait_for_function(
                "!document.querySelector('main').innerText.includes('Loading')"
            )
            assert await page.locator("#notice").is_hidden(), (name, await text(page, "#notice"))
            shown = await text(page, "body")
            for wrong in ("undefined", "NaN", "[object", "null"):
                assert wrong not in shown, (name, wrong)
        for view in ("#/exceptions", "#/reports", "#/kpis", "#/kpis/integration", "#/reference"):
            await go(page, view)
            async with page.expect_download() as saving:
                await page.click("text=Save as CSV")
            assert (await saving.value).suggested_filename.endswith(".csv")
        await go(page, "#/")
        assert (await text(page, ".verdict")).startswith("Yes: in = accepted")
        assert await page.locator("tr[data-state]").count() == 4
        await page.fill("#search", event.order_id)
        await page.press("#search", "Enter")
        await page.wait_for_selector(f"{READY} small:has-text('{event.order_id}')")
        assert event.order_id in await text(page, ".sentences .first")
