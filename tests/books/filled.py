"""A job over a log, the topics that it writes, and books that are filled from them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlalchemy import Engine, select

from runs import new_task, placed, watched
from streams.contract.policy import default_policy
from streams.contract.topics import ERP_MASTER, EXCEPTIONS, INPUTS, REFERENCE
from streams.log.headers import headers_of
from streams.log.record import TP, Outgoing, Record
from tables.books.amounts import billionths
from tables.books.packed import unpack
from tables.books.positions import positions
from tables.books.rows_outputs import measures_of
from tables.books.schema import METADATA, OFFSETS, PROCESSED
from tables.books.writing import Batch, write

MEASURES = measures_of(default_policy())

NOW = 1_795_240_800_000_000


@dataclass
class Job:
    """The records of each partition of each topic, and what became of each input record."""

    topics: dict[TP, list[Record]] = field(default_factory=lambda: defaultdict(list))
    outcomes: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def leave(self, outputs: Iterable[Outgoing], number: int, at: int = NOW) -> None:
        """Write outputs to partition `number` of their topics."""
        for one in outputs:
            own = self.topics[one.topic, 0 if one.topic == REFERENCE else number]
            own.append(Record(len(own), at, one.key, one.value, headers_of(one)))


def job_over(lines: Iterable[bytes], partitions: int = 1) -> Job:
    """Return what a job makes of the lines of a log."""
    job = Job()
    for (topic, number), records in placed(lines, partitions).items():
        once = list({record.offset: record for record in records}.values())
        task = new_task((topic, number))
        for taken in watched(task, once):
            job.topics[topic, number].append(taken.record)
            job.outcomes[topic, number, taken.record.offset] = taken.outcome
            job.leave(taken.outputs, number)
        job.leave(task.close_all(), number)
    return job


def in_order(topics: Iterable[TP]) -> list[TP]:
    """Return partitions as a keeper reads them: exceptions before inputs."""
    rank = {EXCEPTIONS: 0, REFERENCE: 1, ERP_MASTER: 3, **dict.fromkeys(INPUTS, 4)}
    return sorted(topics, key=lambda at: (rank.get(at[0], 2), at))


def fill(engine: Engine, job: Job, rng: Random | None = None) -> None:
    """Write all records that the books don't have; cut by `rng`, or each partition at once."""
    for at in in_order(job.topics):
        for batch in batches(engine, at, job.topics[at], rng):
            assert write(engine, batch, MEASURES, NOW) is not None


def batches(
    engine: Engine, at: TP, records: Sequence[Record], rng: Random | None = None
) -> Iterator[Batch]:
    """Yield what the books lack of a partition."""
    with engine.connect() as connection:
        expected = positions(connection).get(at)
    left = [record for record in records if record.offset >= (expected or 0)]
    while left:
        size = len(left) if rng is None else rng.choice([1, 3, 20, 100, len(left)])
        part, left = left[:size], left[size:]
        yield Batch(at, expected, part, part[-1].offset + 1)
        expected = part[-1].offset + 1


def contents(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of all tables but how far they are, in a fixed order.

    Values are unpacked, and amounts are one number: of a sum of several signs the two may differ.
    """
    found = {}
    with engine.connect() as connection:
        for table in METADATA.sorted_tables:
            if table in (OFFSETS, PROCESSED):
                continue
            columns = [column.name for column in table.columns]
            rows = [tuple(map(_opened, row)) for row in connection.execute(select(table)).tuples()]
            if "nano" in columns:
                place = columns.index("whole")
                rows = [
                    (
                        *row[:place],
                        billionths(row[place] or 0, row[place + 1] or 0),
                        *row[place + 2 :],
                    )
                    for row in rows
                ]
            found[table.name] = sorted(rows, key=repr)
    return found


def _opened(value: Any) -> Any:
    return unpack(value) if isinstance(value, bytes) and value else value
