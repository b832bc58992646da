"""What a job has measured since its process started, for those who watch it."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from time import monotonic, perf_counter, time
from typing import Final

from msgspec import Struct, field

from agents.partition.ledger_count import LedgerCount
from streams.core import loaded
from streams.log.record import TP, Record
from tables.line.line import Line
from tables.partition.partition import Partition

if loaded("streams.log.blocks"):
    from streams.log.blocks import Block, add_ages
else:
    Block = None  # type: ignore[assignment,misc]

LINES_MAX: Final = 1_000
"""At most this many lines get series of their own (about ten each): a broken producer could invent
lines without end. The rest share the label `other`."""

OTHER: Final = ("other", "other")
"""Plant and line in the labels of lines without series of their own."""

STAGES: Final = ("compute", "seal", "send", "write", "settle")
"""Of steps: checks and folds; encoding what they changed of lines; outputs; the state, and outputs
where both leave together; the local copy."""

STAGE_BOUNDS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Seconds."""

LATENCY_BOUNDS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
)  # fmt: skip
"""Seconds: from an undisturbed partition to the backlog of a stop of an hour."""

RECORDS_BOUNDS: Final = (
    1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0,
)  # fmt: skip
"""Records of a step: from one to `STEP_RECORDS_MAX`."""

_LATENCY_MICROS: Final = [round(bound * 1e6) for bound in LATENCY_BOUNDS]


class Histogram:
    """Observations by size: `counts` has one place for each bound, and one for larger values."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value at the first bound that isn't below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class LineCounts(Struct):
    """Counts of a line's records on one input topic, by outcome."""

    accepted: int = 0
    duplicate: int = 0
    exception: int = 0
    late: int = 0
    corrections: int = 0


class Tally(Struct):
    """Counts of records since the process started, by outcome."""

    lines: dict[tuple[str, str, str], LineCounts] = field(default_factory=dict)
    """By plant, line and topic."""
    codes: Counter[str] = field(default_factory=Counter)
    """Exceptions."""
    ticks: Counter[str] = field(default_factory=Counter)
    """By topic."""
    left: Counter[str] = field(default_factory=Counter)
    """Records that have left, without exceptions, by type."""

    def of(self, plant: str, line: str, topic: str) -> LineCounts:
        """Return the counts of a line, to be added to."""
        return self.lines.setdefault((plant, line, topic), LineCounts())

    def copy(self) -> "Tally":
        """Return a copy that shares nothing with this one."""
        lines = {where: copy(of) for where, of in self.lines.items()}
        return Tally(lines, self.codes.copy(), self.ticks.copy(), self.left.copy())


class _Opening:
    """An open partition, and the counts that its state had when it was opened."""

    def __init__(self, partition: Partition, name: Callable[[Line], tuple[str, str]]) -> None:
        counts = partition.counts
        self.partition = partition
        self.cold = Tally()
        """Counts since the opening of lines that have left memory."""
        self.cold_refused = 0
        self._name = name
        partition.watch = self
        self.exceptions, self.ticks = counts.exception, counts.tick
        self.codes, self.left = counts.codes.copy(), counts.left.copy()
        self.lines = {
            key: (line.accepted_events, line.late_events) for key, line in partition.lines.items()
        }
        self.ledger = LedgerCount(partition)

    def cooled(self, line: Line) -> None:
        """Keep the counts of a line that leaves memory."""
        self.add(self.cold, line)
        self.cold_refused += line.refused_events
        self.lines.pop(line.key, None)

    def woken(self, line: Line) -> None:
        """Note the counts with which a line comes back into memory."""
        self.lines[line.key] = line.accepted_events, line.late_events

    def add(self, tally: Tally, line: Line) -> None:
        """Add a line's counts since the opening, or since it came into memory."""
        accepted, late = self.lines.get(line.key, (0, 0))
        of = tally.of(*self._name(line), self.partition.topic)
        of.accepted += line.accepted_events - accepted
        of.late += line.late_events - late
        of.duplicate += line.duplicate_events
        of.exception += line.refused_events
        of.corrections += line.corrections


