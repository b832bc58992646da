"""What people see of a running job: the status document of the page and of `/api/status`."""

from collections import Counter, deque
from collections.abc import Iterable
from time import monotonic, time
from typing import Any, Final, Protocol

import orjson
from faust.types import TP
from msgspec import Struct, structs

from agents.partition_opening import Opened, Progress
from agents.partition_task import PartitionTask
from agents.process_events import Job
from agents.topology import App
from agents.worker.report import report
from streams import instant
from streams.record import Outgoing
from streams.topics import EXCEPTIONS, MES_EVENTS
from streams.version import VERSION
from tables import conservation
from tables.line import Line
from tables.partition import Partition

RATE_SECONDS: Final = 5.0
"""Rates are over about so long."""

ORIGINAL_CHARACTERS_MAX: Final = 8_192
"""Of the base64 of a refused record; the exception on its topic has all of it. A multiple of 4."""


class Sample(Struct):
    """How far the job was at a moment: records in, and events accepted by line."""

    at: float
    records: int
    accepted: Counter[bytes]


class Host(Protocol):
    """Where a job runs, on an embedded log or in a Kafka cluster."""

    @property
    def broker_name(self) -> str: ...

    @property
    def guarantee(self) -> str: ...

    async def open(self, tp: TP, progress: Progress) -> Opened:
        """Open a partition: its state, its writer."""
        ...

    def create_app(self, job: Job) -> App:
        """Return the Faust app."""
        ...

    def end_offset(self, tp: TP) -> int | None:
        """Return the offset that the next record of a partition gets, None while it isn't known."""
        ...

    def committed_end(self, tp: TP) -> int | None:
        """Return the offset after the last committed record, None while it isn't known."""
        ...

    @property
    def answers(self) -> bool:
        """Whether the log can be reached."""
        ...

    @property
    def clock_difference(self) -> float | None:
        """This worker's clock minus the brokers' in seconds, None where that isn't known."""
        ...

    def standbys(self) -> dict[TP, int]:
        """Return how many records each copy of another worker's state lacks."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


class Views:
    """The status of a job, worked out when somebody asks."""

    def __init__(self, name: str, job: Job, host: Host) -> None:
        self._name = name
        self._job = job
        self._host = host
        self._started = monotonic()
        self._samples: deque[Sample] = deque()

    def status(self) -> dict[str, Any]:
        """Return the status document; every number on the page comes from it."""
        partitions = list(self._job.partitions.values())
        told = report(partitions)
        sample = _sample(partitions)
        since = self._since(sample)
        seconds = max(sample.at - since.at, 1e-3)
        return {
            "version": VERSION,
            "job": self._name,
            "broker": self._host.broker_name,
            "guarantee": self._host.guarantee,
            "now": instant.text(round(time()) * instant.SECOND),
            "uptime_seconds": round(monotonic() - self._started, 1),
            "ready": self.ready(),
            "counts": {"in": sample.records, **told.counts},
            "rate": round((sample.records - since.records) / seconds, 1),
            **{
                name: value
                for name, value in structs.asdict(told).items()
                if name not in ("counts", "lines", "passed_over")
            },
            "lines": _lines(partitions, sample, since, seconds),
            "partitions": [self._partition(tp, one) for tp, one in sorted(self._job.tasks.items())],
            "standbys": [
                {"topic": tp.topic, "partition": tp.partition, "left": left}
                for tp, left in sorted(self._host.standbys().items())
            ],
            "recent": {
                shelf: [_shown(record) for record in records]
                for shelf, records in self._job.recent.items()
            },
        }

    def ready(self) -> bool:
        """Whether every partition of this worker has its state."""
        return self._job.ready

    def lag(self) -> int | None:
        """Return how many records of the worker's partitions haven't been processed for good.

        None while the end of one isn't known.
        """
        lags = [self._lag(tp, task) for tp, task in self._job.tasks.items()]
        return None if None in lags else sum(lag or 0 for lag in lags)

    def _lag(self, tp: TP, task: PartitionTask) -> int | None:
        end = self._host.end_offset(tp)
        return None if end is None else max(end - task.lasting, 0)

    def _partition(self, tp: TP, task: PartitionTask) -> dict[str, Any]:
        return {
            "topic": tp.topic,
            "partition": tp.partition,
            "offset": task.lasting,
            "end_offset": self._host.end_offset(tp),
            "lag": self._lag(tp, task),
            "ready": task.partition is not None,
            "recovery": None if task.partition is not None else structs.asdict(task.progress),
        }

    def _since(self, sample: Sample) -> Sample:
        """Return the sample to compare with, and keep this one for later."""
        samples = self._samples
        while len(samples) > 1 and sample.at - samples[1].at >= RATE_SECONDS:
            samples.popleft()
        since = samples[0] if samples else sample
        if not samples or sample.at - samples[-1].at >= RATE_SECONDS / 10:
            samples.append(sample)
        return since


def _shown(record: Outgoing) -> dict[str, Any]:
    """Return a record as people see it: the original in an exception is cut."""
    event: dict[str, Any] = orjson.loads(record.value)
    original = event["data"].get("value")
    if record.topic == EXCEPTIONS and len(original) > ORIGINAL_CHARACTERS_MAX:
        event["data"]["value"] = original[:ORIGINAL_CHARACTERS_MAX]
        event["data"]["value_cut"] = True
    return event


def _sample(partitions: Iterable[Partition]) -> Sample:
    records, accepted = 0, Counter[bytes]()
    for partition in partitions:
        counts = partition.counts
        records += counts.accepted + counts.duplicate + counts.exception + counts.tick
        for key, line in partition.lines.items():
            accepted[key] += line.accepted_events
    return Sample(monotonic(), records, accepted)


def _lines(
    partitions: Iterable[Partition], sample: Sample, since: Sample, seconds: float
) -> list[dict[str, Any]]:
    """Return what there is to see of each line; its two input partitions make one entry."""
    halves: dict[bytes, dict[str, tuple[Line, Partition]]] = {}
    for partition in partitions:
        for key, line in partition.lines.items():
            halves.setdefault(key, {})[partition.topic] = line, partition
    newest = max(
        (line.watermark for half in halves.values() for line, _ in half.values()), default=0
    )
    return [
        _line(half, newest, (sample.accepted[key] - since.accepted[key]) / seconds)
        for key, half in sorted(halves.items())
    ]


def _line(half: dict[str, tuple[Line, Partition]], newest: int, rate: float) -> dict[str, Any]:
    lines = [line for line, _ in half.values()]
    watermarks = {topic: instant.text(line.watermark) for topic, (line, _) in half.items()}
    idle_grace = next(partition.rules.idle_grace for _, partition in half.values())
    down = [
        f"{episode.work_unit}: {episode.reason}"
        for line in lines
        for name in sorted(line.live)
        if (episode := line.episodes[name]).end is None
    ]
    state = "running"
    if down:
        state = "down"
    elif max(line.watermark for line in lines) <= newest - idle_grace:
        state = "silent"
    return {
        "plant": lines[0].plant,
        "line": lines[0].line,
        "state": state,
        "detail": ", ".join(down) or next((line.state for line in lines if line.state), ""),
        "rate": round(rate, 1),
        "accepted": sum(line.accepted_events for line in lines),
        "late": sum(line.late_events for line in lines),
        "mes_watermark": watermarks.pop(MES_EVENTS, None),
        "machine_watermark": next(iter(watermarks.values()), None),
        "open_windows": sum(conservation.open_windows(line) for line in lines),
    }
