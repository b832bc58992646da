"""The values of a job's metrics, read from its partitions, its meter and its host."""

import platform
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Final

from faust.types import TP

from agents.partition.meter import Histogram, Meter
from agents.partition.task import PartitionTask
from agents.process_events import Job
from agents.serve.liveness import Liveness
from agents.serve.metrics import Families
from agents.serve.status import Host
from streams.contract.checks import CLASSES
from streams.contract.reference import TYPES as REFERENCE_TYPES
from streams.contract.topics import ERP_TRANSACTIONS, EXCEPTIONS, INPUTS, OUTPUTS, REFERENCE
from streams.contract.transactions import EXCEPTION
from streams.core import core_of
from streams.values import instant, quantity
from streams.version import VERSION
from tables.line import conservation
from tables.line.line import Line
from tables.line.rules import Rules
from tables.partition.cold import Cold

RECORDS: Final = "records"
"""In place of a measure: how many records leave singly."""

SLICE_LINES: Final = 50
"""Lines that are read at a time: a few milliseconds."""


class JobMetrics:
    """Reads a running job; called in its event loop, between two steps."""

    def __init__(
        self, job: Job, host: Host, liveness: Liveness, data_dir: str, tick_seconds: float
    ) -> None:
        self._job, self._host, self._liveness = job, host, liveness
        self._tick_seconds = tick_seconds
        self._folder = Path(data_dir)
        self._build = (VERSION, platform.python_version(), core_of().name, host.guarantee)

    def read(self, families: Families) -> Iterator[None]:
        """Add the samples of now, in slices; a line is never divided between two slices."""
        _add_tally(families, self._job.meter)
        yield
        lines = [
            (line, partition)
            for partition in self._job.partitions.values()
            for line in partition.lines.values()
        ]
        at_lines, errors = LineGauges(self._job.meter), ConservationErrors()
        for partition in self._job.partitions.values():
            errors.expect(partition.rules)
            errors.look_at_cold(partition.cold)
        for begin in range(0, len(lines), SLICE_LINES):
            for line, partition in lines[begin : begin + SLICE_LINES]:
                at_lines.look(line, partition.topic)
                errors.look(line, partition.rules)
            yield
        at_lines.add(families)
        errors.add(families)
        for tp, task in sorted(self._job.tasks.items()):
            self._add_partition(families, tp, task)
        for tp, left in sorted(self._host.standbys().items()):
            families.add("standby_lag_records", left, tp.topic, str(tp.partition))
        _add_histograms(families, self._job.meter)
        families.add("no_progress_seconds", self._liveness.look())
        families.add("ready", self._job.ready)
        if self._job.tasks:  # the lag is that of its partitions
            families.add("broker_answers", self._host.answers)
        families.add("tick_interval_seconds", self._tick_seconds)
        if self._host.clock_difference is not None:
            families.add("clock_difference_seconds", self._host.clock_difference)
        families.add("build_info", 1, *self._build)
        disk = shutil.disk_usage(self._folder)
        families.add("disk_size_bytes", disk.total)
        families.add("disk_free_bytes", disk.free)

    def _add_partition(self, families: Families, tp: TP, task: PartitionTask) -> None:
        where = tp.topic, str(tp.partition)
        partition, meter = task.partition, self._job.meter
        families.add("partition_ready", partition is not None, *where)
        families.add("openings_total", meter.openings[tp.topic, tp.partition], *where)
        families.add("recovery_seconds", meter.recovery_seconds((tp.topic, tp.partition)), *where)
        left = 0 if partition is not None else task.progress.left
        if left is not None:
            families.add("recovery_left_records", left, *where)
        end = self._host.end_offset(tp)
        if end is not None:
            families.add("end_offset", end, *where)
        if partition is None:
            return
        families.add("lasting_offset", task.lasting, *where)
        families.add("deleted_records", task.deleted, *where)
        if end is not None:
            families.add("consumer_lag_records", max(end - task.lasting, 0), *where)
        families.add("changelog_lag_records", partition.offset + 1 - task.lasting, *where)
        families.add("parked_events", partition.parking.count, *where)
        since = partition.parking.since()
        if since is not None:
            families.add("parked_oldest_timestamp_seconds", since / instant.SECOND, *where)
        families.add("lines", len(partition.lines) + partition.cold.count, *where)
        if partition.lines:
            oldest = min(line.watermark for line in partition.lines.values())
            families.add("watermark_lag_seconds", time() - oldest / instant.SECOND, *where)
        size = partition.store.size_bytes()
        if size is not None:
            families.add("state_bytes", size, *where)
        keys = meter.ledger_keys((tp.topic, tp.partition))
        if keys is not None:
            families.add("ledger_keys", keys, *where)


