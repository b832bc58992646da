"""What a tick does: it raises the watermark of each line seen, and what is due leaves."""

from collections.abc import Iterator
from typing import Any, Protocol

from streams.contract.rejection import Rejection
from tables.line import adding, closing
from tables.line.line import Line
from tables.line.pieces import crowded
from tables.partition.refusing import Judged, future, refuse


class Ticked(Judged, Protocol):
    """What is asked of `tables.partition.batch.Batch`, besides."""

    @property
    def bounded(self) -> bool:
        """Whether a step has bounds."""
        ...

    @property
    def rows_max(self) -> int:
        """How many rows may leave because of one record."""
        ...

    @property
    def lines_max(self) -> int:
        """How many lines a tick may change in one step."""
        ...

    @property
    def touched(self) -> dict[bytes, Line]:
        """The lines that the step has changed."""
        ...

    def is_full(self) -> bool:
        """Return whether the step has reached one of its bounds."""
        ...

    def begin(self, line: Line, watermark: int) -> None:
        """Close some of the windows that a watermark closes."""
        ...


def tick(batch: Ticked, number: int) -> bool:
    """Raise the watermark of each line seen; a silent line closes, too.

    Return whether all were; where a bound came before, the tick is to be taken once more.
    """
    given = batch.events.decoded_at(number)
    timestamp = batch.events.record_at(number).timestamp
    if timestamp is not None and given.time - timestamp > batch.rules.future_max:
        refuse(batch, number, Rejection("from_the_future", future(given.time, timestamp)))
        return True
    partition = batch.partition
    behind = partition.is_behind(given.time)
    for line in _lines_to_raise(partition, given.time):
        watermark = given.time - line.timings.idle_grace
        if watermark <= line.watermark:
            continue
        closes = watermark >= line.due or watermark >= line.sweep_due
        if not closes and not behind:
            closing.raise_to(line, watermark)  # the head tells of it
            continue
        if batch.bounded and (batch.is_full() or len(batch.touched) >= batch.lines_max):
            return False
        if not closes:
            closing.raise_to(line, watermark)
            batch.touch(line)
            continue
        if batch.bounded and crowded(line, watermark, batch.rules, batch.rows_max):
            batch.begin(line, watermark)
            return False
        closing.advance(line, watermark, batch.rules, batch.out)
        adding.drop_closed(line)
        if (
            line.changed_pages
            or line.changed_episodes
            or line.changed_finals
            or watermark >= line.sweep_due
            or behind
        ):
            batch.touch(line)
    partition.raised(given.time)
    batch.counts.tick += 1
    return True


def _lines_to_raise(partition: Any, time: int) -> Iterator[Line]:
    """Yield the lines in memory, and those that are in the store only, and due."""
    yield from list(partition.lines.values())
    for key in partition.cold.due(time):
        line = partition.line(key)
        assert line is not None  # what is cold is in the store
        yield line
