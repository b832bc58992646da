"""docs/add-master-data.md says what is true: its records are taken, its reasons are given."""

import json
import re
from pathlib import Path

from masters import data_of, known_after, master, refusal, take
from streams.codec.decode import decode
from streams.contract.reference import Item, Reference
from streams.contract.rejection import Rejection
from streams.contract.topics import MES_EVENTS
from tables.reference.keeping import Terms
from tables.reference.known import Known
from tables.reference.relations import RULES_AHEAD_MAX

PAGE = (Path(__file__).parents[2] / "docs" / "add-master-data.md").read_text("utf-8")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_first_records_of_the_page_are_taken() -> None:
    lines = [line for line in section("In five minutes").splitlines() if line.startswith("{")]
    known = known_after(line.encode() for line in lines)
    assert len(known) == len(lines) == 4
    assert known.of("plant", "DE01") == {"require": ["item", "uom", "order"]}
    assert known.of("order", "DE01", "1000123") == json.loads(lines[2])["data"]


def test_the_reasons_of_the_page_are_those_that_are_given() -> None:
    told = re.findall(r"^\| .* \| `(data\..*)` \|$", section("What is refused"), re.MULTILINE)
    unit = {"plant": "DE01", "line": "L3"}
    item = {"plant": "DE01", "item": "M-100"}
    known = known_after(
        [
            master("line", **unit),
            master("work_unit", **unit, work_unit="A"),
            master("work_unit", **unit, work_unit="B"),
            master("item", **item, base_uom="kg", conversions={"bag": 25, "g": "0.001"}),
            master("hold", "DE01", hold="H", scope="lot", value="A", reason="r"),
            *(
                master(
                    "rules", "DE01", valid_from=f"2027-04-01T{number // 60:02}:{number % 60:02}:00Z"
                )
                for number in range(RULES_AHEAD_MAX)
            ),
        ]
    )
    new = {"plant": "DE01", "item": "I", "base_uom": "kg"}
    steps = {"a": {"quantity": 2, "uom": "b"}, "b": {"quantity": 2, "uom": "a"}}
    terms = Terms(owners={"item": {"deleted": "/erp", "base_uom": "/erp"}})
    given = [
        take(value, known, terms)
        for value in (
            master("item", "DE01", item="I", base_uom=5),
            master("item", **new, conversions={"g": 0}),
            master("item", **new, conversions={"g": 1000}),
            master("item", **new, conversions=steps),
            master("order", "DE01", order="O", status="held", item="M-100", uom="pc"),
            master("item", **item, base_uom="t"),
            master("work_unit", "DE01", line="L9", work_unit="W"),
            master("rules", "DE01", valid_from="2026-12-01T00:00:00Z", time_zone="Mars/Base"),
            master("rules", "DE01", valid_from="2126-01-01T00:00:00Z"),
            master("rules", "DE01", valid_from="2027-05-01T00:00:00Z"),
            master("hold", "DE01", hold="H", scope="lot", value="B", reason="r"),
            master("hold", "DE01", hold="H", deleted=True),
            master("line", **unit, deleted=True),
            master("item", "DE01", "/qms", item="M-100", deleted=True),
            master("item", "DE01", "/qms", item="J", lot_control=True),
        )
    ]
    assert [refusal(each) for each in given] == told
    assert take(master("line", **unit), Known()) is not None


def test_the_worked_example_of_the_contract_is_what_happens() -> None:
    text = (Path(__file__).parents[2] / "docs" / "contract.md").read_text("utf-8")
    known_everywhere = text.partition("\n## What is known everywhere\n")[2].partition("\n## ")[0]
    (told,) = re.findall(r"```json\n(.*?)```", known_everywhere, re.DOTALL)
    read = decode(told.encode(), (), MES_EVENTS)
    assert isinstance(read, Reference)
    assert (read.plant, read.id, read.seq) == ("DE01", ("M-100",), 4711)
    assert isinstance(read.data, Item)
    lines = [line for line in section("In five minutes").splitlines() if line.startswith("{")]
    known = Known()
    data_of(take(lines[0].encode(), known))
    data_of(take(lines[1].encode(), known))
    assert take(lines[1].encode(), known) is None
    wrong = json.loads(lines[1])
    wrong["data"]["conversions"] = {"g": 0}
    assert refusal(take(json.dumps(wrong).encode(), known))
    forged = decode(told.replace("/lineside", "/DE01/mes").encode(), (), MES_EVENTS)
    assert isinstance(forged, Rejection)
    assert f"`{forged.code}`: `{forged.reason}`" in known_everywhere
