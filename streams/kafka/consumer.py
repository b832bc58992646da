"""EDGE: Kafka as a Faust consumer: the partitions of this worker, and batches of each."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import (
    ConsumerStoppedError,
    IllegalStateError,
    KafkaError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)
from faust.types import TP

from streams.kafka.cluster import fetch_bytes
from streams.kafka.fetched import is_searching, joined, record_of
from streams.kafka.instance import displacement
from streams.kafka.member import commit, lacks_right, leave, new_member, refusal
from streams.kafka.owner import ClusterApp
from streams.kafka.record_batches import COMPILED
from streams.log.batches import BatchConsumer
from streams.log.record import Record
from streams.trouble import Trouble

BATCH_RECORDS_MAX: Final = 4_000
"""Records delivered at a time: bounds memory, and how long the event loop is busy."""

BLOCKS_MAX: Final = 64
"""RecordBatches delivered at a time; the size of a fetch bounds them, too."""

FULL_SECONDS: Final = 0.02
"""If no partition takes more, this long until they are asked again."""

REFUSAL_SECONDS: Final = 2.0
"""How often the consumer checks whether the group refuses this member."""

log = logging.getLogger("lineside.kafka")


class RangeError(Trouble):
    """The record that should be read next isn't there."""


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka's is Any to mypy
    """Tells the Faust app, and the job's tasks, which partitions go and come."""

    def __init__(self, consumer: "Consumer") -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Finish and close every task: the new owners aren't known yet."""
        with self._failing():
            await self._consumer.revoke({TP(*tp) for tp in revoked})

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Open a task for each partition."""
        with self._failing():
            await self._consumer.assign({TP(*tp) for tp in assigned})

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except ConsumerStoppedError:
            pass  # partitions that come while the worker stops go to others
        except Exception as error:  # aiokafka would log it and go on
            self._consumer.app.job.fail(error)


class Consumer(BatchConsumer):
    """A member of the consumer group, in the event loop of the app.

    It reads committed records. A partition is read while its task takes batches. Records fetched
    for other partitions wait, bounded by the fetch size, so no partition holds up another.
    """

    app: ClusterApp
    RebalanceListener: ClassVar = Listener
    consumer_stopped_errors: ClassVar[tuple[type[BaseException], ...]] = (ConsumerStoppedError,)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cluster = self.app.host.cluster
        self._kafka: AIOKafkaConsumer | None = None
        self._instance: str | None = self.app.conf.consumer_group_instance_id
        self._joined = False
        self._fetched: dict[TP, int] = {}
        """The next offset that aiokafka gives; records before it may not be delivered yet."""
        self._reached: dict[TP, int] = {}
        """The position of a partition at the last time when it had no more records."""

    async def on_start(self) -> None:
        """Connect; partitions are assigned after `subscribe`."""
        await super().on_start()
        session_seconds = self.app.conf.broker_session_timeout
        self._kafka = new_member(
            self._cluster, self.app.conf.id, self._instance, session_seconds, self.app.assignor
        )
        await self._kafka.start()
        self.add_future(self._ask_for_refusals())

    async def on_stop(self) -> None:
        """Leave the group; a static member stays in it, so that no partition moves in a restart."""
        await super().on_stop()
        await self.leave()

    async def leave(self) -> None:
        """Leave the group, if this member hasn't left it."""
        kafka, self._kafka = self._kafka, None
        if kafka is not None:
            await leave(kafka)

    @property
    def kafka(self) -> AIOKafkaConsumer:
        """The aiokafka consumer. Raises `ConsumerStoppedError` before and after it runs."""
        if self._kafka is None:
            raise ConsumerStoppedError
        return self._kafka

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Join the group for these topics."""
        self.kafka.subscribe(topics=sorted(topics), listener=Listener(self))

    async def revoke(self, partitions: set[TP]) -> None:
        """Release all partitions before the group hands them out again."""
        self.app.on_rebalance_start()
        await self.on_partitions_revoked(partitions)
        # Commit the written offsets while this member still may.
        await self._commit(await self.app.host.release())
        if self._joined and self.kafka._coordinator.generation < 0:
            error = await self._displacement()
            if error is not None:
                self.app.job.fail(error)
                await asyncio.Event().wait()  # going on would displace the other worker

    async def _displacement(self) -> Exception | None:
        """Return an error if another worker has joined under this static member's name."""
        if self._instance is None:
            return None
        member_id = self.kafka._coordinator.member_id
        return await displacement(
            self.app.host.clients, self.app.conf.id, self._instance, member_id
        )

    async def assign(self, partitions: set[TP]) -> None:
        """Take over partitions; each is fetched only after its task has set the offset."""
        self._joined = True
        self.kafka._fetcher._max_partition_fetch_bytes = fetch_bytes(len(partitions))
        for tp in partitions:
            self.kafka.pause(TopicPartition(*tp))
            self.kafka.seek(TopicPartition(*tp), 0)
        log.info("%d partitions are this worker's", len(partitions))
        generation = self.kafka._coordinator.generation
        self.app.consumer_generation_id = generation
        await self.on_partitions_assigned(partitions, generation)
        self.app.host.take_over(partitions, set(self.app.assignor.assigned_standbys()))

    async def _getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,
    ) -> dict[TP, tuple[int, Sequence[Record]]]:
        open_ = self._position.keys() & self.assignment()
        hungry = self.app.job.hungry() & open_
        if not hungry:
            await asyncio.sleep(FULL_SECONDS)
            return {}
        patience = timeout if hungry == open_ == self.assignment() else FULL_SECONDS
        if is_searching(self.kafka):
            patience = 0
            await asyncio.sleep(0)  # lets heartbeats, pages and writers run
        try:
            polled = await self._poll(hungry, patience)
        except IllegalStateError:  # partitions were revoked meanwhile
            return {}
        except OffsetOutOfRangeError as error:
            where = [f"{at} of {tp.topic}/{tp.partition}" for tp, at in error.args[0].items()]
            self.app.job.fail(
                RangeError(
                    f"there is no offset {', '.join(where)} any more: records were deleted while "
                    "they were read, or the topic was made anew; the next start says what to do"
                )
            )
            await asyncio.sleep(FULL_SECONDS)
            return {}
        except TopicAuthorizationFailedError as error:
            self.app.job.fail(lacks_right(f"may not read {', '.join(map(str, error.args))}"))
            await asyncio.sleep(FULL_SECONDS)
            return {}
        except KafkaError as error:  # of the group: it can't be joined
            raise await self._displacement() or error from None
        found = {}
        for tp, records in polled.items():
            found[tp] = self._fetched[tp], records
            self._fetched[tp] = records[-1].offset + 1
        if not found:
            await self._note_ends(hungry)
        return found

    async def _ask_for_refusals(self) -> None:
        """End the job where the group refuses this member."""
        while self._kafka is not None:
            error: Exception | None = refusal(self._kafka, self.app.conf.id)
            if isinstance(error, KafkaError):
                error = await self._displacement() or error
            if error is not None:
                self.app.job.fail(error)
            await self.sleep(REFUSAL_SECONDS)

    async def _poll(self, hungry: set[TP], patience: float) -> dict[TP, Sequence[Record]]:
        """Return fetched records of the partitions; wait a while if there are none."""
        polled = await self.kafka.getmany(
            *(TopicPartition(*tp) for tp in hungry),
            timeout_ms=round(patience * 1000),
            max_records=BLOCKS_MAX if COMPILED else BATCH_RECORDS_MAX,
        )
        read = joined if COMPILED else _records
        return {TP(*tp): read(found) for tp, found in polled.items() if found}

    async def _note_ends(self, partitions: set[TP]) -> None:
        with contextlib.suppress(IllegalStateError):  # they were revoked meanwhile
            for tp in partitions:
                self._reached[tp] = await self.kafka.position(TopicPartition(*tp))

    async def _seek(self, partition: TP, offset: int) -> None:
        """Go on at an offset; a task calls this when its state is there."""
        tp = TopicPartition(*partition)
        if tp in self.kafka.assignment():
            self.kafka.seek(tp, offset)
            self.kafka.resume(tp)
            self._position[partition] = self._fetched[partition] = offset

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit the offsets of the states to the group, for tools that show the lag.

        Nothing else depends on them: each state has its own offset.
        """
        owned = self.assignment()
        owned_offsets = {tp: offset for tp, offset in offsets.items() if tp in owned}
        return not owned_offsets or await commit(self.kafka, owned_offsets)

    async def create_topic(self, topic: str, partitions: int, *args: Any, **kwargs: Any) -> None:
        """Topics are made by `lineside topics create`."""

    def assignment(self) -> set[TP]:
        """Return the partitions of this member."""
        return {TP(*tp) for tp in self.kafka.assignment()} if self._kafka else set()

    def highwater(self, tp: TP) -> int:
        """Return the offset that the next record of a partition gets, 0 while it isn't known."""
        return self.kafka.highwater(TopicPartition(*tp)) or 0

    def end(self, tp: TP, known_end: int | None = None) -> int | None:
        """Return the offset after the last record of a partition, None while it isn't known.

        It is the higher of the end that came with a fetch and the one that was `told` by another
        connection. Records of open transactions count.
        """
        if self._kafka is None:
            return None
        known = [self.kafka.highwater(TopicPartition(*tp)), known_end]
        end = max((one for one in known if one is not None), default=None)
        return None if end is None else self.passed(tp, end)

    def passed(self, tp: TP, end: int) -> int:
        """Return `end`, or the next offset to deliver if no record lies between the two.

        The ends of transactions have offsets, too; if only those are left, they don't count.
        """
        at = self._position.get(tp)
        return at if at and self._reached.get(tp, 0) >= end else end

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the offsets that the next records get."""
        ends = await self.kafka.end_offsets([TopicPartition(*tp) for tp in partitions])
        return {TP(*tp): end for tp, end in ends.items()}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Return the offsets of the oldest records."""
        begins = await self.kafka.beginning_offsets([TopicPartition(*tp) for tp in partitions])
        return {TP(*tp): begin for tp, begin in begins.items()}

    def topic_partitions(self, topic: str) -> int | None:
        """Return the number of partitions of a topic."""
        return len(self.kafka.partitions_for_topic(topic) or ()) or None


def _records(found: Sequence[ConsumerRecord]) -> list[Record]:
    return [record_of(one) for one in found]
