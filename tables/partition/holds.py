"""Holds: what they touch, what contradicts one, and what the job itself writes of them."""

from msgspec.structs import asdict

from streams.codec import scanning
from streams.contract.events import HoldPlaced, HoldReleased
from streams.contract.reference import Hold, HoldRelease, Reference
from streams.contract.reference_key import key_of, parts_of
from streams.contract.rejection import shown
from streams.contract.topics import REFERENCE
from streams.contract.transactions import encode, row_text
from streams.log.record import Outgoing
from streams.values import instant, spans
from tables.known import looking
from tables.known.known import Known
from tables.line import sending
from tables.line.line import Line
from tables.line.plans import Plan

Touchable = tuple[str | None, str, str]
"""(lot, item, order) of an event: what holds can name."""


def conflict(known: Known, event: HoldPlaced | HoldReleased) -> str | None:
    """Return why a placed hold contradicts what is known of it (check 15a), None if it doesn't."""
    if isinstance(event, HoldReleased):
        return None
    data = event.data
    if known.data("hold_release", event.plant, data.hold) is not None:
        return f"data.hold is {shown(data.hold)}: it was released already"
    placed = known.data("hold", event.plant, data.hold)
    for name in ("scope", "value", "item"):
        if placed is not None and getattr(placed, name) != getattr(data, name):
            was, is_ = shown(getattr(placed, name)), shown(getattr(data, name))
            return f"data.{name} is {is_}, but hold {shown(data.hold)} was placed with {was}"
    return None


def touchable_of(plan: Plan, event: scanning.Event) -> Touchable:
    """Return what a hold can name of an event."""
    lot = sending.text_at(event, plan.lot_field)
    item = spans.text_of(scanning.span_at(event, plan.item_field))
    return lot, item, spans.text_of(scanning.span_at(event, plan.order_field))


def may_touch(known: Known, plant: str, plan: Plan, event: scanning.Event) -> bool:
    """Return whether `is_touched` has to be asked: a hold is active, or the order is held."""
    own = known.plants.get(plant)
    if own is not None and own.holds:
        return True
    if not known.orders:
        return False
    told = looking.order_of(known, event.plant, scanning.span_at(event, plan.order_field))
    return told is not None and told.status == "held"


def is_touched(known: Known, plant: str, touchable: Touchable) -> bool:
    """Return whether a hold, or the status of its order, keeps an event from the ERP."""
    lot, item, order = touchable
    own = known.plants.get(plant)
    if own is not None and own.holds:
        holds = own.holds
        if ("item", item) in holds or ("order", order) in holds:
            return True
        if lot is not None:
            of_lot = holds.get(("lot", lot))
            if of_lot is not None and (None in of_lot.values() or item in of_lot.values()):
                return True
    if not known.orders:
        return False
    told = known.data("order", plant, order)
    return told is not None and told.status == "held"


def note_touched(known: Known, plant: str, touchable: Touchable) -> None:
    """Note which holds keep an event from the ERP: they have touched something."""
    own = known.plants.get(plant)
    if own is None:
        return
    lot, item, order = touchable
    for scope, value in (("item", item), ("order", order), ("lot", lot)):
        for name, of_item in own.holds.get((scope, value), {}).items():  # type: ignore[arg-type]
            if name in own.idle and (scope != "lot" or of_item is None or of_item == item):
                known.touch(plant, name)


def is_backflushed(known: Known, plan: Plan, event: scanning.Event) -> bool:
    """Return whether the ERP itself books what is consumed of an event's item at its time."""
    if not known.items:
        return False
    told = looking.item_of(known, event.plant, scanning.span_at(event, plan.item_field))
    if told is None:
        return False
    begun = told.consumption_from is None or event.time >= told.consumption_from
    return (told.consumption == "erp") is begun


def reference_of(event: HoldPlaced | HoldReleased) -> Reference:
    """Return what a hold, or its release, makes known."""
    if isinstance(event, HoldPlaced):
        told = event.data
        hold = Hold(
            hold=told.hold, scope=told.scope, value=told.value, item=told.item, reason=told.reason
        )
        return Reference("hold", event.plant, (told.hold,), hold)
    release = HoldRelease(hold=event.data.hold, disposition=event.data.disposition)
    return Reference("hold_release", event.plant, (event.data.hold,), release)


def outgoing_of(line: Line, event: HoldPlaced | HoldReleased, told: Reference) -> Outgoing:
    """Return the record for `reference.v1` that a hold, or its release, leads to."""
    kind = f"reference.{told.kind}.v1"
    id = f"rf:{line.place}:{row_text((event.source, event.id))}"
    assert told.data is not None  # a hold lasts
    data = {name: value for name, value in asdict(told.data).items() if value is not None}
    value = encode(kind, id, instant.text(event.time), event.plant, "*", data)
    key = key_of(told.kind, told.plant, parts_of(told.kind, told.id))
    return Outgoing(REFERENCE, key, id, kind, value)
