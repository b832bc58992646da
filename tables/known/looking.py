"""What is known of the things that an event or a row names, without a key made for each look-up."""

from typing import Any

from streams.contract.reference import ANYWHERE
from streams.values import lookup, spans, writer
from tables.known.known import Fact, Known

_to = writer.Writer()


def line_of(known: Known, plant: spans.Span, line: spans.Span) -> Any:
    """Return the data of the `line` record of a line, None if there is none."""
    return _data(known, "line", b"kl", plant, line, spans.nothing())


def work_unit_of(known: Known, plant: spans.Span, line: spans.Span, work_unit: spans.Span) -> Any:
    """Return the data of a work unit of a line, None if it isn't known."""
    return _data(known, "work_unit", b"ku", plant, line, work_unit)


def order_of(known: Known, plant: spans.Span, order: spans.Span) -> Any:
    """Return the data of an order, None if it isn't known."""
    return _data(known, "order", b"ko", plant, order, spans.nothing())


def item_of(known: Known, plant: spans.Span, item: spans.Span) -> Any:
    """Return the data of an item, None if it isn't known; the plant's own goes before `*`'s."""
    own = _data(known, "item", b"ki", plant, item, spans.nothing())
    return (
        _data(known, "item", b"ki*", spans.nothing(), item, spans.nothing()) if own is None else own
    )


def reason_of(known: Known, plant: spans.Span, reason: spans.Span) -> Any:
    """Return the data of a reason, None if it isn't known; as of an item."""
    own = _data(known, "reason", b"kr", plant, reason, spans.nothing())
    return (
        _data(known, "reason", b"kr*", spans.nothing(), reason, spans.nothing())
        if own is None
        else own
    )


def item_named(known: Known, plant: str, item: str) -> Any:
    """Return what `item_of` does, by names."""
    own = _named(known, "item", b"ki", plant, item, None)
    return _named(known, "item", b"ki", ANYWHERE, item, None) if own is None else own


def line_named(known: Known, plant: str, line: str) -> Any:
    """Return what `line_of` does, by names."""
    return _named(known, "line", b"kl", plant, line, None)


def work_unit_named(known: Known, plant: str, line: str, work_unit: str) -> Any:
    """Return what `work_unit_of` does, by names."""
    return _named(known, "work_unit", b"ku", plant, line, work_unit)


def _named(known: Known, kind: str, head: bytes, plant: str, first: str, second: str | None) -> Any:
    to = _to
    writer.begin(to)
    writer.put(to, head)
    writer.put_bare(to, plant)
    writer.put(to, b"\0")
    writer.put_bare(to, first)
    if second is not None:
        writer.put(to, b"\0")
        writer.put_bare(to, second)
    return _written(known, kind, to)


def _data(
    known: Known, kind: str, head: bytes, plant: spans.Span, first: spans.Span, second: spans.Span
) -> Any:
    to = _to
    writer.begin(to)
    writer.put(to, head)
    if spans.is_there(plant):
        spans.put_span(to, plant)
    writer.put(to, b"\0")
    spans.put_span(to, first)
    if spans.is_there(second):
        writer.put(to, b"\0")
        spans.put_span(to, second)
    return _written(known, kind, to)


def _written(known: Known, kind: str, to: writer.Writer) -> Any:
    """Return the data that is known under the key that has been written."""
    fact: Fact | None = lookup.found_written(known.cached, to)
    if fact is None:
        fact = known.found(kind, writer.taken(to))
    return fact.data
