"""A worker in a Kafka cluster: it shares partitions with others, and states have changelogs."""

import asyncio
import logging
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from faust.types import TP

from agents.partition.opening import Opened, Progress
from agents.process_events import Job
from agents.settings.cluster import cluster_of
from agents.settings.settings import Settings, terms_of
from agents.topology import App, create_app
from agents.worker.kafka_ends import Ends
from agents.worker.kafka_inputs import opened_input, same_input
from agents.worker.kafka_watch import Watch, grown
from streams.contract.topics import INPUTS, MES_EVENTS, changelog
from streams.kafka.clients import Clients
from streams.kafka.clock import KafkaTicker
from streams.kafka.cluster import BrokerError, Cluster
from streams.kafka.owner import ClusterOwner
from streams.kafka.producer import Outputs
from streams.kafka.reference import KafkaReference
from streams.kafka.resending import KafkaResending
from streams.kafka.writer import KafkaWriter
from streams.log.writing import Lost
from streams.trouble import Trouble
from tables.store.changelog import Restore, Standby, recover
from tables.store.local_copy import open_store, state_entries
from tables.store.rocksdb import RocksStore

RECOVERIES_MAX: Final = 4
"""How many partitions read their changelogs at the same time; the others wait."""

CLOCK_LEADER: Final = TP(MES_EVENTS, 0)
"""The worker that owns this partition leads the clock: it writes the ticks."""

log = logging.getLogger("lineside.worker")


class TopicsError(Trouble):
    """Topics that don't fit the catalogue; see `lineside topics check`."""


