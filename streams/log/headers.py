"""The headers of events on a log: whether a value is a whole CloudEvent, and whose trace it is of.

CloudEvents' Kafka protocol binding 1.0.2 has two modes: in *structured mode* the value is the
event, and the header `content-type` says so; in *binary mode* the attributes are headers.
"""

from collections.abc import Sequence
from typing import Final

from streams.log.record import Outgoing

Header = tuple[str, bytes]

CONTENT_TYPE: Final = "content-type"

STRUCTURED: Final[Header] = (CONTENT_TYPE, b"application/cloudevents+json")
"""That the value is a CloudEvent in JSON: without it the SDKs of CloudEvents read none.

No charset: JSON has one only (RFC 8259), and a parameter would mean nothing.
"""

WHOLE: Final = b"application/cloudevents"
"""What the content type of every value begins with that is a whole CloudEvent, in any case."""

BINARY: Final = "ce_specversion"
"""An attribute that each event has, as a header."""

TRACE: Final = "traceparent"
"""W3C Trace Context's, as instrumented producers send it and instrumented consumers read it."""

RECORD_BYTES_MAX: Final = 40 + len(CONTENT_TYPE) + len(STRUCTURED[1])
"""Of a record that leaves, beside its key, value and trace: lengths, deltas, what headers say."""


def headers_of(record: Outgoing) -> list[Header]:
    """Return the headers that a record leaves with."""
    return [STRUCTURED] if record.trace is None else [STRUCTURED, (TRACE, record.trace)]


def is_binary(headers: Sequence[tuple[str, bytes | None]]) -> bool:
    """Return whether a record is a CloudEvent in binary mode.

    A record in structured mode may have its attributes as headers, too: the content type decides.
    """
    found = False
    for name, value in headers:
        if name == BINARY:
            found = True
        elif name == CONTENT_TYPE and value is not None and value.lower().startswith(WHOLE):
            return False
    return found
