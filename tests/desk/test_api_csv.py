"""Lists as CSV: what a cell is, and that none is a formula."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.desk.csv_of import BOM, FORMULA, cell, csv_of

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def read(table: bytes) -> list[list[str]]:
    text = table.decode()
    assert text.startswith(BOM)
    return list(csv.reader(io.StringIO(text[1:], newline="")))


@given(st.lists(TEXT, min_size=1, max_size=5))
def test_no_cell_is_a_formula_and_none_is_lost(texts: list[str]) -> None:
    names = [f"c{number}" for number in range(len(texts))]
    rows = read(csv_of([dict(zip(names, texts, strict=True))], names))
    for found, text in zip(rows[1], texts, strict=True):
        assert found in (text, f"'{text}")
        if found.startswith(FORMULA):
            assert float(found) <= 0


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+49",
        "@SUM(A1)",
        "-1+1|cmd",
        "\t=1",
        "\r=1",
        '=HYPERLINK("http://x")',
        "-",
        "-1e5",
        "--1",
        "-1.2.3",
    ],
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "true"),
        (0, "0"),
        (-3, "-3"),
        ("-12.50", "-12.50"),
        ("12", "12"),
        ('a;b,"c"', 'a;b,"c"'),
        ([{"uom": "pc", "good": "3"}], '[{"uom":"pc","good":"3"}]'),
        ({}, "{}"),
        ("a\0b", "ab"),
    ],
)
def test_values_are_shown_as_they_are(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_a_column_that_an_item_lacks_is_empty() -> None:
    assert read(csv_of([{"a": 1}], ["a", "b"])) == [["a", "b"], ["1", ""]]
