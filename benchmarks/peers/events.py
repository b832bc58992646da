"""What the Python peers decode, and what they write: the same for all, so that none pays more.

Decoding is typed, with msgspec: the quickest there is for Python, and it checks members as it goes.
Measures are summed as integers, so they are exact whatever a framework keeps its state in:
quantities in thousandths, seconds in millionths.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec

INPUTS: Final = ("mes.events.v1", "machine.events.v1")

WINDOW_SECONDS: Final = 60
GRACE_SECONDS: Final = 30

ROWS: Final = {
    "consumption": ("order", "operation", "item", "lot", "storage", "uom"),
    "scrap": ("order", "operation", "item", "lot", "uom", "reason", "kind"),
    "downtime": ("work_unit", "reason", "planned"),
}
"""The members that make a row, by type of record."""

MEASURES: Final = {
    "consumption": (("quantity", 3),),
    "scrap": (("quantity", 3),),
    "downtime": (("seconds", 6), ("stops", 0)),
}
"""The measures of a row, with the decimal places of the integers that they are summed as."""

Time = Annotated[datetime, msgspec.Meta(tz=True)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class Data(msgspec.Struct, gc=False):
    """The `data` of an event; an absent or null member is None."""


class Measured(Data, gc=False):
    """Data with a quantity, which is in thousandths once it is decoded."""

    quantity: Decimal

    def __post_init__(self) -> None:
        self.quantity = thousandths(self.quantity)


class Counted(Data, gc=False):
    work_unit: Name
    good: Decimal
    scrap: Decimal


class Operation(Data, gc=False):
    order: Name
    operation: Name


class Confirmed(Measured, gc=False, kw_only=True):
    order: Name
    operation: Name
    item: Name
    uom: Name


class Consumed(Measured, gc=False, kw_only=True):
    order: Name
    operation: Name
    item: Name
    uom: Name
    lot: Name | None = None
    storage: Name | None = None


class Scrapped(Measured, gc=False, kw_only=True):
    order: Name
    operation: Name
    item: Name
    uom: Name
    reason: Name
    kind: Literal["operation", "component"]
    lot: Name | None = None


class Stopped(Data, gc=False):
    episode: Name
    work_unit: Name
    reason: Name
    planned: bool


class Resumed(Data, gc=False):
    episode: Name
    work_unit: Name


class Booked(Data, gc=False):
    order: Name
    operation: Name
    person: Name
    seconds: Decimal


class Received(Measured, gc=False, kw_only=True):
    order: Name
    item: Name
    uom: Name


class Reworked(Measured, gc=False, kw_only=True):
    order: Name
    operation: Name
    item: Name
    uom: Name
    reason: Name


class Held(Data, gc=False):
    hold: Name
    scope: Literal["lot", "order", "item"]
    value: Name
    reason: Name


class Stated(Data, gc=False):
    work_unit: Name
    state: Name


class Sensed(Data, gc=False):
    work_unit: Name
    tag: Name
    value: Any


class Event(msgspec.Struct, tag_field="type", gc=False):
    """The envelope: CloudEvents 1.0 with the plant's and the line's names."""

    specversion: Literal["1.0"]
    source: Name
    id: Name
    time: Time
    plant: Name
    line: Name


class OperationStarted(Event, tag="operation.started.v1", gc=False):
    data: Operation


class OperationCompleted(Event, tag="operation.completed.v1", gc=False):
    data: Operation


class ProductionConfirmed(Event, tag="production.confirmed.v1", gc=False):
    data: Confirmed


class MaterialConsumed(Event, tag="material.consumed.v1", gc=False):
    data: Consumed


class ScrapDeclared(Event, tag="scrap.declared.v1", gc=False):
    data: Scrapped


class DowntimeStarted(Event, tag="downtime.started.v1", gc=False):
    data: Stopped


class DowntimeEnded(Event, tag="downtime.ended.v1", gc=False):
    data: Resumed


class LaborBooked(Event, tag="labor.booked.v1", gc=False):
    data: Booked


class GoodsReceived(Event, tag="goods.received.v1", gc=False):
    data: Received


class ReworkDeclared(Event, tag="rework.declared.v1", gc=False):
    data: Reworked


class HoldPlaced(Event, tag="quality.hold_placed.v1", gc=False):
    data: Held


class MachineState(Event, tag="machine.state.v1", gc=False):
    data: Stated


class MachineCount(Event, tag="machine.count.v1", gc=False):
    data: Counted


class MachineTelemetry(Event, tag="machine.telemetry.v1", gc=False):
    data: Sensed


MesEvent = (
    OperationStarted
    | OperationCompleted
    | ProductionConfirmed
    | MaterialConsumed
    | ScrapDeclared
    | DowntimeStarted
    | DowntimeEnded
    | LaborBooked
    | GoodsReceived
    | ReworkDeclared
    | HoldPlaced
)
MachineEvent = MachineState | MachineCount | MachineTelemetry

decode_mes = msgspec.json.Decoder(MesEvent).decode
"""bytes to a `MesEvent`; raises `ValueError` for a value that isn't one."""
decode_machine = msgspec.json.Decoder(MachineEvent).decode
"""bytes to a `MachineEvent`; raises `ValueError` for a value that isn't one."""


