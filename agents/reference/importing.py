"""What an import would change: each row is judged as the keeper of master data would judge it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

from agents.reference.rows import Row
from streams.contract.rejection import Rejection
from streams.contract.topics import REFERENCE
from streams.log.record import Record
from streams.values import instant
from streams.values.quantity import Number
from tables.reference.keeping import Terms, kept
from tables.reference.known import Known

Became = Literal["new", "changed", "deleted", "the same", "refused"]

BECAME: Final[tuple[Became, ...]] = ("new", "changed", "deleted", "the same", "refused")


class Judged(Struct, frozen=True):
    """What becomes of a row; `value` is the record to send, None where nothing is to be sent."""

    row: Row
    became: Became
    reason: str = ""
    value: bytes | None = None


def judged_rows(
    rows: Iterable[Row], known: Known, terms: Terms, source: str, now: int
) -> list[Judged]:
    """Return what becomes of each row, after those before it; `known` is as if all were written."""
    return [_judged(row, known, terms, source, now) for row in rows]


def _judged(row: Row, known: Known, terms: Terms, source: str, now: int) -> Judged:
    if row.problem is not None:
        return Judged(row, "refused", row.problem)
    try:
        value = _record(row, source, now)
    except UnicodeEncodeError:
        return Judged(row, "refused", "a lone surrogate is in it: that is no text")
    left, read = kept(Record(row.number, now, None, value), 0, known, terms)
    if isinstance(read, Rejection):
        return Judged(row, "refused", read.reason)
    if left is None:
        return Judged(row, "the same")
    assert left.topic == REFERENCE  # what isn't refused is written there
    assert left.key is not None
    before = known.at(left.key)
    known.learn(left.key, left.value)
    became: Became = "new" if before is None else "changed"
    return Judged(row, "deleted" if read.deleted else became, value=value)


def _record(row: Row, source: str, now: int) -> bytes:
    event = {
        "specversion": "1.0",
        "type": f"reference.{row.kind}.v1",
        "source": source,
        "id": f"import-{instant.text(now)}-{row.number}",
        "time": instant.text(now),
        "plant": row.plant,
        "data": _plain(row.data),
    }
    return msgspec.json.encode(event)


def _plain(value: Any) -> Any:
    """Return a value that can be encoded: numbers as they were written."""
    if isinstance(value, Number):
        return Raw(str(value).encode())
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def summary(judged: Iterable[Judged]) -> str:
    """Return how many rows became what."""
    counts = Counter(each.became for each in judged)
    return ", ".join(f"{counts[became]:,} {became}" for became in BECAME if counts[became])
