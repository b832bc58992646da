"""What a job's metrics are at a moment, read from its partitions, its meter and its host."""

import platform
import shutil
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from time import time

from faust.types import TP

from agents.meter import Histogram, Meter
from agents.partition_task import PartitionTask
from agents.process_events import Job
from agents.worker.liveness import Liveness
from agents.worker.metrics import Families
from agents.worker.views import Host
from streams import instant, quantity
from streams.kafka_batches import COMPILED
from streams.rejection import BUSINESS, codes
from streams.topics import ERP_TRANSACTIONS, EXCEPTIONS, INPUTS, OUTPUTS
from streams.transactions import EXCEPTION
from tables import conservation
from tables.partition import Partition


class Readings:
    """Reads a running job; called in its event loop, between two steps."""

    def __init__(self, job: Job, host: Host, liveness: Liveness, data_dir: str) -> None:
        self._job, self._host, self._liveness = job, host, liveness
        self._folder = Path(data_dir)
        core = "compiled" if COMPILED else "plain"
        self._build = (version("lineside"), platform.python_version(), core, host.guarantee)

    def read(self, families: Families) -> None:
        """Add every sample that there is now."""
        partitions = list(self._job.partitions.values())
        _add_tally(families, self._job.meter)
        _add_lines(families, partitions, self._job.meter)
        _add_conservation(families, partitions)
        for tp, task in sorted(self._job.tasks.items()):
            self._add_partition(families, tp, task)
        for tp, left in sorted(self._host.standbys().items()):
            families.add("standby_lag_records", left, tp.topic, str(tp.partition))
        _add_histograms(families, self._job.meter)
        families.add("no_progress_seconds", self._liveness.look())
        families.add("ready", self._job.ready)
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
        if end is not None:
            families.add("consumer_lag_records", max(end - task.lasting, 0), *where)
        families.add("changelog_lag_records", partition.offset + 1 - task.lasting, *where)
        families.add("lines", len(partition.lines), *where)
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
    told = meter.tally()
    for (plant, line, topic), of in told.lines.items():
        for outcome in ("accepted", "duplicate", "exception"):
            families.add("events_total", getattr(of, outcome), plant, line, topic, outcome)
        families.add("late_events_total", of.late, plant, line, topic)
        families.add("corrections_total", of.corrections, plant, line, topic)
    for code in codes():
        kind = "business" if code in BUSINESS else "data"
        families.add("exceptions_total", told.codes[code], kind, code)
    for topic in INPUTS:
        families.add("ticks_total", told.ticks[topic], topic)
    for record, count in sorted(told.left.items()):
        families.add("outputs_total", count, _topic_of(record), record)
    families.add("outputs_total", told.codes.total(), EXCEPTIONS, EXCEPTION)


def _topic_of(record: str) -> str:
    """Return the topic of a record type: summaries go to that of their name."""
    return record if record in OUTPUTS else ERP_TRANSACTIONS


def _add_lines(families: Families, partitions: Iterable[Partition], meter: Meter) -> None:
    """Add what a line is at: of those that aren't told by name the oldest, or the sum."""
    watermarks: dict[tuple[str, str, str], int] = {}
    open_: Counter[tuple[str, str, str]] = Counter()
    for partition in partitions:
        for line in partition.lines.values():
            where = *meter.name(line), partition.topic
            watermarks[where] = min(watermarks.get(where, line.watermark), line.watermark)
            open_[where] += conservation.open_windows(line)
    for where, watermark in watermarks.items():
        families.add("watermark_timestamp_seconds", watermark / instant.SECOND, *where)
        families.add("open_windows", open_[where], *where)


def _add_conservation(families: Families, partitions: Iterable[Partition]) -> None:
    errors: Counter[tuple[str, str]] = Counter()
    for partition in partitions:
        for kind in partition.rules.kinds:
            errors.update({(kind.record, measure): 0 for measure in kind.measures})
        for line in partition.lines.values():
            for name, balance in conservation.balances(line, partition.rules).items():
                errors[name] += abs(balance.error)
    for (kind_, measure), error in sorted(errors.items()):
        families.add("conservation_error", error / quantity.SCALE, kind_, measure)


def _add_histograms(families: Families, meter: Meter) -> None:
    def add(name: str, one: Histogram, *labels: str) -> None:
        families.add_histogram(name, one.bounds, one.counts, one.sum, *labels)

    add("batch_records", meter.batches)
    for stage, one in meter.stages.items():
        add("stage_seconds", one, stage)
    add("posting_latency_seconds", meter.latency)
