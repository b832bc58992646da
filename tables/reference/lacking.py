"""What an event of `unknown_master` lacks, and the record of `reference.v1` that makes it known."""

from typing import Any, Final

from msgspec import Struct

from streams.codec.decode import decode
from streams.contract.checks import Code
from streams.contract.reference import ANYWHERE
from streams.contract.reference_key import key_of
from streams.contract.structs import Event
from streams.contract.topics import MES_EVENTS
from streams.log.record import Record
from tables.reference.known import Known, units_of

CODE: Final[Code] = "unknown_master"


class Lack(Struct, frozen=True):
    """What isn't known: a record of one of these keys, and what that has to say."""

    plant: str
    keys: tuple[bytes, ...]
    """The plant's own goes before that of all plants."""
    unit: str | None = None
    """The item has to be counted in it."""
    lot_control: bool = True
    """False: the item must not be under lot control."""


def lack_of(record: Record, reason: str) -> Lack | None:
    """Return what an event lacks by the reason of its exception, None where that can't be read.

    A reason begins with the member. The value is the event's own, since a reason cuts long ones.
    """
    event = decode(record.value, record.headers, MES_EVENTS)
    if not isinstance(event, Event):
        return None
    return _lack(event, reason.partition(" ")[0])


def _lack(event: Event, member: str) -> Lack | None:
    plant, line, data = event.plant, event.line, event.data
    if member == "line":
        return Lack(plant, (key_of("line", plant, [line]),))
    value = _text(data, member)
    if value is None and member != "data.lot":
        return None
    match member:
        case "data.work_unit":
            return Lack(plant, (key_of("work_unit", plant, [line, str(value)]),))
        case "data.order":
            return Lack(plant, (key_of("order", plant, [str(value)]),))
        case "data.reason":
            return Lack(plant, _anywhere("reason", plant, str(value)))
        case "data.item":
            return Lack(plant, _anywhere("item", plant, str(value)))
    item = _text(data, "data.item")
    if item is None or member not in ("data.uom", "data.lot"):
        return None
    keys = _anywhere("item", plant, item)
    if member == "data.uom":
        return Lack(plant, keys, unit=value)
    return Lack(plant, keys, lot_control=False)


def _text(data: Any, member: str) -> str | None:
    value = getattr(data, member.removeprefix("data."), None)
    return value if isinstance(value, str) else None


def _anywhere(kind: str, plant: str, value: str) -> tuple[bytes, ...]:
    return key_of(kind, plant, [value]), key_of(kind, ANYWHERE, [value])


def known_from(lack: Lack, known: Known) -> int | None:
    """Return the offset of the record that makes it known, None while there is none."""
    for key in lack.keys:
        offset = known.offset(key)
        if offset is not None:
            return offset if _says(lack, known, key) else None
    return None


def _says(lack: Lack, known: Known, key: bytes) -> bool:
    if lack.unit is None and lack.lot_control:
        return True
    item = known.at(key) or {}
    if lack.unit is not None:
        return lack.unit in units_of(item)
    return not item.get("lot_control", False)
