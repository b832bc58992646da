"""What books hold: each record once, however it is cut, repeated and read again."""

import threading
from collections import Counter
from random import Random

import pytest
from sqlalchemy import Engine, select, text

from books.filled import MEASURES, NOW, Job, batches, contents, fill, in_order, job_over
from logs import printed_log, random_log
from runs import confirmed, event, reversed_
from streams.codec.decode import decode
from streams.contract.topics import ERP_TRANSACTIONS, EXCEPTIONS, MES_EVENTS, OUTPUTS
from streams.log.record import Record
from tables.books.opening import writing
from tables.books.schema import FLOWS, INPUTS, METADATA, OFFSETS, SUMMARIES, TRANSACTIONS
from tables.books.writing import write


@pytest.mark.parametrize("seed", range(6))
def test_outcomes_are_those_of_the_job(sqlite_books: Engine, seed: int) -> None:
    lines = random_log(seed, 200) if seed % 2 else printed_log(seed, 200, partitions=2)
    job = job_over(lines, 2)
    fill(sqlite_books, job, Random(seed))
    _compare_outcomes(sqlite_books, job)


def test_outcomes_are_those_of_the_job_on_either_database(books: Engine) -> None:
    job = job_over(random_log(101, 400), 2)
    fill(books, job, Random(1))
    _compare_outcomes(books, job)


def _compare_outcomes(engine: Engine, job: Job) -> None:
    names = {"accepted": "accepted", "duplicate": "duplicate", "exception": "refused"}
    expected = {}
    for (topic, number, offset), outcome in job.outcomes.items():
        record = next(one for one in job.topics[topic, number] if one.offset == offset)
        decoded = decode(record.value, record.headers, topic)
        telemetry = decoded.__class__.__name__ == "MachineTelemetry"
        if outcome != "tick" and not (telemetry and outcome != "exception"):
            expected[topic, number, offset] = names[outcome]
    columns = INPUTS.c
    with engine.connect() as connection:
        found = {
            tuple(row[:3]): row[3]
            for row in connection.execute(
                select(columns.topic, columns.number, columns.position, columns.outcome)
            )
        }
        flows = Counter[str]()
        for outcome, records in connection.execute(select(FLOWS.c.outcome, FLOWS.c.records)):
            known = {"accepted": "accepted", "duplicate": "duplicate", "tick": "tick"}
            flows[known.get(outcome, outcome if outcome == "telemetry" else "exception")] += records
    assert found == expected
    counted = Counter(job.outcomes.values())
    assert flows["exception"] == counted["exception"]
    assert flows["tick"] == counted["tick"]
    came = flows["accepted"] + flows["duplicate"] + flows["telemetry"]
    assert came == counted["accepted"] + counted["duplicate"]


@pytest.mark.parametrize("seed", range(3))
def test_books_are_equal_however_batches_are_cut(
    sqlite_books: Engine, postgres_books: Engine, seed: int
) -> None:
    job = job_over(random_log(200 + seed, 200), 2)
    fill(sqlite_books, job)
    fill(postgres_books, job, Random(seed))
    assert contents(sqlite_books) == contents(postgres_books)


def test_every_output_is_there_once(books: Engine) -> None:
    job = job_over(random_log(7, 300), 2)
    fill(books, job, Random(7))
    with books.connect() as connection:
        transactions = set(connection.execute(select(TRANSACTIONS.c.id)).scalars())
        summaries = set(connection.execute(select(SUMMARIES.c.id)).scalars())
        refused = connection.execute(text("SELECT count(*) FROM exceptions")).scalar()
    left = {
        topic: [one for at, own in job.topics.items() if at[0] == topic for one in own]
        for topic in OUTPUTS
    }
    assert len(transactions) == len(left[ERP_TRANSACTIONS])
    assert len(summaries) == sum(
        len(own) for topic, own in left.items() if topic.startswith("summary.")
    )
    assert refused == len(left[EXCEPTIONS])


def test_outputs_that_come_twice_are_there_once(books: Engine) -> None:
    """A worker that dies writes again what it wrote last, and that lies in the log twice."""
    job = job_over(random_log(8, 300))
    fill(books, job, Random(8))
    before = contents(books)
    for at, own in job.topics.items():
        if at[0] in OUTPUTS:
            again = [
                Record(own[-1].offset + 1 + place, one.timestamp, one.key, one.value, one.headers)
                for place, one in enumerate(own[-40:])
            ]
            own += [*again, *again[-3:]]
    for at in in_order(job.topics):
        own = job.topics[at]
        own[:] = list({one.offset: one for one in own}.values())
    fill(books, job, Random(9))
    assert contents(books) == before


