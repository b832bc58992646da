"""Computed steps on their way to the store: how many may wait, and how many one write takes."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from msgspec import Struct

from streams.log.record import Outgoing, Record
from tables.partition.partition import Step
from tables.store.store import Changes

STEP_RECORDS_MAX: Final = 4_000
STEP_BYTES_MAX: Final = 4 << 20
"""Computed in one go: bounds memory, and how long the loop is kept busy."""

STEPS_AHEAD_MAX: Final = 32
RECORDS_AHEAD_MAX: Final = 16_000
BYTES_AHEAD_MAX: Final = 32 << 20
"""Computed and not written yet: bounds memory, and what a crash computes again."""

WRITE_BYTES_MAX: Final = 16 << 20
"""Outputs and state changes of one write, and the seal that passes that: bounds a transaction."""

SEAL_BYTES_MAX: Final = 4 << 20
"""About so much is encoded in one go: bounds how long the loop is kept busy."""

RECORD_BYTES: Final = 128
"""Memory of a record besides its bytes, until it is written."""

Cut = Callable[[int, int], Sequence[Sequence[Record]]]
"""Returns a block's records in smaller blocks; the arguments are records and bytes at most."""


class Computed(Struct):
    """A step that has been computed, until its state is written."""

    outputs: list[Outgoing]
    offset: int
    records: int
    posted: Sequence[Record]
    """The records, until their outputs are acknowledged; empty without outputs."""
    sent: bool
    """Whether the outputs have been acknowledged, if they leave before the state."""
    bytes_: int
    """Of the outputs, and of what the state changes."""
    sealed: bool = False
    """Whether the state of all lines is among its changes, as it is after this step."""


def fill(steps: Collection[Computed], share: float) -> bool:
    """Whether steps reach a share of one of the bounds on computing ahead."""
    return (
        len(steps) >= share * STEPS_AHEAD_MAX
        or sum([step.records for step in steps]) >= share * RECORDS_AHEAD_MAX
        or sum([step.bytes_ for step in steps]) >= share * BYTES_AHEAD_MAX
    )


def step_bytes(step: Step) -> int:
    """Return the size of its outputs and of what it changes."""
    return changes_bytes(step.changes) + sum([len(record.value) for record in step.outputs])


def changes_bytes(changes: Changes) -> int:
    """Return the size of keys and values."""
    return sum(map(len, changes)) + sum(map(len, filter(None, changes.values())))


def for_one_write(steps: Sequence[Computed]) -> Sequence[Computed]:
    """Return the first steps, up to a seal: as many as one write may have."""
    size = count = 0
    for number, step in enumerate(steps, 1):
        size += step.bytes_
        if step.sealed:
            count = number
            if size > WRITE_BYTES_MAX:
                break
    return steps[:count]


def parts(
    records: Sequence[Record], records_max: int = STEP_RECORDS_MAX
) -> Sequence[Sequence[Record]]:
    """Return records in parts for steps."""
    of_block: Cut | None = getattr(records, "parts", None)
    if of_block is not None:
        return of_block(records_max, STEP_BYTES_MAX)
    found, begin, size = [], 0, 0
    for end, record in enumerate(records):
        more = _size(record)
        if end - begin >= records_max or (end > begin and size + more > STEP_BYTES_MAX):
            found.append(records[begin:end])
            begin, size = end, 0
        size += more
    return [*found, records[begin:]] if begin else [records]


def records_bytes(records: Sequence[Record]) -> int:
    """Return how much memory records take until they are written."""
    size: int | None = getattr(records, "bytes", None)
    if size is None:
        size = sum(map(_size, records))
    return size + RECORD_BYTES * len(records)


def _size(record: Record) -> int:
    size = len(record.key or b"") + len(record.value or b"")
    for name, value in record.headers:
        size += len(name) + len(value or b"")
    return size
