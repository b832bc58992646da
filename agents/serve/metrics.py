"""The metrics of a worker: their names and types, and the text of `/metrics`."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Final, Literal

from msgspec import Struct
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

PREFIX: Final = "lineside_"

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

TIME_SHARE_MAX: Final = 0.01
"""Reading the job for scrapes takes at most this share of the event loop, however many scrape."""

PAUSE_SECONDS_MIN: Final = 1.0
"""Between two readings; a scrape in between gets the last one."""

PAUSE_SECONDS_MAX: Final = 60.0


class Described(Struct, frozen=True):
    """A metric: its name without the prefix, its type, its labels, and its help text."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    text: str


LINE: Final = ("plant", "line", "topic")
PARTITION: Final = ("topic", "partition")

METRICS: Final = (
    Described("events_total", "counter", (*LINE, "outcome"),
        "Events of an input topic by outcome: accepted, duplicate, exception"),
    Described("exceptions_total", "counter", ("class", "code"),
        "Refused events; the class is data or business"),
    Described("late_events_total", "counter", LINE,
        "Accepted events whose window had closed before they came"),
    Described("corrections_total", "counter", LINE,
        "Records for windows that had closed before: those with a revision above 0"),
    Described("ticks_total", "counter", ("topic",), "Ticks of the clock that were processed"),
    Described("tick_interval_seconds", "gauge", (),
        "Seconds between two ticks of the clock; 0 if none are written"),
    Described("clock_difference_seconds", "gauge", (),
        "This worker's clock minus the brokers', at the last tick; absent if it writes no ticks"),
    Described("outputs_total", "counter", ("topic", "type"), "Records that left"),
    Described("openings_total", "counter", PARTITION,
        "How often a partition was opened: at starts, rebalances and losses"),
    Described("watermark_timestamp_seconds", "gauge", LINE,
        "A line's watermark, in seconds since the epoch"),
    Described("watermark_lag_seconds", "gauge", PARTITION,
        "Now minus the oldest watermark of the partition's lines"),
    Described("open_windows", "gauge", LINE, "Windows with rows that haven't left"),
    Described("waiting_finals", "gauge", LINE,
        "Final confirmations that wait for their window to close"),
    Described("parked_events", "gauge", PARTITION,
        "Accepted events that a hold, or an order that is held, keeps from the ERP"),
    Described("parked_oldest_timestamp_seconds", "gauge", PARTITION,
        "The earliest time of the parked events, in seconds since the epoch; absent if there are "
        "none"),
    Described("lines", "gauge", PARTITION, "Lines of the partition"),
    Described("consumer_lag_records", "gauge", PARTITION,
        "Records whose outputs and state aren't written yet; absent while the end isn't known"),
    Described("lasting_offset", "gauge", PARTITION,
        "The next offset: outputs and state of all records before it are written"),
    Described("deleted_records", "gauge", PARTITION,
        "Records that were deleted before they were processed, and that the state lacks"),
    Described("end_offset", "gauge", PARTITION, "The offset that the input's next record gets"),
    Described("changelog_lag_records", "gauge", PARTITION,
        "Records that are computed, but whose state isn't written yet"),
    Described("standby_lag_records", "gauge", PARTITION,
        "Changelog records that this worker's standby copy of a state lacks"),
    Described("partition_ready", "gauge", PARTITION,
        "1 if the partition's state is there, 0 while it is being recovered"),
    Described("recovery_left_records", "gauge", PARTITION,
        "Changelog records still to be read; absent before their number is known"),
    Described("recovery_seconds", "gauge", PARTITION,
        "How long the recovery of the state has taken so far, or took in all"),
    Described("state_bytes", "gauge", PARTITION,
        "Size of the state on this worker's disk and in its write buffers"),
    Described("ledger_keys", "gauge", PARTITION,
        "Entries of the ledger; absent while they are counted after an opening"),
    Described("conservation_error", "gauge", ("type", "measure"),
        "Size of accepted - emitted - open - parked, of the measure records: of accepted - left - "
        "waiting - parked - taken out; summed over lines and units: any value but 0 is a bug"),
    Described("no_progress_seconds", "gauge", (),
        "The longest time that a partition with lag has stood still; /livez checks it"),
    Described("ready", "gauge", (),
        "1 if partitions are assigned and all of them have their states; /readyz reports it"),
    Described("broker_answers", "gauge", (),
        "1 if a broker has answered within the last half minute; absent without partitions"),
    Described("disk_size_bytes", "gauge", (), "The size of the file system of data_dir"),
    Described("disk_free_bytes", "gauge", (), "The free space of the file system of data_dir"),
    Described("build_info", "gauge", ("version", "python", "core", "guarantee"),
        "Always 1; core is compiled or plain (the log says why)"),
    Described("batch_records", "histogram", (), "Records that were computed in one step"),
    Described("stage_seconds", "histogram", ("stage",),
        "Duration of the stages of steps: compute, seal (encode lines, once per write), send "
        "(outputs), write (the state), settle (the local copy)"),
    Described("posting_latency_seconds", "histogram", (),
        "From a record's timestamp to the acknowledgement of its step's outputs"),
)  # fmt: skip
"""All metrics, in the order of docs/metrics.md."""


