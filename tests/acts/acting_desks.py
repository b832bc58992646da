"""A desk over books and an embedded log, for tests of acts; what is on its topics."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from acts.refusals import NOW
from agents.desk.acts import Acting
from agents.desk.people import Grant, Person
from streams.contract.acts import Act, act_of
from streams.contract.topics import AUDIT
from streams.embedded.desk import LogDesk
from streams.embedded.log import EmbeddedLog
from streams.embedded.transport import Broker
from streams.log.record import Record
from tables.line.rules import rules_for

ANNA = Person("anna", (Grant("work", None),))
BEN = Person("ben", (Grant("approve", frozenset({"DE01"})),))
CARA = Person("cara", (Grant("work", frozenset({"DE02"})),))
READER = Person("rita", (Grant("read", None),))

RULES = {topic: rules_for(topic) for topic in ("mes.events.v1", "machine.events.v1")}
PARTITIONS = 4


class Clock:
    """A clock that stands still until it is set on."""

    def __init__(self) -> None:
        self.seconds = NOW / 1e6

    def __call__(self) -> float:
        return self.seconds


@contextmanager
def opened(folder: Path) -> Iterator[Broker]:
    """Open the embedded log of a folder, as a process does that starts."""
    log = EmbeddedLog(folder)
    try:
        yield Broker(log, PARTITIONS)
    finally:
        log.close()


def desk(
    books: Engine, broker: Broker, name: str = "d1", approval: Sequence[str] = (), **other: Any
) -> Acting:
    clock = other.pop("clock", Clock())
    log = other.pop("log", None) or LogDesk(broker, name)
    return Acting(books, log, rules=RULES, approval=approval, clock=clock)


def records(broker: Broker, topic: str, number: int | None = None) -> list[Record]:
    """Return what a topic has, of one partition or of all."""
    numbers = range(broker.partitions_of(topic)) if number is None else [number]
    return [one for n in numbers for one in broker.log.partition(topic, n).read(0, 10_000)]


def acts_on(broker: Broker) -> list[Act]:
    """Return the acts on their topic."""
    found = [act_of(record.value) for record in records(broker, AUDIT)]
    return [act for act in found if act is not None]
