"""What tests put into topics, and read from them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping

from aiokafka import ConsumerRecord, TopicPartition

from runs import At
from streams.kafka.cluster import Cluster, bounds, read_to
from streams.log.record import Record

BATCH_RECORDS = 500
"""Of ordinary size: less than what an input topic takes at once."""

READ_SECONDS_MAX = 60
"""What tests write is read in a second."""

STREAM_SECONDS_MAX = 600
"""What a million events make leave is read in half a minute."""


async def write(cluster: Cluster, records: Mapping[At, list[Record]]) -> None:
    """Produce records to their partitions, in order."""
    producer = cluster.producer()
    try:
        await producer.start()
        for (topic, number), own in records.items():
            for start in range(0, len(own), BATCH_RECORDS):
                batch = producer.create_batch()
                for record in own[start : start + BATCH_RECORDS]:
                    batch.append(
                        timestamp=None if record.timestamp is None else record.timestamp // 1000,
                        key=record.key,
                        value=record.value,
                        headers=list(record.headers),
                    )
                await (await producer.send_batch(batch, topic, partition=number))
    finally:
        await producer.stop()


async def read(
    cluster: Cluster, topics: Mapping[str, int], since: Mapping[TopicPartition, int] | None = None
) -> dict[TopicPartition, list[ConsumerRecord]]:
    """Return what topics of so many partitions hold, from their starts or from some offsets on.

    Transactions that are open come to their ends first: one that was committed just now may not
    look so everywhere yet.
    """
    tps = [TopicPartition(name, n) for name, count in topics.items() for n in range(count)]
    found: dict[TopicPartition, list[ConsumerRecord]] = {tp: [] for tp in tps}
    there = await all_bounds(cluster, tps)
    async with cluster.reader() as reader:
        reader.assign(tps)
        for tp, (begin, _) in there.items():
            reader.seek(tp, (since or {}).get(tp, begin))
        async with asyncio.timeout(READ_SECONDS_MAX):
            async for tp, records in read_to(reader, {tp: end for tp, (_, end) in there.items()}):
                found[tp] += records
    return found


async def stream(
    cluster: Cluster, topics: Mapping[str, int], seconds_max: float = STREAM_SECONDS_MAX
) -> AsyncIterator[tuple[TopicPartition, list[ConsumerRecord]]]:
    """Yield the records of topics, by partition counts, in batches: for more than fits in memory."""
    tps = [TopicPartition(name, n) for name, count in topics.items() for n in range(count)]
    there = await all_bounds(cluster, tps)
    async with cluster.reader() as reader:
        reader.assign(tps)
        for tp, (begin, _) in there.items():
            reader.seek(tp, begin)
        async with asyncio.timeout(seconds_max):
            async for batch in read_to(reader, {tp: end for tp, (_, end) in there.items()}):
                yield batch


async def all_bounds(
    cluster: Cluster, tps: Iterable[TopicPartition]
) -> Mapping[TopicPartition, tuple[int, int]]:
    """Return the first offset and the next, by partition; open transactions count as well."""
    async with cluster.reader(isolation_level="read_uncommitted") as reader:
        return await bounds(reader, tps)
