"""The worked example of docs/contract.md on downtime: what each line leads to is what the page says."""

import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from runs import new_task, placed, stepped, value_of
from streams.contract.topics import MES_EVENTS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def table() -> list[list[str]]:
    """Return the cells of the example's table, a row for each line of its log."""
    page = (DOCS / "contract.md").read_text("utf-8")
    _, _, rest = page.partition("[examples/downtime.ndjson]")
    example = rest.partition("## Machine states")[0]
    row = r"^\| (\d+) \| (\w+) \| ([\d:]+) \|(.*)\|(.*)\|$"
    return [list(cells) for cells in re.findall(row, example, re.MULTILINE)]


def left() -> list[list[dict[str, Any]]]:
    """Return what leaves at each line of the example."""
    lines = (DOCS / "examples" / "downtime.ndjson").read_bytes().splitlines()
    task = new_task((MES_EVENTS, 0))
    (records,) = placed(lines).values()
    return [[value_of(each) for each in stepped(task, [record])] for record in records]


def test_the_table_names_each_event_of_the_log() -> None:
    lines = (DOCS / "examples" / "downtime.ndjson").read_text("utf-8").splitlines()
    named = [(row[0], row[1], row[2]) for row in table()]
    events = [json.loads(line) for line in lines]
    assert named == [
        (str(number), event["id"], event["time"][11:19]) for number, event in enumerate(events, 1)
    ]


def test_what_leaves_for_maintenance_leaves_where_the_table_says() -> None:
    told = [re.findall(r"`((?:rv:)?mn:[^`]*)`", row[4]) for row in table()]
    keys = [[each["id"] for each in records if "mn:" in each["id"]] for records in left()]
    assert told == keys
    assert sum(map(len, keys)) == 2


def test_the_sums_are_those_of_the_page() -> None:
    sums = Counter[tuple[Any, ...]]()
    for record in (each for records in left() for each in records):
        data = record["data"]
        for measure in ("seconds", "stops", "down", "planned_down"):
            if measure in data:
                sums[data.get("reason"), measure] += Decimal(data[measure])
    assert {name: sum_ for name, sum_ in sums.items() if sum_} == {
        ("DRIVE_FAULT", "seconds"): 270, ("DRIVE_FAULT", "stops"): 1,
        ("CLEANING", "seconds"): 30, ("CLEANING", "stops"): 1,
        (None, "down"): 270, (None, "planned_down"): 30,
    }  # fmt: skip


def test_a_late_end_and_a_classification_leave_the_differences_that_the_table_has() -> None:
    records = left()
    moved = [
        (data.get("reason"), data["seconds"], data["stops"], data["revision"])
        for data in (each["data"] for each in records[9] if each["type"] == "summary.downtime.v1")
    ]
    assert moved == [("CLEANING", "30", "1", 8), ("DRIVE_FAULT", "-30", "-1", 8)]
    late = [
        (data["seconds"], data["revision"])
        for data in (each["data"] for each in records[4] if each["type"] == "summary.downtime.v1")
    ]
    assert late == [("-50", 5), ("-60", 4), ("-60", 3), ("-60", 2), ("-60", 1)]
