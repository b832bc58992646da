"""A copy with another number of partitions is, line by line, the same log."""

from collections import defaultdict
from random import Random
from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from agents.provision.copy_topic import targets_of
from draws import logs, rngs, timings
from logs import printed_log
from runs import At, Run, cut, new_task, placed, stepped, value_of
from streams.codec.decode import decode
from streams.contract.events import Tick
from streams.contract.topics import EXCEPTIONS, REFERENCE
from streams.log.record import Record
from tables.line.rules import Timing

Logs = dict[At, list[Record]]


def copied(log: Logs, partitions: int) -> Logs:
    """Return the copy of each topic, source partition by source partition."""
    copy: Logs = defaultdict(list)
    for (topic, _), records in sorted(log.items()):
        used: set[int] = set()
        for record in records:
            for number in targets_of(record.key, record.value, record.headers, partitions, used):
                target = copy[topic, number]
                target.append(msgspec.structs.replace(record, offset=len(target)))
    return copy


def continued(first: Logs, then: Logs, timing: Timing, rng: Random) -> tuple[Run, Run]:
    """Return what leaves of the first log, and what leaves after it of the other."""
    before, after = Run(), Run()
    for at in sorted(first.keys() | then.keys()):
        task = new_task(at, timing)
        offset = 0
        for records, done in ((first.get(at, []), before), (then.get(at, []), after)):
            own = [
                msgspec.structs.replace(record, offset=offset + index)
                for index, record in enumerate(records)
            ]
            offset += len(own)
            done.outputs[at] = [each for batch in cut(own, rng) for each in stepped(task, batch)]
        after.outputs[at] += task.close_all()
        after.tasks[at] = task
    return before, after


def per_line(done: Run) -> dict[Any, list[Any]]:
    """Return what left by input topic, output topic and line; exceptions without where they lay.

    An exception that names no line is left out: its partition is anybody's.
    """
    found: defaultdict[Any, list[Any]] = defaultdict(list)
    for (topic, _), left in done.outputs.items():
        for output in left:
            record = value_of(output)
            if output.topic == EXCEPTIONS:
                if "plant" not in record or "line" not in record:
                    continue
                data = {n: v for n, v in record["data"].items() if n not in ("partition", "offset")}
                record = {**record, "id": "", "data": data}
            line = record["line"]
            if output.topic == REFERENCE:  # it's of all lines, and caused by one
                line = record["id"].split(":")[1]
            found[topic, output.topic, record["plant"], line].append(record)
    return dict(found)


HOLD = b"quality.hold_placed.v1"


def without_holds(log: Logs) -> Logs:
    """Return the log without holds: one comes to the lines of other partitions by its copies.

    On the partition of its own line it is in force from the next record on.
    """
    return {
        at: [
            msgspec.structs.replace(record, offset=offset)
            for offset, record in enumerate(
                one
                for one in records
                if not any(
                    HOLD in (told or b"") for told in (one.value, *dict(one.headers).values())
                )
            )
        ]
        for at, records in log.items()
    }


COUNTS = st.sampled_from([1, 2, 3, 8])


@given(logs(), timings, st.floats(0, 1), COUNTS, COUNTS, rngs)
def test_a_job_that_goes_on_on_a_copy_sends_what_it_would_have_sent(
    lines: list[bytes], timing: Timing, moment: float, old: int, new: int, rng: Random
) -> None:
    """Stopped anywhere, open windows and episodes and all: on the copy it starts from nothing."""
    middle = int(len(lines) * moment)
    past = without_holds(placed(lines[:middle], old))
    stayed = continued(past, without_holds(placed(lines[middle:], old)), timing, rng)
    more = without_holds(placed(lines[middle:], new))
    grown = continued(copied(past, new), more, timing, rng)
    assert per_line(grown[0]) == per_line(stayed[0])
    assert per_line(grown[1]) == per_line(stayed[1])


@given(st.integers(0, 2**32), timings, COUNTS, rngs)
def test_headers_and_timestamps_decide_the_same_on_a_copy(
    seed: int, timing: Timing, new: int, rng: Random
) -> None:
    past = without_holds(placed(printed_log(seed, 200, 2), 2))
    whole, rest = continued(past, {}, timing, rng)
    assume(not _behind_a_tick(rest, past, timing))
    copy, _ = continued(copied(past, new), {}, timing, rng)
    assert _unordered_exceptions(copy) == _unordered_exceptions(whole)


def _behind_a_tick(done: Run, past: Logs, timing: Timing) -> bool:
    """Whether a line has ended behind a tick that a later source partition has.

    It was first heard of after that tick had passed, with events that are older. On a copy with
    fewer partitions the tick comes after it, and closes its windows (docs/topics.md).
    """
    ticks = [
        (at, tick.time)
        for at, records in past.items()
        for record in records
        if isinstance(tick := decode(record.value, record.headers, at[0]), Tick)
        and (
            record.timestamp is None
            or tick.time - record.timestamp <= timing.future_seconds_max * 1_000_000
        )
    ]
    return any(
        at[0] == of[0] and of[1] < at[1] and moment - timing.idle_grace_seconds * 10**6 > watermark
        for of, task in done.tasks.items()
        for watermark in [line.watermark for line in task.lines.values()]
        for at, moment in ticks
    )


def _unordered_exceptions(done: Run) -> dict[Any, list[Any]]:
    """Return what left by line; a record under another line's key is refused wherever that lies."""
    return {
        where: sorted(left, key=str) if where[1] == EXCEPTIONS else left
        for where, left in per_line(done).items()
    }


def test_a_tick_goes_where_its_lines_have_gone_and_nowhere_else() -> None:
    tick = b'{"type":"clock.tick.v1","time":"2026-11-21T06:00:00Z"}'
    used: set[int] = set()
    assert list(targets_of(None, tick, (), 8, used)) == []
    first = targets_of(b"DE01/L1", b"{}", (), 8, used)[0]
    second = targets_of(b"DE01/L2", b"{}", (), 8, used)[0]
    assert first != second
    assert list(targets_of(None, tick, (), 8, used)) == sorted([first, second])


def test_a_reference_record_goes_to_every_partition() -> None:
    known = b'{"type":"reference.line.v1","source":"/lineside","plant":"P","data":{"line":"L"}}'
    used: set[int] = set()
    assert list(targets_of(b"line|P|L", known, (), 8, used)) == list(range(8))
    assert used == set()
