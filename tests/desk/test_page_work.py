"""What people do at the desk's page: find out, mend, send again, decide, report."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from desk_pages import READY, go, opened, served, text
from stand_in import StandIn
from test_page import browser

__all__ = ["browser"]

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.browser]


async def until(what: Callable[[], bool]) -> None:
    for _ in range(500):
        if what():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it doesn't come")


async def test_a_support_engineer_finds_out_why_an_order_is_not_in_the_erp(
    browser: Browser,
) -> None:
    async with served(StandIn()) as url, opened(browser, url) as page:
        await page.keyboard.press("/")
        await page.keyboard.type("4711")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".sentences .first")
        first = await text(page, ".sentences .first")
        assert "Production confirmed p2 of 60 pc was refused on 26/11/2026, 09:48:06" in first
        assert "so the ERP has nothing of it: master data is missing" in first
        assert "A sentence of a newer desk." in await text(page, ".sentences")
        assert await page.locator(".story").count() >= 3
        await page.click(".story[data-outcome=refused] >> text=To the exception")
        await page.wait_for_selector("[data-view=exception] .do")
        assert "no such item is known" in await text(page, ".first")
        assert await page.evaluate("document.activeElement.tagName") == "H1"


async def test_a_plant_manager_reads_yesterdays_night_shift_within_three_clicks(
    browser: Browser,
) -> None:
    async with served(StandIn()) as url, opened(browser, url) as page:
        await page.click("#menu >> text=Reports")
        await page.click("nav[aria-label=Yesterday] >> text=night")
        await page.wait_for_selector("h1:has-text('night')")
        assert "Shift “night” in DE01 Wednesday" in await text(page, "h1")
        assert "22:00" in await text(page, ".period")
        assert "Europe/Berlin" in await text(page, ".period")
        assert "2,805 pc 60 pc scrap" in await text(page, "section")


async def test_an_event_is_mended_tried_and_sent(browser: Browser) -> None:
    desk = StandIn()
    async with (
        served(desk) as url,
        opened(browser, url, "#/exception?id=mes.events.v1/3/117") as page,
    ):
        send = page.locator("#fix button[type=submit]")
        assert await send.is_disabled()
        await page.click("#fix >> text=What would become of it?")
        await page.wait_for_selector("#fix-result [data-result=would_be_refused]")
        assert desk.bodies[-1]["act"] == "resend"  # unchanged
        value = await page.locator("#fix-value").input_value()
        await page.fill("#fix-value", value.replace("M-999", "M-100"))
        assert await send.is_disabled()  # what was tried isn't what stands there
        desk.change()
        await page.click("#fix >> text=What would become of it?")
        await page.wait_for_selector("#fix-result [data-result=would_be_accepted]")
        assert desk.exceptions[0]["status"] == "open"
        await page.fill("#fix-why", "typing mistake")
        await page.click("#fix >> text=What would become of it?")
        await page.locator("#fix button[type=submit]:not([disabled])").click()
        await page.wait_for_selector(".facts [data-status=resent]")
        sent = desk.bodies[-1]
        assert (sent["act"], sent["ids"], sent["versions"]) == (
            "fix",
            ["mes.events.v1/3/117"],
            {"mes.events.v1/3/117": 0},
        )
        assert (json.loads(sent["value"])["data"]["item"], sent["why"], sent["key"]) == (
            "M-100",
            "typing mistake",
            "DE01/L3",
        )
        assert sent["batch"]
        assert "typing mistake" in await text(page, "[data-key='What was done so far']")


async def test_rows_are_chosen_by_keyboard_and_dismissed_together(browser: Browser) -> None:
    desk = StandIn()
    async with served(desk) as url, opened(browser, url, "#/exceptions") as page:
        await page.locator("input.choose").nth(1).focus()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Space")
        await page.keyboard.press("Shift+ArrowDown")
        await page.keyboard.press("Shift+ArrowDown")
        assert "3 chosen" in await text(page, ".bulk")
        await page.click(".bulk >> text=Dismiss")
        await page.click("dialog >> button:text-is('Dismiss')")
        assert desk.bodies == []  # it asks why
        await page.fill("#act-why", "test data")
        await page.click("dialog >> button:text-is('Dismiss')")
        await page.wait_for_selector("dialog [data-result=done]")
        await page.click("dialog >> text=Close")
        await page.wait_for_selector("#main:not([aria-busy]) h2 small:has-text('16 found')")
        assert sum(one["status"] == "dismissed" for one in desk.exceptions) == 3
        assert "All 16 of this filter" in await text(page, ".bulk")


async def test_what_is_chosen_or_edited_stays_with_what_is_seen(browser: Browser) -> None:
    async with served(StandIn()) as url, opened(browser, url, "#/exceptions") as page:
        await page.locator("input.choose").first.check()
        assert "1 chosen" in await text(page, ".bulk")
        await page.click("section >> text=order is closed")
        await page.wait_for_selector(".bulk >> text=All 1 of this filter")
        await go(page, "#/exception?id=mes.events.v1/3/117")
        await page.fill("#fix-why", "mine")
        await go(page, "#/exception?id=mes.events.v1/3/88")
        assert await page.locator("#fix-why").input_value() == ""
        assert '"q-88"' in await page.locator("#fix-value").input_value()


async def test_all_of_a_filter_are_tried_before_they_are_sent(browser: Browser) -> None:
    desk = StandIn()
    async with served(desk) as url, opened(browser, url, "#/exceptions?code=invalid") as page:
        assert "A member is missing or wrong" in (await text(page, "h1")).replace(
            "a member", "A member"
        )
        desk.exceptions[1]["item"] = "M-100"
        await page.click(".bulk >> text=Send again")
        send = page.locator("dialog button[type=submit]")
        assert await send.is_disabled()
        await page.click("dialog >> text=What would become of it?")
        await page.wait_for_selector("dialog [data-result=would_be_accepted]")
        await send.click()
        await page.wait_for_selector("dialog [data-result=done]")
        assert [body["dry_run"] for body in desk.bodies] == [True, False]
        assert desk.bodies[1]["filter"] == {"status": "open", "code": "invalid"}
        assert desk.bodies[1]["ids"] is None
        await page.keyboard.press("Escape")
        await page.wait_for_selector("td.none")


async def test_who_was_slower_is_told(browser: Browser) -> None:
    desk = StandIn()
    async with (
        served(desk) as url,
        opened(browser, url, "#/exception?id=mes.events.v1/3/117") as page,
    ):
        desk.exceptions[0]["version"] = 5
        await page.click("[data-key=acts] >> text=Assign")
        await page.fill("#act-to", "ben")
        await page.click("dialog >> button:text-is('Assign')")
        await page.wait_for_selector("dialog [data-result=conflict]")
        assert "somebody else was faster" in await text(page, "dialog")
        assert desk.exceptions[0]["assigned_to"] is None


@pytest.mark.parametrize(
    ("scope", "offered"),
    [
        ("read", []),
        ("work", ["Dismiss", "Assign", "Comment"]),
        ("approve", ["Dismiss", "Assign", "Comment", "Approve", "Reject"]),
    ],
)
async def test_nobody_is_offered_what_they_may_not_do(
    browser: Browser, scope: str, offered: list[str]
) -> None:
    async with (
        served(StandIn(scope)) as url,
        opened(browser, url, "#/exception?id=mes.events.v1/3/51") as page,
    ):
        assert await page.locator("[data-key=acts] button").all_inner_texts() == offered
        await go(page, "#/exceptions")
        assert (await page.locator("input.choose").count() == 0) == (scope == "read")
        assert await page.locator("#fix").count() == 0
        await go(page, "#/exception?id=mes.events.v1/3/117")
        assert (await page.locator("#fix").count() == 0) == (scope == "read")


async def test_the_reversal_of_a_double_booking_is_prepared(browser: Browser) -> None:
    async with served(StandIn()) as url, opened(browser, url, "#/double-bookings") as page:
        await page.click("text=Prepare the reversal")
        shown = json.loads(await page.locator("dialog pre").inner_text())
        assert shown["type"] == "transaction.reversed.v1"
        async with page.expect_download() as saving:
            await page.click("dialog >> text=Save as a file")
        assert (await saving.value).suggested_filename == "reversal-p-double.json"


async def test_a_list_is_saved_as_csv_with_the_filter_it_is_under(browser: Browser) -> None:
    desk = StandIn()
    async with served(desk) as url, opened(browser, url, "#/exceptions?plant=DE01") as page:
        async with page.expect_download() as saving:
            await page.click("text=Save as CSV")
        assert (await saving.value).suggested_filename == "exceptions.csv"
        assert "/exceptions?status=open&plant=DE01&limit=500&format=csv" in desk.asked
        saved = await asyncio.to_thread(Path(await (await saving.value).path()).read_bytes)
        assert saved == "\ufeffid,reason\r\n1,'=1+1\r\n".encode()


async def test_a_person_gives_a_token_that_stays_in_the_tab(browser: Browser) -> None:
    desk = StandIn(tokens={"t-" + "x" * 30: "work"})
    async with served(desk) as url, opened(browser, url, quiet=False) as page:
        await page.fill("#token", "nonsense")
        await page.keyboard.press("Enter")
        await page.wait_for_selector('#login-note:has-text("This token isn\'t known.")')
        await page.fill("#token", "t-" + "x" * 30)
        await page.click("button:text-is('Show')")
        await page.wait_for_selector(READY)
        assert await page.evaluate("document.cookie + JSON.stringify(localStorage)") == "{}"
        assert not [path for path in desk.asked if "xxx" in path]
        await page.reload()
        await page.wait_for_selector(READY)
        await until(lambda: desk.listeners == 1)  # the stream has the token, too
        await page.click("button:text-is('Leave')")
        await page.wait_for_selector("#token")


async def test_what_changes_comes_by_itself_and_takes_nothing_from_under_the_hands(
    browser: Browser,
) -> None:
    desk = StandIn()
    async with served(desk) as url, opened(browser, url) as page:
        await page.wait_for_selector("#connection[data-state=live]")
        await page.fill("#lines-filter", "L3")
        await page.locator("details[data-key=items] summary").click()
        await page.focus("#lines-filter")
        desk.overview["lines"][0]["made"] = [
            {"uom": "pc", "good": "1311", "scrap": "0", "rework": "0"}
        ]
        desk.change()
        await page.wait_for_selector("text=1,311 of 1,500 pc")
        assert await page.evaluate("document.activeElement.id") == "lines-filter"
        assert await page.locator("#lines-filter").input_value() == "L3"
        assert await page.locator("details[data-key=items]").get_attribute("open") is not None
        assert "1 of 1 lines" in await text(page, "section")


async def test_a_page_that_is_held_or_hidden_does_not_listen(browser: Browser) -> None:
    desk = StandIn()
    async with served(desk) as url, opened(browser, url) as page:
        await until(lambda: desk.listeners == 1)
        await page.click("button:text-is('Hold')")
        await until(lambda: desk.listeners == 0)
        assert await text(page, "#connection") == "held"
        await page.click("button:text-is('Hold')")
        await until(lambda: desk.listeners == 1)
        await _hide(page, True)
        await until(lambda: desk.listeners == 0)
        asked = len(desk.asked)
        await _hide(page, False)
        await until(lambda: desk.listeners == 1 and len(desk.asked) > asked)


async def _hide(page: Page, hidden: bool) -> None:
    state = "true" if hidden else "false"
    await page.evaluate(
        f"Object.defineProperty(document, 'hidden', {{value: {state}, configurable: true}});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )


async def test_a_desk_that_cannot_be_asked_leaves_what_was_shown_and_says_so(
    browser: Browser,
) -> None:
    desk = StandIn()
    async with served(desk) as url, opened(browser, url, quiet=False) as page:
        await page.wait_for_selector("#connection[data-state=live]")
        desk.away = True
        await page.evaluate("location.hash = '#/?plant=DE01'")
        await page.wait_for_selector('#notice:has-text("the database can\'t be reached")')
        assert await page.locator("tr[data-key='DE01/L3']").count() == 1
        desk.away = False
        desk.change()
        await page.wait_for_selector("#notice", state="hidden")


async def test_the_language_is_the_browsers_and_can_be_changed(browser: Browser) -> None:
    async with (
        served(StandIn()) as url,
        opened(browser, url, "#/exceptions", locale="de-AT") as page,
    ):
        assert "Ausnahmen" in await text(page, "h1")
        assert await page.evaluate("document.documentElement.lang") == "de"
        await page.select_option("#language", "en")
        await page.wait_for_selector("h1:has-text('Exceptions')")
        await page.reload()
        await page.wait_for_selector("h1:has-text('Exceptions')")


async def test_an_event_is_pasted(browser: Browser) -> None:
    desk = StandIn()
    async with served(desk) as url, opened(browser, url, "#/trace") as page:
        await page.click("text=Paste an event instead")
        await page.fill("#bytes", '{"id": "p1", "größe": 1}')
        await page.click("details[data-key=paste] >> text=Find out")
        await page.wait_for_selector(".sentences")
        assert desk.bodies[-1] == {"bytes": "eyJpZCI6ICJwMSIsICJncsO2w59lIjogMX0="}
