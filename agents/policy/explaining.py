"""What would become of one event, and by which rule: the fold is asked where it stopped."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from agents.policy.running import Given, World
from agents.policy.showing import lengths, rule_of, told_cadence
from agents.policy.stopping import Step, refusal_of, steps_of
from streams.contract.checks import remedies
from streams.contract.reference import HoldRelease, Order, Reference
from streams.log.record import Outgoing
from streams.values import instant, quantity
from tables.line import ledger, windows
from tables.line.line import Line
from tables.line.periods import period_at
from tables.line.rules import Kind, Rules

Leaves = Literal["at once", "by window", "waits", "parked"]

WHOLE: Final = ("document_date", "posting_date", "cost_center", "base_uom", "base_quantity")
"""Members of a record that are told beside its posting key."""


class RowTold(Struct, frozen=True):
    """What an event adds to a row; times in RFC 3339."""

    record: str
    row: dict[str, Any]
    adds: dict[str, str]
    window_start: str
    window_end: str
    carrier_start: str
    carrier_end: str
    revision: int


class Leaving(Struct, frozen=True):
    """A record that leaves, and when; `until` is the end of the window that it waits for.

    What is parked is told as it would leave if it were freed now.
    """

    leaves: Leaves
    until: str | None
    topic: str
    type: str
    id: str
    data: dict[str, Any]
    cadence: str | None
    """Of what goes by window: how its windows follow one another."""


class Explained(Struct, frozen=True):
    """What would become of an event."""

    topic: str
    key: str | None
    outcome: str
    code: str | None
    reason: str | None
    remedy: str | None
    checks: list[Step]
    rules: str | None
    """By which rules it goes; None where it isn't accepted."""
    timing: dict[str, int]
    nothing: str | None
    """Why it sends nothing to the ERP, or not yet."""
    rows: list[RowTold]
    records: list[Leaving]
    closes: list[str]
    """Posting keys of what leaves before it, since it raises the line's watermark."""


def explain(given: Given, rules: Mapping[str, Rules], told: Sequence[Reference]) -> Explained:
    """Return what would become of an event after those before it, with these records known."""
    before, after = _world(given, rules, told), _world(given, rules, told)
    partition = after.partitions[given.topic]
    counts = msgspec.structs.astuple(partition.counts)[:4]
    out = after.take([(given.topic, given.record)])
    outcome = next(
        name for name, was, now in zip(
            ("accepted", "duplicate", "exception", "tick"), counts,
            msgspec.structs.astuple(partition.counts)[:4], strict=True,
        ) if was != now
    )  # fmt: skip
    refusal = refusal_of(out)
    checks = steps_of(given, outcome, refusal, before)
    code, reason = (None, None) if refusal is None else refusal
    line = after.line(given.topic, given.record.key)
    found = Explained(
        topic=given.topic,
        key=None if given.record.key is None else given.record.key.decode("utf-8", "replace"),
        outcome=outcome,
        code=code,
        reason=reason,
        remedy=None if code is None else remedies()[code],
        checks=checks,
        rules=None,
        timing={} if line is None else lengths(line.timings),
        nothing=None,
        rows=[],
        records=[],
        closes=[],
    )
    if outcome != "accepted" or line is None:
        return found
    return _accepted(found, given, rules, told, (before, after), out)


def _world(given: Given, rules: Mapping[str, Rules], told: Iterable[Reference]) -> World:
    world = World(rules, told)
    world.take(given.before)
    return world


def _accepted(
    found: Explained, given: Given, rules: Mapping[str, Rules], told: Sequence[Reference],
    worlds: tuple[World, World], out: Sequence[Outgoing],
) -> Explained:  # fmt: skip
    before, after = worlds
    event: Any = given.decoded
    key = given.record.key
    assert key is not None  # it is accepted
    line = after.line(given.topic, key)
    assert line is not None  # it is seen now
    closed = {each.id for each in before.raise_line(given.topic, key, event.time)}
    waiting = {id: end for end, ids in line.finals.items() for id in ids}
    kinds = rules[given.topic].kinds
    carriers = _carriers(line, kinds)
    parked = bool(_flags(after, given) & ledger.PARKED)
    was = {each.id: each for each in before.close(given.topic, key)}
    now = {each.id: each for each in after.close(given.topic, key)}
    changed = [
        id for id in dict.fromkeys([*now, *was])
        if id not in now or id not in was or now[id].value != was[id].value
    ]  # fmt: skip
    rows = []
    records = [_at_once(each) for each in out if each.id not in closed]
    for id in changed:
        record = now.get(id) or was[id]
        kind = next((one for one in kinds if one.record == record.type), None)
        data = json.loads(record.value)["data"]
        if kind is None or "window_start" not in data:
            if id in now and id not in was:
                records.append(_leaving("waits", waiting.get(id), record, data, None))
            continue
        row = _row(line, kind, data, carriers, _data(was.get(id)), _data(now.get(id)))
        if not row.adds:
            continue
        rows.append(row)
        if id in now:
            carrier = instant.parse(row.carrier_end)
            cadence = _cadence(line, kind, instant.parse(row.window_start))
            records.append(_leaving("by window", carrier, record, data, cadence))
    nothing = None
    if parked:
        nothing = f"parked: {', '.join(_touching(after, given)) or 'it is on hold'}"
        records += _if_freed(given, rules, told)
    elif _flags(after, given) & ledger.SILENT:
        nothing = "backflushed: the ERP posts the item's consumption itself"
    return msgspec.structs.replace(
        found,
        rules=_rules(line, event.time),
        nothing=nothing,
        rows=rows,
        records=records,
        closes=[each.id for each in out if each.id in closed],
    )


