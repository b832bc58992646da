"""The input vocabulary: one struct per event type, and the union that decodes them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Union

from msgspec import Raw, Struct

from streams.contract.structs import Data, Event, Instant, MachineStateName, Measure, Name
from streams.contract.topics import MACHINE_EVENTS


class OperationStartedData(Data):
    order: Name
    operation: Name
    item: Name | None = None
    work_unit: Name | None = None
    operator: Name | None = None


class OperationStarted(Event, tag="operation.started.v1"):
    data: OperationStartedData


class OperationCompletedData(Data):
    order: Name
    operation: Name
    item: Name | None = None
    work_unit: Name | None = None


class OperationCompleted(Event, tag="operation.completed.v1"):
    data: OperationCompletedData


class ProductionConfirmedData(Data):
    order: Name
    operation: Name
    item: Name
    quantity: Measure
    uom: Name
    lot: Name | None = None
    serial: Name | None = None
    final: bool | None = None


class ProductionConfirmed(Event, tag="production.confirmed.v1"):
    REVERSIBLE: ClassVar[bool] = True

    data: ProductionConfirmedData


class GoodsReceivedData(Data):
    ABSENT: ClassVar[Mapping[str, str]] = {"product": "main"}

    order: Name
    item: Name
    quantity: Measure
    uom: Name
    lot: Name | None = None
    serial: Name | None = None
    storage: Name | None = None
    product: Literal["main", "co_product", "by_product"] | None = None


class GoodsReceived(Event, tag="goods.received.v1"):
    REVERSIBLE: ClassVar[bool] = True

    data: GoodsReceivedData


class MaterialConsumedData(Data):
    order: Name
    operation: Name
    item: Name
    quantity: Measure
    uom: Name
    lot: Name | None = None
    serial: Name | None = None
    storage: Name | None = None


class MaterialConsumed(Event, tag="material.consumed.v1"):
    REVERSIBLE: ClassVar[bool] = True

    data: MaterialConsumedData


class ScrapDeclaredData(Data):
    order: Name
    operation: Name
    item: Name
    quantity: Measure
    uom: Name
    reason: Name
    kind: Literal["operation", "component"]
    lot: Name | None = None
    serial: Name | None = None


class ScrapDeclared(Event, tag="scrap.declared.v1"):
    REVERSIBLE: ClassVar[bool] = True

    data: ScrapDeclaredData


class ReworkDeclaredData(Data):
    order: Name
    operation: Name
    item: Name
    quantity: Measure
    uom: Name
    reason: Name


class ReworkDeclared(Event, tag="rework.declared.v1"):
    REVERSIBLE: ClassVar[bool] = True

    data: ReworkDeclaredData


class LaborBookedData(Data):
    ORDER: ClassVar[tuple[str, ...]] = (
        "order", "operation", "person", "seconds", "activity", "work_unit",
    )  # fmt: skip

    order: Name
    operation: Name
    seconds: Measure
    person: Name | None = None
    work_unit: Name | None = None
    activity: Name | None = None


class LaborBooked(Event, tag="labor.booked.v1"):
    REVERSIBLE: ClassVar[bool] = True

    data: LaborBookedData


class DowntimeStartedData(Data):
    episode: Name
    work_unit: Name
    reason: Name
    planned: bool


class DowntimeStarted(Event, tag="downtime.started.v1"):
    data: DowntimeStartedData


class DowntimeEndedData(Data):
    episode: Name
    work_unit: Name


class DowntimeEnded(Event, tag="downtime.ended.v1"):
    data: DowntimeEndedData


class DowntimeClassifiedData(Data):
    episode: Name
    reason: Name
    planned: bool
    work_unit: Name | None = None


class DowntimeClassified(Event, tag="downtime.classified.v1"):
    data: DowntimeClassifiedData


class HoldPlacedData(Data):
    hold: Name
    scope: Literal["lot", "order", "item"]
    value: Name
    reason: Name
    item: Name | None = None
    severity: Name | None = None


class HoldPlaced(Event, tag="quality.hold_placed.v1"):
    data: HoldPlacedData


class HoldReleasedData(Data):
    hold: Name
    disposition: Literal["use", "rework", "scrap", "return"]


class HoldReleased(Event, tag="quality.hold_released.v1"):
    data: HoldReleasedData


class NonconformanceRaisedData(Data):
    nonconformance: Name
    item: Name
    code: Name
    severity: Name
    lot: Name | None = None
    order: Name | None = None
    quantity: Measure | None = None
    uom: Name | None = None


class NonconformanceRaised(Event, tag="nonconformance.raised.v1"):
    data: NonconformanceRaisedData


class InspectionCompletedData(Data):
    inspection: Name
    lot: Name
    result: Literal["pass", "fail"]
    order: Name | None = None
    characteristic: Name | None = None


class InspectionCompleted(Event, tag="inspection.completed.v1"):
    data: InspectionCompletedData


class TransactionReversedData(Data):
    """`original` is read by `streams.codec.decode.read_original`: here it is any object."""

    reverses: Name
    original: dict[str, Any]


class TransactionReversed(Event, tag="transaction.reversed.v1"):
    data: TransactionReversedData


class MachineStateData(Data):
    work_unit: Name
    state: MachineStateName
    reason: Name | None = None
    order: Name | None = None
    item: Name | None = None


class MachineState(Event, tag="machine.state.v1"):
    TOPIC: ClassVar[str] = MACHINE_EVENTS

    data: MachineStateData


class MachineCountData(Data):
    work_unit: Name
    good: Measure
    scrap: Measure
    order: Name | None = None
    item: Name | None = None


class MachineCount(Event, tag="machine.count.v1"):
    TOPIC: ClassVar[str] = MACHINE_EVENTS

    data: MachineCountData


class MachineTelemetryData(Data):
    """`value` is any JSON, null too; it is counted, never read."""

    work_unit: Name
    tag: Name
    value: Raw


class MachineTelemetry(Event, tag="machine.telemetry.v1"):
    TOPIC: ClassVar[str] = MACHINE_EVENTS

    data: MachineTelemetryData


class Tick(Struct, gc=False, tag_field="type", tag="clock.tick.v1"):
    """Time as a message: only its `time` is looked at; it belongs on either topic."""

    TOPIC: ClassVar[str] = ""

    time: Instant


if TYPE_CHECKING:
    AnyEvent = Event
else:
    AnyEvent = Union[tuple(Event.__subclasses__())]
"""An event of any type: for msgspec the union of the subclasses of `Event`, in their order here."""

TICK_TYPE: Final = "clock.tick.v1"

TYPES: Final[dict[str, type[AnyEvent]]] = {
    str(struct.__struct_config__.tag): struct for struct in Event.__subclasses__()
}
"""Event types by the value of `type`, ticks aside."""

NAMES: Final[dict[Any, str]] = {struct: name for name, struct in TYPES.items()}
"""The value of `type` by struct."""

REVERSIBLE: Final = frozenset(name for name, struct in TYPES.items() if struct.REVERSIBLE)
"""The types whose transactions can be taken back by `transaction.reversed.v1`."""
