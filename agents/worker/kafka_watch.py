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
    """Compares what a broker says of the topics, now and then, with what it said at the start.

    If a topic was made anew, its partitions are opened anew: the opening asks the partition's
    leader, and decides. If a topic has more partitions than before, the job ends.
    """

    def __init__(self, group: str, counts: Mapping[str, int], job: Job) -> None:
        """Take the number of partitions of each topic when the worker started."""
        self._names = [*INPUTS, *(changelog(group, topic) for topic in INPUTS)]
        self._counts = counts
        self._job = job
        self._opened: dict[TP, dict[str, bytes]] = {}
        self._missing: set[str] = set()

    def opened(self, tp: TP, ids: dict[str, bytes]) -> None:
        """Note the topic ids, by name, with which a partition was opened."""
        self._opened[tp] = ids

    async def look(self, reader: AIOKafkaConsumer) -> None:
        """Ask a broker, and open anew or end what has changed. Raises `KafkaError`."""
        found = await identities(reader._client, self._names)
        missing = set(self._names) - set(found)
        for name in sorted(missing - self._missing):
            log.warning("there is no topic %s any more: what needs it waits until it's there", name)
        self._missing = missing
        for topic in INPUTS:
            if topic in found and found[topic].partitions > self._counts[topic]:
                self._job.fail(grown(topic, self._counts[topic]))
        for tp, task in self._job.tasks.items():
            if task.partition is None:  # its opening will notice
                continue
            for name, known in self._opened.get(tp, {}).items():
                now = found[name].id if name in found else b""
                if now and known and now != known:
                    task.reopen(f"topic {name} was made anew")


def grown(topic: str, partitions: int) -> GrownError:
    """Return the error of a topic that had `partitions` partitions, and has more now."""
    return GrownError(
        f"{topic} had {partitions} partitions when this worker started, and has grown: keys have "
        "moved away from their ledgers; see docs/topics.md"
    )
