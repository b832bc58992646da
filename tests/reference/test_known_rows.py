"""Master data in files: what is read is what was written, and each row that can't be is named."""

import json
from typing import Any

import pytest

from agents.reference.importing import Judged, judged_rows, summary
from agents.reference.rows import FileError, Row, csv_of, json_of, read_rows
from masters import AT, SAID
from streams.contract.reference_key import read_key
from tables.reference.keeping import Terms
from tables.reference.known import Known

EVERY = [
    *(("plant" if kind == "plant" else kind, "P", data) for kind, data in SAID.items()),
    ("person", "*", {"id": "7", "name": "Ada, Lovelace", "grade": 7, "skills": ["a", 0.5]}),
]


def judged(text: str, known: Known, as_csv: bool = False, **options: Any) -> list[Judged]:
    rows = read_rows(text, as_csv, options.pop("kind", None), options.pop("plant", None), **options)
    return judged_rows(rows, known, Terms(), "/steward", AT)


def exported(known: Known) -> list[tuple[str, str, Any]]:
    return [(*read_key(key)[:2], data) for key, data in known.items()]


@pytest.mark.parametrize("as_csv", [False, True])
def test_what_is_exported_changes_nothing_when_it_is_imported(as_csv: bool) -> None:
    known = Known()
    first = judged(json_of(EVERY), known)
    assert {each.became for each in first} == {"new"}, first
    assert len(known) == len(EVERY)
    text = (csv_of if as_csv else json_of)(exported(known))
    again = judged(text, known, as_csv)
    assert summary(again) == f"{len(EVERY)} the same"
    assert all(each.value is None for each in again)


def test_a_sheet_of_one_kind_needs_neither_kind_nor_plant_in_its_rows() -> None:
    known = Known()
    text = "\ufeffitem;base_uom;lot_control;conversions.g;conversions.box\r\nI;kg;TRUE;0.001;\r\nJ;pc;;;12\r\n"
    found = judged(text, known, as_csv=True, kind="item", plant="P")
    assert summary(found) == "2 new"
    assert known.of("item", "P", "I") == {
        "item": "I", "base_uom": "kg", "conversions": {"g": "0.001"}, "lot_control": True,
    }  # fmt: skip
    assert known.of("item", "P", "J") == {
        "item": "J", "base_uom": "pc", "conversions": {"box": "12"},
    }  # fmt: skip


def test_an_empty_cell_says_nothing_unless_rows_are_whole() -> None:
    known = Known()
    judged("line,cost_center\nL1,CC\n", known, as_csv=True, kind="line", plant="P")
    empty = "line,cost_center\nL1,\n"
    found = judged(empty, known, as_csv=True, kind="line", plant="P")
    assert summary(found) == "1 the same"
    found = judged(empty, known, as_csv=True, kind="line", plant="P", whole=True)
    assert summary(found) == "1 changed"
    assert known.of("line", "P", "L1") == {"line": "L1"}


def test_rows_are_said_in_the_order_in_which_they_need_one_another() -> None:
    known = Known()
    text = "kind,plant,line,work_unit\nwork_unit,P,L1,W\nline,P,L1,\n"
    assert summary(judged(text, known, as_csv=True)) == "2 new"
    gone = "kind,plant,line,work_unit,deleted\nline,P,L1,,true\nwork_unit,P,L1,W,true\n"
    assert summary(judged(gone, known, as_csv=True)) == "2 deleted"
    assert not len(known)


def test_each_row_that_would_be_refused_is_named_with_its_reason() -> None:
    text = (
        "kind,plant,order,status,item,planned,quantity\n"
        "order,P,O1,open,,,\n"
        "order,P,O2,released,I,,\n"
        "order,P,O3,released\n"
        "ordre,P,O4,released,,,\n"
        "order,,O5,released,,,\n"
        "order,P,O6,released,,true,\n"
        "order,P,O7,released,,,many\n"
        "order,P,O8,released,,,1\n"
    )
    found = judged(text, Known(), as_csv=True)
    reasons = {each.row.number: each.reason for each in found}
    assert reasons == {
        2: "data.status is 'open': not one of released, held, completed, closed, cancelled",
        3: "data.item is 'I': no item of plant 'P' is known by that name",
        4: "the row hasn't 7 cells, as the first line has",
        5: "kind is 'ordre': not one of plant, line, work_unit, item, reason, order, hold, "
        "hold_release, rules, timing, shift_calendar, bill_of_material, routing, person",
        6: "plant is missing",
        7: "column 'planned' is no member of order",
        8: "data.quantity is 'many': not in the grammar of a JSON number",
        9: "",
    }
    assert summary(found) == "1 new, 7 refused"


def test_json_is_an_array_or_an_object_a_line() -> None:
    each = [{"kind": "line", "plant": "P", "data": {"line": f"L{n}"}} for n in range(3)]
    lines = "\n".join(json.dumps(one) for one in each) + "\n\n"
    rows = [Row(n + 1, "line", "P", {"line": f"L{n}"}) for n in range(3)]
    assert read_rows(lines, False, None, None) == rows
    assert read_rows(json.dumps(each, indent=1), False, None, None) == rows


@pytest.mark.parametrize(
    ("text", "as_csv", "reason"),
    [
        ("{", False, "the file isn't JSON: "),
        ("[1]", False, "the file isn't JSON: 1 isn't an object"),
        ('a,b\n"x', True, "the file isn't CSV: "),
        ("a,a\n1,2\n", True, "the file isn't CSV: a column is there twice"),
    ],
)
def test_a_file_that_is_none_is_refused(text: str, as_csv: bool, reason: str) -> None:
    with pytest.raises(FileError) as raised:
        read_rows(text, as_csv, None, None)
    assert str(raised.value).startswith(reason)
