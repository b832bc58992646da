"""EDGE: what the agent that keeps the desk's books reads through, on Kafka."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.contract.topics import AUDIT, ERP_MASTER, INPUTS, OUTPUTS, REFERENCE
from streams.kafka.client import let_go
from streams.kafka.clients import Clients
from streams.kafka.cluster import REACH_SECONDS_MAX, Cluster
from streams.kafka.cluster import bounds as bounds_of
from streams.kafka.fetched import record_of
from streams.kafka.member import METADATA_SECONDS, refusal
from streams.kafka.producer import translated_errors
from streams.log.books import BooksLog, Bounds
from streams.log.record import TP, Record
from streams.log.writing import Lost

TOPICS: Final = (*INPUTS, *OUTPUTS, REFERENCE, ERP_MASTER, AUDIT)

SESSION_SECONDS: Final = 20.0
"""A desk that isn't heard of for so long has left: others read its partitions then."""

HEARTBEAT_SECONDS: Final = 3.0

POLL_SECONDS_MAX: Final = 24 * 3600.0
"""A desk whose database is away still counts as there."""

READ_SECONDS_MAX: Final = 5.0
"""A read that finds nothing for so long ends: a transaction is open, or a broker is away."""

POLL_MS: Final = 200


class KafkaBooks:
    """A desk in the group `<group>-desk`: its desks share the partitions.

    The group says whose a partition is, and nothing else: how far each is says the database. So two
    that believe a while that a partition is theirs do no harm.
    """

    def __init__(self, cluster: Cluster, group: str) -> None:
        self._cluster = cluster
        self._group = group
        self._clients = Clients(cluster)
        self._member: AIOKafkaConsumer | None = None
        self._topics: dict[str, int] = {}
        """Partitions by topic, as they were found last."""
        self._looked = float("-inf")

    @property
    def own_group(self) -> str:
        """The group of the desks."""
        return f"{self._group}-desk"

    async def close(self) -> None:
        """Leave the group, and close all connections."""
        await self._leave()
        await self._clients.close()

    async def partitions(self) -> frozenset[TP]:
        """Return the partitions of the topics that are there; others may be made later."""
        if not self._topics or monotonic() - self._looked > METADATA_SECONDS:
            with translated_errors():
                async with self._clients.admin() as admin:
                    described = await admin.describe_topics()
            self._topics = {
                each["topic"]: len(each["partitions"])
                for each in described
                if each["topic"] in TOPICS
            }
            self._looked = monotonic()
        return frozenset(
            (topic, number) for topic, count in self._topics.items() for number in range(count)
        )

    async def own(self) -> frozenset[TP]:
        """Return the partitions that the group has given to this desk."""
        there = await self.partitions()
        topics = set(self._topics)
        with translated_errors():
            member = self._member
            if member is None:
                member = self._member = await self._join(topics)
            elif member.subscription() != topics:
                member.subscribe(topics)
            problem = refusal(member, self.own_group)
            if problem is not None:
                await self._leave()
                raise problem
            assigned = member.assignment()
            if assigned:
                member.pause(*assigned)  # it reads nothing: readers without a group do
                await member.getmany(timeout_ms=0)  # it counts as alive
        return frozenset((tp.topic, tp.partition) for tp in assigned) & there

    async def processed(self) -> Mapping[TP, int]:
        """Return what the job's group has committed."""
        with translated_errors():
            async with self._clients.admin() as admin:
                committed = await admin.list_consumer_group_offsets(self._group)
        return {
            (tp.topic, tp.partition): found.offset
            for tp, found in committed.items()
            if tp.topic in INPUTS and found.offset >= 0
        }

    async def bounds(self, wanted: Collection[TP]) -> Mapping[TP, Bounds]:
        """Return where partitions begin and end, open transactions included."""
        async with self._reader(isolation_level="read_uncommitted") as reader:
            found = await bounds_of(reader, [TopicPartition(*at) for at in wanted])
        return {(tp.topic, tp.partition): Bounds(*each) for tp, each in found.items()}

    async def read(
        self, starts: Mapping[TP, int], ends: Mapping[TP, int]
    ) -> AsyncIterator[tuple[TP, Sequence[Record], int]]:
        """Yield committed records; an open transaction isn't waited for longer than a while."""
        left = {TopicPartition(*at): end for at, end in ends.items() if starts[at] < end}
        if not left:
            return
        async with self._reader() as reader:
            reader.assign(list(left))
            for tp in left:
                reader.seek(tp, starts[tp.topic, tp.partition])
            at = {tp: starts[tp.topic, tp.partition] for tp in left}
            moved = monotonic()
            while left and monotonic() - moved < READ_SECONDS_MAX:
                polled = await reader.getmany(*left, timeout_ms=POLL_MS)
                for tp in list(left):
                    records = [one for one in polled.get(tp, ()) if one.offset < left[tp]]
                    position = min(await reader.position(tp), left[tp])
                    if position > at[tp] or records:
                        at[tp], moved = position, monotonic()
                        yield (
                            (tp.topic, tp.partition), [record_of(one) for one in records], position
                        )  # fmt: skip
                        moved = monotonic()  # what is done with records isn't waiting
                    if position >= left[tp]:
                        del left[tp]

    def kept(self, positions: Mapping[TP, int]) -> None:
        """Do nothing: what Kafka keeps is in its topics' settings."""

    async def grown(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def _join(self, topics: Collection[str]) -> AIOKafkaConsumer:
        member = self._cluster.consumer(
            group_id=self.own_group,
            auto_offset_reset="latest",  # of no matter: all partitions are paused
            session_timeout_ms=round(SESSION_SECONDS * 1000),
            heartbeat_interval_ms=round(HEARTBEAT_SECONDS * 1000),
            max_poll_interval_ms=round(POLL_SECONDS_MAX * 1000),
            metadata_max_age_ms=round(METADATA_SECONDS * 1000),
        )
        member.subscribe(list(topics))
        try:
            async with asyncio.timeout(REACH_SECONDS_MAX):
                await member.start()
        except TimeoutError:
            await let_go(member._client, member.stop)
            raise Lost("no Kafka broker lets the desk into its group") from None
        except BaseException:
            await let_go(member._client, member.stop)
            raise
        return member

    async def _leave(self) -> None:
        member, self._member = self._member, None
        if member is not None:
            await let_go(member._client, member.stop)

    @asynccontextmanager
    async def _reader(self, **options: str) -> AsyncIterator[AIOKafkaConsumer]:
        with translated_errors():
            async with self._clients.reader(**options) as reader:
                yield reader


if TYPE_CHECKING:
    _log: type[BooksLog] = KafkaBooks
