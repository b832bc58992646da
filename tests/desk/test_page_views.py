"""Each view of the desk's page: drawn, narrow and wide, light and dark, for those who hear it too."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from desk_pages import READY, VIEWS, go, opened, served, text
from stand_in import StandIn
from stand_in_plant import HOSTILE
from test_page import browser

__all__ = ["browser"]

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.browser]

LOOKS = {
    "light, wide, English": {"wide": 1280, "color_scheme": "light", "locale": "en-GB"},
    "dark, a phone, German": {"wide": 360, "color_scheme": "dark", "locale": "de-DE"},
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def url() -> AsyncIterator[str]:
    async with served(StandIn()) as address:
        yield address


@pytest.mark.parametrize("look", LOOKS)
async def test_each_view_is_whole_fits_and_can_be_heard(
    browser: Browser, url: str, look: str
) -> None:
    settings = LOOKS[look]
    async with opened(browser, url, **settings) as page:
        await page.evaluate(Axe().axe_script)
        for name, view in VIEWS.items():
            await go(page, view)
            await _drawn(page)
            assert (
                await page.evaluate("document.documentElement.scrollWidth") <= settings["wide"]
            ), name
            assert await page.locator("h1").count() == 1, name
            assert await page.locator("#notice").is_hidden(), name
            assert await page.locator(".fresh").count() == 1, name
            assert "undefined" not in (shown := await text(page, "body")), name
            assert "[object" not in shown, name
            assert "NaN" not in shown, name
            options = '{resultTypes: ["violations"], iframes: false}'
            seen = await page.evaluate(
                f"axe.run(document, {options}).then((found) => found.violations)"
            )
            assert [
                (one["id"], [node["target"] for node in one["nodes"]][:3]) for one in seen
            ] == [], name


async def _drawn(page: Page) -> None:
    """Wait for charts, which come with a module of their own."""
    for _ in range(100):
        if await page.evaluate(
            "[...document.querySelectorAll('.chart')].every((one) => one.firstChild)"
        ):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("a chart isn't drawn")


async def test_texts_from_events_stay_texts(browser: Browser, url: str) -> None:
    async with opened(browser, url) as page:
        assert HOSTILE in await text(page, "#main")
        await go(page, "#/exceptions?status=asked")
        assert HOSTILE in await text(page, "#main")
        await go(page, "#/trace?q=" + "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
        assert "<img src=x onerror=alert(1)>" in await text(page, ".sentences")
        assert await page.locator("main img, main b:text-is('bold')").count() == 0
        assert "lineside" in await page.title()


async def test_a_planned_stop_is_not_red_and_no_stop_hides_silence(
    browser: Browser, url: str
) -> None:
    async with opened(browser, url) as page:
        colour = "(one) => getComputedStyle(one).color"
        red = await page.locator("tr .state[data-state=unplanned_stop]").first.evaluate(colour)
        planned = page.locator("tr:has(.state[data-state=planned_stop])").filter(has_text="L4")
        assert await planned.locator(".state").evaluate(colour) != red
        assert "40 minutes ago" in await planned.inner_text()  # when it was last heard of
        rows = page.locator("section tr[data-state]")
        assert await rows.nth(0).get_attribute("data-state") == "unplanned_stop"
        assert await rows.nth(1).get_attribute("data-state") == "silent"
        tile = await text(page, "article[data-key=DE01]")
        assert "3 running 1 planned stop 1 unplanned stop 1 silent 1 unknown" in tile


async def test_units_stay_apart_and_each_has_its_plan(browser: Browser, url: str) -> None:
    async with opened(browser, url) as page:
        row = " ".join((await page.locator("tr[data-key='DE01/L6']").inner_text()).split())
        assert "310 of 280 pc" in row
        assert "96.5 of 120 kg" in row


async def test_totals_are_held_against_each_other(browser: Browser) -> None:
    desk = StandIn()
    async with served(desk) as url, opened(browser, url) as page:
        assert (await text(page, ".verdict")).startswith("Yes: in = accepted + duplicate")
        desk.totals["items"][0]["accepted"] = "123456789012.000000002"
        await page.evaluate("location.hash = '#/?plant=DE01'")
        await page.wait_for_selector(".verdict[data-exact=false]")
        assert await page.locator("tr[data-exact=false]").count() == 1


async def test_rates_after_a_gap_are_not_joined_and_never_negative(
    browser: Browser, url: str
) -> None:
    async with opened(browser, url) as page:
        found = await page.evaluate(
            """async () => {
              const { quarters } = await import('/page/rates.js');
              const at = (hour, good) => ({ at: `2026-11-26T${hour}:00:00Z`, good });
              return quarters([at('05', '70'), at('06', '-3')], ['good']).values.good;
            }"""
        )
        assert found == [70, None, None, None, 0]


async def test_decimals_are_shown_to_the_last_digit_as_the_reader_writes_them(
    browser: Browser, url: str
) -> None:
    for language, wanted in (
        ("en-GB", "123,456,789,012.000000001"),
        ("de-DE", "123.456.789.012,000000001"),
    ):
        async with opened(browser, url, locale=language) as page:
            await page.locator("details[data-key=items] summary").click()
            assert wanted in await text(page, "details[data-key=items]")


async def test_a_view_that_is_not_there_says_so(browser: Browser, url: str) -> None:
    async with opened(browser, url, "#/transaction?id=none", quiet=False) as page:
        await page.wait_for_selector(READY)
        assert "there's no such thing" in await text(page, "#notice")
        assert "This can't be shown" in await text(page, "h1")