class Families:
    """The families of all metrics, to be filled; a sample of an unknown name can't be added."""

    def __init__(self) -> None:
        self.all = {metric.name: _family(metric) for metric in METRICS}

    def add(self, name: str, value: float, *labels: str) -> None:
        """Add a sample of a counter or a gauge."""
        family = self.all[name]
        assert not isinstance(family, HistogramMetricFamily)
        family.add_metric(labels, value)

    def add_histogram(
        self,
        name: str,
        bounds: Iterable[float],
        counts: Iterable[int],
        sum_: float,
        *labels: str,
    ) -> None:
        """Add a histogram: the bounds of its buckets, and the counts in each and past the last."""
        family = self.all[name]
        assert isinstance(family, HistogramMetricFamily)
        total, buckets = 0, []
        for bound, count in zip([*map(str, bounds), "+Inf"], counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        family.add_metric(labels, buckets, sum_)


Read = Callable[[Families], Iterator[None]]
"""Fills families with the values of now, in slices: other work runs between two of them."""


class Exposition:
    """The text of `/metrics`: read from the job in the event loop, written in a thread."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._ready = _Ready()
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self._ready)
        ProcessCollector(registry=self.registry)
        self._text = b""
        self._due = 0.0
        self._one = asyncio.Lock()

    async def text(self) -> bytes:
        """Return the text, made anew if the last one is too old."""
        async with self._one:
            if perf_counter() < self._due:
                return self._text
            began, taken = perf_counter(), 0.0
            for seconds in self.read_job():
                taken += seconds
                await asyncio.sleep(0)
            self._text = await asyncio.to_thread(generate_latest, self.registry)
            pause = min(max(taken / TIME_SHARE_MAX, PAUSE_SECONDS_MIN), PAUSE_SECONDS_MAX)
            self._due = began + pause
            return self._text

    def read_job(self) -> Iterator[float]:
        """Read the job for the registry in slices; yield the seconds that each slice takes."""
        families = Families()
        began = perf_counter()
        for _ in self._read(families):
            yield perf_counter() - began
            began = perf_counter()
        self._ready.families = list(families.all.values())
        yield perf_counter() - began


class _Ready(Collector):
    """Gives the samples that were read before."""

    def __init__(self) -> None:
        self.families: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        return self.families


def table() -> str:
    """Return the table of docs/metrics.md."""
    rows = ["| metric | type | labels | what it says |", "| --- | --- | --- | --- |"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{PREFIX}{metric.name}` | {metric.type} | {labels} | {metric.text} |")
    return "\n".join(rows) + "\n"


def _family(
    metric: Described,
) -> CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily:
    name = PREFIX + metric.name
    match metric.type:
        case "counter":
            return CounterMetricFamily(name, metric.text, labels=metric.labels)
        case "gauge":
            return GaugeMetricFamily(name, metric.text, labels=metric.labels)
        case "histogram":
            return HistogramMetricFamily(name, metric.text, labels=metric.labels)
