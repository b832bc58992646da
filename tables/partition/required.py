"""Checks 16 and 17: what a plant asks to be known of its events, and orders that are closed."""

from streams.codec import scanning
from streams.contract.checks import Code
from streams.contract.reference_values import REQUIRABLE
from streams.contract.rejection import shown
from streams.values import spans
from tables.known import looking
from tables.known.known import Known
from tables.line import sending
from tables.line.plans import Plan

Refusal = tuple[Code, str]
"""(code, a sentence that names the member and its value)"""


def lacking(
    known: Known, require: frozenset[str], plan: Plan, event: scanning.Event
) -> Refusal | None:
    """Return why an event is refused by what is known of its plant, None if it isn't.

    The first thing that fails is named, in the order of `REQUIRABLE`.
    """
    for name in REQUIRABLE:
        if name in require:
            refusal = _lacks(name, known, plan, event)
            if refusal is not None:
                return refusal
    if "order" in require and sending.has(event, plan.order_field):
        return _closed(known, plan, event)
    return None


def _lacks(name: str, known: Known, plan: Plan, event: scanning.Event) -> Refusal | None:
    """Look at one thing that a plant may require."""
    if name == "line":
        return _line(known, event)
    if name == "item":
        return _item(known, plan, event)
    if name == "uom":
        return _uom(known, plan, event)
    if name == "lot":
        return _lot(known, plan, event)
    if name == "work_unit":
        return _work_unit(known, plan, event)
    if name == "reason":
        return _reason(known, plan, event)
    return _order(known, plan, event)


def _unknown(member: str, value: str, told: str) -> Refusal:
    return "unknown_master", f"{member} is {shown(value)}: {told}"


def _line(known: Known, event: scanning.Event) -> Refusal | None:
    if looking.line_of(known, event.plant, event.line) is not None:
        return None
    return _unknown("line", spans.text_of(event.line), "the plant's master data has no such line")


def _item(known: Known, plan: Plan, event: scanning.Event) -> Refusal | None:
    if not sending.has(event, plan.item_field):
        return None
    item = scanning.span_at(event, plan.item_field)
    if looking.item_of(known, event.plant, item) is not None:
        return None
    return _unknown("data.item", spans.text_of(item), "no such item is known")


def _uom(known: Known, plan: Plan, event: scanning.Event) -> Refusal | None:
    if not sending.has(event, plan.item_field) or not sending.has(event, plan.uom_field):
        return None
    item = looking.item_of(known, event.plant, scanning.span_at(event, plan.item_field))
    if item is None:
        return None
    uom = spans.text_of(scanning.span_at(event, plan.uom_field))
    if uom == item.base_uom or (item.conversions is not None and uom in item.conversions):
        return None
    told = f"item {shown(item.item)} is kept in {shown(item.base_uom)}, and has no such unit"
    return _unknown("data.uom", uom, told)


def _lot(known: Known, plan: Plan, event: scanning.Event) -> Refusal | None:
    if (
        not plan.needs_lot
        or sending.has(event, plan.lot_field)
        or not sending.has(event, plan.item_field)
    ):
        return None
    item = looking.item_of(known, event.plant, scanning.span_at(event, plan.item_field))
    if item is None or not item.lot_control:
        return None
    return "unknown_master", f"data.lot is missing: item {shown(item.item)} is under lot control"


def _work_unit(known: Known, plan: Plan, event: scanning.Event) -> Refusal | None:
    if not sending.has(event, plan.work_unit_field):
        return None
    unit = scanning.span_at(event, plan.work_unit_field)
    if looking.work_unit_of(known, event.plant, event.line, unit) is not None:
        return None
    told = "the line's master data has no such work unit"
    return _unknown("data.work_unit", spans.text_of(unit), told)


def _reason(known: Known, plan: Plan, event: scanning.Event) -> Refusal | None:
    if not sending.has(event, plan.reason_field):
        return None
    reason = scanning.span_at(event, plan.reason_field)
    if looking.reason_of(known, event.plant, reason) is not None:
        return None
    return _unknown("data.reason", spans.text_of(reason), "no such reason is known")


def _order(known: Known, plan: Plan, event: scanning.Event) -> Refusal | None:
    if not sending.has(event, plan.order_field):
        return None
    order = scanning.span_at(event, plan.order_field)
    if looking.order_of(known, event.plant, order) is not None:
        return None
    return _unknown("data.order", spans.text_of(order), "no such order is known")


def _closed(known: Known, plan: Plan, event: scanning.Event) -> Refusal | None:
    span = scanning.span_at(event, plan.order_field)
    order = looking.order_of(known, event.plant, span)
    if order is None or order.status not in ("closed", "cancelled"):
        return None
    if order.closed_at is not None and event.time < order.closed_at:
        return None
    return "order_closed", f"data.order is {shown(order.order)}: it is {order.status}"
