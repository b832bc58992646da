"""What members can be like: values that fit together, for the AsyncAPI document's examples."""

from collections.abc import Iterable
from typing import Any, Final

from streams.contract.transactions import (
    at_once_key,
    notification_key,
    reversal_key,
    row_text_plain,
    windowed_key,
)
from streams.values.instant import SECOND

Schema = dict[str, Any]

START: Final = 1_795_240_800 * SECOND
"""2026-11-21T06:00:00Z"""

WHERE: Final = "DE01/L3"
SOURCE, ID = "/DE01/mes", "DE01-L3-000123"

CONSUMED: Final = {
    "order": "1000123",
    "operation": "0010",
    "item": "M-100",
    "lot": "LOT7",
    "quantity": "12.5",
    "uom": "kg",
}

MEMBERS: Final[dict[str, Any]] = {
    **CONSUMED,
    "id": ID,
    "source": SOURCE,
    "time": "2026-11-21T06:00:10Z",
    "plant": "DE01",
    "line": "L3",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "seq": 4711,
    "serial": "SN-4711",
    "storage": "RAW-3",
    "reason": "DRIVE_FAULT",
    "work_unit": "PRESS-1",
    "operator": "OP-17",
    "person": "P-17",
    "seconds": "40",
    "activity": "SETUP",
    "episode": "E1",
    "hold": "H1",
    "value": "LOT7",
    "severity": "major",
    "nonconformance": "NC-17",
    "code": "SCRATCH",
    "inspection": "QI-5",
    "characteristic": "width",
    "tag": "temperature_c",
    "good": "12",
    "scrap": "1",
    "rework": "0",
    "stops": "1",
    "down": "60",
    "planned_down": "0",
    "planned": False,
    "reverses": ID,
    "original": {"type": "material.consumed.v1", "time": "2026-11-21T06:00:10Z", "data": CONSUMED},
    "window_start": "2026-11-21T06:00:00Z",
    "window_end": "2026-11-21T06:05:00Z",
    "revision": 0,
    "count": 1,
    "causes": [ID],
    "cause_count": 1,
    "document_date": "2026-11-21",
    "posting_date": "2026-11-21",
    "cost_center": "4711",
    "base_uom": "kg",
    "base_quantity": "12.5",
    "require": ["item", "uom", "order"],
    "ideal_seconds": "2.5",
    "conversions": {"g": "0.001", "bag": "25"},
    "lot_control": True,
    "consumption_from": "2026-11-23T05:00:00Z",
    "closed_at": "2026-11-21T14:00:00Z",
    "valid_from": "2026-11-30T00:00:00+01:00",
    "time_zone": "Europe/Berlin",
    "transactions": {"erp.goods_issue.v1": {"when": "hour"}},
    "group": "technical",
    "grace_seconds": 30,
    "idle_grace_seconds": 120,
    "breakdown_seconds": 600,
    "future_seconds_max": 600,
    "partition": 0,
    "offset": 8,
    "key": WHERE,
    "headers": [{"name": "content-type", "value": "application/cloudevents+json"}],
}
"""By the name of an attribute or a member of `data`."""

LEFT_OUT: Final = ("deleted", "value_bytes", "key_bytes", "headers_count")
"""Members that an ordinary record hasn't."""

SUMMARY_WINDOW: Final = {"window_end": "2026-11-21T06:01:00Z"}

REFUSED_ID: Final = "mes.events.v1/0/8"
REFUSED: Final = {
    "code": "key_mismatch",
    "reason": "key is 'DE01/L9', not 'DE01/L3'",
    "key": "DE01/L9",
    "value": "eyJzcGVjdmVyc2lvbiI6IjEuMCJ9",
}
"""What an exception says of a record under a wrong key."""


def example(payload: Schema, **other: Any) -> Schema:
    """Return a record that is as a schema says, with all that it may have; `other` goes before."""
    properties = payload["properties"]
    return {
        name: other[name] if name in other else of(name, schema)
        for name, schema in properties.items()
    }


def of(name: str, schema: Schema) -> Any:
    """Return what a member of this name can be."""
    if "const" in schema:
        return schema["const"]
    if name == "data":
        told = schema["properties"].items()
        return {each: of(each, one) for each, one in told if each not in LEFT_OUT}
    if "enum" in schema:
        return schema["enum"][0]
    if name == "value" and not schema:
        return 21.5  # of telemetry
    kinds = schema.get("type", ())
    if name in MEMBERS:
        value = MEMBERS[name]
        return str(value) if isinstance(value, int) and "string" in kinds else value
    return True if "boolean" in kinds else "1" if "number" in kinds else name


def at_once_id(short: str) -> str:
    """Return a posting key of what leaves at once."""
    return at_once_key(short, WHERE, SOURCE, ID)


def windowed_id(short: str, row: Iterable[str], data: Schema) -> str:
    """Return the posting key of a row that has the members of `data`."""
    members = tuple(data[name] for name in row)
    return windowed_key(short, WHERE, START, row_text_plain(members), 0)


def notification_id() -> str:
    """Return the posting key of a maintenance notification."""
    return notification_key(WHERE, MEMBERS["episode"], START)


def reversal_id(key: str) -> str:
    """Return the posting key of what takes back the record with a posting key."""
    return reversal_key(key)