def _data(record: Outgoing | None) -> dict[str, Any]:
    return {} if record is None else json.loads(record.value)["data"]


def _flags(world: World, given: Given) -> int:
    event: Any = given.decoded
    key = ledger.identity(event.plant, event.line, event.source, event.id)
    (entry,) = world.partitions[given.topic].store.get_many([key])
    return 0 if entry is None else ledger.entry_flags(entry)


def _at_once(record: Outgoing) -> Leaving:
    return _leaving("at once", None, record, _data(record), None)


def _leaving(
    leaves: Leaves, until: int | None, record: Outgoing, data: dict[str, Any], cadence: str | None
) -> Leaving:
    end = None if until is None else instant.text(until)
    return Leaving(leaves, end, record.topic, record.type, record.id, data, cadence)


def _carriers(line: Line, kinds: Sequence[Kind]) -> dict[tuple[int, int, tuple[Any, ...]], int]:
    """Return the end of the window that carries each open row, by kind, its own window and row."""
    return {
        (kind.index, start, tuple(members)): end
        for kind, carried in zip(kinds, line.windows, strict=True)
        for end, rows in carried.items()
        for start, members in rows
    }


def _row(
    line: Line, kind: Kind, data: dict[str, Any],
    carriers: Mapping[tuple[int, int, tuple[Any, ...]], int],
    was: dict[str, Any], now: dict[str, Any],
) -> RowTold:  # fmt: skip
    start, end = instant.parse(data["window_start"]), instant.parse(data["window_end"])
    revision = data["revision"]
    carrier = end
    if revision:
        cadence = period_at(line.periods, line.period, start).cadences[kind.index]
        assert cadence is not None  # it goes by window
        # Where the carrier starts is told by the revision, up to the windows' unit.
        carrier = windows.end_of(cadence, start + (revision + 1) * cadence.unit - 1)
        ends = {
            at for (index, begin, _), at in carriers.items()
            if (index, begin) == (kind.index, start)
            and windows.revision_of(cadence, start, at) == revision
        }  # fmt: skip
        carrier = next(iter(ends), carrier)
        carrier_start = windows.start_of(cadence, carrier - 1)
    else:
        carrier_start = start
    adds = {}
    for name in kind.measures:
        more = quantity.parse(now.get(name, "0")) - quantity.parse(was.get(name, "0"))
        if more:
            adds[name] = quantity.text(more)
    if now.get("count", 0) != was.get("count", 0):
        adds["count"] = str(now.get("count", 0) - was.get("count", 0))
    return RowTold(
        record=kind.record,
        row={name: data[name] for name in kind.row if name in data},
        adds=adds,
        window_start=data["window_start"],
        window_end=data["window_end"],
        carrier_start=instant.text(carrier_start),
        carrier_end=instant.text(carrier),
        revision=revision,
    )


def _cadence(line: Line, kind: Kind, start: int) -> str:
    return told_cadence(period_at(line.periods, line.period, start).cadences[kind.index])


def _rules(line: Line, at: int) -> str:
    period = period_at(line.periods, line.period, at)
    boundary = rule_of(line, period)
    if boundary is None:
        return "the settings"
    return (
        f"the rules of {line.plant} valid from {instant.text(boundary.valid_from)}, on this line "
        f"from {instant.text(period.begin)}"
    )


def _touching(world: World, given: Given) -> list[str]:
    """Return what holds an event back: holds, and its order."""
    event: Any = given.decoded
    known = world.partitions[given.topic].known
    own = known.plants.get(event.plant)
    data = event.data
    told = []
    for (scope, value), named in {} if own is None else own.holds.items():
        if getattr(data, scope, None) == value:
            told += [
                f"hold {hold} on {scope} {value}" for hold, item in sorted(named.items())
                if item is None or item == data.item
            ]  # fmt: skip
    order = known.data("order", event.plant, getattr(data, "order", None) or "")
    if order is not None and order.status == "held":
        told.append(f"order {order.order} is held")
    return told


def _if_freed(given: Given, rules: Mapping[str, Rules], told: Sequence[Reference]) -> list[Leaving]:
    """Return what would leave of a parked event if nothing held it back any more."""
    event: Any = given.decoded
    world = _world(given, rules, told)
    world.take([(given.topic, given.record)])
    known = world.partitions[given.topic].known
    left = []
    own = known.plants[event.plant]  # an order or a hold of it is known
    for hold in sorted({name for named in own.holds.values() for name in named}):
        release = HoldRelease(hold=hold, disposition="use")
        left += world.learn(Reference("hold_release", event.plant, (hold,), release))
    name = getattr(event.data, "order", None)
    order = None if name is None else known.data("order", event.plant, name)
    if order is not None and order.status == "held":
        completed = Order(order=order.order, status="completed")
        left += world.learn(Reference("order", event.plant, (order.order,), completed))
    left += world.close(given.topic, given.record.key)
    freed = [_leaving("parked", None, each, _data(each), None) for each in left]
    return [each for each in freed if event.id in each.data.get("causes", ())]
