"""The page where a token is needed: how a person gives it, and where it is afterwards."""

from pathlib import Path

import pytest
from aiohttp import ClientSession
from playwright.async_api import Browser, Page

from agents.serve.access import access_of
from agents.serve.web import url_of
from agents.settings.settings import Settings
from test_page import browser, document, served

__all__ = ["browser"]

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.browser]

TOKEN = "wall-" + "w" * 30
METRICS = "metrics-" + "m" * 30


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name, token in (("read", TOKEN), ("metrics", METRICS)):
        (tmp_path / name).write_text(token)
    return Settings(
        read_tokens=f"file:{tmp_path / 'read'}", metrics_tokens=f"file:{tmp_path / 'metrics'}"
    )


def exchange(settings: Settings) -> None:
    """Put another token into the file."""
    Path(settings.read_tokens.removeprefix("file:")).write_text("another-" + "a" * 30)


async def wait_for_figures(page: Page) -> None:
    await page.wait_for_selector("body[data-state=live]")
    await page.wait_for_selector("[data-path='counts.in'][data-value]")


async def test_a_person_gives_the_token_in_a_form(browser: Browser, settings: Settings) -> None:
    async with served(document, access=access_of(settings)) as runner:
        context = await browser.new_context()
        asked: list[str] = []
        page = await context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        try:
            await page.goto(url_of(runner))
            await page.wait_for_selector("body[data-state=locked]")
            assert await page.locator("#login").is_visible()
            assert await page.locator("main").is_hidden()
            assert await page.locator("#connection").inner_text() == "token needed"
            for wrong, note in (
                ("nonsense", "This token isn't known."),
                (METRICS, "This token is for the metrics only."),
            ):
                await page.fill("#token", wrong)
                await page.press("#token", "Enter")
                await page.wait_for_selector(f'#login-note:text-is("{note}")')
            await page.fill("#token", TOKEN)
            await page.click("#login button")
            await wait_for_figures(page)
            assert await page.locator("#login").is_hidden()
            assert await page.locator("#token").input_value() == ""
            await page.reload()
            await wait_for_figures(page)
            assert not [url for url in asked if TOKEN in url or METRICS in url]
            assert await page.evaluate("document.cookie + JSON.stringify(localStorage)") == "{}"
            other = await context.new_page()
            await other.goto(url_of(runner))
            await other.wait_for_selector("body[data-state=locked]")  # each tab asks
        finally:
            await context.close()


async def test_a_wall_screen_has_the_token_in_its_address_and_sends_it_nowhere(
    browser: Browser, settings: Settings
) -> None:
    async with served(document, access=access_of(settings)) as runner:
        context = await browser.new_context()
        asked: list[str] = []
        page = await context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        try:
            await page.goto(f"{url_of(runner)}#token={TOKEN}")
            await wait_for_figures(page)
            assert page.url == url_of(runner)
            assert not [url for url in asked if "token" in url]
            await page.goto(f"{url_of(runner)}#token=nonsense")
            await page.wait_for_selector("body[data-state=locked]")
        finally:
            await context.close()


async def test_a_page_whose_token_is_taken_away_asks_for_another(
    browser: Browser, settings: Settings
) -> None:
    async with served(document, access=access_of(settings)) as runner:
        context = await browser.new_context()
        page = await context.new_page()
        try:
            await page.goto(f"{url_of(runner)}#token={TOKEN}")
            await wait_for_figures(page)
            exchange(settings)
            await page.wait_for_selector("body[data-state=locked]")
            async with ClientSession() as session, session.get(url_of(runner)) as response:
                assert response.status == 200
        finally:
            await context.close()
