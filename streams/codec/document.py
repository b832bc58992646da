"""A record as the attributes of a CloudEvent, or a sentence on why it is none (check 1)."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from streams.contract.events import TYPES, TransactionReversed
from streams.contract.members import JsonObject
from streams.contract.reference import TYPES as REFERENCE_TYPES
from streams.contract.rejection import shown
from streams.log.headers import is_binary
from streams.log.record import RECORD_BYTES_MAX, CutValue
from streams.values.quantity import Number

VALUE_BYTES_MAX: Final = 64 * 1024
"""A value is at most this large."""

NESTING_MAX: Final = 512
"""JSON nested deeper than this is `malformed`: parsers recurse, and no event needs it."""

BYTE_ORDER_MARK: Final = "\ufeff"
"""Ignored before a value; a second one is no JSON."""

Headers = Sequence[tuple[str, bytes | None]]


class Twice(JsonObject):
    """An object in which a member came twice: the last one counts, `name` is its name.

    `dropped` are the values that don't count.
    """

    name: str
    dropped: list[Any]


def read_envelope(value: bytes | None, headers: Headers) -> JsonObject | str:
    """Return the attributes of the event in a record, `data` among them, or why it's malformed."""
    document = read_document(value)
    if isinstance(document, str):
        return document
    envelope = binary_envelope(headers, document) or document
    for place, given in _objects_read(envelope):
        if isinstance(given, Twice):
            return f"{shown(given.name)} is there twice in {place}"
    return envelope


def _nested(place: str, given: Any) -> Iterator[tuple[str, Any]]:
    """Yield an object, and the objects in it."""
    yield place, given
    if isinstance(given, dict):
        for name, value in given.items():
            yield f"{place}.{name}", value


def _objects_read(envelope: JsonObject) -> Iterator[tuple[str, Any]]:
    """Yield the objects of which each member is looked at, and what they are called."""
    yield "the envelope", envelope
    kind, data = envelope.get("type"), envelope.get("data")
    struct = TYPES.get(kind) if isinstance(kind, str) else None
    if isinstance(kind, str) and kind in REFERENCE_TYPES:
        yield "data", data
        for name in ("conversions", "transactions"):
            yield from _nested(f"data.{name}", data.get(name) if isinstance(data, dict) else None)
    if struct is None:  # a tick, or unknown
        return
    yield "data", data
    if struct is TransactionReversed and isinstance(data, dict):
        original = data.get("original")
        yield "data.original", original
        if isinstance(original, dict):
            yield "data.original.data", original.get("data")


def read_document(value: bytes | None, bytes_max: int = VALUE_BYTES_MAX) -> JsonObject | str:
    """Return the JSON object in `value`, or a sentence on why it's none."""
    if value is None:
        return "the value is null: not a JSON object"
    size = value.value_bytes if isinstance(value, CutValue) else len(value)
    if size > bytes_max:
        return f"the value has {size} bytes: more than {bytes_max}"
    if isinstance(value, CutValue):
        return f"the record has {value.record_bytes} bytes: more than {RECORD_BYTES_MAX}"
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        return f"the value isn't UTF-8: {error.reason} at byte {error.start}"
    if _nesting(text) > NESTING_MAX:
        return f"the value is nested deeper than {NESTING_MAX} levels"
    try:
        document = _read(text.removeprefix(BYTE_ORDER_MARK))
    except ValueError as error:
        return f"the value isn't JSON: {error}"
    if not isinstance(document, dict):
        return f"the value is {shown(document)}: not a JSON object"
    if _SURROGATE_ESCAPE.search(text) and _has_surrogate(document):
        return "the value has a lone surrogate in a string"
    return document


def binary_envelope(headers: Headers, document: JsonObject) -> JsonObject | None:
    """Return the attributes of a CloudEvent in binary mode, its value as `data`, else None.

    An attribute whose header isn't UTF-8 is no string: it is given as bytes and refused later.
    """
    if not is_binary(headers):
        return None
    envelope = _object([(name[3:], _text(value)) for name, value in headers if name[:3] == "ce_"])
    envelope["data"] = document
    return envelope


def _text(value: bytes | None) -> str | bytes | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return value


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    twice = Twice()
    twice.dropped = []
    for name, value in pairs:
        if name in twice:
            twice.name = name
            twice.dropped.append(twice[name])
        twice[name] = value
    return twice


def _integer(text: str) -> int | Number:
    # CPython refuses to read integers of thousands of digits; such a one fits no member anyway.
    return int(text) if len(text) <= 32 else Number(text)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


_decode = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=Number,
    parse_int=_integer,
    parse_constant=_refuse_constant,
).decode
"""Made once: `json.loads` makes a decoder at each call that has hooks."""


def _read(text: str) -> Any:
    if text.startswith(BYTE_ORDER_MARK):
        raise ValueError("it begins with a second byte order mark (BOM)")
    return _decode(text)


def _nesting(text: str) -> int:
    """Return how deep brackets are nested; past `NESTING_MAX` nobody asks how much deeper."""
    if text.count("[") + text.count("{") <= NESTING_MAX:
        return 0
    depth = deepest = 0
    for match in _BRACKET.finditer(_STRING.sub("", text)):
        if match[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
            if depth > NESTING_MAX:
                break
        else:
            depth -= 1
    return deepest


def _has_surrogate(document: JsonObject) -> bool:
    waiting: list[Any] = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value)
            waiting.extend(value.values())
            if isinstance(value, Twice):
                waiting.extend(value.dropped)
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str) and _SURROGATE.search(value):
            return True
    return False


# Possessive, and content with a string that doesn't end: linear in whatever comes.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
