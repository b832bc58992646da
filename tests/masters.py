"""Master data for tests: reference records, what sources say, what is known after that."""

import json
from collections.abc import Iterable
from typing import Any

from streams.codec.reference import read_reference
from streams.contract.rejection import Rejection, exception_data
from streams.contract.topics import EXCEPTIONS, MES_EVENTS, REFERENCE
from streams.contract.transactions import EXCEPTION, encode
from streams.log.record import Outgoing, Record
from streams.values import instant
from tables.reference.keeping import Terms, kept
from tables.reference.known import Known

AT = 1_795_240_800_000_000
"""2026-11-21T06:00:00Z"""


SAID: dict[str, dict[str, Any]] = {
    "plant": {"require": ["line", "order"]},
    "line": {"line": "L1", "cost_center": "CC", "storage": "S"},
    "work_unit": {"line": "L1", "work_unit": "W", "cost_center": "CC", "ideal_seconds": "2.5"},
    "item": {
        "item": "I", "base_uom": "kg", "conversions": {"g": "0.001", "t": 1000},
        "lot_control": True, "consumption": "erp", "consumption_from": "2026-11-21T06:00:00Z",
    },
    "reason": {"reason": "r", "planned": False, "group": "g"},
    "order": {
        "order": "O", "status": "closed", "closed_at": "2026-11-21T06:00:00.5+01:00", "item": "I",
        "quantity": 12.5, "uom": "kg", "revision": "3",
    },
    "hold": {"hold": "H", "scope": "lot", "value": "LOT", "item": "I", "reason": "r"},
    "hold_release": {"hold": "H", "disposition": "use"},
    "rules": {
        "valid_from": "2026-12-01T00:00:00Z", "time_zone": "Europe/Berlin",
        "transactions": {
            "erp.goods_issue.v1": {"when": "window", "window_seconds": 60},
            "erp.goods_receipt.v1": {"when": "day", "window_seconds": "soon"},
        },
    },
    "timing": {
        "grace_seconds": 5, "idle_grace_seconds": 6, "breakdown_seconds": 7,
        "future_seconds_max": 8,
    },
}  # fmt: skip
"""Each member of each kind."""

ODD: list[Any] = [
    None, "", "x", "*", "a/b", " x", "x ", "\u00a0x", "A\u0308", "\u00c4", "x" * 129, "x" * 257,
    "a\tb", 0, 1, -1, 7, 61, 86_400, 86_401, 1.5, 1e3, 10**6, 2**63, "1", "-1", "1e-9", "1e-10",
    "999999.999999999", "1000000", True, False, [], {}, ["line"], ["line", "line"], [None], [[]],
    {"a": 1}, {"kg": 1}, {"kg": None}, {"a ": None}, {"a ": 1}, {"a": 0}, {"a": "x"}, "erp", "mes",
    "held", "open", "use", "2026-11-21T06:00:00Z", "1999-12-31T23:59:59Z", "9999-01-01T00:00:00Z",
    "2026-11-21", "UTC", "Mars/Base", "europe/berlin", "posix/Europe/Berlin",
    *({name: value} for name in ("erp.goods_issue.v1", "erp.operation_status.v1", "gi")
      for value in (None, {}, "hour", {"when": "hour"}, {"when": "at_once"}, {"when": "month"},
                    {"when": ["hour"]}, {"when": "window"}, {"when": None},
                    *({"when": "window", "window_seconds": seconds}
                      for seconds in (1, 7, 3e2, 900, 1800, "60", None, True)))),
]  # fmt: skip


def reference(kind: str, plant: Any = "P", **about: Any) -> dict[str, Any]:
    """Return a reference record that says all that its kind can."""
    return {
        "type": f"reference.{kind}.v1", "source": "/lineside", "plant": plant,
        "data": dict(SAID[kind]), **about,
    }  # fmt: skip


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


def lacking(
    record: Record, item: str, partition: int = 0, topic: str = MES_EVENTS, line: str = "L1"
) -> bytes:
    """Return the exception of an event of a line of DE01 whose item isn't known."""
    told = Rejection("unknown_master", f"data.item is '{item}': no such item is known")
    time = None if record.timestamp is None else instant.text(record.timestamp)
    cause = f"{topic}/{partition}/{record.offset}"
    return encode(
        EXCEPTION, cause, time, "DE01", line, exception_data(told, topic, partition, record)
    )
