"""What became of something, in business words: a code with values, and the sentence in English."""

from collections.abc import Mapping
from typing import Any, Final

NOUNS: Final = {
    "operation.started.v1": "Start of an operation",
    "operation.completed.v1": "End of an operation",
    "production.confirmed.v1": "Confirmation",
    "goods.received.v1": "Goods receipt",
    "material.consumed.v1": "Consumption",
    "scrap.declared.v1": "Scrap",
    "rework.declared.v1": "Rework",
    "labor.booked.v1": "Labor",
    "downtime.started.v1": "Start of a stop",
    "downtime.ended.v1": "End of a stop",
    "downtime.classified.v1": "Reason of a stop",
    "quality.hold_placed.v1": "Hold",
    "quality.hold_released.v1": "Release of a hold",
    "nonconformance.raised.v1": "Nonconformance",
    "inspection.completed.v1": "Inspection",
    "transaction.reversed.v1": "Reversal",
    "machine.state.v1": "Machine state",
    "machine.count.v1": "Machine count",
}

TEXTS: Final = {
    "nothing_found": "The books have nothing that is called {query}.",
    "unreadable": "What was pasted is no event that can be read: {reason}.",
    "known_order": (
        "Order {order} of {plant} is {status} in the master data; no event of it is in the books."
    ),
    "unprocessed": (
        "{records} records of the inputs wait for the job: what was sent lately may be among them."
    ),
    "books_behind": (
        "The books lack {records} records that the job has processed: look again in a moment."
    ),
    "counts": "{name}: {accepted} events accepted, {duplicates} repeated, {refused} refused.",
    "left_at_once": "{noun} {id}{amount} was accepted at {arrived_at} and left for the ERP at "
    "{written_at}, as {key}.",
    "left_by_window": "{noun} {id}{amount} was accepted at {arrived_at}. It left for the ERP at "
    "{written_at} within {key}, which has {value} {uom} of {window_start} to {window_end}.",
    "taken_back_at_erp": "{noun} {id}{amount} has taken {reverses} back: {key} left for the ERP at "
    "{written_at}.",
    "notified": "{noun} {id} led to {key}, which left for maintenance at {written_at}.",
    "waits_for_window": "{noun} {id}{amount} was accepted at {arrived_at}. It leaves when its "
    "window closes, which takes an event or a tick of {until} on this line.",
    "waits_for_final": "{noun} {id}{amount} was accepted at {arrived_at}. It is final, so it "
    "leaves behind all else of its window, which takes an event or a tick of {until} on this line.",
    "waits_for_hold": "{noun} {id}{amount} was accepted at {arrived_at}. It is parked, away "
    "from the ERP: {keeper}.",
    "waits_for_books": "{noun} {id}{amount} was accepted at {arrived_at}. Its record should have "
    "left, and isn't in the books yet.",
    "sends_nothing": "{noun} {id} was accepted at {arrived_at}. Events of its type send nothing to "
    "the ERP by themselves.",
    "taken_back_before": "{noun} {id}{amount} was taken back before it left: the ERP gets nothing "
    "of it.",
    "reversed": "{noun} {id}{amount} was taken back by {by} at {at}.",
    "repeated": "{noun} {id}{amount} came again at {arrived_at}: it had been accepted before, so "
    "it was counted and dropped.",
    "refused": "{noun} {id}{amount} was refused at {arrived_at} as {code}: {reason}.",
    "refused_unread": "The record {topic}/{partition}/{offset} was refused as {code}: {reason}.",
    "status_open": "Exception {id} is open, and is due at {due_at}.",
    "status_asked": "Exception {id} waits for a second person to approve what was decided.",
    "status_resent": "The event of exception {id} was sent again and is on its way.",
    "status_resolved": "The event of exception {id} was sent again, and is accepted.",
    "status_refused_again": "The event of exception {id} was sent again, and refused again.",
    "status_dismissed": "Exception {id} was dismissed: nothing has to be done.",
    "double_booking": "{id} of {source} is accepted {times} times, on {lines}: it may be booked "
    "twice.",
    "record_left": "{key} left for the ERP at {written_at}, with {value} {uom}.",
    "record_reversed": "{key} was taken back by {by}.",
    "more": "There is more than is shown here: the newest come first.",
}
"""The sentences by code; what is in braces are values."""

Sentence = dict[str, Any]


def say(code: str, /, **values: Any) -> Sentence:
    """Return a sentence; a value that is None is written as a dash."""
    shown = {
        name: "-" if value is None else ", ".join(value) if isinstance(value, list) else value
        for name, value in values.items()
    }
    return {"code": code, "values": values, "text": TEXTS[code].format_map(shown)}


def of_event(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a sentence says of an event: `noun`, `id`, `amount` (" of 40 pc"), and more."""
    data = item["data"] if isinstance(item["data"], dict) else {}
    amount, uom = data.get("quantity"), data.get("uom")
    if item["type"] == "labor.booked.v1":
        amount, uom = data.get("seconds"), "s"
    told = isinstance(amount, str | int) and isinstance(uom, str)
    return {
        "noun": NOUNS.get(item["type"], "Event"),
        "type": item["type"],
        "id": item["id"],
        "plant": item["plant"],
        "line": item["line"],
        "order": item["order"],
        "arrived_at": item["arrived_at"] or item["time"],
        "quantity": amount if told else None,
        "uom": uom if told else None,
        "amount": f" of {amount} {uom}" if told else "",
    }
