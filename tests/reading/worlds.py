"""Books of what a job really makes of some events, which arrive a second after they happen."""

import json
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Engine

from books.filled import Job, fill
from runs import START, new_task, placed, watched
from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS, REFERENCE
from streams.log.record import Record
from streams.values import instant
from tables.books.opening import writing
from tables.books.positions import Known, note, positions
from tables.line.rules import Rules, Timing, rules_for

RULES: Rules = rules_for(MES_EVENTS)

SECOND = 1_000_000

ALL = None
DE01 = frozenset({"DE01"})
DE02 = frozenset({"DE02"})

Q = TypeVar("Q", bound=msgspec.Struct)


def at(seconds: float) -> int:
    """Return an instant so many seconds after the tests' zero, in microseconds."""
    return round((START + seconds) * SECOND)


def text(seconds: float) -> str:
    """Return it as RFC 3339."""
    return instant.text(at(seconds))


def asked(form: type[Q], **given: Any) -> Q:
    """Return a question as it is read from a query: all values are texts."""
    named = {name.rstrip("_"): str(value) for name, value in given.items()}
    return msgspec.convert(named, form, strict=False)


def printed(values: Iterable[bytes], delay: float = 1.0) -> list[bytes]:
    """Return events as a log prints them: with their keys, and when each arrived."""
    lines = []
    for value in values:
        told = json.loads(value)
        machine = told["type"].startswith("machine.")
        when = told.get("time")
        ts = (at(0) if when is None else instant.parse(when)) + round(delay * SECOND)
        lines.append(
            json.dumps(
                {
                    "topic": MACHINE_EVENTS if machine else MES_EVENTS,
                    "ts": ts // 1_000,
                    "key": f"{told.get('plant')}/{told.get('line')}",
                    "payload": value.decode(),
                }
            ).encode()
        )
    return lines


def job_of(
    lines: Iterable[bytes], partitions: int = 1, timing: Timing | None = None, close: bool = False
) -> Job:
    """Return what a job makes of a log; windows that are open at its end stay so."""
    job = Job()
    for (topic, number), records in placed(lines, partitions).items():
        task = new_task((topic, number), timing)
        for taken in watched(task, records):
            job.topics[topic, number].append(taken.record)
            job.outcomes[topic, number, taken.record.offset] = taken.outcome
            job.leave(taken.outputs, number, taken.record.timestamp or at(0))
        if close:
            job.leave(task.close_all(), number)
    return job


def happened(
    engine: Engine,
    *values: bytes,
    delay: float = 1.0,
    partitions: int = 1,
    timing: Timing | None = None,
    close: bool = False,
) -> Job:
    """Fill books with events and what the job makes of them; the job is known to be as far."""
    job = job_of(printed(values, delay), partitions, timing, close)
    fill(engine, job)
    ends = {
        each: Known(records[-1].offset + 1, records[-1].offset + 1)
        for each, records in job.topics.items()
        if each[0] in (MES_EVENTS, MACHINE_EVENTS)
    }
    with writing(engine) as connection:
        note(connection, ends, at(0))
    return job


def master(kind: str, plant: str = "DE01", seq: int | None = None, **data: Any) -> bytes:
    """Return a reference record as lineside writes it."""
    given: dict[str, Any] = {
        "specversion": "1.0",
        "type": f"reference.{kind}.v1",
        "source": "/lineside",
        "plant": plant,
        "line": "*",
        "data": data,
    }
    if seq is not None:
        given["seq"] = seq
    return json.dumps(given).encode()


def known(engine: Engine, *records: tuple[str, bytes]) -> None:
    """Put records of `reference.v1` into the books: (key, value) each, behind what is there."""
    with engine.connect() as connection:
        first = positions(connection).get((REFERENCE, 0), 0)
    job = Job()
    job.topics[REFERENCE, 0] = [
        Record(first + number, at(0), key.encode(), value)
        for number, (key, value) in enumerate(records)
    ]
    fill(engine, job)
