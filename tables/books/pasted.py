"""EDGE: what became of bytes that somebody pastes: of the event, or of what they name."""

import base64
import binascii
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from sqlalchemy import Connection

from streams.codec.decode import decode
from streams.codec.document import VALUE_BYTES_MAX, read_envelope
from streams.contract.events import AnyEvent, Tick
from streams.contract.reference import Reference
from streams.contract.rejection import Rejection
from streams.contract.transactions import SOURCE
from tables.books import finding, tracing
from tables.books.asked import AskedError, OneAsked
from tables.books.finding import Kind
from tables.books.plants import Plants
from tables.books.schema import EXCEPTIONS, INPUTS
from tables.books.sentences import say
from tables.line.rules import Rules

BYTES_MAX: Final = 4 * VALUE_BYTES_MAX
"""Of what is pasted: an event has 64 KiB at most, and may be printed with its key and headers."""

BASE64_MAX: Final = BYTES_MAX // 3 * 4 + 4


class Pasted(OneAsked, frozen=True, kw_only=True):
    """Bytes of an event, of a record that left, or of an exception, in base64."""

    bytes: Annotated[str, Meta(min_length=1, max_length=BASE64_MAX)]


def trace_bytes(
    connection: Connection, plants: Plants, query: Pasted, now: int, rules: Rules
) -> dict[str, Any]:
    """Return what became of what was pasted. Raises `AskedError` if it is no base64."""
    try:
        value = base64.b64decode(query.bytes, validate=True)
    except (binascii.Error, ValueError):
        raise AskedError("bytes", "bytes is no base64") from None
    value = _payload(value.strip())
    read = decode(value, (), None)
    if not isinstance(read, Rejection | Tick | Reference):
        return _of_event(connection, plants, read, now, rules)
    kind, text = _named(value)
    if text:
        asked = tracing.TraceAsked(q=text, kind=kind)
        return tracing.trace(connection, plants, asked, now, rules)
    answer = tracing.answer(connection, plants, "", None, [], tracing.Rows(), now, rules)
    answer["sentence"] = [say("unreadable", reason=_reason(read)), *answer["sentence"][1:]]
    return answer


def _of_event(
    connection: Connection, plants: Plants, event: AnyEvent, now: int, rules: Rules
) -> dict[str, Any]:
    """Return what became of an event: all that came under its source and id."""
    inputs = [INPUTS.c.event_id == event.id, INPUTS.c.source == event.source]
    refused = [EXCEPTIONS.c.event_id == event.id, EXCEPTIONS.c.source == event.source]
    rows = tracing.Rows(
        tracing.events_where(connection, plants, inputs),
        (),
        tracing.exceptions_where(connection, plants, refused),
    )
    found = finding.find(connection, plants, event.id, ("event",))
    return tracing.answer(connection, plants, event.id, "event", found, rows, now, rules)


def _payload(value: bytes) -> bytes:
    """Return the event in a record that kcat has printed, else what was given."""
    try:
        document = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return value
    payload = document.get("payload") if isinstance(document, dict) else None
    return payload.encode("utf-8", "replace") if isinstance(payload, str) else value


def _named(value: bytes) -> tuple[Kind | None, str | None]:
    """Return by what something is looked for that is no event that could be read."""
    try:
        envelope = read_envelope(value, ())
    except RecursionError:
        return None, None
    if isinstance(envelope, str):
        text = value.decode("utf-8", "replace").strip()
        short = 0 < len(text) <= finding.NAME_CHARACTERS_MAX and "\n" not in text
        return None, text if short and not text.startswith("{") else None
    id = envelope.get("id")
    if not isinstance(id, str) or not 0 < len(id) <= finding.NAME_CHARACTERS_MAX:
        return None, None
    if envelope.get("source") == SOURCE:
        exception = envelope.get("type") == "exception.raised.v1"
        return ("exception" if exception else "posting_key"), id
    return "event", id


def _reason(read: Rejection | Tick | Reference | AnyEvent) -> str:
    if isinstance(read, Rejection):
        return read.reason.rstrip(".")
    return "it is no event of a plant"
