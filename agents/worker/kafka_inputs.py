"""What an input partition on Kafka is opened with: its offsets, its topic's id, where to start."""

import logging

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from agents.partition.opening import Opened
from agents.settings.settings import Settings
from streams.kafka.clients import Access
from streams.kafka.cluster import bounds
from streams.kafka.identity import identity, record_at
from streams.kafka.member import OFFSET_NOTE
from streams.log.record import Record
from streams.log.writing import Lost, Writer
from tables.store.binding import Binding, read_binding, same_record
from tables.store.store import HEAD, Store

log = logging.getLogger("lineside.worker")


async def opened_input(
    clients: Access, settings: Settings, tp: TP, store: Store, writer: Writer
) -> Opened:
    """Return what a partition is opened with; raise `Lost` if the cluster doesn't answer."""
    where = TopicPartition(*tp)
    binding = read_binding(store)
    try:
        async with clients.reader() as reader:
            first, end = (await bounds(reader, [where]))[where]
            topic_id = (await identity(reader, where)).id
            last = None
            if binding is not None and first <= binding.offset < end:
                last = await _last(reader, where, binding, topic_id, settings.same_log)
        start = first
        if store.get_many([HEAD])[0] is None:
            start = await _first_start(clients, settings.group, where, first)
    except KafkaError as error:
        raise Lost(f"the bounds of {tp.topic}/{tp.partition} aren't known ({error!r})") from error
    return Opened(
        store, writer, start, first, end, settings.skip_deleted, topic_id, last, settings.same_log
    )


async def same_input(clients: Access, tp: TP, store: Store) -> bool:
    """Whether a state was made from the input topic that exists now; False if that isn't known."""
    where, binding = TopicPartition(*tp), read_binding(store)
    if binding is None:
        return False
    async with clients.reader() as reader:
        topic_id = (await identity(reader, where)).id
        if binding.topic_id and topic_id:
            return binding.topic_id == topic_id
        first, end = (await bounds(reader, [where]))[where]
        if not first <= binding.offset < end:
            return False
        last = await record_at(reader, where, binding.offset)
        return last is not None and same_record(binding, last)


async def _last(
    reader: AIOKafkaConsumer,
    where: TopicPartition,
    binding: Binding,
    topic_id: bytes,
    same_log: bool,
) -> Record | None:
    """Return the topic's record at the state's last offset; None if another topic id decides."""
    if binding.topic_id and topic_id and binding.topic_id != topic_id and not same_log:
        return None
    return await record_at(reader, where, binding.offset)


async def _first_start(clients: Access, group: str, where: TopicPartition, first: int) -> int:
    """Return where to start without a state, in a partition that begins at `first`.

    That is the group's offset, if somebody has set it. An offset that lineside committed doesn't
    count: it came from a state that was lost since, and is made again.
    """
    async with clients.admin() as admin:
        committed = (await admin.list_consumer_group_offsets(group)).get(where)
    if committed is None or committed.offset < 0:
        return first
    if committed.metadata != OFFSET_NOTE:
        return max(first, int(committed.offset))
    if committed.offset > 0:
        log.warning(
            "%s/%d has been processed up to offset %d, but its state is gone: all that there is, "
            "from offset %d on, is processed again", *where, committed.offset, first,
        )  # fmt: skip
    return first
