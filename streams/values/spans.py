"""A text as the bytes that it has in a record: UTF-8, of 1 to 1,024 bytes.

In compiled code a span is a place in the record's own bytes (`spans.pxd`).
"""

from streams.values import writer

Span = bytes | None
"""None: there is none."""


def nothing() -> Span:
    """Return no text."""
    return None


def is_there(span: Span) -> bool:
    """Return whether there is a text."""
    return span is not None


def is_same(span: Span, other: bytes) -> bool:
    """Return whether a span has these bytes."""
    return span == other


def is_text(span: Span, other: str) -> bool:
    """Return whether a span is this text."""
    return span == other.encode()


def text_of(span: Span) -> str:
    """Return a span as a string."""
    return bytes_of(span).decode()


def bytes_of(span: Span) -> bytes:
    """Return a copy of a span's bytes."""
    assert span is not None
    return span


def put_span(to: writer.Writer, span: Span) -> None:
    """Append a span as it is."""
    to.data += bytes_of(span)


def put_escaped_span(to: writer.Writer, span: Span) -> None:
    """Append a span as a component of a posting key."""
    writer.put_escaped(to, text_of(span))


def put_text_span(to: writer.Writer, span: Span) -> None:
    """Append a span as JSON has a string."""
    writer.put_text(to, text_of(span))


def pack_span(to: writer.Writer, span: Span) -> None:
    """Append a span as MessagePack has a string."""
    writer.pack_text(to, text_of(span))
