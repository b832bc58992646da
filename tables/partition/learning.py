"""A reference record is taken: it makes known, then sets boundaries, then frees what was held."""

from collections.abc import Iterator
from typing import Any

from streams.contract.reference import Reference, Timing
from streams.contract.rejection import Rejection
from streams.values.instant import SECOND
from tables.known.known import Known
from tables.line import closing
from tables.line.line import Line, set_boundaries
from tables.line.old_rules import oldest_of, since
from tables.line.periods import Boundary, Timings, boundary_for, timings_of, timings_told
from tables.partition.parking import Named
from tables.partition.stored import LINE


class Spreading:
    """How far a record has come that changes all lines of a plant, over several steps.

    It is in memory only: after a crash the record is taken from its beginning. It is known when all
    lines have been changed, and to change one of them again leads to the same.
    """

    def __init__(self, told: Reference, partition: Any) -> None:
        self.told = told
        self._prefix = LINE + f"{told.plant}/".encode()
        self._warm = [key for key, line in partition.lines.items() if line.plant == told.plant]
        self._stored_to = b""

    def rest(self, partition: Any) -> Iterator[Line]:
        """Yield the lines that haven't been changed: those in memory, then those in the store."""
        while self._warm:
            yield partition.line(self._warm.pop())
        if not partition.cold.count:
            return
        for key, _ in partition.store.scan(self._prefix, self._stored_to):
            self._stored_to = key
            if key[1:] not in partition.lines:
                yield partition.line(key[1:])


def learn(batch: Any, told: Reference) -> bool:
    """Take in what a reference record says, from the batch's next record on.

    Return whether it's taken in, or a bound came before: then it's to be taken once more.
    """
    partition = batch.partition
    known: Known = partition.known
    if told.kind in ("rules", "timing") and known.is_news(told) and not _change(batch, told):
        return False
    named = _named(known, told)
    if known.learn(told):
        partition.parking.free(known, [*named, *_named(known, told)])
    return True


def _change(batch: Any, told: Reference) -> bool:
    """Change the lines of a plant; return whether all are, or a bound came before.

    It's done before the record is known: what ticks have raised a line to goes by what held then.
    """
    partition = batch.partition
    spreading = partition.spreading
    if spreading is None or spreading.told != told:
        spreading = partition.spreading = Spreading(told, partition)
    own = told.data if isinstance(told.data, Timing) else None
    timings = timings_told(partition.rules, own) if told.kind == "timing" else None
    lines = spreading.rest(partition)
    while True:
        if batch.bounded and (batch.is_full() or len(batch.touched) >= batch.lines_max):
            return False
        line = next(lines, None)
        if line is None:
            partition.spreading = None
            return True
        if timings is None:
            rule(line, told)
        else:
            time(line, timings)
        batch.touch(line)


def _named(known: Known, told: Reference) -> list[Named]:
    """Return what a record may free: what its hold names, or events of its order."""
    if told.kind == "order":
        return [(told.plant, "order", str(told.id[0]))]
    if told.kind in ("hold", "hold_release"):
        hold = known.data("hold", told.plant, str(told.id[0]))
        return [] if hold is None else [(told.plant, hold.scope, hold.value)]
    return []


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
    if own.boundaries is None:
        own.boundaries = []
        for _, data in sorted(own.rules.items()):
            own.boundaries.append(_boundary(line, own.boundaries, data, None))
            own.boundaries.sort(key=lambda one: (one.begin, one.valid_from))
    if own.boundaries:
        set_boundaries(line, since(own.boundaries, oldest_of(line)))
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
    line.due = closing.due_of(line)


def grace_problem(told: Reference, partition: Any) -> Rejection | None:
    """Return why a `timing` can't hold: its grace must be less than the shorter retention."""
    most = partition.rules.shorter_retention // SECOND
    grace = told.data.grace_seconds if isinstance(told.data, Timing) else None
    if grace is None or grace < most:
        return None
    reason = f"data.grace_seconds is {grace}: not less than the shorter retention, {most}"
    return Rejection("invalid", reason, told.plant)
