"""Answers of the desk about plants, lines and orders, holds and master data."""

from typing import Any, Literal

from msgspec import Struct, field

from agents.desk.answers_trace import Event, ExceptionRow, Fresh, Transaction

State = Literal["running", "planned_stop", "unplanned_stop", "silent", "unknown"]


class Me(Struct, frozen=True):
    """Who asks, and what they may do where; `*`: in all plants."""

    name: str
    scope: Literal["read", "work", "approve", "admin"]
    plants: list[str]
    approval: list[str]


class Made(Struct, frozen=True):
    """Quantities of one unit, decimals."""

    uom: str | None
    good: str
    scrap: str
    rework: str


class Planned(Struct, frozen=True):
    """What was planned, a decimal."""

    uom: str | None
    quantity: str


class Shift(Struct, frozen=True):
    """A shift of a line's calendar."""

    name: str | None
    from_: str = field(name="from")
    to: str


class Line(Struct, frozen=True):
    """A line now, and its shift so far."""

    plant: str
    line: str
    state: State
    since: str | None
    lasted_seconds: int | None
    """Since then, by the line's own events; silence by the desk's clock."""
    reason: str | None
    work_unit: str | None
    last_event: str | None
    last_arrival: str | None
    """When its last event came in."""
    closed_to: str | None
    behind_seconds: int | None
    shift: Shift | None
    made: list[Made]
    planned: list[Planned] | None
    down_seconds: str
    planned_down_seconds: str
    orders: list[str]
    exceptions_open: int
    parked: int


class PlantRow(Struct, frozen=True):
    """A plant now: how many of its lines are in which state."""

    plant: str
    zone: str
    lines: int
    running: int
    planned_stop: int
    unplanned_stop: int
    silent: int
    exceptions_open: int
    parked: int


class Overview(Struct, frozen=True):
    """All plants and lines now."""

    fresh: Fresh
    plants: list[PlantRow]
    lines: list[Line]


class Unit(Struct, frozen=True):
    """A work unit now."""

    work_unit: str
    state: str
    since: str | None
    reason: str | None


class Stretch(Struct, frozen=True):
    """A stretch of a work unit's time line; `to` is null while it lasts."""

    work_unit: str | None
    from_: str = field(name="from")
    to: str | None
    state: str
    planned: bool | None
    reason: str | None


class Bar(Struct, frozen=True):
    """Downtime of one reason; `seconds` is a decimal."""

    reason: str | None
    planned: bool | None
    seconds: str
    stops: int


class Rate(Struct, frozen=True):
    """What was made in a quarter of an hour."""

    at: str
    uom: str | None
    good: str
    scrap: str
    rework: str


class Measured(Struct, frozen=True):
    """A sum of accepted events."""

    measure: str
    uom: str | None
    value: str


class OpenWindow(Struct, frozen=True):
    """A window that hasn't left, and what was accepted for it."""

    type: str
    window_start: str
    window_end: str
    accepted: list[Measured]


class Hold(Struct, frozen=True):
    """A hold of quality; `touched` counts the events that it parked."""

    plant: str
    hold: str
    scope: str | None
    value: str | None
    item: str | None
    reason: str | None
    placed_at: str | None
    released_at: str | None
    disposition: str | None
    touched: int
    oldest: str | None


class LinePage(Line, frozen=True):
    """A line between two moments."""

    fresh: Fresh
    from_: str = field(name="from")
    to: str
    units: list[Unit]
    timeline: list[Stretch]
    pareto: list[Bar]
    rates: list[Rate]
    open_windows: list[OpenWindow]
    exceptions: list[ExceptionRow]
    holds: list[Hold]


class Progress(Struct, frozen=True):
    """A ratio of two decimals."""

    numerator: str
    denominator: str


class Order(Struct, frozen=True):
    """An order, and what was made of it."""

    plant: str
    order: str
    status: str | None
    item: str | None
    quantity: str | None
    uom: str | None
    made: list[Made]
    progress: Progress | None
    lines: list[str]
    first_at: str | None
    last_at: str | None
    exceptions_open: int
    parked: int


class Operation(Struct, frozen=True):
    """An operation of an order."""

    operation: str | None
    made: list[Made]
    started_at: str | None
    completed_at: str | None
    final_at: str | None


class Consumed(Struct, frozen=True):
    """What an order has consumed of an item."""

    item: str | None
    uom: str | None
    quantity: str


class OrderPage(Order, frozen=True):
    """An order with its operations, and its last records."""

    fresh: Fresh
    operations: list[Operation]
    consumption: list[Consumed]
    transactions: list[Transaction]
    events: list[Event]
    exceptions: list[ExceptionRow]
    reference: dict[str, Any] | None


class Orders(Struct, frozen=True):
    """A list of orders."""

    items: list[Order]
    next: str | None


class Reference(Struct, frozen=True):
    """A record of master data."""

    kind: str
    plant: str
    id: str
    source: str | None
    said_at: str | None
    deleted: bool
    data: dict[str, Any] | None


class References(Struct, frozen=True):
    """A list of master data."""

    items: list[Reference]
    next: str | None


class Kind(Struct, frozen=True):
    """A kind of master data."""

    kind: str
    count: int


class Kinds(Struct, frozen=True):
    """The kinds of master data that there are."""

    items: list[Kind]
    next: str | None


class Holds(Struct, frozen=True):
    """A list of holds."""

    items: list[Hold]
    next: str | None


class Parked(Event, frozen=True):
    """An event that a hold keeps from the ERP."""

    hold: str | None


class AllParked(Struct, frozen=True):
    """A list of parked events."""

    items: list[Parked]
    next: str | None
