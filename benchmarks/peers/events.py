"""What the Python peers decode: the same for all, so that none pays more.

Decoding is typed, with msgspec: the quickest there is for Python, and it checks members as it goes.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec

INPUTS: Final = ("mes.events.v1", "machine.events.v1")

WHOLE_MAX: Final = 10**15
"""A quantity is smaller than this in size."""

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


def thousandths(number: Decimal) -> int:
    """Return an exact number of thousandths, or raise `ValueError`."""
    if number.is_finite() and abs(number) < WHOLE_MAX:
        scaled = number * 1000
        whole = int(scaled)
        if scaled == whole:
            return whole
    raise ValueError(f"{number} isn't a number of thousandths smaller than {WHOLE_MAX}")
