"""The head of a partition's state: its format, how far it is, what it counted, by which rules.

The head is one record of the store and of the changelog. What else is in the state is read only
after the head was understood: so a change of any part of the layout is a new format.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from streams.contract.topics import MES_EVENTS
from streams.trouble import Trouble
from streams.values.instant import SECOND
from streams.version import VERSION
from tables.line.rules import Rules

FORMATS: Final = (1, 2, 3)
"""What can be read and written. 2 says which version wrote it; 3 writes the rows of a window in
pages, names sums and what the head tells, and keeps how far ticks have raised lines in the head.
docs/upgrading.md says which is written when."""

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
    """See `shape_of`."""
    ticks: int = 0
    """How many ticks have been taken."""
    floors: list[tuple[int, int]] = []
    """See `tables.partition.partition.Partition.floors`."""


def head_bytes(head: Head, format_: int) -> bytes:
    """Return a head as it's stored, in one of `FORMATS`."""
    if format_ >= PAGED:
        return _encode([format_, VERSION, head])
    told = [head.offset, head.counts, head.codes, head.left, head.shape]
    return _encode([format_, *told] if format_ == 1 else [format_, VERSION, *told])


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
        return msgspec.convert(told[0], Head)
    return Head(**dict(zip(Head.__struct_fields__[:5], told, strict=True)))


def _unreadable(where: str, format_: Any, told: list[Any]) -> str:
    reads = f"this is lineside {VERSION}, which reads formats {FORMATS[0]} to {FORMATS[-1]}"
    if not isinstance(format_, int) or format_ <= FORMATS[-1]:
        return f"{where} has format {format_!r}, which there never was, and {reads}"
    writer = f"lineside {told[0]}" if told and isinstance(told[0], str) else "a later lineside"
    return f"{where} has format {format_}, and {reads}: run {writer}, which wrote it"


def shape_of(rules: Rules) -> list[Any]:
    """Return what sums, posting keys and the ledger's reach depend on.

    With another one a window could close twice under one key, a sum be taken for another, or a
    repeat be accepted whose entry is gone already.
    """
    kinds = [
        [kind.short, kind.record, kind.length, list(kind.row), list(kind.measures)]
        for kind in rules.kinds
    ]
    return [kinds, rules.grace, rules.episode_limit, rules.retention, rules.bucket]


def check_shape(head: Head, shape: list[Any], rules: Rules, topic: str, where: str) -> None:
    """Raise `OtherRulesError` if a state was made by other rules than these, of this shape."""
    if head.shape != shape:
        told = ", ".join(_differences(head.shape, shape, rules, topic))
        raise OtherRulesError(f"{where} was made with {told}")


def _differences(before: list[Any], shape: list[Any], rules: Rules, topic: str) -> Iterator[str]:
    kinds_before, *lengths_before = before
    kinds, *lengths = shape
    source = "mes" if topic == MES_EVENTS else "machine"
    names = ("grace", "episode_limit", f"{source}_retention", "ledger_bucket")
    for name, was, now in zip(names, lengths_before, lengths, strict=True):
        if was != now:
            yield f"{name}_seconds {_seconds(was)} (now {_seconds(now)})"
    windows: dict[str, tuple[int, int]] = {}
    length_before = {record: length for _, record, length, *_ in kinds_before}
    for kind in rules.kinds:
        was = length_before.get(kind.record, kind.length)
        if was != kind.length:
            windows["posting" if kind.erp else "summary"] = was, kind.length
    for name, (was, now) in windows.items():
        yield f"{name}_window_seconds {_seconds(was)} (now {_seconds(now)})"
    others = _other_records(kinds_before, kinds)
    if others is not None:
        yield f"another policy for {others}"


def _other_records(was: list[Any], now: list[Any]) -> str | None:
    """Return the record types that two policies don't give alike, None if they do."""

    def told(kinds: list[Any]) -> dict[str, Any]:
        return {record: (short, row, measures) for short, record, _, row, measures in kinds}

    before, after = told(was), told(now)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if names:
        return ", ".join(names)
    return None if list(before) == list(after) else "the order of record types"


def _seconds(micros: int) -> str:
    return f"{micros / SECOND:g}"
