"""The input vocabulary: one struct per event type, and the union that decodes them."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Union

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS

Name = Annotated[str, Meta(min_length=1, max_length=256)]
"""1 to 256 characters; that none is a control character is checked by `streams.codec.decode`."""

Place = Annotated[str, Meta(min_length=1, max_length=128)]
"""A plant or a line: 1 to 128 characters; that none is "/" is checked by `streams.codec.decode`."""

if TYPE_CHECKING:
    Instant = int
    Measure = int
else:
    # On the wire a string, or a number or string; `streams.codec.decode` turns it into an integer
    # before anybody else sees the event. Done by the structs themselves, in `__post_init__`, it
    # would cost more (docs/decisions/0009); that is also why these structs aren't frozen.
    Instant = Annotated[Any, "instant"]
    Measure = Annotated[Any, "measure"]
"""`Instant`: microseconds since the epoch. `Measure`: billionths of a unit."""


class Data(Struct, gc=False, omit_defaults=True):
    """The `data` of an event; an absent or null member is None."""


class Event(Struct, kw_only=True, gc=False, tag_field="type"):
    """A CloudEvent 1.0 on an input topic; attributes that aren't named here are ignored.

    Each subclass is an event type, and belongs to `AnyEvent` and `TYPES` by being there.
    """

    TOPIC: ClassVar[str] = MES_EVENTS
    """The topic that the type belongs on."""
    REVERSIBLE: ClassVar[bool] = False
    """Whether `transaction.reversed.v1` can take back what the type's events lead to."""

    specversion: Literal["1.0"]
    source: Name
    id: Name
    time: Instant
    plant: Place
    line: Place
    if TYPE_CHECKING:
        data: Data  # each type says which
    payload: Raw | UnsetType = UNSET
    """No attribute of ours: an object with `topic` and `payload` is a printed record of a log."""


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
    final: bool | None = None


class ProductionConfirmed(Event, tag="production.confirmed.v1"):
    REVERSIBLE: ClassVar[bool] = True

    data: ProductionConfirmedData


class GoodsReceivedData(Data):
    order: Name
    item: Name
    quantity: Measure
    uom: Name
    lot: Name | None = None
    storage: Name | None = None


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
    order: Name
    operation: Name
    person: Name
    seconds: Measure
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


MachineStateName = Literal[
    "Stopped", "Starting", "Idle", "Suspended", "Execute", "Stopping", "Aborting", "Aborted",
    "Holding", "Held", "Unholding", "Suspending", "Unsuspending", "Resetting", "Completing",
    "Complete", "Clearing",
]  # fmt: skip
"""The states of ISA-TR88.00.02 (PackML)."""


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
