"""EDGE: the clock's ticks on Kafka: written by one worker, no slot twice."""

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.cluster import Cluster, bounds, read_to
from streams.headers import STRUCTURED
from streams.kafka_producer import Outputs, acknowledged, started, stop, told_apart
from streams.topics import CLOCK, INPUTS


class KafkaTicker:
    """Writes ticks while it is this process's office: the owner of the first M partition has it.

    Each slot is claimed on the clock's topic in a transaction of one id that all owners share, and
    only then written: so no slot is written twice, whoever was stopped or cut off when. A slot that
    was claimed by one that then died isn't written; the next one closes what it would have.
    """

    def __init__(self, cluster: Cluster, outputs: Outputs, group: str) -> None:
        self._cluster = cluster
        self._outputs = outputs
        self._id = f"{group}-clock"
        self._key = group.encode()
        self._producer: AIOKafkaProducer | None = None
        self._last = 0

    async def tick(self, slot: int, value: bytes) -> None:
        """Write the tick of an instant to all input partitions. Raises `Lost`."""
        with told_apart():
            claiming = self._producer or await self._begin()
            if slot <= self._last:
                return
            self._last = slot
            async with claiming.transaction():
                await claiming.send_and_wait(CLOCK, str(slot).encode(), self._key)
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

    async def _begin(self) -> AIOKafkaProducer:
        """Shut out the last owner, and learn which slot it claimed last."""
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
        async with self._cluster.reader() as consumer:
            consumer.assign([tp])
            begin, end = (await bounds(consumer, [tp]))[tp]
            consumer.seek(tp, begin)
            async for _, records in read_to(consumer, {tp: end}):
                last = max([last, *(int(r.value) for r in records if r.key == self._key)])
        return last

    async def close(self) -> None:
        """Give up the office."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer)
