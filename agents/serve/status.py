"""The status document of a running job, for the page and `/api/status`."""

import asyncio
from collections import deque
from time import monotonic, time
from typing import Any, Final, Protocol

import orjson
from faust.types import TP
from msgspec import Struct, structs

from agents.partition.opening import Opened, Progress
from agents.partition.task import PartitionTask
from agents.process_events import Job
from agents.serve.lines import Query, find
from agents.serve.survey import RATE_SECONDS, Surveys
from agents.serve.turns import Turns
from agents.topology import App
from streams.contract.topics import EXCEPTIONS
from streams.log.record import Outgoing
from streams.trouble import Trouble
from streams.values import instant
from streams.version import VERSION
from tables.report import counts_of, left_of

SURVEY_SECONDS_MAX: Final = 0.5
"""A status waits this long for a survey of the lines; then it shows the figures of the last one."""

END_SECONDS_MAX: Final = 1.0
"""The last status of a job waits this long for a survey of the lines."""

QUERIES_MAX: Final = 16
"""Different searches for lines at a time: each may go through all lines."""

QUERY_SECONDS_MAX: Final = 10.0
"""After this long a search is answered with "ask again"; it goes on meanwhile."""

ANSWER_KEPT_SECONDS: Final = 5.0
"""An answer is kept this long, for others who search for the same."""

ORIGINAL_CHARACTERS_MAX: Final = 8_192
"""Shown of the base64 of a refused record; the exception on its topic has more. A multiple of 4."""


class Sample(Struct):
    """How many records this process had computed at a moment."""

    at: float
    records: float


class Host(Protocol):
    """What runs a job: on the embedded log, or in a Kafka cluster."""

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
        """This worker's clock minus the brokers' in seconds, None if that isn't known."""
        ...

    def standbys(self) -> dict[TP, int]:
        """Return how many records each standby still has to read."""
        ...

    @property
    def partitions_in_all(self) -> int:
        """Partitions of all inputs, this worker's and others'."""
        ...

    async def close(self) -> None:
        """Close everything."""
        ...


class BusyError(Trouble):
    """More searches run than can be answered."""


class JobStatus:
    """The status of a job, made when somebody asks."""

    def __init__(self, name: str, job: Job, host: Host, turns: Turns | None = None) -> None:
        self._name = name
        self._job = job
        self._host = host
        self._started = monotonic()
        self._samples: deque[Sample] = deque()
        self._turns = turns or Turns()
        self._surveys = Surveys(job, self._turns)
        self._asked: dict[Query, asyncio.Future[dict[str, Any]]] = {}
        self._final: dict[str, Any] | None = None

    async def status(self, seconds_max: float = SURVEY_SECONDS_MAX) -> dict[str, Any]:
        """Return the status document; every number on the page comes from it.

        Figures of lines may be older than the rest if there are many lines; `surveyed` says when
        they were made. When the job has ended, this is the last status.
        """
        if self._final is not None:
            return self._final
        head = self._head()
        of_lines = await self._surveys.newest(seconds_max)
        return self._final or {**head, **of_lines}

    async def lines(self, query: Query) -> dict[str, Any]:
        """Return the lines that a search finds. Raises `BusyError`."""
        asked = self._asked.get(query)
        if asked is None:
            if len(self._asked) >= QUERIES_MAX:
                raise BusyError(f"{QUERIES_MAX} questions for lines wait already: ask again later")
            partitions = list(self._job.partitions.values())
            work = find(query, partitions, self._surveys.newest_watermark)
            asked = self._asked[query] = asyncio.ensure_future(self._turns.run(work))
            later = asyncio.get_running_loop().call_later
            asked.add_done_callback(lambda _: later(ANSWER_KEPT_SECONDS, self._asked.pop, query))
        await asyncio.wait([asked], timeout=QUERY_SECONDS_MAX)
        if not asked.done():
            raise BusyError("there are many lines to look at: ask the same again")
        return asked.result()

    async def end(self) -> None:
        """Keep the figures as they are now: the partitions are about to be closed."""
        last = await self.status(END_SECONDS_MAX)
        self._final = {**last, "ended": True, "rate": 0.0}
        await self._surveys.close()
        for asked in self._asked.values():
            asked.cancel()

    def _head(self) -> dict[str, Any]:
        """Return the part of the status that needs no survey of the lines."""
        partitions = list(self._job.partitions.values())
        codes, transactions, summaries = left_of(partitions)
        counts = counts_of(partitions)
        return {
            "version": VERSION,
            "job": self._name,
            "broker": self._host.broker_name,
            "guarantee": self._host.guarantee,
            "now": instant.text(round(time()) * instant.SECOND),
            "uptime_seconds": round(monotonic() - self._started, 1),
            "ready": self.ready(),
            "ended": False,
            "share": {"partitions": len(self._job.tasks), "of": self._host.partitions_in_all},
            "counts": {"in": sum(counts.values()), **counts},
            "rate": round(self._rate(), 1),
            "exceptions": codes,
            "transactions": transactions,
            "summaries": summaries,
            "partitions": [self._partition(tp, one) for tp, one in sorted(self._job.tasks.items())],
            "standbys": [
                {"topic": tp.topic, "partition": tp.partition, "left": left}
                for tp, left in sorted(self._host.standbys().items())
            ],
            "recent": {
                kind: [_shown(record) for record in records]
                for kind, records in self._job.recent.items()
            },
        }

    def ready(self) -> bool:
        """Whether every partition of this worker has its state."""
        return self._job.ready

    def lag(self) -> int | None:
        """Return how many records of the worker's partitions are still to be processed and written.

        None while the end of a partition isn't known.
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
            "deleted": task.deleted,
            "ready": task.partition is not None,
            "recovery": None if task.partition is not None else structs.asdict(task.progress),
        }

    def _rate(self) -> float:
        """Return how many records this process computes a second, however its partitions change."""
        now = Sample(monotonic(), self._job.meter.batches.sum)
        samples = self._samples
        while len(samples) > 1 and now.at - samples[1].at >= RATE_SECONDS:
            samples.popleft()
        since = samples[0] if samples else now
        if not samples or now.at - samples[-1].at >= RATE_SECONDS / 10:
            samples.append(now)
        return (now.records - since.records) / max(now.at - since.at, 1e-3)


def _shown(record: Outgoing) -> dict[str, Any]:
    """Return a record as the page shows it: the original in an exception is cut."""
    event: dict[str, Any] = orjson.loads(record.value)
    original = event["data"].get("value")
    if record.topic == EXCEPTIONS and len(original) > ORIGINAL_CHARACTERS_MAX:
        event["data"]["value"] = original[:ORIGINAL_CHARACTERS_MAX]
        event["data"]["value_cut"] = True
    return event
