"""The log that every benchmark processes: what the MES and the machines of some plants report.

    python benchmarks/workload.py --events N [--out FILE] [--digest]

Same arguments, same bytes: there is no clock in it, no hash() and no order of a set. Prints what is
in the log; with --out writes it, an event a line, for `lineside replay`; with --digest prints a
BLAKE2b of all topics, keys and values.

Lines report in turn, so that no record has the line of the one before it. Event time goes on evenly
(`rate` events a second and line), and an event comes up to 3 s after what it tells of. Beside that:

- duplicates: the same bytes again, up to 3 minutes of event time later (no telemetry, no bad ones);
- late events: older than the end of their 60 s and 300 s windows and a grace of 30 s;
- bad values: not JSON, a measure that isn't a number, a missing `id`;
- stops of a few seconds to some minutes on 4 work units of each line: their ends are in the log;
- at the end, for each line and topic, an event that is 10 minutes younger: it closes all windows.
"""

import argparse
import hashlib
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec
from workload_shapes import (
    LATE_FROM_MS,
    LATE_TO_MS,
    SLOTS,
    UNITS,
    Shape,
    Special,
    closing_shapes,
    downtime_shapes,
    line_name,
    shapes_of,
    tables_of,
)

Record = tuple[str, bytes, bytes]
"""Topic, key, value."""

START = 1_767_592_800
"""2026-01-05T06:00:00Z, a Monday, in seconds."""

JITTER_MS = 3_000
"""An event comes so much later than what it tells of, at most."""

CLOSING_MS = 600_000
ORDER_SECONDS = 1_800
"""An order is on a line for so long; a lot for a third of it."""

LATE_STOP_MS = 180_000
"""Of stops that lasted longer the end may be reported late: stops have windows of 60 s only."""

LATE_END_MS = 120_000
"""So late, at least."""

