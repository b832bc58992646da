"""Checks 16 and 17: what a plant asks to be known of its events, and orders that are closed."""

from streams.codec import scanning
from streams.contract.checks import Code
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
    refusal = _line(known, event) if "line" in require else None
    if refusal is None and sending.has(event, plan.item_field):
        refusal = _of_item(known, require, plan, event)
    if refusal is None and "work_unit" in require:
        refusal = _work_unit(known, plan, event)
    if refusal is None and "reason" in require:
        refusal = _reason(known, plan, event)
    if refusal is None and "order" in require:
        refusal = _order(known, plan, event)
    return refusal


def _unknown(member: str, value: str, told: str) -> Refusal:
    return "unknown_master", f"{member} is {shown(value)}: {told}"


def _line(known: Known, event: scanning.Event) -> Refusal | None:
    if looking.line_of(known, event.plant, event.line) is not None:
        return None
    return _unknown("line", spans.text_of(event.line), "the plant's master data has no such line")


def _of_item(
    known: Known, require: frozenset[str], plan: Plan, event: scanning.Event
) -> Refusal | None:
    """Look at the item that an event has, its unit and its lot."""
    span = scanning.span_at(event, plan.item_field)
    item = looking.item_of(known, event.plant, span)
    if item is None:
        if "item" not in require:
            return None
        return _unknown("data.item", spans.text_of(span), "no such item is known")
    if "uom" in require and sending.has(event, plan.uom_field):
        uom = spans.text_of(scanning.span_at(event, plan.uom_field))
        if uom != item.base_uom and (item.conversions is None or uom not in item.conversions):
            told = (
                f"item {shown(item.item)} is kept in {shown(item.base_uom)}, and has no such unit"
            )
            return _unknown("data.uom", uom, told)
    lacks_lot = plan.needs_lot and not sending.has(event, plan.lot_field)
    if "lot" in require and lacks_lot and item.lot_control:
        told = f"data.lot is missing: item {shown(item.item)} is under lot control"
        return "unknown_master", told
    return None


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
    """Look at the order that an event has: whether it is known, and isn't closed (check 17)."""
    if not sending.has(event, plan.order_field):
        return None
    span = scanning.span_at(event, plan.order_field)
    order = looking.order_of(known, event.plant, span)
    if order is None:
        return _unknown("data.order", spans.text_of(span), "no such order is known")
    if order.status not in ("closed", "cancelled"):
        return None
    if order.closed_at is not None and event.time < order.closed_at:
        return None
    return "order_closed", f"data.order is {shown(order.order)}: it is {order.status}"
