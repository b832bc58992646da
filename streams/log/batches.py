"""EDGE: whole partition batches through Faust, one message for many records."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

import faust
from faust.transport import consumer
from faust.types import TP, ConsumerMessage
from msgspec import Struct

from streams.log.owner import App
from streams.log.record import Record, partition_of


class Batch(Struct, frozen=True):
    """Records of one input partition in the order of their offsets; never empty."""

    topic: str
    partition: int
    start: int
    """Where the partition was read from: the offset after the last record delivered before.

    It is below the first record's where offsets were passed over (the ends of transactions).
    """
    records: Sequence[Record]

    @property
    def end(self) -> int:
        """Where the next batch starts."""
        return self.records[-1].offset + 1


class BatchSchema(faust.Schema):  # type: ignore[misc]  # Faust's stubs leave it Any
    """Marks a topic as delivered in batches: key and value pass as they are.

    What a record says is read by the agent, so that one bad record is one exception and no more
    (Faust acknowledges a message that it can't decode, and restarts the agent).
    """

    def loads_key(
        self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None
    ) -> Any:
        """Return the key as it is."""
        return message.key

    def loads_value(
        self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None
    ) -> Any:
        """Return the value, a `Batch`, as it is."""
        return message.value


class BatchConsumer(consumer.Consumer):  # type: ignore[misc]  # Faust's base is Any to mypy
    """A Faust consumer that delivers a message for each partition and fetch, not for each record.

    What a partition's task has made lasting (`app.job`) is what is committed, whatever Faust takes
    as acknowledged; and where a partition goes on is told by the state of its task.
    """

    app: App
    consumer_stopped_errors: ClassVar[tuple[type[BaseException], ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._position: dict[TP, int] = {}
        """The next offset to deliver, of the partitions whose tasks are open."""
        self.polls = 0
        """How often records have been asked for: what a watchdog looks at."""

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            await super()._drain_messages(fetcher)
        except Exception as error:  # Faust would log it, and stand still
            self.app.job.fail(error)
            raise

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Yield a message for each partition that has records: its value is their batch."""
        self.polls += 1
        found, _ = await self._wait_next_records(timeout)
        if not found:
            return
        generation = self.app.consumer_generation_id
        for tp, (start, records) in found.items():
            if self._position.get(tp) != start:
                continue  # sought elsewhere since
            if not self._flows(generation):
                await self._seek(tp, start)  # it's read again: what isn't delivered isn't lost
                continue
            last = records[-1]
            self._position[tp] = last.offset + 1
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, ConsumerMessage(
                tp.topic, tp.partition, last.offset, (last.timestamp or 0) / 1e6, 0, None, None,
                Batch(tp.topic, tp.partition, start, records), None, 0, 0, tp,
                generation_id=generation,
            )  # fmt: skip

    def _flows(self, generation: int) -> bool:
        return (
            self.flow_active
            and not self.should_stop
            and generation == self.app.consumer_generation_id
        )

    async def _getmany(
        self, active_partitions: set[TP] | None, timeout: float
    ) -> dict[TP, tuple[int, Sequence[Record]]]:
        raise NotImplementedError

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit what the tasks have made lasting; what Faust counts as acknowledged is let go."""
        for acked in (*self._acked.values(), *self._acked_index.values()):
            acked.clear()
        return bool(await self._commit(self.app.job.offsets()))

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """A batch is named by its last offset: what looks like a gap is the batch."""

    async def seek_to_committed(self) -> dict[TP, int]:
        """Tasks seek, when their state is there."""
        return {}

    async def perform_seek(self) -> None:
        """Tasks seek, when their state is there."""

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek to offsets."""
        for tp, offset in partitions.items():
            await self._seek(tp, offset)

    async def position(self, tp: TP) -> int | None:
        """Return the offset of the next record to deliver."""
        return self._position.get(tp)

    def key_partition(
        self, topic: str, key: bytes | None, partition: int | None = None
    ) -> int | None:
        """Return the partition of a key."""
        count = self.topic_partitions(topic)
        return partition_of(key, count) if partition is None and count else partition

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        raise NotImplementedError("records are delivered in batches")
