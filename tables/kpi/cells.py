"""Cells of a table that a spreadsheet opens: none of them is taken as a formula."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

STARTERS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What begins a formula in a spreadsheet, or is skipped before one."""

_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?\Z")


def guarded(cell: Any) -> str:
    """Return a cell's text; one that would be a formula gets an apostrophe before it.

    A plain negative number stays a number.
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    text = str(cell)
    if text.startswith(STARTERS) and _NUMBER.match(text) is None:
        return f"'{text}"
    return text


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV by RFC 4180: commas, CRLF, a line of names first."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([guarded(each) for each in columns])
    writer.writerows([guarded(each) for each in row] for row in rows)
    return out.getvalue()
