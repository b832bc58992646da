"""A record's value as the JSON object that it has to be, or a sentence on why it is none."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from streams.contract.members import JsonObject
from streams.contract.rejection import shown
from streams.log.headers import is_binary
from streams.log.record import RECORD_BYTES_MAX, CutValue
from streams.values.quantity import Number

VALUE_BYTES_MAX: Final = 64 * 1024
"""A value is at most this large."""

NESTING_MAX: Final = 512
"""JSON nested deeper than this is `malformed`: parsers recurse, and no event needs it."""

Headers = Sequence[tuple[str, bytes | None]]


def read_document(value: bytes | None, bytes_max: int = VALUE_BYTES_MAX) -> JsonObject | str:
    """Return the JSON object in `value`, or a sentence on why it is malformed (check 1)."""
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
        document = json.loads(
            text, parse_float=Number, parse_int=_integer, parse_constant=_refuse_constant
        )
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
    envelope: JsonObject = {}
    for name, value in headers:
        if name.startswith("ce_"):
            try:
                envelope[name[3:]] = None if value is None else value.decode()
            except UnicodeDecodeError:
                envelope[name[3:]] = value
    envelope["data"] = document
    return envelope


def _integer(text: str) -> int | Number:
    # CPython refuses to read integers of thousands of digits; such a one fits no member anyway.
    return int(text) if len(text) <= 32 else Number(text)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


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
