"""Master data in files: rows of CSV, objects of JSON, and the records that they stand for."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from streams.contract.reference import KINDS, told
from streams.contract.reference_key import EXTRA
from streams.contract.rejection import shown
from streams.trouble import Trouble
from streams.values.quantity import Number

ORDER: Final = (*KINDS, *EXTRA)
"""What others need comes first."""

ABOUT: Final = ("kind", "plant", "deleted")
"""Columns that are no members."""

NAMED: Final = "conversions."
"""A column of this and a unit is a conversion."""


class FileError(Trouble):
    """A file that can't be read as master data."""


_Given = tuple[int, Mapping[str, Any], str | None]
"""A row's number, what it says, and why it can't be understood."""


class Row(Struct, frozen=True):
    """What one row says; `problem` says why it can't be understood."""

    number: int
    """The line of the file, or which object it is, from 1."""
    kind: str
    plant: str
    data: dict[str, Any]
    problem: str | None = None


def read_rows(
    text: str, as_csv: bool, kind: str | None, plant: str | None, whole: bool = False
) -> list[Row]:
    """Return what a file says, in the order in which it has to be said.

    `kind` and `plant` are for rows that name none. `whole`: a member without a value is taken away,
    and not left as it is. Raises `FileError`.
    """
    try:
        rows = list(_rows_of_csv(text, kind, whole) if as_csv else _rows_of_json(text))
    except (ValueError, RecursionError, csv.Error) as error:
        raise FileError(f"the file isn't {'CSV' if as_csv else 'JSON'}: {error}") from None
    given = [_checked(*row, kind, plant) for row in rows]
    kept = [row for row in given if not row.data.get("deleted")]
    gone = [row for row in given if row.data.get("deleted")]
    return sorted(kept, key=_place) + sorted(gone, key=lambda row: -_place(row))


def _place(row: Row) -> int:
    return ORDER.index(row.kind) if row.kind in ORDER else 0


def _checked(
    number: int, given: Mapping[str, Any], problem: str | None, kind: str | None, plant: str | None
) -> Row:
    named = given.get("kind", kind)
    where = given.get("plant", plant)
    data = given.get("data")
    why = problem
    if why is None and named not in ORDER:
        why = f"kind is {shown(named)}: not one of {', '.join(ORDER)}"
    elif why is None and not isinstance(where, str):
        why = "plant is missing" if where is None else f"plant is {shown(where)}: not a string"
    elif why is None and not isinstance(data, dict):
        why = f"data is {shown(data)}: not an object"
    return Row(number, str(named), str(where), data if isinstance(data, dict) else {}, why)


def _rows_of_json(text: str) -> Iterator[_Given]:
    """Yield the objects of an array, or of lines."""
    begun = text.lstrip("\ufeff \t\r\n")
    if begun.startswith("["):
        listed = json.loads(begun, parse_float=Number)
        numbered = list(enumerate(listed, 1))
    else:
        lines = enumerate(begun.splitlines(), 1)
        numbered = [(n, json.loads(line, parse_float=Number)) for n, line in lines if line.strip()]
    for number, each in numbered:
        if not isinstance(each, dict):
            raise ValueError(f"{shown(each)} isn't an object")
        yield number, each, None


def _rows_of_csv(text: str, kind: str | None, whole: bool) -> Iterator[_Given]:
    begun = text.removeprefix("\ufeff")
    first = begun.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.DictReader(io.StringIO(begun), delimiter=delimiter, strict=True)
    names = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = names
    if len(set(names)) < len(names):
        raise ValueError("a column is there twice")
    for cells in reader:
        if None in cells or None in cells.values():
            yield reader.line_num, {}, f"the row hasn't {len(names)} cells, as the first line has"
            continue
        given: dict[str, Any] = {
            name: cells[name].strip() for name in ("kind", "plant") if cells.get(name, "").strip()
        }
        members = {name: cell.strip() for name, cell in cells.items() if name not in ABOUT}
        try:
            given["data"] = _data_of(given.get("kind", kind), members, whole)
            if deleted := cells.get("deleted", "").strip():
                given["data"]["deleted"] = _flag(deleted)
        except ValueError as error:
            yield reader.line_num, given, str(error)
            continue
        yield reader.line_num, given, None


def _data_of(kind: str | None, cells: Mapping[str, str], whole: bool) -> dict[str, Any]:
    if kind is None or kind not in KINDS:
        return {name: _any(cell) for name, cell in cells.items() if cell}
    kinds = {member.name: member.kind for member in told(KINDS[kind])}
    data: dict[str, Any] = {}
    for name, cell in cells.items():
        unit = name.removeprefix(NAMED)
        if unit != name and "conversions" in kinds and cell:
            data["conversions"] = {**(data.get("conversions") or {}), unit: cell}
        elif name in kinds and cell:
            data[name] = _value(name, kinds[name], cell)
        elif name in kinds and whole:
            data[name] = None
        elif cell:
            raise ValueError(f"column {shown(name)} is no member of {kind}")
    return data


def _any(cell: str) -> Any:
    """Return what `_cell` has written."""
    try:
        return json.loads(cell, parse_float=Number)
    except ValueError:
        return cell


def _value(name: str, kind: str, cell: str) -> Any:
    if kind == "flag":
        return _flag(cell)
    if kind == "require":
        return cell.split()
    if kind in ("seconds", "breakdown"):
        return int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 10 else cell
    if kind in ("conversions", "transactions"):
        try:
            return json.loads(cell, parse_float=Number)
        except ValueError as error:
            raise ValueError(f"{name} is {shown(cell)}: not JSON ({error})") from None
    return cell


def _flag(cell: str) -> Any:
    return {"true": True, "false": False}.get(cell.lower(), cell)


def csv_of(records: Iterable[tuple[str, str, Mapping[str, Any]]]) -> str:
    """Return records (kind, plant, `data`) as CSV that `read_rows` reads."""
    listed = [(kind, plant, dict(data)) for kind, plant, data in records]
    cells = [{"kind": kind, "plant": plant, **_cells(kind, data)} for kind, plant, data in listed]
    columns = list(dict.fromkeys(name for each in cells for name in each))
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(cells)
    return file.getvalue()


def _cells(kind: str, data: Mapping[str, Any]) -> dict[str, str]:
    if kind not in KINDS:
        return {name: _cell(value) for name, value in data.items()}
    cells: dict[str, str] = {}
    for name, value in data.items():
        if name == "conversions":
            cells |= {f"{NAMED}{unit}": str(factor) for unit, factor in value.items()}
        elif name == "require":
            cells[name] = " ".join(value)
        elif isinstance(value, bool):
            cells[name] = "true" if value else "false"
        else:
            cells[name] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return cells


def _cell(value: Any) -> str:
    """Return a value as JSON, a text as it is, unless it would be read as JSON."""
    if isinstance(value, str) and _any(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def json_of(records: Iterable[tuple[str, str, Mapping[str, Any]]]) -> str:
    """Return records (kind, plant, `data`) as lines of JSON that `read_rows` reads."""
    return "".join(
        json.dumps({"kind": kind, "plant": plant, "data": data}, ensure_ascii=False) + "\n"
        for kind, plant, data in records
    )
