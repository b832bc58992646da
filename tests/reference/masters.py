"""Records of `erp.master.v1` for tests, and what is known after some."""

import json
from collections.abc import Iterable
from typing import Any

from streams.codec.reference import read_reference
from streams.contract.topics import EXCEPTIONS, REFERENCE
from streams.log.record import Outgoing, Record
from tables.reference.keeping import Terms, kept
from tables.reference.known import Known

AT = 1_795_240_800_000_000
"""2026-11-21T06:00:00Z"""


def master(kind: str, plant: str = "P", source: str = "/erp", **data: Any) -> bytes:
    """Return a record's value."""
    return json.dumps(
        {
            "specversion": "1.0", "type": f"reference.{kind}.v1", "source": source, "id": "m",
            "plant": plant, "data": data,
        }
    ).encode()  # fmt: skip


def take(
    value: bytes, known: Known, terms: Terms | None = None, offset: int = 0
) -> Outgoing | None:
    """Let a record be kept, and be known if it is."""
    left, _ = kept(Record(offset, AT, None, value), 0, known, terms or Terms())
    if left is not None and left.topic == REFERENCE:
        assert left.key is not None
        known.learn(left.key, left.value)
        told = json.loads(left.value)
        kind = told["type"].split(".")[1]
        if kind in ("item", "line", "order"):  # what is written can be read where it is copied to
            assert not isinstance(read_reference(kind, told, binary=False), str)
    return left


def known_after(values: Iterable[bytes], terms: Terms | None = None) -> Known:
    """Return what is known after records that all have to be taken."""
    known = Known()
    for value in values:
        assert refusal(take(value, known, terms)) is None
    return known


def data_of(left: Outgoing | None) -> dict[str, Any]:
    """Return the `data` of a record that was written."""
    assert left is not None
    told: dict[str, Any] = json.loads(left.value)
    assert left.topic == REFERENCE, told["data"]["reason"]
    data: dict[str, Any] = told["data"]
    return data


def refusal(left: Outgoing | None) -> str | None:
    """Return why a record was refused, None if it wasn't."""
    if left is None or left.topic != EXCEPTIONS:
        return None
    reason: str = json.loads(left.value)["data"]["reason"]
    return reason
