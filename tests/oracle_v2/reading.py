"""From the bytes of a record to an event: checks 1, 2, 3 and 5 of section 3."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .tables import (
    CHOICES,
    REFERENCE_TYPES,
    REVERSAL,
    REVERSIBLE,
    TICK,
    TYPES,
    M,
    Spec,
)
from .values import (
    Members,
    parse_json,
    parse_measure,
    parse_time,
    place_problem,
    shown,
    text_problem,
)

VALUE_BYTES_MAX = 64 * 1024


class Rejected(Exception):
    """The first check that applies to a record: its code and a sentence."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Record:
    """One record of an input topic; a timestamp is in microseconds, None where there is none."""

    topic: str
    partition: int
    offset: int
    timestamp: int | None
    key: str | None
    value: bytes
    headers: tuple[tuple[str, str | None], ...] = ()
    bare: bool = False


@dataclass(frozen=True)
class Envelope:
    """The attributes of a CloudEvent and its `data`."""

    attributes: dict[str, Any]
    binary: bool

    def get(self, name: str) -> Any:
        return self.attributes.get(name)


@dataclass
class Original:
    """A reversal's `original`: `event` is what it says, None if it can't be read."""

    type: Any
    event: tuple[str, int, dict[str, Any]] | None


@dataclass(frozen=True)
class Event:
    """An event as it is decoded; `data` holds the known members that are present."""

    type: str
    source: str
    id: str
    time: int
    plant: str
    line: str
    data: dict[str, Any] = field(compare=False)

    @property
    def fingerprint(self) -> tuple[str, int, dict[str, Any]]:
        return (self.type, self.time, self.data)


# ---------------------------------------------------------------- check 1


def read_envelope(record: Record) -> Envelope:
    """Check 1: "larger than 64 KiB, not UTF-8, not a JSON object, what section 2 calls so"."""
    if len(record.value) > VALUE_BYTES_MAX:
        raise Rejected("malformed", f"value of {len(record.value)} bytes is larger than 64 KiB")
    try:
        document = parse_json(record.value)
    except ValueError as error:
        raise Rejected("malformed", f"value is no JSON: {error}") from None
    if not isinstance(document, Members):
        raise Rejected("malformed", "value is not a JSON object")
    if not _is_binary(record):
        envelope = Envelope(document, binary=False)
    else:
        attributes = Members()
        for name, value in record.headers:
            if name.startswith("ce_"):
                if name[3:] in attributes:
                    attributes.twice = name
                attributes[name[3:]] = value
        if attributes.twice is None:
            attributes["data"] = document
        envelope = Envelope(attributes, binary=True)
    for place, read in _objects_read(envelope):
        if isinstance(read, Members) and read.twice is not None:
            raise Rejected("malformed", f"{shown(read.twice)} is there twice in {place}")
    return envelope


def _is_binary(record: Record) -> bool:
    """ "Binary mode (a `ce_specversion` header ...)", unless the value says that it is an event."""
    for name, value in record.headers:
        if name == "content-type" and re.match(
            "application/cloudevents", value or "", re.IGNORECASE
        ):
            return False
    return any(name == "ce_specversion" for name, _ in record.headers)


def _objects_read(envelope: Envelope) -> Iterator[tuple[str, Any]]:
    """ "the envelope, `data` of a known type, `original`, its `data`, `conversions`, `transactions`
    and the objects in it; ... of a tick only the envelope is read"."""
    yield "the envelope", envelope.attributes
    type_, data = envelope.get("type"), envelope.get("data")
    if not isinstance(type_, str) or type_ == TICK or not isinstance(data, dict):
        return
    if type_ in TYPES or type_ in REFERENCE_TYPES:
        yield "data", data
    if type_ == REVERSAL and isinstance(original := data.get("original"), dict):
        yield "original", original
        yield "data of original", original.get("data")
    if type_ == "reference.item.v1":
        yield "conversions", data.get("conversions")
    if type_ == "reference.rules.v1" and isinstance(named := data.get("transactions"), dict):
        yield "transactions", named
        yield from ((f"transactions.{name}", value) for name, value in named.items())