def _add_tally(families: Families, meter: Meter) -> None:
    tally = meter.tally()
    for (plant, line, topic), of in tally.lines.items():
        for outcome in ("accepted", "duplicate", "exception"):
            families.add("events_total", getattr(of, outcome), plant, line, topic, outcome)
        families.add("late_events_total", of.late, plant, line, topic)
        families.add("corrections_total", of.corrections, plant, line, topic)
    for code, kind in CLASSES.items():
        families.add("exceptions_total", tally.codes[code], kind, code)
    for topic in INPUTS:
        families.add("ticks_total", tally.ticks[topic], topic)
    for record, count in sorted(tally.left.items()):
        families.add("outputs_total", count, _topic_of(record), record)
    families.add("outputs_total", tally.codes.total(), EXCEPTIONS, EXCEPTION)


def _topic_of(record: str) -> str:
    """Return the topic of a record type: holds are known everywhere, summaries have their own."""
    if record in REFERENCE_TYPES:
        return REFERENCE
    return record if record in OUTPUTS else ERP_TRANSACTIONS


class LineGauges:
    """Watermark and open windows by line; unnamed lines report the oldest watermark and the sum."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._watermarks: dict[tuple[str, str, str], int] = {}
        self._open: Counter[tuple[str, str, str]] = Counter()
        self._finals: Counter[tuple[str, str, str]] = Counter()

    def look(self, line: Line, topic: str) -> None:
        """Look at a line."""
        where = *self._meter.name(line), topic
        before = self._watermarks.get(where, line.watermark)
        self._watermarks[where] = min(before, line.watermark)
        self._open[where] += conservation.open_windows(line)
        self._finals[where] += conservation.waiting_finals(line)

    def add(self, families: Families) -> None:
        """Add what was seen."""
        for where, watermark in self._watermarks.items():
            families.add("watermark_timestamp_seconds", watermark / instant.SECOND, *where)
            families.add("open_windows", self._open[where], *where)
            families.add("waiting_finals", self._finals[where], *where)


class ConservationErrors:
    """The conservation error of every record type and measure; `RECORDS` of what leaves singly."""

    def __init__(self) -> None:
        self._errors: Counter[tuple[str, str]] = Counter()

    def expect(self, rules: Rules) -> None:
        """Report these types and measures, even if no line has any of them."""
        for kind in rules.kinds:
            measures = [*kind.measures, RECORDS] if kind.erp else kind.measures
            self._errors.update({(kind.record, measure): 0 for measure in measures})

    def look_at_cold(self, cold: Cold) -> None:
        """Look at the lines that are in the store only."""
        for (kind, measure, _), error in cold.errors.items():
            self._errors[kind, measure] += error
        for record, count in cold.single_errors.items():
            self._errors[record, RECORDS] += count * quantity.SCALE

    def look(self, line: Line, rules: Rules) -> None:
        """Look at a line."""
        for (kind, measure, _), balance in conservation.balances_by_unit(line, rules).items():
            self._errors[kind, measure] += abs(balance.error)
        for record, single in conservation.singles(line, rules).items():
            self._errors[record, RECORDS] += abs(single.error) * quantity.SCALE

    def add(self, families: Families) -> None:
        """Add what was seen."""
        for (kind, measure), error in sorted(self._errors.items()):
            families.add("conservation_error", error / quantity.SCALE, kind, measure)


def _add_histograms(families: Families, meter: Meter) -> None:
    def add(name: str, one: Histogram, *labels: str) -> None:
        families.add_histogram(name, one.bounds, one.counts, one.sum, *labels)

    add("batch_records", meter.batches)
    for stage, one in meter.stages.items():
        add("stage_seconds", one, stage)
    add("posting_latency_seconds", meter.latency)