def test_reading_from_the_start_again_changes_nothing(books: Engine) -> None:
    job = job_over(random_log(9, 300), 2)
    fill(books, job, Random(9))
    before = contents(books)
    fill(books, job)
    assert contents(books) == before
    with writing(books) as connection:
        for table in METADATA.sorted_tables:
            connection.execute(table.delete())
    fill(books, job, Random(10))
    assert contents(books) == before


def test_of_two_that_write_the_same_one_does(books: Engine) -> None:
    job = job_over(random_log(11, 100))
    at = MES_EVENTS, 0
    (batch,) = batches(books, at, job.topics[at])
    assert write(books, batch, MEASURES, NOW) is not None
    before = contents(books)
    assert write(books, batch, MEASURES, NOW) is None
    assert contents(books) == before
    with books.connect() as connection:
        assert connection.execute(select(OFFSETS.c.next_offset)).scalars().all() == [
            batch.next_offset
        ]


def test_what_lineside_has_not_written_is_passed_over_and_counted(books: Engine) -> None:
    for topic in (ERP_TRANSACTIONS, EXCEPTIONS, "summary.scrap.v1", "reference.v1", "audit.v1"):
        job = Job()
        halves = (
            b'{"specversion":"1.0","type":"erp.goods_issue.v1","source":"/x","id":"\\ud800",'
            b'"time":"2026-11-21T06:05:00Z","plant":"P","line":"L","data":{}}'
        )
        far = (
            b'{"id":"a","data":{"class":"data","code":"\\u0000x","topic":"t",'
            b'"partition":99999999999,"offset":0,"value":"AA=="}}'
        )
        values = [
            b"", b"null", b"[]", b'{"type":1}', b"\xff" * 99, b'{"id":"\\u0000"}', None, halves, far,
        ]  # fmt: skip
        job.topics[topic, 0] = [Record(n, 1, None, one) for n, one in enumerate(values)]
        (batch,) = batches(books, (topic, 0), job.topics[topic, 0])
        assert write(books, batch, MEASURES, NOW) is not None
    assert not any(contents(books).values())


def test_a_reversal_takes_back_what_it_reverses(books: Engine) -> None:
    first = confirmed(0, "2.5", "a")
    job = job_over([first, confirmed(1, "4", "b"), reversed_(first, 60)])
    fill(books, job)
    with books.connect() as connection:
        rows = connection.execute(text("SELECT type, records, whole, nano FROM accepted")).all()
        posted = connection.execute(text("SELECT type, records, whole, nano FROM posted")).all()
    assert rows == [("production.confirmed.v1", 1, 4, 0)]
    assert posted == [("erp.production_confirmation.v1", 1, 4, 0)]


def test_a_sum_that_no_column_holds_stays_and_the_books_go_on(books: Engine) -> None:
    huge = str(10**15 - 1)
    lines = [confirmed(0, huge, f"id{number}") for number in range(10_000)]
    job = Job()
    for number, line in enumerate(lines):
        job.topics[MES_EVENTS, 0].append(Record(number, NOW, b"DE01/L1", line))
    fill(books, job, Random(3))
    with books.connect() as connection:
        ((records, whole),) = connection.execute(text("SELECT records, whole FROM accepted"))
    assert records == 10_000
    assert 0 < whole < 2**63


def test_long_names_fit_the_indexes(books: Engine) -> None:
    def long(letter: str) -> str:
        rng = Random(letter)
        return "".join(chr(rng.randint(0x4E00, 0x9FFF)) for _ in range(256))

    names = {name: long(name) for name in ("order", "operation", "item", "lot", "storage", "uom")}
    lines = [
        event(
            "material.consumed.v1", 0, long("id"), source=long("source"), plant=long("p")[:128],
            line=long("l")[:128], quantity="1", **names,
        )
    ]  # fmt: skip
    job = job_over(lines)
    assert list(job.outcomes.values()) == ["accepted"]
    fill(books, job)
    found = contents(books)
    assert len(found["transactions"]) == len(found["summaries"]) == 1
    assert {row[5] for row in found["sums"]} == {"quantity", "count"}


def test_two_that_write_the_same_sums_at_once_wait_for_one_another(books: Engine) -> None:
    """Two partitions whose lines are the same, as after a topic has grown, are written at once."""
    jobs = [job_over(random_log(31, 80)), job_over(random_log(31, 80))]
    problems: list[BaseException] = []

    def run(number: int) -> None:
        try:
            for at in in_order(jobs[number].topics):
                own = jobs[number].topics[at]
                place = at[0], number
                for batch in batches(books, place, own, Random(number)):
                    assert write(books, batch, MEASURES, NOW) is not None
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
