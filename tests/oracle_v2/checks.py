"""The ledger, and checks 6 to 14, 16 and 17 (sections 3 and 10)."""

from typing import TYPE_CHECKING

from .line import Entry, Line
from .reading import Event, Original, Record, Rejected
from .tables import REQUIRABLE, REVERSIBLE
from .values import SECOND, shown, time_text

if TYPE_CHECKING:
    from .partition import Task


def check_key(record: Record, event: Event) -> None:
    """Check 6: "Kafka key isn't `plant/line`"."""
    if record.key != f"{event.plant}/{event.line}":
        raise Rejected(
            "key_mismatch", f"key {shown(record.key)} is not '{event.plant}/{event.line}'"
        )


def check_future(record: Record, time: int, most: int) -> None:
    """Check 7: "`time` more than ten minutes (setting) past the Kafka record timestamp"."""
    if record.timestamp is not None and time - record.timestamp > most:
        raise Rejected(
            "from_the_future",
            f"time {time_text(time)} is more than {most // SECOND} s past the record's timestamp "
            f"{time_text(record.timestamp)}",
        )


def check_ledger(line: Line, event: Event) -> bool:
    """Checks 8 to 10; True is a duplicate."""
    if not line.remembers(event.time):
        raise Rejected("too_old", f"time {time_text(event.time)} is before the retention")
    entry = entry_of(line, event.source, event.id)
    if entry is None:
        return False
    if entry.fingerprint == event.fingerprint:
        return True
    raise Rejected("key_conflict", f"id {shown(event.id)} of {event.source} was another event")


def entry_of(line: Line, source: str, id_: str) -> Entry | None:
    """ "An entry counts as long as its `time` >= watermark (before the event) - retention"; that "of
    a parked event counts while it is parked"."""
    entry = line.ledger.get((source, id_))
    if entry is None or entry.parked or line.remembers(entry.counts_from):
        return entry
    return None


def check_reversal(line: Line, event: Event) -> Entry:
    """Checks 11 to 14; its original is one "of the same line and `source`"."""
    reverses = event.data["reverses"]
    original: Original = event.data["original"]
    entry = entry_of(line, event.source, reverses)
    if entry is None:
        raise Rejected("unknown_reversal", f"reverses {shown(reverses)} is not in the ledger")
    if not isinstance(original.type, str) or original.type not in REVERSIBLE:
        raise Rejected("not_reversible", f"original.type {shown(original.type)} isn't reversible")
    if original.event is None or original.event != entry.fingerprint:
        raise Rejected("reversal_mismatch", f"original isn't what {shown(reverses)} was")
    if entry.reversed:
        raise Rejected("already_reversed", f"reverses {shown(reverses)}, reversed already")
    return entry


CHECKED = frozenset(
    {
        "operation.started.v1",
        "operation.completed.v1",
        "production.confirmed.v1",
        "goods.received.v1",
        "material.consumed.v1",
        "scrap.declared.v1",
        "rework.declared.v1",
        "labor.booked.v1",
        "downtime.started.v1",
        "downtime.classified.v1",
    }
)
LOT_CONTROLLED = frozenset(
    {
        "production.confirmed.v1",
        "goods.received.v1",
        "material.consumed.v1",
        "scrap.declared.v1",
    }
)


def check_master(task: "Task", event: Event) -> None:
    """Checks 16 and 17, of what the plant's record requires: "the first that fails is named, in this
    order"."""
    require = (task.known.get("plant", event.plant) or {}).get("require", frozenset())
    if event.type not in CHECKED:
        return
    for name in REQUIRABLE:
        if name in require and (problem := _unknown(task, event, name)) is not None:
            raise Rejected("unknown_master", f"{name}: {problem}")
    if "order" in require:
        _check_order(task, event)


def _unknown(task: "Task", event: Event, name: str) -> str | None:
    """Section 10; "at the members that the event has"."""
    known, plant, data = task.known, event.plant, event.data
    item = known.item_or_reason("item", plant, data["item"]) if "item" in data else None
    problem = None
    if name == "line" and known.get("line", plant, event.line) is None:
        problem = f"{shown(event.line)} has no record"
    elif name == "item" and "item" in data and item is None:
        problem = f"{shown(data['item'])} isn't known"
    elif name == "uom" and item is not None and "uom" in data:
        if data["uom"] not in {item["base_uom"], *item.get("conversions", {})}:
            problem = f"{shown(data['uom'])} is no unit of item {shown(data['item'])}"
    elif name == "lot" and item is not None and item.get("lot_control"):
        if event.type in LOT_CONTROLLED and "lot" not in data:
            problem = f"item {shown(data['item'])} is under lot control, and no lot is named"
    elif name == "work_unit" and "work_unit" in data:
        if known.get("work_unit", plant, event.line, data["work_unit"]) is None:
            problem = f"{shown(data['work_unit'])} isn't known on line {shown(event.line)}"
    elif name == "reason" and "reason" in data:
        if known.item_or_reason("reason", plant, data["reason"]) is None:
            problem = f"{shown(data['reason'])} isn't known"
    elif name == "order" and "order" in data and known.get("order", plant, data["order"]) is None:
        problem = f"{shown(data['order'])} isn't known"
    return problem


def _check_order(task: "Task", event: Event) -> None:
    """Check 17: "the order's status is `closed` or `cancelled`, and it has no `closed_at` or the
    event's `time` is at or past it"."""
    if "order" not in event.data:
        return
    order = task.known.get("order", event.plant, event.data["order"])
    if order is None or order["status"] not in ("closed", "cancelled"):
        return
    if "closed_at" not in order or event.time >= order["closed_at"]:
        raise Rejected("order_closed", f"order {shown(event.data['order'])} is {order['status']}")