class Meter:
    """Takes a few notes for each step; the states' own counts are read when somebody asks.

    Counts are of computed records: a record that is computed again after a loss counts again.
    """

    def __init__(self) -> None:
        self.batches = Histogram(RECORDS_BOUNDS)
        self.stages = {name: Histogram(STAGE_BOUNDS) for name in STAGES}
        self.latency = Histogram(LATENCY_BOUNDS)
        self.openings: Counter[TP] = Counter()
        self._began: dict[TP, float] = {}
        self._took: dict[TP, float] = {}
        self._open: dict[TP, _Opening] = {}
        self._gone = Tally()
        self._named: set[bytes] = set()

    def opening(self, topic: str, number: int) -> None:
        """Note that a partition waits for its state."""
        self.openings[topic, number] += 1
        self._began[topic, number] = monotonic()

    def opened(self, partition: Partition) -> None:
        """Note that the state of a partition is there; nothing has been computed from it yet."""
        where = partition.topic, partition.number
        self._took[where] = monotonic() - self._began.pop(where, monotonic())
        self._open[where] = _Opening(partition, self.name)

    def closed(self, partition: Partition) -> None:
        """Keep a partition's counts; its store is about to be closed."""
        opening = self._open.pop((partition.topic, partition.number), None)
        if opening is not None:
            opening.ledger.close()
            self._add(self._gone, opening)

    def computed(self, records: int, seconds: float) -> None:
        """Note a step."""
        self.batches.observe(records)
        self.stages["compute"].observe(seconds)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note how long a stage of a step takes, unless it raises."""
        began = perf_counter()
        yield
        self.stages[name].observe(perf_counter() - began)

    def acknowledged(self, batches: Iterable[Sequence[Record]]) -> None:
        """Note that all outputs of these records have been acknowledged."""
        now = round(time() * 1e6)
        for records in batches:
            self.latency.sum += _add_ages(records, now, self.latency.counts) / 1e6

    def recovery_seconds(self, where: TP) -> float:
        """Return how long a partition waits for its state, or did wait until it was there."""
        began = self._began.get(where)
        return self._took.get(where, 0.0) if began is None else monotonic() - began

    def ledger_keys(self, where: TP) -> int | None:
        """Return the count of a partition's ledger entries, None while they are being counted."""
        opening = self._open.get(where)
        return None if opening is None else opening.ledger.keys

    def tally(self) -> Tally:
        """Return the counts of records since the process started."""
        tally = self._gone.copy()
        for opening in self._open.values():
            self._add(tally, opening)
        return tally

    def name(self, line: Line) -> tuple[str, str]:
        """Return the plant and line of a line's labels: its own, or `OTHER`."""
        if line.key not in self._named:
            if len(self._named) >= LINES_MAX:
                return OTHER
            self._named.add(line.key)
        return line.plant, line.line

    def _add(self, tally: Tally, opening: _Opening) -> None:
        """Add a partition's counts since it was opened."""
        partition, topic = opening.partition, opening.partition.topic
        counts = partition.counts
        refused = counts.exception - opening.exceptions - opening.cold_refused
        for where, cold in opening.cold.lines.items():
            of = tally.of(*where)
            for name in LineCounts.__struct_fields__:
                setattr(of, name, getattr(of, name) + getattr(cold, name))
        for line in partition.lines.values():
            opening.add(tally, line)
            refused -= line.refused_events
        if refused:  # of lines that aren't known
            tally.of(*OTHER, topic).exception += refused
        tally.ticks[topic] += counts.tick - opening.ticks
        tally.codes.update(counts.codes - opening.codes)
        tally.left.update(counts.left - opening.left)


def add_ages_plain(
    records: Iterable[Record], now: int, bounds: Sequence[int], counts: list[int]
) -> int:
    """Count records by age in microseconds; return the sum of the ages."""
    total = 0
    for timestamp, count in Counter([record.timestamp for record in records]).items():
        if timestamp is not None:
            age = max(now - timestamp, 0)
            counts[bisect_left(bounds, age)] += count
            total += age * count
    return total


def _add_ages(records: Sequence[Record], now: int, counts: list[int]) -> int:
    if Block is not None and isinstance(records, Block):
        return add_ages(records, now, _LATENCY_MICROS, counts)
    return add_ages_plain(records, now, _LATENCY_MICROS, counts)
