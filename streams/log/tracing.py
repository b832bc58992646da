"""The trace that an event is of: W3C Trace Context's `traceparent`, as CloudEvents carry it.

CloudEvents' distributed tracing extension has it as an attribute; a Kafka header of that name is
what instrumented producers send. The attribute goes before the header: it is the event's own, the
header may be that of a hop.
"""

import json
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from streams.log.headers import TRACE, is_binary

BINARY: Final = f"ce_{TRACE}"
"""The attribute in binary mode; else it is called as the header is."""

FORM: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
"""Version, trace, span and flags: https://www.w3.org/TR/trace-context/#traceparent-header"""


def traceparent(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> bytes | None:
    """Return the traceparent of a record, None where it has none that is well formed."""
    by_name = dict(headers)
    given = None
    if is_binary(headers):
        given = by_name.get(BINARY)
    elif value is not None and b'"traceparent"' in value:
        given = _attribute(value)
    if given is None:
        given = by_name.get(TRACE)
    return None if given is None else well_formed(given)


def well_formed(given: bytes) -> bytes | None:
    """Return what was given as a traceparent, None if it's none."""
    return given if FORM.fullmatch(given) else None


def traceparent_of(data: Mapping[str, Any]) -> bytes | None:
    """Return the traceparent of a refused record, by the `data` of its exception."""
    headers = [
        (each["name"], value.encode())
        for each in data["headers"]
        if isinstance(value := each.get("value"), str)
    ]
    return traceparent(b64decode(data["value"]), headers)


def trace_id(traceparent: bytes) -> str:
    """Return the trace's id: 32 hexadecimal digits."""
    return traceparent[3:35].decode()


def _attribute(value: bytes) -> bytes | None:
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return None
    given = document.get(TRACE) if isinstance(document, dict) else None
    return given.encode("utf-8", "replace") if isinstance(given, str) else None