class Movement(NamedTuple):
    """What an event adds to a row of a line's window.

    `at` is in milliseconds since the epoch. `row` is the type and the row's members as a JSON
    array: a text, since states are keyed by it; "" if the event only says how late it is.
    """

    at: int
    row: str
    amounts: list[int]


def movement(event: MaterialConsumed | ScrapDeclared) -> Movement:
    """Return what a consumption or a scrap adds."""
    kind = "consumption" if event.__class__ is MaterialConsumed else "scrap"
    data = event.data
    members = [kind, *[getattr(data, name) for name in ROWS[kind]]]
    return Movement(micros(event.time) // 1000, _text(members), [data.quantity])


def passing(event: OperationStarted) -> Movement:
    """Return what only moves time on."""
    return Movement(micros(event.time) // 1000, "", [])


def half(event: DowntimeStarted | DowntimeEnded) -> list[Any]:
    """Return what is kept of an episode's start or end until the other one comes."""
    data = event.data
    if event.__class__ is DowntimeEnded:
        return [micros(event.time)]
    return [micros(event.time), data.work_unit, data.reason, data.planned]


def stop(one: list[Any], other: list[Any]) -> Movement:
    """Return what an episode adds, from its two halves in any order: at its end."""
    (began, *members), (end,) = (one, other) if len(other) == 1 else (other, one)
    return Movement(end // 1000, _text(["downtime", *members]), [end - began, 1])


def confirmation(event: ProductionConfirmed) -> dict[str, Any]:
    """Return the record that a confirmation leaves as."""
    data = event.data
    return {
        "type": "confirmation",
        "plant": event.plant,
        "line": event.line,
        "data": {
            "order": data.order,
            "operation": data.operation,
            "item": data.item,
            "quantity": decimal(data.quantity, 3),
            "uom": data.uom,
            "id": event.id,
        },
    }


def closed(place: str, start: int, rows: dict[str, list[int]]) -> Iterator[dict[str, Any]]:
    """Yield a record for each row of a window of `place` (plant/line); `start` is in ms."""
    plant, _, line = place.partition("/")
    began = _instant(start)
    for row, amounts in rows.items():
        kind, data = _measured(row, amounts)
        data["window_start"] = began
        yield {"type": kind, "plant": plant, "line": line, "data": data}


def late(place: str, moved: Movement) -> dict[str, Any]:
    """Return the record of what came too late for its window."""
    plant, _, line = place.partition("/")
    kind, data = _measured(moved.row, moved.amounts)
    data["of"] = kind
    return {"type": "late", "plant": plant, "line": line, "data": data}


def add(rows: dict[str, list[int]], moved: Movement) -> dict[str, list[int]]:
    """Add to the rows of a window, in place, and return them."""
    amounts = rows.get(moved.row)
    if amounts is None:
        if moved.row:
            rows[moved.row] = moved.amounts
    else:
        for place, amount in enumerate(moved.amounts):
            amounts[place] += amount
    return rows


def micros(moment: datetime) -> int:
    """Return the microseconds since the epoch; exact, as far as datetimes go."""
    return round(moment.timestamp() * 1e6)


def thousandths(number: Decimal) -> int:
    """Return an exact number of thousandths, or raise `ValueError`."""
    scaled = number * 1000
    if not number.is_finite() or scaled != (whole := int(scaled)):
        raise ValueError(f"{number} isn't a number of thousandths")
    return whole


def decimal(scaled: int, places: int) -> str:
    """Return an integer with `places` decimal places as a decimal without trailing zeros."""
    if not places:
        return str(scaled)
    whole, fraction = divmod(abs(scaled), 10**places)
    sign = "-" if scaled < 0 else ""
    return f"{sign}{whole}.{fraction:0{places}d}".rstrip("0").rstrip(".")


def _measured(row: str, amounts: Iterable[int]) -> tuple[str, dict[str, Any]]:
    kind, *members = msgspec.json.decode(row)
    data = dict(zip(ROWS[kind], members, strict=True))
    for (name, places), amount in zip(MEASURES[kind], amounts, strict=True):
        data[name] = decimal(amount, places)
    return kind, data


def _text(members: list[Any]) -> str:
    return msgspec.json.encode(members).decode()


def _instant(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
