"""How far the states of a job are, as its changelogs tell while it runs."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from msgspec import Struct

from kafka_workers import wait_until
from runs import OUTCOMES, At
from streams.contract.topics import INPUTS, changelog
from streams.kafka.cluster import BrokerError, Cluster, bounds
from tables.partition.head import read_head
from tables.store.store import HEAD

POLL_MS = 50


class Head(Struct):
    """The last head of a partition's state."""

    offset: int
    """Of the last input record that is in the state."""
    written_ms: int
    counts: list[int]
    """By outcome, as in `OUTCOMES`."""


class Heads:
    """Follows the changelogs of a job in a thread of its own, also while the broker is away."""

    def __init__(self, cluster: Cluster, group: str, partitions: int) -> None:
        self.heads: dict[At, Head] = {}
        """By input partition; one that hasn't processed anything has none."""
        self.written = 0
        """Heads that were seen."""
        self.stood_ms: dict[At, int] = {}
        """The longest time between two heads of a partition, since `watch`."""
        self._watching = False
        self._cluster = cluster
        self._inputs = {
            TopicPartition(changelog(group, topic), number): (topic, number)
            for topic in INPUTS
            for number in range(partitions)
        }
        self._at: dict[TopicPartition, int] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._follow()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    @property
    def processed(self) -> int:
        """How many input records are in the states."""
        return sum(sum(head.counts) for head in self.heads.values())

    def watch(self) -> None:
        """Note from now on for how long partitions stand still."""
        self.stood_ms = {}
        self._watching = True

    def counts(self) -> dict[str, int]:
        """Return how many records became what."""
        heads = list(self.heads.values())
        return {name: sum(head.counts[n] for head in heads) for n, name in enumerate(OUTCOMES)}

    def wait_until_moved(
        self, what: str, partitions: Iterable[At], since_ms: int, seconds: float
    ) -> None:
        """Wait until each of the partitions has a head that was written later than `since_ms`."""
        wanted = set(partitions)

        def moved() -> bool:
            return all(
                (head := self.heads.get(at)) is not None and head.written_ms > since_ms
                for at in wanted
            )

        try:
            wait_until(what, moved, seconds)
        except AssertionError:
            still = sorted(
                at for at in wanted if at not in self.heads or self.heads[at].written_ms <= since_ms
            )
            raise AssertionError(
                f"{what}: not within {seconds:.0f} s; {still} stand still"
            ) from None

    def wait_until_at(
        self,
        ends: Mapping[At, int],
        seconds_still_max: float,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Wait until all is processed; fail when nothing more is, for so long, or `check` does."""
        processed, since = -1, time.monotonic()

        def left() -> dict[At, int]:
            at = {place: head.offset + 1 for place, head in list(self.heads.items())}
            return {
                place: end - at.get(place, 0)
                for place, end in ends.items()
                if end > at.get(place, 0)
            }

        while behind := left():
            check()
            if self.processed != processed:
                processed, since = self.processed, time.monotonic()
            assert time.monotonic() - since < seconds_still_max, (
                f"nothing more is processed for {seconds_still_max:.0f} s; records left: {behind}"
            )
            time.sleep(POLL_MS / 1000)

    async def _follow(self) -> None:
        while not self._ending.is_set():
            with contextlib.suppress(KafkaError, BrokerError, OSError):
                async with self._cluster.reader() as reader:
                    await self._read(reader)

    async def _read(self, reader: AIOKafkaConsumer) -> None:
        tps = list(self._inputs)
        reader.assign(tps)
        for tp, (begin, end) in (await bounds(reader, tps)).items():
            at = self._at.get(tp, begin)
            reader.seek(tp, at if at <= end else begin)  # it may be made anew
        while not self._ending.is_set():
            for tp, records in (await reader.getmany(timeout_ms=POLL_MS)).items():
                self._at[tp] = records[-1].offset + 1
                heads = [record for record in records if record.key == HEAD]
                self.written += len(heads)
                for head in heads:
                    self._see(self._inputs[tp], head)

    def _see(self, at: At, record: ConsumerRecord) -> None:
        head = read_head(record.value, str(at))
        before = self.heads.get(at)
        self.heads[at] = Head(head.offset, record.timestamp, head.counts)
        if self._watching and before is not None:
            stood = record.timestamp - before.written_ms
            self.stood_ms[at] = max(self.stood_ms.get(at, 0), stood)
