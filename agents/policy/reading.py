"""Files of reference records: what each line makes known, or why it can't."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from agents.reference.rows import FileError, Row, read_rows
from streams.codec.decode import decode
from streams.contract.reference import KINDS, Reference, told
from streams.contract.reference_key import EXTRA
from streams.contract.rejection import Rejection
from streams.contract.topics import MES_EVENTS
from streams.contract.transactions import SOURCE
from streams.log.record import Record
from streams.values.quantity import Number
from tables.reference.keeping import Terms, kept
from tables.reference.known import Known

WAYS: Final = {
    "text": "give a text of 1 to 256 characters without white space at either end",
    "place": "give a text of 1 to 128 characters without a '/'",
    "flag": "give true or false",
    "measure": 'give a decimal of at most 9 places, e.g. "2.5"',
    "instant": 'give an instant with its offset, e.g. "2026-11-30T00:00:00+01:00"',
    "seconds": "give a whole number of 0 to 86400",
    "breakdown": "give a whole number of 1 to 86400",
    "zone": "give an IANA name, e.g. Europe/Berlin",
    "require": 'give a list, e.g. ["item", "order"]',
    "conversions": 'give how many base units one of each unit is, e.g. {"g": "0.001"}',
    "transactions": 'give when each record type leaves, e.g. {"erp.goods_issue.v1": {"when": '
    '"hour"}}',
    "choice": "give one of those",
}
"""The way out of a member that is wrong, by the mark of its type."""


ROWS: Final = "/file"
"""The source of rows: they say what is known, whoever said it, so nobody else owns a member."""


class Fault(Struct, frozen=True):
    """What is wrong with a line of a file, in a sentence with the member, the value and the way
    out; `line` counts from 1, None: it is of the whole file."""

    line: int | None
    sentence: str


def read_text(file: Path) -> str:
    """Return what is in a file. Raises `FileError` if that is no text."""
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{file} isn't UTF-8: {error.reason} at byte {error.start}") from None


def read_records(text: str, as_csv: bool, terms: Terms, now: int) -> list[Reference | Fault]:
    """Return what each record of a file makes known on a partition, or why it's none.

    A record is one that lineside has copied into a partition (its `source` is `/lineside`), one as
    `erp.master.v1` takes it, or a row as `lineside reference export` writes it. The last two are
    judged as the keeper of master data judges them, after those before them.
    """
    known = Known()
    read: list[Reference | Fault] = []
    for number, value in _values(text, as_csv, now):
        if isinstance(value, Fault):
            read.append(value)
            continue
        found = _read(number, value, known, terms, now)
        if found is not None:
            read.append(found)
    return read


def _values(text: str, as_csv: bool, now: int) -> Iterator[tuple[int, bytes | Fault]]:
    """Yield (number, the record of a line or row, or why there is none)."""
    if as_csv or text.lstrip("\ufeff \t\r\n").startswith("["):
        for row in read_rows(text, as_csv, None, None):
            yield row.number, _of_row(row, now)
        return
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line, parse_float=Number)
        except (ValueError, RecursionError) as error:
            yield number, Fault(number, f"the line isn't JSON: {error}; give one object on a line")
            continue
        if isinstance(given, dict) and "kind" in given and "type" not in given:
            for row in read_rows(line, False, None, None):
                yield number, _of_row(Row(number, row.kind, row.plant, row.data, row.problem), now)
        else:
            yield number, line.encode("utf-8", "surrogatepass")


def _of_row(row: Row, now: int) -> bytes | Fault:
    if row.problem is not None:
        return Fault(row.number, f"{row.problem}; say kind, plant and data as an export does")
    record = {
        "specversion": "1.0",
        "type": f"reference.{row.kind}.v1",
        "source": ROWS,
        "id": f"{now}-{row.number}",
        "plant": row.plant,
        "data": _plain(row.data),
    }
    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError:
        return Fault(row.number, "a lone surrogate is in it: give text that is UTF-8")


def _plain(value: Any) -> Any:
    """Return a value that can be encoded: numbers as they were written."""
    if isinstance(value, Number):
        return msgspec.Raw(str(value).encode())
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _read(
    number: int, value: bytes, known: Known, terms: Terms, now: int
) -> Reference | Fault | None:
    source = _source_of(value)
    copied = source == SOURCE
    if not copied:
        by = Terms(grace_max=terms.grace_max) if source == ROWS else terms
        left, judged = kept(Record(number, now, None, value), 0, known, by)
        if isinstance(judged, Rejection):
            return _fault(number, judged.reason)
        if left is None:
            return None  # it says nothing new
        assert left.key is not None  # it isn't refused
        known.learn(left.key, left.value)
        if judged.kind in EXTRA:
            return None  # no check and no posting needs it
        value = left.value
    read = decode(value, (), MES_EVENTS)
    if isinstance(read, Rejection):
        return _fault(number, read.reason)
    if not isinstance(read, Reference):
        return Fault(number, "type is no reference record: give reference.<kind>.v1")
    problem = _grace_problem(read, terms) if copied else None
    return read if problem is None else Fault(number, problem)


def _source_of(value: bytes) -> Any:
    given = json.loads(value)
    return given.get("source") if isinstance(given, dict) else None


def _grace_problem(read: Reference, terms: Terms) -> str | None:
    grace = getattr(read.data, "grace_seconds", None)
    if grace is None or grace <= terms.grace_max:
        return None
    return f"data.grace_seconds is {grace}: give at most {terms.grace_max}, or a longer retention"


def _fault(number: int, reason: str) -> Fault:
    """Return a fault with its way out: a member's is what its type takes."""
    name = reason.removeprefix("data.").partition(" ")[0].partition(":")[0].partition(".")[0]
    ways = dict.fromkeys(
        WAYS[member.kind if member.kind in WAYS else "choice"]
        for struct in KINDS.values() for member in told(struct)
        if member.name == name and reason.startswith("data.")
    )  # fmt: skip
    way = next(iter(ways), None) or _ENVELOPE.get(name, "docs/add-master-data.md has the form")
    return Fault(number, f"{reason}; {way}")


_ENVELOPE: Final = {
    "type": f"give reference.<kind>.v1 with one of {', '.join(KINDS)}",
    "source": f"give {SOURCE} for what is copied into a partition, or the sender's name",
    "plant": "give the plant, or * for an item or a reason of all plants",
    "data": "give an object with the members of the id, and those that are to be known",
    "seq": "give a whole number of 0 or more, or leave it out",
}


def references(read: Iterable[Reference | Fault], file: Path) -> list[Reference]:
    """Return what a file makes known. Raises `FileError` on the first fault."""
    found = []
    for each in read:
        if isinstance(each, Fault):
            raise FileError(f"{file}: {told_of(each)}")
        found.append(each)
    return found


def told_of(fault: Fault) -> str:
    """Return a fault with its line."""
    return fault.sentence if fault.line is None else f"line {fault.line}: {fault.sentence}"