# ---------------------------------------------------------------- checks 2 and 3


def read_type(envelope: Envelope, topic: str) -> str:
    """Check 2: "`type` missing or no string"; check 3: "a type unknown, or of the other topic"."""
    type_ = envelope.get("type")
    if not isinstance(type_, str):
        raise Rejected("invalid", f"type {shown(type_)} is no string")
    known = type_ == TICK or (type_ in REFERENCE_TYPES and topic == M)
    if not known and TYPES.get(type_, (None,))[0] != topic:
        raise Rejected("unknown_type", f"type {shown(type_)} is not one of {topic}")
    return type_


# ---------------------------------------------------------------- check 5


def read_event(type_: str, envelope: Envelope) -> Event:
    """Check 5: "envelope or data against section 2"."""
    if envelope.get("specversion") != "1.0":
        raise Rejected("invalid", f"specversion {shown(envelope.get('specversion'))} is not '1.0'")
    for name in ("source", "id"):
        _insist(name, envelope.get(name), text_problem(envelope.get(name)))
    for name in ("plant", "line"):
        _insist(name, envelope.get(name), place_problem(envelope.get(name)))
    time = parse_time(envelope.get("time"))
    if time is None:
        raise Rejected(
            "invalid", f"time {shown(envelope.get('time'))} is not RFC 3339 in 2000 to 9998"
        )
    return Event(
        type_,
        envelope.get("source"),
        envelope.get("id"),
        time,
        envelope.get("plant"),
        envelope.get("line"),
        read_data(type_, envelope.get("data")),
    )


def _insist(name: str, value: Any, problem: str | None) -> None:
    if problem is not None:
        raise Rejected("invalid", f"{name} {shown(value)} {problem}")


def read_data(type_: str, data: Any) -> dict[str, Any]:
    """Decode `data` of an input type.

    `final`: "absent = false"; `product`: "absent is read as `main`, and always written".
    """
    if not isinstance(data, dict):
        raise Rejected("invalid", f"data {shown(data)} is not an object")
    decoded = read_members(TYPES[type_][1], data)
    if decoded.get("final") is False:
        del decoded["final"]
    if type_ == "goods.received.v1":
        decoded.setdefault("product", "main")
    return decoded


def read_members(spec: Spec, data: dict[str, Any]) -> dict[str, Any]:
    """ "A member that is `null` is absent. An ill-typed member ... is `invalid`"; unknown ones
    "are ignored"."""
    decoded: dict[str, Any] = {}
    for name, (kind, required) in spec.items():
        value = data.get(name)
        if kind == "any":  # "value (any JSON, null too, but there)"
            if name not in data:
                raise Rejected("invalid", f"{name} is missing")
        elif value is None:
            if required:
                raise Rejected("invalid", f"{name} is missing")
        else:
            decoded[name] = read_member(name, kind, value)
    return decoded


def read_member(name: str, kind: str, value: Any) -> Any:
    decoded: Any = None
    if kind == "text":
        _insist(name, value, text_problem(value))
        decoded = value
    elif kind == "place":
        _insist(name, value, place_problem(value))
        decoded = value
    elif kind == "measure":
        decoded = parse_measure(value)
    elif kind == "bool":
        decoded = value if isinstance(value, bool) else None
    elif kind == "time":
        decoded = parse_time(value)
    elif kind == "original":
        decoded = _original(value) if isinstance(value, dict) else None
    elif isinstance(value, str) and value in CHOICES.get(kind, ()):
        decoded = value
    if decoded is None:
        raise Rejected("invalid", f"{name} {shown(value)} is no {kind}")
    return decoded


def _original(value: dict[str, Any]) -> Original:
    """Check 5 wants of it only that it is an object; it is "compared decoded, like `data`"."""
    type_, event = value.get("type"), None
    time = parse_time(value.get("time"))
    if isinstance(type_, str) and type_ in REVERSIBLE and time is not None:
        try:
            event = (type_, time, read_data(type_, value.get("data")))
        except Rejected:
            pass
    return Original(type_, event)
