"""Ticks whose times fall: anybody may write them to an input, and the state doesn't grow by them."""

import json
from collections.abc import Sequence

import pytest

from runs import confirmed, stamp
from streams.contract.topics import MES_EVENTS
from streams.log.record import Record
from tables.line.rules import rules_for
from tables.partition.partition import Bounds, Partition
from tables.store.store import HEAD, MemoryStore

TICKS = 2_000

HEAD_BYTES_MAX = 2_000

LINES = 40


def tick(seconds: float) -> bytes:
    told = {
        "specversion": "1.0", "type": "clock.tick.v1", "source": "/clock", "id": f"t{seconds}",
        "time": stamp(seconds), "plant": "*", "line": "*", "data": {},
    }  # fmt: skip
    return json.dumps(told).encode()


def key_of(value: bytes) -> bytes | None:
    """Return the key of an event's record; a tick has none."""
    told = json.loads(value)
    return None if told["line"] == "*" else f"{told['plant']}/{told['line']}".encode()


def log() -> list[Record]:
    """Return lines that begin at falling times, each before a tick that raises it; and late ones."""
    values = [confirmed(0, line="L"), tick(10 * TICKS)]
    for number in range(TICKS):
        line = f"L{number % LINES}"
        values.append(confirmed(-number, id=f"e{number}", line=line, quantity="1"))
        values.append(tick(9 * TICKS - 3 * number))
    return [Record(at, None, key_of(value), value) for at, value in enumerate(values)]


def opened(store: MemoryStore, lines_max: int | None) -> Partition:
    bounds = Bounds(output_bytes=1 << 20, rows=50, lines=7)
    return Partition(
        MES_EVENTS, 0, rules_for(MES_EVENTS), store, bounds=bounds, lines_max=lines_max
    )


def left(
    records: Sequence[Record], lines_max: int | None, reopen_every: int
) -> tuple[list[bytes], dict[bytes, int], int]:
    """Return what leaves, the watermark of each line at the end, and the largest head."""
    store = MemoryStore()
    task = opened(store, lines_max)
    found: list[bytes] = []
    largest = steps = 0
    while task.offset < records[-1].offset:
        at = task.offset + 1
        step = task.step(records[at : at + 100])
        changes = task.commit(step)
        found += [each.value for each in step.outputs]
        largest = max(largest, len(changes[HEAD] or b""))
        steps += 1
        if steps % reopen_every == 0:
            task = opened(store, lines_max)
    keys = {key_of(record.value or b"") for record in records} - {None}
    lines = {key: task.line(key) for key in keys if key is not None}
    marks = {key: line.watermark for key, line in lines.items() if line is not None}
    return found, marks, largest


def test_the_head_of_a_state_doesnt_grow_by_them() -> None:
    *_, largest = left(log(), None, reopen_every=1_000_000)
    assert largest < HEAD_BYTES_MAX


@pytest.mark.parametrize("lines_max", [None, 8])
@pytest.mark.parametrize("reopen_every", [1, 3])
def test_they_raise_lines_as_far_wherever_these_lie_and_whenever_the_state_is_opened(
    lines_max: int | None, reopen_every: int
) -> None:
    records = log()[:800]
    found, marks, _ = left(records, None, reopen_every=1_000_000)
    others, other_marks, _ = left(records, lines_max, reopen_every)
    assert other_marks == marks
    assert sorted(others) == sorted(found)
    assert len(marks) == LINES + 1
