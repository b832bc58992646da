"""A reference record is taken: it makes known, then sets boundaries, then frees what was held."""

from collections.abc import Iterator
from typing import Any

from streams.contract.reference import Reference, Timing
from streams.contract.rejection import Rejection
from streams.values.instant import SECOND
from tables.known.known import Known
from tables.line import closing
from tables.line.line import Line, set_boundaries
from tables.line.periods import Boundary, Timings, boundary_for, timings_of
from tables.partition.parking import Named
from tables.partition.stored import LINE


def learn(batch: Any, told: Reference) -> None:
    """Take in what a reference record says, from the batch's next record on."""
    partition = batch.partition
    known: Known = partition.known
    named = _named(known, told)
    # Before it is known: what ticks have raised a line to goes by what held then.
    lines = [*lines_of(partition, told.plant)] if told.kind in ("rules", "timing") else []
    if not known.learn(told):
        return
    if told.kind == "rules":
        for line in lines:
            rule(line, told)
            batch.touch(line)
    elif told.kind == "timing":
        for line in lines:
            time(line, timings_of(partition.rules, known, told.plant))
            batch.touch(line)
    partition.parking.free(known, [*named, *_named(known, told)])


def _named(known: Known, told: Reference) -> list[Named]:
    """Return what a record may free: what its hold names, or events of its order."""
    if told.kind == "order":
        return [(told.plant, "order", str(told.id[0]))]
    if told.kind in ("hold", "hold_release"):
        hold = known.data("hold", told.plant, str(told.id[0]))
        return [] if hold is None else [(told.plant, hold.scope, hold.value)]
    return []


def lines_of(partition: Any, plant: str) -> Iterator[Line]:
    """Yield the lines of a plant that have been seen."""
    yield from [line for line in partition.lines.values() if line.plant == plant]
    if partition.cold.count:
        for key, _ in partition.store.scan(LINE + f"{plant}/".encode()):
            if key[1:] not in partition.lines:
                yield partition.line(key[1:])


def rule(line: Line, told: Reference) -> None:
    """Set the boundary from which on rules hold on a line; one that lies ahead is dropped first."""
    valid_from = int(told.id[0])
    boundaries = [
        each
        for each in line.boundaries
        if each.valid_from != valid_from or each.begin <= line.watermark
    ]
    if told.data is not None:
        boundaries.append(_boundary(line, boundaries, told.data, line.watermark))
    set_boundaries(line, sorted(boundaries, key=lambda one: (one.begin, one.valid_from)))


def begin_line(line: Line, known: Known) -> None:
    """Give a line that is seen for the first time what is known of its plant."""
    line.known = known
    own = known.plants.get(line.plant)
    if own is None:
        return
    boundaries: list[Boundary] = []
    for _, data in sorted(own.rules.items()):
        boundaries.append(_boundary(line, boundaries, data, None))
        boundaries.sort(key=lambda one: (one.begin, one.valid_from))
    if boundaries:
        set_boundaries(line, boundaries)
    if own.timing is not None:
        line.timings = timings_of(line.rules, known, line.plant)
        line.furthest = line.watermark - line.timings.grace


def _boundary(line: Line, others: list[Boundary], data: Any, watermark: int | None) -> Boundary:
    begin = boundary_for(line.rules, line.plant, others, data.valid_from, watermark)
    cadences = {
        record: (each.when, None if each.window_seconds is None else each.window_seconds * SECOND)
        for record, each in (data.transactions or {}).items()
    }
    return Boundary(begin, data.valid_from, data.time_zone, cadences)


def time(line: Line, timings: Timings) -> None:
    """Let other lengths of time hold on a line, at once; what has closed stays closed."""
    line.timings = timings
    line.due = closing.due_of(line, line.rules)


def grace_problem(told: Reference, partition: Any) -> Rejection | None:
    """Return why a `timing` can't hold: its grace must be less than the shorter retention."""
    most = partition.rules.shorter_retention // SECOND
    grace = told.data.grace_seconds if isinstance(told.data, Timing) else None
    if grace is None or grace < most:
        return None
    reason = f"data.grace_seconds is {grace}: not less than the shorter retention, {most}"
    return Rejection("invalid", reason, told.plant)