class KafkaHost:
    """The cluster, this worker's standbys, and the clients that all its partitions share."""

    def __init__(
        self, settings: Settings, cluster: Cluster, counts: dict[str, int], tombstones_ms: int
    ) -> None:
        self.broker_name = settings.broker
        self.guarantee = settings.guarantee
        self._settings = settings
        self.cluster = cluster
        self._counts = counts
        self._tombstones_ms = tombstones_ms
        self._folder = Path(settings.data_dir) / "state"
        self.clients = Clients(cluster)
        self.outputs = Outputs(cluster)
        self._ticker = KafkaTicker(
            cluster, self.clients, self.outputs, settings.group, settings.tick_seconds
        )
        self._masters: list[KafkaReference] = []
        self._resending = KafkaResending(cluster, self.clients, settings.group, counts, self._leads)
        self._recovering = asyncio.Semaphore(RECOVERIES_MAX)
        self._standby: Standby | None = None
        self._states = 1
        """States of this process, standbys included."""
        self._ends: Ends | None = None
        self._app: App | None = None
        self._owner = f"{socket.gethostname()}:{os.getpid()}"

    @classmethod
    async def connect(cls, settings: Settings) -> "KafkaHost":
        """Check the cluster's topics, and raise `TopicsError` if they don't fit."""
        from agents.provision.topics import partitions_of, problems

        cluster = cluster_of(settings)
        found = await problems(cluster, settings.group, settings, of_desk=False)
        errors = [problem.text for problem in found if problem.severity == "error"]
        if errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise TopicsError(f"{errors[0]}{more}: see `lineside topics check`")
        for problem in found:
            log.warning("%s", problem.text)
        counts = await partitions_of(cluster)
        return cls(settings, cluster, counts, await _keeps_tombstones_ms(cluster, settings.group))

    def create_app(self, job: Job) -> App:
        """Return the app in this cluster."""
        self._job = job
        asyncio.get_running_loop().set_exception_handler(_ignore_reported)
        settings = self._settings
        self._folder.mkdir(parents=True, exist_ok=True)
        app = create_app(
            job,
            self,
            self,
            settings.tick_seconds,
            "batches://",
            str(Path(settings.data_dir) / "faust"),
            name=settings.group,
            master=self._master if settings.tick_seconds else None,
            terms=terms_of(settings),
            resending=self._resending,
            broker_session_timeout=settings.session_timeout_seconds,
            table_standby_replicas=settings.standbys,
            consumer_group_instance_id=settings.instance or None,
            # The worker's name in assignments. A static member has to recognize its own after a
            # restart.
            canonical_url=f"http://{settings.instance or self._owner.replace(':', '.')}",
        )
        self._app = app
        self._watch = Watch(settings.group, self._counts, job)
        self._ends = Ends(self.clients, job.tasks.keys, self._watch.look)
        return app

    def _master(self) -> KafkaReference:
        """Return an agent's way to master data, which the worker that leads the clock keeps."""
        settings = self._settings
        made = KafkaReference(
            self.cluster, self.clients, self.outputs, settings.group, self._counts, self._leads,
            settings.same_log, self._taken,
        )  # fmt: skip
        self._masters.append(made)
        return made

    def _taken(self, number: int) -> int | None:
        """Return up to where this worker has taken a partition of MES events, if it's its own."""
        task = self._job.tasks.get(TP(MES_EVENTS, number))
        return None if task is None or task.partition is None else task.partition.offset + 1

    def _leads(self) -> bool:
        task = self._job.tasks.get(CLOCK_LEADER)
        return task is not None and task.partition is not None

    async def open(self, tp: TP, progress: Progress) -> Opened:
        """Shut out earlier owners, recover the state from its changelog, find the next offset."""
        name = changelog(self._settings.group, tp.topic)
        partitions = self._counts[tp.topic]
        if tp.partition >= partitions:
            raise grown(tp.topic, partitions)
        where = TopicPartition(name, tp.partition)
        exactly_once = self.guarantee == "exactly_once"
        store = open_store(self._folder, where, self._tombstones_ms, self._states)
        writer = KafkaWriter(
            self.cluster,
            None if exactly_once else self.outputs,
            where,
            self._counts,
            f"{self._settings.group}-{tp.topic}-{tp.partition}",
        )
        try:
            async with self._recovering:
                fence = await writer.fence(partitions, self._owner)
                writer.changelog_id = await recover(
                    self.clients, where, store, fence, partitions, progress,
                    self._restorer(tp, writer),
                )  # fmt: skip
                opened = await opened_input(self.clients, self._settings, tp, store, writer)
        except BaseException as error:
            await writer.close()
            store.close()
            if isinstance(error.__cause__, TopicAuthorizationFailedError):  # waiting gives no right
                raise BrokerError(f"{error}: see what `lineside topics acls worker` says") from None
            raise
        self._watch.opened(tp, {tp.topic: opened.topic_id, name: writer.changelog_id})
        return opened

    def _restorer(self, tp: TP, writer: KafkaWriter) -> Restore:
        async def restore(store: RocksStore) -> int | None:
            if not await same_input(self.clients, tp, store):
                return None
            return await writer.restore(state_entries(store))

        return restore

    def take_over(self, actives: set[TP], standbys: set[TP]) -> None:
        """Open the active partitions, and follow the changelogs of the standbys."""
        if self._job.ending:
            return
        self._states = len(actives | standbys)
        self._job.take_over(actives)
        tps = {
            TopicPartition(changelog(self._settings.group, tp.topic), tp.partition)
            for tp in standbys - actives
        }
        if tps:
            self._standby = Standby(
                self.cluster, self._folder, tps, self._tombstones_ms, self._states
            )

    async def release(self) -> dict[TP, int]:
        """Finish writes that have begun, close all partitions; return the next offset of each."""
        standby, self._standby = self._standby, None
        if standby is not None:
            await standby.close()
        offsets = await self._job.release()
        await self._ticker.close()
        return offsets

    async def tick(self, slot: int, value: bytes) -> None:
        """Write a tick if this worker leads the clock, that is, owns partition 0 of MES events."""
        if not self._leads():
            return
        try:
            await self._ticker.tick(slot, value)
        except Lost as error:
            log.warning("a tick wasn't written: %s", error)
            await self._ticker.close()

    def end_offset(self, tp: TP) -> int | None:
        """Return the offset that the next record of a partition gets, None while it isn't known."""
        consumer, known = self._known_end(tp)
        end: int | None = consumer.end(tp, known)
        return end

    def committed_end(self, tp: TP) -> int | None:
        """Return the offset after the last committed record, asked for on a connection of its own.

        None while it isn't known.
        """
        consumer, known = self._known_end(tp)
        end: int | None = None if known is None else consumer.passed(tp, known)
        return end

    def _known_end(self, tp: TP) -> tuple[Any, int | None]:
        """Return the consumer, and a partition's end as the other connection last learnt it."""
        assert self._app is not None  # partitions are handed out by the app
        return self._app.consumer, None if self._ends is None else self._ends.known.get(tp)

    @property
    def answers(self) -> bool:
        """Whether a broker has answered lately."""
        return self._ends is not None and self._ends.answers

    @property
    def partitions_in_all(self) -> int:
        """Partitions of both inputs when this worker started."""
        return sum(self._counts[topic] for topic in INPUTS)

    @property
    def clock_difference(self) -> float | None:
        """This worker's clock minus the brokers' in seconds, None if it writes no ticks."""
        return self._ticker.difference

    def standbys(self) -> dict[TP, int]:
        """Return how many changelog records each standby still has to read, by partition."""
        if self._standby is None:
            return {}
        return {TP(*tp): left for tp, left in self._standby.left.items()}

    async def close(self) -> None:
        """Stop the shared clients; leave the group, if Faust hasn't done so."""
        if self._ends is not None:
            await self._ends.close()
        for master in self._masters:
            await master.rest()
        await self._resending.rest()
        await self.outputs.close()
        await self.clients.close()
        if self._app is not None:
            await self._app.consumer.leave()


if TYPE_CHECKING:  # Faust hands it to the transport, and leaves it Any: so mypy is asked here
    _owner: type[ClusterOwner] = KafkaHost


def _ignore_reported(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Ignore aiokafka futures that nobody awaits: the send has already reported the error."""
    if not isinstance(context.get("exception"), KafkaError):
        loop.default_exception_handler(context)


async def _keeps_tombstones_ms(cluster: Cluster, group: str) -> int:
    """Return for how many ms the changelogs keep tombstones: the shortest of them."""
    wanted = [ConfigResource(ConfigResourceType.TOPIC, changelog(group, name)) for name in INPUTS]
    async with cluster.admin() as admin:
        answers = await admin.describe_configs(wanted)
    return min(
        int(entry[1])
        for answer in answers
        for resource in answer.resources
        for entry in resource[4]
        if entry[0] == "delete.retention.ms"
    )
