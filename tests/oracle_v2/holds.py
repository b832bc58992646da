"""Holds: what they touch, park and free, and what is backflushed (section 11)."""

from typing import TYPE_CHECKING, Any

from . import postings
from .line import Entry, Line, Parked
from .master import Copy
from .reading import Event, Rejected
from .tables import HOLD_PLACED, REFERENCE
from .values import component, shown

if TYPE_CHECKING:
    from .partition import Task

TOUCHED = ("production.confirmed.v1", "material.consumed.v1", "scrap.declared.v1")


def check(task: "Task", event: Event) -> None:
    """Check 15a: "a `quality.hold_placed` whose hold is known here with another scope, value or
    item, or as released (also where only its release is known)"."""
    name = event.data["hold"]
    if task.known.get("hold_release", event.plant, name) is not None:
        raise Rejected("hold_conflict", f"hold {shown(name)} was released already")
    known = task.known.get("hold", event.plant, name)
    for member in ("scope", "value", "item"):
        if known is not None and known.get(member) != event.data.get(member):
            raise Rejected(
                "hold_conflict",
                f"hold {shown(name)} has {member} {shown(known.get(member))}, "
                f"not {shown(event.data.get(member))}",
            )


def touching(task: "Task", event: Event) -> list[str]:
    """ "whose `lot` (and `item`, if the hold names one), `order` or `item` equals its value"; "An
    order with status `held` is touched likewise". Returns the holds, and `order <name>`."""
    if event.type not in TOUCHED:
        return []
    found = []
    for (name,), hold in task.known.of("hold", event.plant).items():
        released = task.known.get("hold_release", event.plant, name) is not None
        same = event.data.get(hold["scope"]) == hold["value"]
        if hold["scope"] == "lot" and "item" in hold:
            same = same and event.data["item"] == hold["item"]
        if same and not released:
            found.append(name)
    order = task.known.get("order", event.plant, event.data["order"])
    if order is not None and order["status"] == "held":
        found.append(f"order {event.data['order']}")
    return found


def is_backflushed(task: "Task", event: Event) -> bool:
    """ "An item whose `consumption` is `erp` ... (with `time` at or past `consumption_from`, where
    that is given; before it the other mode holds, whichever is named)"."""
    if event.type != "material.consumed.v1":
        return False
    item = task.known.item_or_reason("item", event.plant, event.data["item"]) or {}
    named = item.get("consumption", "mes")
    since = item.get("consumption_from")
    begun = since is None or event.time >= since
    return (named == "erp") is bool(begun)


def post_or_park(line: Line, event: Event, entry: Entry) -> None:
    """ "Whether an item is backflushed is decided at acceptance: such a consumption isn't parked. A
    touched event is accepted and its summaries are folded as ever; what it would send to the ERP
    ... is **parked**"."""
    if is_backflushed(line.task, event):
        entry.sent_nothing = True
        return
    postings.accept(line, event)
    holds = touching(line.task, event)
    line.task.holds_that_touched.update((event.plant, hold) for hold in holds)
    if holds:
        entry.parked = True
        line.parked.append(Parked(event, entry))
    else:
        postings.post(line, event)


def free(task: "Task") -> None:
    """ "it goes on: for each line of the partition, in the order of `plant/line` as UTF-8 bytes, its
    freed events in the order in which they were accepted ... at the line's watermark of that
    moment, by the late rules; no window closes by it"."""
    lines = task.lines.values()
    for line in sorted(lines, key=lambda one: f"{one.plant}/{one.line}".encode()):
        freed = [parked for parked in line.parked if not touching(task, parked.event)]
        line.parked = [parked for parked in line.parked if parked not in freed]
        for parked in freed:
            assert line.watermark is not None
            parked.entry.parked = False
            parked.entry.counts_from = line.watermark
            postings.post(line, parked.event)


def write_reference(line: Line, event: Event) -> Copy:
    """ "An accepted `quality.hold_placed.v1` also writes, after its other records, a
    `reference.hold.v1` to R; `quality.hold_released.v1` a `reference.hold_release.v1`"."""
    kind = "hold" if event.type == HOLD_PLACED else "hold_release"
    names = ("scope", "value", "item", "reason") if kind == "hold" else ("disposition",)
    own: dict[str, Any] = {name: event.data[name] for name in names if name in event.data}
    line.task.send(
        REFERENCE,
        line,
        f"reference.{kind}.v1",
        f"rf:{line.place}:{component(event.source)}|{component(event.id)}",
        event.time,
        {"hold": event.data["hold"], **own},
        place="*",
    )
    return Copy((kind, event.plant, (event.data["hold"],)), own, None)