LATE_STOP_SHARE = 0.3


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the bytes of a log depend on; shares are of all events."""

    events: int
    seed: int = 1
    lines: int = 64
    plants: int = 8
    turns: int = 128
    """Records are made in blocks of so many turns; a duplicate is of the block before."""
    duplicates: float = 0.03
    late: float = 0.01
    bad: float = 0.001
    rows: int = 6
    """Of each line and window: components, each with a lot, that are used at the same time."""
    rate: float = 1.5
    """Events a second of event time and line."""
    start: int = START
    """Event time of the beginning, in seconds."""


class Workload:
    """Makes the log of a plan; what it has put in so far is in `counts`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.counts: Counter[str] = Counter()
        """duplicates, late, bad; what isn't one of these is accepted when it comes."""
        self._random = Random(plan.seed)
        self._tables = tables_of(plan.seed)
        self._lines = [line_name(line, plan.plants) for line in range(plan.lines)]
        self._drawn: list[list[Shape | Special]] = [[] for _ in self._lines]
        self._late: list[list[Shape]] = [[] for _ in self._lines]
        self._stops = [downtime_shapes(line, *name) for line, name in enumerate(self._lines)]
        self._epochs = [-1] * plan.lines
        self._sequences = array("q", [0] * (4 * plan.lines))
        """By line: of the MES, of the machines, of bad values, of stops."""
        self._open: list[list[tuple[bytes, int] | None]] = [[None] * UNITS for _ in self._lines]
        """By line and work unit: the stop that hasn't ended, and since when (milliseconds)."""
        self._wholes = Wholes()
        self._before: list[Record] = []
        self._refused: set[bytes] = set()

    def records(self) -> Iterator[Record]:
        """Yield (topic, key, value)."""
        for block in self.blocks():
            yield from block

    def blocks(self) -> Iterator[list[Record]]:
        """Yield the records in lists of some thousands; the last list is what ends the log.

        Lines come in whole turns: `plan.events` is rounded up to a multiple of them.
        """
        plan = self.plan
        step_us = round(1e6 / (plan.rate * plan.lines))
        made, clock_us = 0, plan.start * 1_000_000
        while made < plan.events:
            for line in range(plan.lines):
                self._take_order(line, clock_us // 1_000_000)
            block = self._block(clock_us, step_us, -(-(plan.events - made) // plan.lines))
            yield block
            made += len(block)
            clock_us += step_us * len(block)
            self._before = block
        yield self._end(clock_us // 1_000)

    def _block(self, clock_us: int, step_us: int, turns: int) -> list[Record]:
        # The only loop that counts: one shape, three random numbers and one formatting an event.
        random, sequences, wholes, all_drawn = (
            self._random.random, self._sequences, self._wholes, self._drawn,
        )  # fmt: skip
        block: list[Record] = []
        add = block.append
        lines = range(self.plan.lines)
        for _ in range(min(self.plan.turns, turns)):
            for line in lines:
                clock_us += step_us
                shape = all_drawn[line][int(random() * SLOTS)]
                if shape.__class__ is str:
                    add(self._special(shape, line, clock_us // 1_000))
                    continue
                topic, key, head, sequence, tail, measures, end = shape
                sequences[sequence] = number = sequences[sequence] + 1
                second, ms = divmod(clock_us // 1_000 - int(random() * JITTER_MS), 1_000)
                value = b'%b%06d","time":"%b.%03dZ%b%b%b' % (
                    head, number, wholes[second], ms, tail,
                    measures[int(random() * len(measures))], end,
                )  # fmt: skip
                add((topic, key, value))
        return block

    def _special(self, kind: Special, line: int, now_ms: int) -> Record:
        match kind:
            case "duplicate":
                return self._duplicate(line, now_ms)
            case "downtime":
                return self._downtime(line, now_ms)
            case "late":
                return self._late_one(line, now_ms)
            case "bad":
                return self._bad(line, now_ms)

    def _duplicate(self, line: int, now_ms: int) -> Record:
        """Return a record of the block before that a ledger knows: no telemetry, no bad one."""
        before = self._before
        while before:
            record = before[int(self._random.random() * len(before))]
            value = record[2]
            if value not in self._refused and b'"machine.telemetry.v1"' not in value[:60]:
                self.counts["duplicates"] += 1
                return record
        return self._made(self._late[line][0], now_ms)

    def _late_one(self, line: int, now_ms: int) -> Record:
        late = self._late[line]
        shape = late[int(self._random.random() * len(late))]
        if now_ms < self.plan.start * 1_000 + LATE_FROM_MS:  # nothing has closed yet
            return self._made(shape, now_ms)
        self.counts["late"] += 1
        back = LATE_FROM_MS + int(self._random.random() * (LATE_TO_MS - LATE_FROM_MS))
        return self._made(shape, now_ms - back)

    def _bad(self, line: int, now_ms: int) -> Record:
        """Return one that is cut off, one whose measure is none, or one without an `id`."""
        self.counts["bad"] += 1
        late = self._late[line]
        shape = late[int(self._random.random() * len(late))]
        topic, key, head, _, tail, measures, end = shape
        shape = (topic, key, head + b"B", 4 * line + 2, tail, measures, end)
        value = self._made(shape, now_ms)[2]
        match self._sequences[4 * line + 2] % 3:
            case 0:
                value = value[: 2 * len(value) // 3]
            case 1:
                cut = value.index(b'"data":{') + 8
                for member in (b'"quantity":', b'"seconds":', b'"good":'):
                    if member in value:
                        cut = value.index(member) + len(member)
                value = value[:cut] + b'"n/a"' + value[value.index(b",", cut) :]
            case _:
                value = value.replace(b'"id":', b'"no":', 1)
        self._refused.add(value)
        return topic, key, value

    def _downtime(self, line: int, now_ms: int) -> Record:
        """Return the end of a work unit's stop, or the start of one if it has none."""
        unit = int(self._random.random() * UNITS)
        stop = self._open[line][unit]
        at_ms = now_ms - int(self._random.random() * JITTER_MS)
        if stop is None:
            return self._started(line, unit, at_ms)
        _, since_ms = stop
        if now_ms - since_ms > LATE_STOP_MS and self._random.random() < LATE_STOP_SHARE:
            self.counts["late"] += 1
            span = now_ms - LATE_END_MS - since_ms
            return self._ended(line, unit, since_ms + 1 + int(self._random.random() * span))
        return self._ended(line, unit, max(at_ms, since_ms + 1))

    def _started(self, line: int, unit: int, at_ms: int) -> Record:
        self._sequences[4 * line + 3] += 1
        plant, name = self._lines[line]
        episode = f"{plant}-{name}-S{self._sequences[4 * line + 3]:06d}".encode()
        self._open[line][unit] = episode, at_ms
        shapes = self._stops[line][0][unit]
        shape = shapes[int(self._random.random() * len(shapes))]
        return self._made(shape, at_ms, episode)

    def _ended(self, line: int, unit: int, at_ms: int) -> Record:
        stop = self._open[line][unit]
        assert stop is not None
        self._open[line][unit] = None
        return self._made(self._stops[line][1][unit], at_ms, stop[0])

    def _made(self, shape: Shape, at_ms: int, measure: bytes | None = None) -> Record:
        topic, key, head, sequence, tail, measures, end = shape
        self._sequences[sequence] = number = self._sequences[sequence] + 1
        second, ms = divmod(at_ms, 1_000)
        if measure is None:
            measure = measures[int(self._random.random() * len(measures))]
        at = b"%b.%03dZ" % (self._wholes[second], ms)
        value = b'%b%06d","time":"%b%b%b%b' % (head, number, at, tail, measure, end)
        return topic, key, value

    def _take_order(self, line: int, second: int) -> None:
        """Give a line its next order if it's time; lines don't change at once."""
        lot_seconds = ORDER_SECONDS // 3
        epoch = (second + line * lot_seconds // self.plan.lines) // lot_seconds
        if epoch != self._epochs[line]:
            self._epochs[line] = epoch
            plan = self.plan
            shares = {"duplicate": plan.duplicates, "late": plan.late, "bad": plan.bad}
            self._drawn[line], self._late[line] = shapes_of(
                line, self._lines[line], epoch, plan.rows, shares, self._tables
            )

    def _end(self, now_ms: int) -> list[Record]:
        """Return the ends of open stops, and what closes every window."""
        ends = [
            self._ended(line, unit, now_ms)
            for line in range(self.plan.lines)
            for unit in range(UNITS)
            if self._open[line][unit] is not None
        ]
        closing = [
            self._made(shape, now_ms + CLOSING_MS)
            for line, name in enumerate(self._lines)
            for shape in closing_shapes(line, *name)
        ]
        return ends + closing


class Digest:
    """A BLAKE2b of all topics, keys and values, in their order."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, topic: str, key: bytes, value: bytes) -> None:
        """Take a record."""
        self._hash.update(b"%b\n%b\n%b\n" % (topic.encode(), key, value))

    @property
    def text(self) -> str:
        """In hexadecimal."""
        return self._hash.hexdigest()


class Wholes(dict[int, bytes]):
    """Seconds since the epoch as "2026-01-05T06:00:00", made when first asked for."""

    def __missing__(self, second: int) -> bytes:
        if len(self) > 100_000:
            self.clear()
        self[second] = text = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}".encode()
        return text


def main() -> None:
    """Make a log, and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_plan_options(parser)
    parser.add_argument("--out", type=Path, help="write it: an event a line")
    parser.add_argument("--digest", action="store_true", help="print a digest of it")
    options = parser.parse_args()
    workload = Workload(plan_of(options))
    if options.digest:
        print(digest_of(workload))
    elif options.out is not None:
        with options.out.open("wb") as file:
            for block in workload.blocks():
                file.writelines(value + b"\n" for _, _, value in block)
    else:
        tell(workload)


def add_plan_options(parser: argparse.ArgumentParser, events: int | None = None) -> None:
    """Add an option for each member of `Plan`; `events` is asked for if it has no default."""
    default = Plan(events=events or 0)
    for name, kind in Plan.__annotations__.items():
        if name == "events" and events is None:
            parser.add_argument("--events", type=int, required=True)
        else:
            parser.add_argument(f"--{name}", type=kind, default=getattr(default, name))


def plan_of(options: argparse.Namespace) -> Plan:
    """Return the plan that options ask for."""
    return Plan(**{name: getattr(options, name) for name in Plan.__annotations__})


def digest_of(workload: Workload) -> str:
    """Return the digest of a log."""
    digest = Digest()
    for record in workload.records():
        digest.add(*record)
    return digest.text


def tell(workload: Workload) -> None:
    """Print what is in a log, and how long it takes to make it."""
    kinds: Counter[str] = Counter()
    sizes = seconds = 0.0
    began = time.process_time()
    for block in workload.blocks():
        seconds += time.process_time() - began
        for _, _, value in block:
            kinds[value[:80].split(b'"type":"')[1].split(b'"')[0].decode()] += 1
            sizes += len(value)
        began = time.process_time()
    records = kinds.total()
    cost = f"made in {seconds / records * 1e6:.2f} us of CPU each"
    print(f"{records:,} records, {sizes / records:.0f} bytes each, {cost}")
    for counts in (workload.counts, kinds):
        for name, count in counts.most_common():
            print(f"{count:12,}  {count / records:7.3%}  {name}")


if __name__ == "__main__":
    main()
