"""EDGE: the clock's ticks on Kafka: each written once, by one worker, at the brokers' time."""

import logging
from collections.abc import Callable
from time import monotonic, time
from typing import Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import RecordMetadata

from streams.contract.topics import CLOCK, INPUTS
from streams.kafka.clients import Access
from streams.kafka.cluster import Cluster, bounds, read_to
from streams.kafka.producer import Outputs, acknowledged, started, stop, translated_errors
from streams.log.headers import STRUCTURED

DIFFERENCE_SECONDS_MAX: Final = 30.0
"""If the clocks of a worker and of the brokers differ by more, one of them is wrong, and no tick is
written. NTP keeps them within milliseconds; a tick closes windows two minutes after its time."""

SKEW_SECONDS_MAX: Final = 1.0
"""Clocks that are right differ by less than this."""

SAY_SECONDS: Final = 60.0
"""How often the log says that no ticks are written."""

LOG_APPEND_TIME: Final = 1
"""Kafka's number for timestamps set by the broker, not by the producer."""

log = logging.getLogger("lineside.clock")


class _NoTickError(Exception):
    """The slot must not be claimed; the text says why."""


class _WrittenError(Exception):
    """This slot or a later one was claimed before."""


class KafkaTicker:
    """Writes ticks while this worker leads the clock, that is, owns partition 0 of mes.events.v1.

    Each slot is claimed on the clock's topic first, in a transaction whose id all leaders share,
    and written after that. So no slot is written twice, even if a leader is stopped or cut off. If
    a leader dies after its claim, that slot is left out, and the next tick closes its windows.

    Records of the clock's topic have the brokers' time. A claim is committed only if the worker's
    clock agrees with it. A claim ahead of it (of a version that didn't check) doesn't count.
    """

    def __init__(
        self,
        cluster: Cluster,
        clients: Access,
        outputs: Outputs,
        group: str,
        seconds: float,
        clock: Callable[[], float] = time,
    ) -> None:
        """Take the seconds between two ticks, and a function that reads this machine's clock."""
        self.difference: float | None = None
        """This clock minus the brokers' in seconds, at the last claim; None before the first."""
        self._cluster = cluster
        self._clients = clients
        self._outputs = outputs
        self._id = f"{group}-clock"
        self._key = group.encode()
        self._interval = round(seconds * 1e6)
        self._clock = clock
        self._producer: AIOKafkaProducer | None = None
        self._last = 0
        self._silent = False
        """Whether no tick was written for the last slot."""
        self._said = float("-inf")

    async def tick(self, slot: int, value: bytes) -> None:
        """Write the tick of an instant to all input partitions. Raises `Lost`."""
        with translated_errors():
            claiming = self._producer or await self._begin()
            if self._last - self._interval <= slot <= self._last:
                return
            try:
                await self._claim(claiming, slot)
            except _NoTickError as error:
                self._say(str(error))
                return
            except _WrittenError:
                return
            producer = await self._outputs.producer()
            sent = []
            for topic in INPUTS:
                for number in sorted(await producer.partitions_for(topic)):
                    batch = producer.create_batch()
                    batch.append(
                        timestamp=slot // 1000, key=None, value=value, headers=[STRUCTURED]
                    )
                    sent.append(await producer.send_batch(batch, topic, partition=number))
            await acknowledged(sent)

    async def _claim(self, claiming: AIOKafkaProducer, slot: int) -> None:
        """Claim a slot; commit the claim unless the clocks differ or the slot is taken already."""
        async with claiming.transaction():
            before = self._clock()
            metadata = await claiming.send_and_wait(CLOCK, str(slot).encode(), self._key)
            self._check(slot, before, self._clock(), metadata)
        self._last = slot
        if self._silent:
            log.warning("ticks go on")
            self._silent, self._said = False, float("-inf")

    def _check(self, slot: int, before: float, after: float, metadata: RecordMetadata) -> None:
        if metadata.timestamp_type != LOG_APPEND_TIME:
            self.difference = None
            lead = self._last / 1e6 - after
            if lead > self._interval / 1e6:
                raise _NoTickError(
                    f"the last tick is {lead:.0f} s ahead of this worker's clock, and topic "
                    f"{CLOCK} doesn't have the brokers' time: set "
                    "message.timestamp.type=LogAppendTime on it"
                )
            if slot < self._last:
                raise _WrittenError
            return
        now = metadata.timestamp / 1000
        self.difference = before - now if before > now else min(after - now, 0.0)
        if abs(self.difference) > DIFFERENCE_SECONDS_MAX:
            ahead = "ahead of" if self.difference > 0 else "behind"
            raise _NoTickError(
                f"this worker's clock is {abs(self.difference):.0f} s {ahead} the brokers': set "
                "the clock that is wrong"
            )
        lead = self._last / 1e6 - now
        if lead > self._interval / 1e6 + SKEW_SECONDS_MAX:
            log.warning(
                "the last tick was claimed for %.0f s from now, by a clock that was wrong: ticks "
                "go on at the brokers' time",
                lead,
            )
        elif slot < self._last:
            raise _WrittenError

    def _say(self, why: str) -> None:
        self._silent = True
        if monotonic() - self._said >= SAY_SECONDS:
            self._said = monotonic()
            log.warning("no tick is written, and silent lines close no windows: %s", why)

    async def _begin(self) -> AIOKafkaProducer:
        """Shut out the last leader, and read which slot was claimed last."""
        producer = self._cluster.producer(self._id)
        try:
            await started(producer)
            self._last = await self._last_claimed()
        except BaseException:
            await stop(producer)
            raise
        self._producer = producer
        return producer

    async def _last_claimed(self) -> int:
        tp = TopicPartition(CLOCK, 0)
        last = 0
        async with self._clients.reader() as consumer:
            consumer.assign([tp])
            begin, end = (await bounds(consumer, [tp]))[tp]
            consumer.seek(tp, begin)
            async for _, records in read_to(consumer, {tp: end}):
                for record in records:
                    if record.key == self._key:
                        last = int(record.value)
        return last

    async def close(self) -> None:
        """Stop leading the clock."""
        self.difference = None
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer)
