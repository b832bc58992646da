"""The fold over what is known and what came before: what `lineside policy explain` looks at."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from streams.codec.decode import Decoded, decode, route
from streams.codec.logfile import LogReader
from streams.contract.events import TICK_TYPE, Tick
from streams.contract.reference import Reference
from streams.contract.topics import INPUTS, MES_EVENTS
from streams.log.record import Outgoing, Record
from streams.trouble import Trouble
from streams.values import instant
from tables.line.line import Line
from tables.line.rules import Rules
from tables.partition.partition import Partition
from tables.store.store import MemoryStore

NEXT_OFFSET: Final = 2**40
"""Of what is asked beside the log's own records."""


class EventError(Trouble):
    """A file in which there is no event to explain."""


class Given(Struct, frozen=True):
    """The record that is to be explained, and those before it, each with its topic."""

    topic: str
    record: Record
    decoded: Decoded
    before: tuple[tuple[str, Record], ...] = ()


def given_of(text: bytes, topic: str | None) -> Given:
    """Return what a file gives: one event, or several, a line each, of which the last is explained.

    `topic` is where the event comes in, None if that follows from its type. Raises `EventError`.
    """
    placed: list[tuple[str, Record]] = []
    reader = LogReader()
    lines = _lines(text)
    for line in lines:
        reader.place([line])
        found = [(at[0], record) for at, some in reader.take() for record in some.records]
        if topic is not None and line is lines[-1] and reader.bare:
            found = [(topic, Record(NEXT_OFFSET, None, route(line)[1], line))]
        placed += found if line is not lines[-1] else found[:1]  # a tick goes to both topics
    if not placed:
        raise EventError("there is no event in the file: give a CloudEvent in JSON")
    last, record = placed[-1]
    decoded = decode(record.value, record.headers, last)
    return Given(last, record, decoded, tuple(placed[:-1]))


def _lines(text: bytes) -> list[bytes]:
    """Return the records of a file: one that is written over several lines is one record."""
    lines = [line for line in text.split(b"\n") if line.strip()]
    try:
        begins = isinstance(json.loads(lines[0]), dict) if lines else False
    except (ValueError, RecursionError):
        begins = False
    return lines if begins else [text.strip()] * bool(lines)


class World:
    """The partitions of both input topics, one each, with reference records first."""

    def __init__(self, rules: Mapping[str, Rules], told: Iterable[Reference]) -> None:
        self.partitions = {
            topic: Partition(topic, 0, rules[topic], MemoryStore(), lasting=False)
            for topic in INPUTS
        }
        for each in told:
            self.learn(each)

    def learn(self, told: Reference) -> list[Outgoing]:
        """Let a reference record hold; return what leaves by it."""
        partition = self.partitions[MES_EVENTS]
        step = partition.learn(told)
        partition.commit(step)
        return step.outputs

    def take(self, records: Iterable[tuple[str, Record]]) -> list[Outgoing]:
        """Take records; return what leaves by them."""
        left = []
        for topic, record in records:
            partition = self.partitions[topic]
            step = partition.step_decoded([record], [None])
            partition.commit(step)
            left += step.outputs
        return left

    def line(self, topic: str, key: bytes | None) -> Line | None:
        """Return a line, None if it hasn't been seen."""
        return None if key is None else self.partitions[topic].line(key)

    def raise_line(self, topic: str, key: bytes, at: int) -> list[Outgoing]:
        """Raise a line's watermark to an instant, as a tick does; return what leaves by it."""
        line = self.line(topic, key)
        if line is None or at <= line.watermark:
            return []
        tick = {"type": TICK_TYPE, "time": instant.text(at + line.timings.idle_grace)}
        record = Record(NEXT_OFFSET, None, None, json.dumps(tick).encode())
        assert isinstance(decode(record.value, (), topic), Tick)
        return of_line(self.take([(topic, record)]), key)

    def close(self, topic: str, key: bytes | None) -> list[Outgoing]:
        """Close what is open; return what leaves of a line by it."""
        return of_line(self.partitions[topic].close_all(), key)


def of_line(left: Sequence[Outgoing], key: bytes | None) -> list[Outgoing]:
    """Return the records of a line."""
    return [each for each in left if each.key == key]
