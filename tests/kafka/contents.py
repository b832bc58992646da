"""What tests put into topics, and read from them."""

from collections.abc import Mapping

from aiokafka import ConsumerRecord, TopicPartition

from runs import At
from streams.cluster import Cluster, bounds, read_to
from streams.record import Record

BATCH_RECORDS = 500
"""Of ordinary size: less than what an input topic takes at once."""


async def write(cluster: Cluster, records: Mapping[At, list[Record]]) -> None:
    """Produce records to their partitions, in order."""
    producer = cluster.producer()
    await producer.start()
    try:
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
    """Return what topics of so many partitions hold, from their starts or from some offsets on."""
    tps = [TopicPartition(name, n) for name, count in topics.items() for n in range(count)]
    found: dict[TopicPartition, list[ConsumerRecord]] = {tp: [] for tp in tps}
    async with cluster.reader() as reader:
        reader.assign(tps)
        there = await bounds(reader, tps)
        for tp, (begin, _) in there.items():
            reader.seek(tp, (since or {}).get(tp, begin))
        async for tp, records in read_to(reader, {tp: end for tp, (_, end) in there.items()}):
            found[tp] += records
    return found
