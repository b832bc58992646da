"""EDGE: what `reference.v1` has, and records for `erp.master.v1`, on Kafka or the embedded log."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import Final

from agents.settings.settings import Settings
from streams.contract.topics import ERP_MASTER, REFERENCE
from streams.embedded.log import EmbeddedLog, PartitionLog
from streams.log.headers import STRUCTURED
from streams.trouble import Trouble

READ_RECORDS_MAX: Final = 10_000

Latest = dict[bytes, bytes]
"""The last record of each key."""


class NoLogError(Trouble):
    """There is no embedded log to look at."""


def latest(settings: Settings) -> Latest:
    """Return what `reference.v1` has. Raises a `Trouble` if it can't be read."""
    if settings.broker:
        return asyncio.run(_latest_on_kafka(settings))
    found: Latest = {}
    with _opened(settings, REFERENCE) as log:
        at = log.start_offset
        while records := log.read(at, READ_RECORDS_MAX):
            at = records[-1].offset + 1
            found |= {each.key: each.value for each in records if each.key and each.value}
    return found


def send(settings: Settings, values: Sequence[bytes]) -> None:
    """Send records to `erp.master.v1`. Raises a `Trouble` if they can't be sent."""
    if settings.broker:
        asyncio.run(_send_to_kafka(settings, values))
        return
    now = round(time() * 1e3) * 1000
    with _opened(settings, ERP_MASTER) as log:
        log.append([(now, None, value, (STRUCTURED,)) for value in values])


@contextmanager
def _opened(settings: Settings, topic: str) -> Iterator[PartitionLog]:
    folder = Path(settings.data_dir) / "log"
    if not folder.is_dir():
        raise NoLogError(
            f"there is no embedded log in {settings.data_dir}: run `lineside worker` once, or name "
            "a cluster with --broker"
        )
    log = EmbeddedLog(folder)
    try:
        yield log.partition(topic, 0)
    finally:
        log.close()


async def _latest_on_kafka(settings: Settings) -> Latest:
    from aiokafka import TopicPartition

    from agents.settings.cluster import cluster_of
    from streams.kafka.cluster import bounds, read_to

    tp, found = TopicPartition(REFERENCE, 0), Latest()
    async with cluster_of(settings).reader() as consumer:
        consumer.assign([tp])
        begin, end = (await bounds(consumer, [tp]))[tp]
        consumer.seek(tp, begin)
        async for _, records in read_to(consumer, {tp: end}):
            found |= {each.key: each.value for each in records if each.key and each.value}
    return found


async def _send_to_kafka(settings: Settings, values: Sequence[bytes]) -> None:
    from agents.settings.cluster import cluster_of
    from streams.kafka.producer import Outputs, translated_errors
    from streams.kafka.reference import parts_of
    from streams.log.writing import Lost

    outputs = Outputs(cluster_of(settings))
    try:
        with translated_errors():
            pairs = [(None, value) for value in values]
            await outputs.send(((ERP_MASTER, 0), part) for part in parts_of(ERP_MASTER, pairs))
    except Lost as error:
        raise Trouble(f"not all was sent: {error}; import the file again") from None
    finally:
        await outputs.close()
