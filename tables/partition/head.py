"""The head of a partition's state: its format, how far it is, what it counted, by which rules.

The head is one record of the store and of the changelog. What else is in the state is read only
after the head was understood: so a change of any part of the layout is a new format.
"""

from collections.abc import Callable, Container
from typing import Any, Final

import msgspec
from msgspec import Struct

from streams.contract.topics import MES_EVENTS
from streams.trouble import Trouble
from streams.version import VERSION
from tables.line.rules import Rules
from tables.partition import shape as shapes
from tables.partition.shape import Shape, Words

FORMATS: Final = (1, 2, 3, 4)
"""What can be read. 2 says which version wrote it; 3 writes the
rows of a window in pages, names sums and what the head tells, and keeps how far ticks have raised
lines in the head; 4 has windows by their ends, and what contract v2 knows: docs/upgrading.md."""

WRITTEN: Final = FORMATS[-1:]
"""What can be written. A format that lies in `FORMATS` only was written by earlier versions."""

PAGED: Final = 3
"""From this format on rows lie in pages, and what a tick raises is told by the head."""

NEVER: Final = -(2**63)
"""Before every instant."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class FormatError(Trouble):
    """A stored state that this version can't go on with."""


class OtherRulesError(FormatError):
    """A stored state that was made with other settings, or by another policy: `told` says which."""

    def __init__(self, told: str) -> None:
        super().__init__(
            f"{told}: go on with that, or begin without a state, with another group (on the "
            "embedded log, another data_dir)"
        )
        self.told = told


class Head(Struct, frozen=True, kw_only=True):
    """What a state says of itself."""

    offset: int
    """Of the last record that it has seen."""
    counts: list[int]
    """Accepted, duplicate, exception, tick."""
    codes: dict[str, int]
    """Exceptions by code."""
    left: dict[str, int]
    """What has left, exceptions aside, by type."""
    shape: list[Any]
    """See `tables.partition.shape.Shape`."""
    ticks: int = 0
    """How many ticks have been taken."""
    floors: list[tuple[int, int]] = []
    """See `tables.partition.partition.Partition.floors`."""
    begun: int = FORMATS[-1]
    """The format in which the state began: what a later one counts besides is counted since."""
    parked: int = 0
    """How many events were ever parked: the next one gets this number."""


def head_bytes(head: Head) -> bytes:
    """Return a head as it's stored, in the last format that is `WRITTEN`."""
    return _encode([WRITTEN[-1], VERSION, head])


def format_of(stored: bytes) -> int:
    """Return the format of a head that can be read."""
    format_: int = _decode(stored)[0]
    return format_


def read_head(stored: bytes, where: str) -> Head:
    """Return what a stored head says; raise `FormatError` if its format is none of `FORMATS`.

    `where` says whose state it is. From format 2 on the second member is the version that wrote it,
    in every format there will be.
    """
    format_, *told = _decode(stored)
    if format_ not in FORMATS:
        raise FormatError(_unreadable(where, format_, told))
    if format_ > 1:
        del told[0]
    if format_ >= PAGED:
        return msgspec.convert({"begun": format_, **told[0]}, Head)
    told_first = dict(zip(Head.__struct_fields__[:5], told, strict=True))
    return Head(**told_first, begun=format_)


def _unreadable(where: str, format_: Any, told: list[Any]) -> str:
    reads = f"this is lineside {VERSION}, which reads formats {FORMATS[0]} to {FORMATS[-1]}"
    if not isinstance(format_, int) or format_ <= FORMATS[-1]:
        return f"{where} has format {format_!r}, which there never was, and {reads}"
    writer = f"lineside {told[0]}" if told and isinstance(told[0], str) else "a later lineside"
    return f"{where} has format {format_}, and {reads}: run {writer}, which wrote it"


def shape_of(rules: Rules) -> list[Any]:
    """Return what sums, posting keys and the ledger's reach depend on, as a head has it."""
    return _stored(shapes.shape_of(rules))


def shape_to_go_on_with(
    head: Head,
    rules: Rules,
    topic: str,
    where: str,
    open_shorts: Callable[[], Container[str]] | None,
) -> list[Any]:
    """Return the shape of a stored state that goes on with these rules.

    Raises `OtherRulesError` where it can't. `open_shorts` returns the record types that have open
    windows, by their shorts; it is asked only where one is gone. None says that nothing may differ.
    """
    try:
        before = msgspec.convert(head.shape, Shape)
    except msgspec.ValidationError as error:
        raise FormatError(f"{where} has a shape that can't be read: {error}") from None
    now = shapes.shape_of(rules)
    told = shapes.differences(before, now, _words(rules, topic))
    if open_shorts is None:
        refused = [each.text for each in told]
    else:
        refused = [each.text for each in told if each.verdict == "refused"]
        gone = [each for each in told if each.verdict == "if_closed"]
        open_ = open_shorts() if gone else ()
        refused += [f"{each.text}, which has open windows" for each in gone if each.short in open_]
    if refused:
        raise OtherRulesError(f"{where} was made with {', '.join(refused)}")
    return _stored(shapes.grown(before, now))


def _words(rules: Rules, topic: str) -> Words:
    return Words(
        source="mes" if topic == MES_EVENTS else "machine",
        posting=frozenset(kind.record for kind in rules.kinds if kind.erp),
        at_once=frozenset(
            each.record
            for plan in rules.plans.values()
            for each in plan.singly
            if each.record not in rules.by_window
        ),
    )


def _stored(shape: Shape) -> list[Any]:
    """Return a shape as lists."""
    told: list[Any] = msgspec.to_builtins(shape)
    return told
