"""The examples of docs/contract.md: what each line leads to, and what leaves, is what the page says."""

import json
import re
import sys
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from oracle_v2 import replay
from replays import by_line, read_lines
from runs import Taken, new_task, placed, value_of, watched
from streams.contract.checks import CLASSES
from streams.contract.topics import ERP_TRANSACTIONS, EXCEPTIONS, REFERENCE

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.ndjson"))
PAGE = (ROOT / "docs" / "contract.md").read_text("utf-8")

sys.path.insert(0, str(ROOT / "docs"))

import generate  # noqa: E402  # it writes what leaves

SHOWN = [name for name in NAMES if name != "goods-issue"]
"""Those with a table in docs/contract.md; README.md has the other."""


class Row(NamedTuple):
    """A row of an example's table."""

    line: str
    id: str
    time: str
    event: str
    result: str


@cache
def table(name: str) -> list[Row]:
    """Return the first table of an example that has numbered lines."""
    lines = PAGE.partition(f"[examples/{name}.ndjson]")[2].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| 1 |"))
    rows = takewhile(lambda line: re.match(r"\| \d+ \|", line), lines[start:])
    cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows]
    return [Row(*(cell.strip().replace("\\|", "|") for cell in row)) for row in cells]


@cache
def taken(name: str) -> list[Taken]:
    """Return what becomes of each line of an example, one at a time."""
    (at,) = (found := placed((EXAMPLES / f"{name}.ndjson").read_bytes().splitlines()))
    return list(watched(new_task(at), found[at]))


def test_each_log_has_a_table_and_each_table_a_log() -> None:
    linked = re.findall(r"\[examples/([\w-]+)\.ndjson\]", PAGE)
    assert sorted(linked) == SHOWN


@pytest.mark.parametrize("name", SHOWN)
def test_the_table_names_each_line_of_the_log(name: str) -> None:
    lines = (EXAMPLES / f"{name}.ndjson").read_bytes().splitlines()
    events = [json.loads(line) for line in lines]
    assert [int(row.line) for row in table(name)] == list(range(1, len(events) + 1))
    for row, event in zip(table(name), events, strict=True):
        assert row.id == event.get("id", event["type"].removesuffix(".v1"))
        time = event.get("time", "")
        assert row.time in (time[11:19], f"{time[5:10]} {time[11:19]}".strip())


@pytest.mark.parametrize("name", [name for name in SHOWN if name != "machine-states"])
def test_what_leaves_for_the_erp_leaves_where_the_table_says(name: str) -> None:
    """Operation status aside: there operations are what brings the time on."""
    seen = 0
    for row, became in zip(table(name), taken(name), strict=True):
        told = re.findall(r"`((?:rv:)*[a-z]{2}:DE01/L3:[^`]+)`(?: \*\*(\S+)\*\*)?", row.result)
        left = [value_of(each) for each in became.outputs]
        records = {
            record["id"]: record["data"].get("quantity", record["data"].get("seconds", ""))
            for each, record in zip(became.outputs, left, strict=True)
            if each.topic in (ERP_TRANSACTIONS, REFERENCE) and not record["id"].startswith("os:")
        }
        assert [key for key, _ in told] == list(records), row
        assert dict(told) == records, row
        seen += len(told)
    assert seen > 0


@pytest.mark.parametrize("name", SHOWN)
def test_what_becomes_of_a_line_is_what_the_table_says(name: str) -> None:
    codes = rf"`({'|'.join(CLASSES)})`(?:: `([^`]+)`)?"
    for row, became in zip(table(name), taken(name), strict=True):
        refused = [
            (record["data"]["code"], record["data"]["reason"])
            for each in became.outputs
            if each.topic == EXCEPTIONS
            for record in [value_of(each)]
        ]
        told = re.findall(codes, row.result)
        assert [code for code, _ in told] == [code for code, _ in refused], row
        for (_, said), (_, reason) in zip(told, refused, strict=True):
            assert said in ("", reason)
        assert (became.outcome == "exception") == bool(told), row
        assert ("duplicate" in row.result) == (became.outcome == "duplicate"), row


def dated(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["data"]["document_date"], each["data"]["posting_date"]) for each in records]


def test_the_dates_are_those_of_the_table() -> None:
    seen = 0
    for row, became in zip(table("dates"), taken("dates"), strict=True):
        told = [
            (first, second or first)
            for first, second in re.findall(
                r"(?:both dates|document) (\d{4}-\d\d-\d\d)(?:, posting (\d{4}-\d\d-\d\d))?",
                row.result,
            )
        ]
        left = [value_of(each) for each in became.outputs if each.topic == ERP_TRANSACTIONS]
        assert told == dated([each for each in left if not each["id"].startswith("os:")])
        seen += len(told)
    assert seen == 5


def test_cost_centers_and_base_quantities_are_those_of_the_tables() -> None:
    seen = 0
    for name in ("reference", "enrichment"):
        for row, became in zip(table(name), taken(name), strict=True):
            told = re.findall(r"\bcost[ _]center`? (\d+)", row.result)
            base = re.findall(r"base[ _]quantity`? (\S+)", row.result)
            left = [value_of(each) for each in became.outputs if each.topic == ERP_TRANSACTIONS]
            left = [each["data"] for each in left if not each["id"].startswith("os:")]
            assert told == [each["cost_center"] for each in left]
            assert base == [each["base_quantity"] for each in left if "base_quantity" in each]
            seen += len(told) + len(base)
    assert seen == 8


# What leaves.


@pytest.mark.parametrize("name", NAMES)
def test_what_leaves_is_beside_the_log(name: str) -> None:
    written = (EXAMPLES / "leaves" / f"{name}.ndjson").read_text("utf-8")
    assert generate.leaves(EXAMPLES / f"{name}.ndjson") == written, "run `make docs`"


def test_nothing_else_is_beside_the_logs() -> None:
    assert sorted(path.stem for path in (EXAMPLES / "leaves").iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_second_reading_of_the_contract_says_so_too(name: str) -> None:
    with (EXAMPLES / f"{name}.ndjson").open("rb") as lines:
        told = replay(lines, close=generate.closes(name))
    records = [record for topic in sorted(told.topics) for record in told.topics[topic]]
    written = read_lines((EXAMPLES / "leaves" / f"{name}.ndjson").read_bytes())
    assert by_line(written) == by_line(records)
    assert len(written) == len(records) > 0
