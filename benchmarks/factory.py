"""A plant with lines on all partitions, for benchmarks of master data: it reports, and is watched.

A line's confirmations leave at once, unless a hold parks them. What arrives on a topic is told to
whoever waits for it, with the time at which it was seen.
"""

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from streams.contract.topics import MES_EVENTS, REFERENCE
from streams.kafka.producer import Outputs
from streams.kafka.reference import parts_of
from streams.log.record import Record, partition_of
from tables.reference.keeping import Terms, kept
from tables.reference.known import Known

PLANT: Final = "DE01"

OTHER: Final = "DE02"
"""A plant without master data: its events flow meanwhile."""

BLOCK_RECORDS: Final = 20_000
"""Master data is made and written so many records at a time."""


def line_on(number: int, partitions: int, plant: str = PLANT) -> str:
    """Return a line of a plant that is on a partition."""
    return next(
        f"L{n}" for n in count() if partition_of(f"{plant}/L{n}".encode(), partitions) == number
    )


def masters(kind: str, rows: Iterable[dict[str, Any]]) -> list[tuple[bytes, bytes]]:
    """Return key and value of records as the keeper writes them to `reference.v1`."""
    found, nothing, terms = [], Known(), Terms()
    for number, data in enumerate(rows):
        told = {
            "specversion": "1.0", "type": f"reference.{kind}.v1", "source": "/erp",
            "id": f"{kind}-{number}", "plant": PLANT, "data": data,
        }  # fmt: skip
        left, _ = kept(Record(number, 0, None, msgspec.json.encode(told)), 0, nothing, terms)
        assert left is not None
        assert left.key is not None
        found.append((left.key, left.value))
    return found


def items(first: int, end: int) -> list[tuple[bytes, bytes]]:
    """Return items, as `masters` does."""
    about = {"base_uom": "kg", "conversions": {"g": "0.001", "bag": 25}, "lot_control": True}
    return masters("item", ({"item": f"M-{number:07}", **about} for number in range(first, end)))


async def fill(outputs: Outputs, lines: Sequence[str], records: int, require: bool) -> None:
    """Put a plant, its lines and items on `reference.v1`, so many records in all."""
    head = masters("plant", [{"require": ["item"]}] if require else [])
    head += masters("line", ({"line": line} for line in lines))
    await write(outputs, head)
    for first in range(0, records - len(head), BLOCK_RECORDS):
        await write(outputs, items(first, min(first + BLOCK_RECORDS, records - len(head))))


async def write(outputs: Outputs, pairs: Sequence[tuple[bytes, bytes]]) -> None:
    """Put records on `reference.v1`."""
    await outputs.send(((REFERENCE, 0), part) for part in parts_of(REFERENCE, pairs))


class Reporting:
    """Sends the plant's events."""

    def __init__(self, producer: AIOKafkaProducer, partitions: int) -> None:
        self.sent: list[str] = []
        """The ids under which confirmations of the flow leave."""
        self.ending = False
        """Whether the flow is to end."""
        self._producer = producer
        self._partitions = partitions

    async def send(
        self, kind: str, line: str, id: str, plant: str = PLANT, **data: Any
    ) -> RecordMetadata:
        """Send an event of this moment; return what the broker says of it."""
        told = {
            "specversion": "1.0", "type": kind, "source": "/mes", "id": id,
            "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z",
            "plant": plant, "line": line, "data": data,
        }  # fmt: skip
        key = f"{plant}/{line}".encode()
        number = partition_of(key, self._partitions)
        return await self._producer.send_and_wait(
            MES_EVENTS, json.dumps(told).encode(), key, partition=number
        )

    async def confirm(self, line: str, id: str, plant: str = PLANT, **data: Any) -> str:
        """Send a confirmation; return the id under which it leaves."""
        about = {"order": "O", "operation": "10", "item": "I", "quantity": 1, "uom": "kg"}
        await self.send("production.confirmed.v1", line, id, plant, **{**about, **data})
        return f"pc:{plant}/{line}:/mes|{id}"

    async def flow(self, rate: float) -> None:
        """Send confirmations of the other plant, on all partitions in turn, until it ends."""
        lines = [line_on(number, self._partitions, OTHER) for number in range(self._partitions)]
        began = time.monotonic()
        for number in count():
            if self.ending:
                return
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            line = lines[number % len(lines)]
            self.sent.append(await self.confirm(line, f"flow-{number}", OTHER))
