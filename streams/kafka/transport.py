"""EDGE: Kafka as a Faust transport: a consumer group whose members get whole partition batches."""

import asyncio
from typing import Any, ClassVar

from faust.transport import base, producer
from faust.types.tuples import RecordMetadata

from streams.kafka.consumer import Consumer
from streams.kafka.owner import ClusterApp


class Producer(producer.Producer):  # type: ignore[misc]  # Faust's base is Any to mypy
    """The producer of Faust's own channels; the tasks have writers of their own."""

    app: ClusterApp

    async def on_start(self) -> None:
        """Start nothing: the producer starts with its first use."""

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, partition: int | None,
        timestamp: float | None, headers: Any, *, transactional_id: str | None = None,
    ) -> asyncio.Future[RecordMetadata]:  # fmt: skip
        """Send one record."""
        given = headers.items() if isinstance(headers, dict) else headers or ()
        sender = await self.app.host.outputs.producer()
        sent: asyncio.Future[RecordMetadata] = await sender.send(
            topic,
            value,
            key,
            partition,
            None if timestamp is None else round(timestamp * 1000),
            list(given),
        )
        return sent

    async def send_and_wait(self, *args: Any, **kwargs: Any) -> RecordMetadata:
        """Send one record, and wait until it's acknowledged."""
        return await (await self.send(*args, **kwargs))

    async def create_topic(self, topic: str, partitions: int, *args: Any, **kwargs: Any) -> None:
        """Topics are made by `lineside topics create`."""

    async def flush(self) -> None:
        """Send what Faust buffers."""
        await self.buffer.flush()

    def supports_headers(self) -> bool:
        """Return True: records may have headers."""
        return True


class Transport(base.Transport):  # type: ignore[misc]  # Faust's base is Any to mypy
    """`batches://`: a Kafka cluster (`app.host.cluster`), delivering partition batches."""

    Consumer: ClassVar = Consumer
    Producer: ClassVar = Producer

    default_port = 9092
    driver_version = "aiokafka"
