"""Answers of the desk about single records: events, transactions, exceptions, acts."""

from typing import Any, Literal

from msgspec import Struct, field


class Fresh(Struct, frozen=True):
    """How fresh an answer is: when the books last took something, and what they don't have yet."""

    books_at: str | None
    behind: int


class Event(Struct, frozen=True):
    """A record of an input, and what came of it."""

    topic: str
    partition: int
    offset: int
    arrived_at: str | None
    outcome: Literal["accepted", "duplicate", "refused", "waiting"]
    type: str | None
    plant: str | None
    line: str | None
    source: str | None
    id: str | None
    time: str | None
    order: str | None
    operation: str | None
    item: str | None
    lot: str | None
    serial: str | None
    work_unit: str | None
    trace: str | None
    resent_from: str | None
    data: dict[str, Any] | None


class Transaction(Struct, frozen=True):
    """A record of `erp.transactions.v1`; `value` is a decimal, in `uom`."""

    id: str
    type: str
    plant: str
    line: str
    time: str
    written_at: str
    window_start: str | None
    window_end: str | None
    revision: int | None
    posting_date: str
    document_date: str | None
    order: str | None
    operation: str | None
    item: str | None
    lot: str | None
    serial: str | None
    work_unit: str | None
    measure: str | None
    value: str | None
    uom: str | None
    reverses: str | None
    reversed_by: str | None
    causes: list[str]
    cause_count: int
    state: str


class TransactionPage(Transaction, frozen=True):
    """A transaction with its record, and the events that it came of."""

    record: dict[str, Any]
    events: list[Event]


class ExceptionRow(Struct, frozen=True):
    """A refused event, and where the work on it stands; `age_seconds` since it was raised."""

    id: str
    class_: str = field(name="class")
    code: str
    reason: str
    raised_at: str
    age_seconds: int
    due_at: str | None
    overdue: bool
    plant: str | None
    line: str | None
    type: str | None
    source: str | None
    event_id: str | None
    time: str | None
    order: str | None
    item: str | None
    lot: str | None
    serial: str | None
    status: Literal["open", "asked", "resent", "resolved", "refused_again", "dismissed"]
    assigned_to: str | None
    version: int
    resent_from: str | None
    fixed: bool


class Act(Struct, frozen=True):
    """Who did what to which exception, when and why."""

    id: str
    at: str
    who: str
    act: str
    subject: str
    plant: str | None
    line: str | None
    why: str | None
    batch: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Check(Struct, frozen=True):
    """One of the contract's checks, in their order."""

    check: int
    code: str
    passed: bool


class Became(Struct, frozen=True):
    """A transaction that an event led to, and how."""

    transaction: Transaction
    how: Literal["at_once", "window", "reversal", "notification"]


class WaitsFor(Struct, frozen=True):
    """What an event waits for, and until when that is known."""

    what: Literal["processing", "window", "final", "hold", "books"]
    until: str | None
    hold: str | None


class Place(Struct, frozen=True):
    """Where a record is in the log."""

    topic: str
    partition: int
    offset: int
    at: str | None


class SummaryRow(Struct, frozen=True):
    """A summary that an event is in: its row, and its measures as decimals."""

    type: str
    window_start: str
    row: dict[str, Any]
    values: dict[str, str]


class EventTrace(Event, frozen=True):
    """What became of an event."""

    checks: list[Check]
    became: list[Became]
    waits_for: WaitsFor | None
    duplicates: list[Place]
    reversed_by: Event | None
    reverses: Event | None
    summaries: list[SummaryRow]


class EventPage(EventTrace, frozen=True):
    """What became of an event, and how fresh that is."""

    fresh: Fresh


class DoubleBooking(Struct, frozen=True):
    """Events of one source and id, accepted more than once, and the event that takes one back."""

    source: str
    id: str
    events: list[Event]
    same_data: bool
    suggested_reversal: dict[str, Any] | None


class Found(Struct, frozen=True):
    """What a text could be."""

    kind: str
    label: str
    plant: str | None
    line: str | None
    count: int


class Sentence(Struct, frozen=True):
    """What became of something, in business words: a code with values, and English text."""

    code: str
    values: dict[str, Any]
    text: str


class Trace(Struct, frozen=True):
    """What became of an order, a lot, a serial, an item, an event, a posting key, ..."""

    fresh: Fresh
    query: str
    kind: str | None
    found: list[Found]
    events: list[EventTrace]
    transactions: list[Transaction]
    exceptions: list[ExceptionRow]
    double_bookings: list[DoubleBooking]
    more: bool
    sentence: list[Sentence]


class Events(Struct, frozen=True):
    """A list of events."""

    items: list[Event]
    next: str | None


class Transactions(Struct, frozen=True):
    """A list of transactions."""

    items: list[Transaction]
    next: str | None


class DoubleBookings(Struct, frozen=True):
    """A list of possible double bookings."""

    items: list[DoubleBooking]
    next: str | None


class Acts(Struct, frozen=True):
    """A list of acts."""

    items: list[Act]
    next: str | None
