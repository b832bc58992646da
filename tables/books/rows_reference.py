"""Records of `reference.v1` as rows: the last of each key; lineside's own notes are passed over."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from streams.contract.reference import KINDS
from streams.contract.reference_key import EXTRA, read_key
from streams.log.record import Record
from streams.values import instant
from tables.books import texts
from tables.books.packed import pack

Row = tuple[Any, ...]

KEPT: Final = frozenset((*KINDS, *EXTRA))


class _Said(Struct):
    mastersource: str | None = None
    source: str | None = None
    time: str | None = None
    data: dict[str, Any] | None = None


_read = msgspec.json.Decoder(_Said).decode


def references_of(records: Sequence[Record]) -> tuple[dict[str, Row], int]:
    """Return rows by key, in the order of the table's columns, and how many weren't lineside's."""
    rows: dict[str, Row] = {}
    unread = 0
    for record in records:
        try:
            kind, plant, parts = read_key(record.key or b"")
            if kind not in KEPT:
                continue
            said = _Said(data={"deleted": True}) if record.value is None else _read(record.value)
        except ValueError:
            unread += 1
            continue
        key = texts.fitted(texts.clean((record.key or b"").decode()))
        source = said.mastersource or said.source
        rows[key] = (
            key,
            kind,
            texts.clean(plant),
            texts.fitted(texts.clean("/".join(parts))),
            (said.data or {}).get("deleted") is True,
            None if source is None else texts.clean(source),
            _said_at(said.time, record),
            record.offset,
            pack(record.value or b""),
        )
    return rows, unread


def _said_at(time: str | None, record: Record) -> int | None:
    try:
        return instant.parse(time)
    except ValueError:
        return record.timestamp
