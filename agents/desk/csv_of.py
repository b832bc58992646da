"""A list as CSV, whose cells no spreadsheet takes for formulas."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula to a spreadsheet, which may send away what the sheet has."""

NUMBER: Final = frozenset("0123456789.")

BOM: Final = "\ufeff"
"""Spreadsheets read UTF-8 by it."""


def csv_of(items: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """Return a table of items in UTF-8, with a first row of names; a list is JSON in its cell."""
    out = io.StringIO()
    out.write(BOM)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for item in items:
        writer.writerow([cell(item.get(name)) for name in columns])
    return out.getvalue().encode()


def cell(value: Any) -> str:
    """Return a value as a cell; text that a spreadsheet would take for a formula gets an `'`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if text.startswith(FORMULA) and not _is_negative(text):
        return f"'{text}"
    return text.replace("\0", "")


def _is_negative(text: str) -> bool:
    """Return whether text is a negative number, which is no formula."""
    digits = text[1:]
    return (
        text[0] == "-"
        and digits[:1].isdigit()
        and NUMBER.issuperset(digits)
        and digits.count(".") < 2
    )
