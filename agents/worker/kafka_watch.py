"""Whether the topics of a running worker are still those that its partitions were opened with."""

import logging
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer
from faust.types import TP

from agents.process_events import Job
from streams.contract.topics import INPUTS, changelog
from streams.kafka.identity import identities
from tables.store.changelog import GrownError

log = logging.getLogger("lineside.worker")


class Watch:
    """Asked for what a broker says of the topics now and then, it compares.

    A topic that was made anew has its partitions opened anew: the opening asks who is sure to know,
    and says what follows. One that has grown ends the job.
    """

    def __init__(self, group: str, counts: Mapping[str, int], job: Job) -> None:
        """Take the counts of partitions when the worker started."""
        self._names = [*INPUTS, *(changelog(group, topic) for topic in INPUTS)]
        self._counts = counts
        self._job = job
        self._opened: dict[TP, dict[str, bytes]] = {}
        self._missing: set[str] = set()

    def opened(self, tp: TP, ids: dict[str, bytes]) -> None:
        """Note the ids, by name, of the topics that a partition was opened with."""
        self._opened[tp] = ids

    async def look(self, reader: AIOKafkaConsumer) -> None:
        """Ask a broker, and act on what it says. Raises `KafkaError`."""
        told = await identities(reader._client, self._names)
        missing = set(self._names) - set(told)
        for name in sorted(missing - self._missing):
            log.warning("there is no topic %s any more: what needs it waits until it's there", name)
        self._missing = missing
        for topic in INPUTS:
            if topic in told and told[topic].partitions > self._counts[topic]:
                self._job.fail(grown(topic, self._counts[topic]))
        for tp, task in self._job.tasks.items():
            if task.partition is None:  # its opening will say
                continue
            for name, known in self._opened.get(tp, {}).items():
                now = told[name].id if name in told else b""
                if now and known and now != known:
                    task.reopen(f"topic {name} was made anew")


def grown(topic: str, partitions: int) -> GrownError:
    """Return the error of a topic that had so many partitions, and has more."""
    return GrownError(
        f"{topic} had {partitions} partitions when this worker started, and has grown: keys have "
        "moved away from their ledgers; see docs/topics.md"
    )
