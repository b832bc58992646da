"""What a record of master data says of others: they have to be known, and to agree with it."""

from collections.abc import Mapping
from typing import Any, Final

from streams.codec.master import Master
from streams.contract.rejection import shown
from streams.values import instant
from tables.reference.known import Known, units_of

AHEAD_MAX: Final = 3_653 * instant.DAY
"""Rules that begin later than ten years from now are a mistyped date."""

RULES_AHEAD_MAX: Final = 100
"""Rules of a plant that lie ahead: each is a boundary in each line of the plant."""


def problem(
    master: Master, data: Mapping[str, Any], known: Known, now: int | None, grace_max: int
) -> str | None:
    """Return what contradicts a record that would say `data`, None if nothing.

    `now` is its Kafka timestamp; `grace_max` is less than the shorter retention, in seconds.
    """
    match master.kind:
        case "work_unit":
            if not known.has("line", master.plant, data["line"]):
                return f"data.line is {shown(data['line'])}: {_nothing('line', master.plant)}"
        case "order":
            return _order_problem(master, data, known)
        case "hold":
            return _hold_problem(master, data, known)
        case "hold_release":
            before = known.at(master.key)
            if before is not None and before != data:
                was = shown(before["disposition"])
                return f"data.hold is {shown(data['hold'])}: it was released with {was}"
        case "timing":
            if data.get("grace_seconds", 0) > grace_max:
                return f"data.grace_seconds is {data['grace_seconds']}: not at most {grace_max}"
        case "rules":
            return None if now is None else _rules_problem(master, data, known, now)
    return None


def _rules_problem(master: Master, data: Mapping[str, Any], known: Known, now: int) -> str | None:
    begin, said = instant.parse(data["valid_from"]), f"data.valid_from is {data['valid_from']}"
    if begin - now > AHEAD_MAX:
        return f"{said}: more than ten years from now"
    fresh = begin > now and known.at(master.key) is None
    if fresh and known.rules_ahead(master.plant, now) >= RULES_AHEAD_MAX:
        return (
            f"{said}: {RULES_AHEAD_MAX} rules of plant {shown(master.plant)} lie ahead already: "
            "delete one of them, or wait until one has begun"
        )
    return None


def _order_problem(master: Master, data: Mapping[str, Any], known: Known) -> str | None:
    if "item" not in data:
        return None
    item = known.item(master.plant, data["item"])
    if item is None:
        return f"data.item is {shown(data['item'])}: {_nothing('item', master.plant)}"
    if "uom" in data and data["uom"] not in units_of(item):
        units = ", ".join(units_of(item))
        return (
            f"data.uom is {shown(data['uom'])}: no unit of item {shown(data['item'])}, which has "
            f"{units}"
        )
    return None


def _hold_problem(master: Master, data: Mapping[str, Any], known: Known) -> str | None:
    """Return what is wrong with a hold: a name is used once per plant."""
    before = known.at(master.key)
    for name in ("scope", "value", "item"):
        if before is not None and before.get(name) != data.get(name):
            return (
                f"data.{name} is {shown(data.get(name))}: hold {shown(data['hold'])} was placed "
                f"with {shown(before.get(name))}"
            )
    if before is None and known.has("hold_release", master.plant, data["hold"]):
        return f"data.hold is {shown(data['hold'])}: it was released before"
    return None


def deletion_problem(master: Master, known: Known) -> str | None:
    """Return why a record can't be deleted: what needs it has to go first."""
    count = known.needed_by(master.key)
    if not count:
        return None
    those = "work unit" if master.kind == "line" else "open order"
    return f"data.deleted is True: it is needed by {count} {those}{'s' if count > 1 else ''}"


def _nothing(kind: str, plant: str) -> str:
    return f"no {kind} of plant {shown(plant)} is known by that name"
