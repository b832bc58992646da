"""Makes the pictures of docs/desk.md from the stand-in's plant.

`PYTHONPATH=tests:tests/serve .venv/bin/python tests/desk/pictures.py`
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, async_playwright

from desk_pages import opened, served
from small_png import small
from stand_in import StandIn
from stand_in_plant import HOSTILE
from test_page import BROWSER_ARGUMENTS, BROWSERS

FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
BYTES_MAX: Final = 150_000


async def nothing(page: Page) -> None:
    """Do nothing more."""


async def ask(page: Page) -> None:
    """Search for the order, as somebody does who is asked for it."""
    await page.keyboard.press("/")
    await page.keyboard.type("4711")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".story")


async def mend(page: Page) -> None:
    """Mend the item and see what would become of the event."""
    value = await page.locator("#fix-value").input_value()
    await page.fill("#fix-value", value.replace("M-999", "M-100"))
    await page.click("#fix >> text=What would become of it?")
    await page.wait_for_selector("#fix-result [data-result=would_be_accepted]")


async def read_the_night(page: Page) -> None:
    """Go to yesterday's night shift."""
    await page.click("#menu >> text=Reports")
    await page.click("nav[aria-label=Yesterday] >> text=night")
    await page.wait_for_selector("h1:has-text('night')")


async def draw(page: Page) -> None:
    """Wait for the chart."""
    await page.wait_for_selector(".chart canvas")


PICTURES: Final[dict[str, tuple[str, int, int, str, Callable[[Page], Awaitable[None]]]]] = {
    "overview": ("#/", 1280, 900, "light", nothing),
    "trace": ("#/", 1280, 1060, "light", ask),
    "exception": ("#/exception?id=mes.events.v1/3/117", 1280, 1240, "light", mend),
    "exceptions": ("#/exceptions", 1280, 900, "light", nothing),
    "night-shift": ("#/", 1280, 1000, "light", read_the_night),
    "line": ("#/line/DE01/L3", 1280, 900, "dark", draw),
    "phone": ("#/?plant=DE01", 360, 780, "light", nothing),
}
"""Address, width, height, colours, and what is done before the picture is taken."""


async def make(browser: Browser) -> None:
    """Write each picture."""
    desk = StandIn()
    desk.odd = False
    lines = [one for one in desk.overview["lines"] if one["line"] != HOSTILE]
    plants = [
        {**one, "lines": sum(line["plant"] == one["plant"] for line in lines)}
        for one in desk.overview["plants"]
    ]
    desk.overview = {**desk.overview, "lines": lines, "plants": plants}
    desk.exceptions = [one for one in desk.exceptions if one["reason"] != HOSTILE]
    async with served(desk) as url:
        for name, (view, wide, high, colours, do) in PICTURES.items():
            async with opened(browser, url, view, wide=wide, color_scheme=colours) as page:
                await page.wait_for_selector("#connection[data-state=live]")
                await page.set_viewport_size({"width": wide, "height": high})
                await do(page)
                await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
                await page.wait_for_timeout(300)
                (FOLDER / f"{name}.png").write_bytes(small(await page.screenshot()))


async def main() -> None:
    """Start Chromium and make them."""
    path = next(filter(None, map(shutil.which, BROWSERS)))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=BROWSER_ARGUMENTS)
        await make(browser)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
