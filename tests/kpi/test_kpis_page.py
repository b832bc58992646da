"""What docs/kpis.md shows: a calendar that is read, bounds and words as they are in the code."""

import json
import re
from datetime import date
from pathlib import Path

from tables.books.kpi_asked import ROWS_MAX
from tables.books.kpi_clocks import DAYS_MAX, PERIOD_DAYS_MAX
from tables.books.kpi_integration import SAMPLED_LINES_MAX, SAMPLED_OF_A_LINE
from tables.books.kpi_minutes import WINDOWS_MAX
from tables.books.kpi_orders import ORDERS_MAX
from tables.books.kpi_schedule import OLDEST_MAX
from tables.kpi.calendars import BREAKS_MAX, EXCEPTIONS_MAX, SHIFTS_MAX, read_calendar
from tables.kpi.lateness import WORDS
from tables.kpi.states import DOWN

PAGE = (Path(__file__).parents[2] / "docs" / "kpis.md").read_text()


def test_the_calendar_on_the_page_is_read_whole():
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    record = json.loads(example)
    calendar, problems = read_calendar(record["data"]["id"], record["data"])
    assert not problems
    assert calendar is not None
    assert [each.name for each in calendar.shifts_of(date(2026, 12, 24))] == ["early"]
    assert [each.name for each in calendar.shifts_of(date(2026, 11, 28))] == ["extra"]
    assert [each.name for each in calendar.shifts_of(date(2026, 11, 27))] == ["early", "late"]


def test_the_page_says_the_bounds_that_there_are():
    for said in (
        f"| minute | {DAYS_MAX['minute']} days |",
        f"| hour | {DAYS_MAX['hour']} days |",
        f"| shift, day, total | {PERIOD_DAYS_MAX:,} days;",
        f"at most {ROWS_MAX:,} rows, and reads at most {WINDOWS_MAX:,} summaries",
        f"At most {SHIFTS_MAX} shifts, {BREAKS_MAX} breaks and {EXCEPTIONS_MAX:,} exceptions",
        f"the last {ORDERS_MAX:,} orders",
        f"the {OLDEST_MAX} oldest",
        f"the last {SAMPLED_OF_A_LINE} records of each of {SAMPLED_LINES_MAX} lines",
    ):
        assert said in PAGE


def test_the_page_names_the_states_and_words_that_count():
    assert all(f"`{state}`" in PAGE for state in DOWN)
    rows = {
        why: line for line in PAGE.splitlines() for why in WORDS if line.startswith(f"| {why} |")
    }
    for why, words in WORDS.items():
        assert all(word in rows[why] for word in words)
