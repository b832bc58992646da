"""Reference records: how they are read, and what is known by them (section 9)."""

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from .reading import Envelope, Rejected, read_member, read_members
from .tables import KINDS, REFERENCE_TYPES, REQUIRABLE, WINDOWED, Spec
from .values import ONE, parse_measure, parse_whole, place_problem, shown, text_problem

Key = tuple[str, str, tuple[Any, ...]]
"""(kind, plant, members of the id): `<kind>|<plant or *>|<id>`."""

RULED = {WINDOWED[short].type: short for short in ("pc", "gr", "gi", "sp", "lc")}
"""What `transactions` can name (section 12)."""

DAY_SECONDS = 86_400
SPECIAL = {"require", "conversions", "transactions", "zone", "grace", "day", "breakdown"}
"""Kinds of members that only reference records have."""


@dataclass(frozen=True)
class Copy:
    """A reference record as it is decoded; `data` None deletes."""

    key: Key
    data: dict[str, Any] | None
    seq: int | None


def read_reference(type_: str, envelope: Envelope, grace_max: int) -> Copy:
    """Check 4: "a reference record: `invalid` if it can't be read". Of the envelope only `source`,
    `plant` and `seq` are looked at: "Everything else of the envelope may be absent"."""
    kind = REFERENCE_TYPES[type_]
    if envelope.get("source") != "/lineside":
        raise Rejected("invalid", f"source {shown(envelope.get('source'))} is not '/lineside'")
    plant = envelope.get("plant")
    anywhere = plant == "*" and kind in ("item", "reason")
    problem = None if anywhere else place_problem(plant)
    if problem is not None:
        raise Rejected("invalid", f"plant {shown(plant)} {problem}")
    data = envelope.get("data")
    if not isinstance(data, dict):
        raise Rejected("invalid", f"data {shown(data)} is not an object")
    identity, own = KINDS[kind]
    deleted = data.get("deleted")
    if deleted is not None:
        deleted = read_member("deleted", "bool", deleted) or None
    if deleted and kind in ("hold", "hold_release"):
        raise Rejected("invalid", f"deleted is true of a {kind}")
    if deleted:  # only the id is needed; what is there besides is still read
        own = {name: (member, False) for name, (member, _) in own.items()}
    decoded = _read(identity | own, data, grace_max)
    key = (kind, plant, tuple(decoded.pop(name) for name in identity))
    return Copy(key, None if deleted else decoded, _seq(envelope))


def _seq(envelope: Envelope) -> int | None:
    """ "`seq` is a whole number of 0 or more (in a header its digits)"."""
    given = envelope.get("seq")
    if given is None:
        return None
    seq = parse_whole(given, 0, 2**63 - 1)
    if envelope.binary:
        is_digits = isinstance(given, str) and given.isascii() and given.isdigit()
        seq = int(given) if is_digits and len(given) < 20 else None
    if seq is None:
        raise Rejected("invalid", f"seq {shown(given)} is no whole number of 0 or more")
    return seq


def _read(spec: Spec, data: dict[str, Any], grace_max: int) -> dict[str, Any]:
    usual = {name: told for name, told in spec.items() if told[0] not in SPECIAL}
    decoded = read_members(usual, data)
    for name, (kind, _) in spec.items():
        value = data.get(name)
        if kind in SPECIAL and value is not None:
            decoded[name] = _special(name, kind, value, grace_max)
    if decoded.get("base_uom") in decoded.get("conversions", {}):
        raise Rejected("invalid", f"conversions has base_uom {shown(decoded['base_uom'])}")
    return decoded


def _special(name: str, kind: str, value: Any, grace_max: int) -> Any:
    decoded: Any = None
    if kind == "require" and isinstance(value, list):
        decoded = frozenset(value) if all(one in REQUIRABLE for one in value) else None
    elif kind == "conversions" and isinstance(value, dict):
        decoded = {uom: _factor(uom, factor) for uom, factor in _present(value)}
    elif kind == "transactions" and isinstance(value, dict):
        decoded = {RULED.get(type_): cadence(type_, told) for type_, told in _present(value)}
    elif kind == "zone":
        decoded = value if isinstance(value, str) and value in zone_names() else None
    elif kind == "grace":
        decoded = parse_whole(value, 0, min(DAY_SECONDS, grace_max))
    elif kind == "day":
        decoded = parse_whole(value, 0, DAY_SECONDS)
    elif kind == "breakdown":
        decoded = parse_whole(value, 1, DAY_SECONDS)
    if decoded is None:
        raise Rejected("invalid", f"{name} {shown(value)} can't be read")
    return decoded


def _present(value: dict[str, Any]) -> list[tuple[str, Any]]:
    """ "a null one is absent (in `conversions` and `transactions`, too)"."""
    return [(name, told) for name, told in value.items() if told is not None]


def _factor(uom: str, value: Any) -> int:
    """A "measure above 0 and below 10^6"."""
    factor = parse_measure(value)
    if text_problem(uom) is not None or factor is None or not 0 < factor < 10**6 * ONE:
        raise Rejected("invalid", f"conversions: {shown(uom)} {shown(value)} can't be read")
    return factor


def cadence(type_: str, value: Any) -> tuple[str, int | None]:
    """Section 12: `when`, and with `window` its seconds, which divide 900; None: the setting's."""
    if type_ not in RULED or not isinstance(value, dict):
        raise Rejected("invalid", f"transactions: {shown(type_)} {shown(value)} can't be read")
    when = value.get("when")
    if when not in ("at_once", "window", "hour", "day"):
        raise Rejected("invalid", f"transactions: when {shown(when)} of {type_}")
    given = value.get("window_seconds") if when == "window" else None
    if given is None:
        return when, None
    seconds = given if type(given) is int else parse_whole(given, 1, 900)
    if seconds is None or 900 % seconds:
        raise Rejected("invalid", f"window_seconds {shown(given)} doesn't divide 900")
    return when, seconds


@cache
def zone_names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


class Known:
    """What is known on one partition."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], dict[tuple[Any, ...], dict[str, Any]]] = {}
        """(kind, plant) -> members of the id -> data."""
        self.seqs: dict[Key, int] = {}

    def is_new(self, copy: Copy) -> bool:
        """ "per key only a copy with a higher `seq` than the last one does anything"; section 14:
        "without `seq` it always counts"."""
        return copy.seq is None or copy.seq > self.seqs.get(copy.key, -1)

    def learn(self, copy: Copy) -> None:
        kind, plant, identity = copy.key
        if copy.seq is not None:
            self.seqs[copy.key] = copy.seq
        if copy.data is None:
            self.of(kind, plant).pop(identity, None)
        else:
            self.of(kind, plant)[identity] = copy.data

    def of(self, kind: str, plant: str) -> dict[tuple[Any, ...], dict[str, Any]]:
        """Return the plant's records of a kind, by the members of their ids."""
        return self.records.setdefault((kind, plant), {})

    def get(self, kind: str, plant: str, *identity: Any) -> Mapping[str, Any] | None:
        return self.of(kind, plant).get(identity)

    def item_or_reason(self, kind: str, plant: str, name: str) -> Mapping[str, Any] | None:
        """ "Of an item or reason the plant's own goes before that of `*`"."""
        own = self.get(kind, plant, name)
        return own if own is not None else self.get(kind, "*", name)
