"""How an exception stands follows from the topics, in whatever order they are read."""

import json
from itertools import permutations

import pytest
from sqlalchemy import Engine, select

from books.filled import MEASURES, NOW, Job, batches, job_over
from logs import random_log
from runs import confirmed
from streams.contract.topics import AUDIT, ERP_MASTER, EXCEPTIONS, MES_EVENTS
from streams.log.lineage import RESENT_FROM
from streams.log.record import TP, Record
from tables.books.opening import writing
from tables.books.schema import EXCEPTIONS as TABLE
from tables.books.schema import METADATA
from tables.books.writing import Batch, write


def put(engine: Engine, at: TP, *records: Record) -> None:
    """Write records as one batch, behind what is there."""
    job = Job()
    job.topics[at] = list(records)
    for batch in batches(engine, at, job.topics[at]):
        assert write(engine, batch, MEASURES, NOW) is not None


def sent(offset: int, value: bytes, resent_from: str = "") -> Record:
    headers = [(RESENT_FROM, resent_from.encode())] if resent_from else []
    return Record(offset, NOW + offset, b"DE01/L1", value, headers)


def refusal(offset: int, of: Record, topic: str = MES_EVENTS, at: int = 0) -> Record:
    """Return the exception of a record."""
    from streams.contract.rejection import Rejection, exception_data
    from streams.contract.transactions import EXCEPTION, encode
    from streams.values import instant

    data = exception_data(Rejection("invalid", "it is wrong"), topic, at, of)
    id = f"{topic}/{at}/{of.offset}"
    value = encode(EXCEPTION, id, instant.text(NOW), "DE01", "L1", data)
    return Record(offset, NOW, of.key, value)


def act(offset: int, name: str, subject: str, version: int, status: str, **after: str) -> Record:
    """Return an act on an exception."""
    value = {
        "specversion": "1.0", "type": "lineside.act.v1", "source": "/lineside",
        "id": f"{offset:032x}", "time": "2026-11-28T19:25:26.123456Z", "plant": "DE01", "line": "L1",
        "data": {
            "who": "anna", "act": name, "subject": subject,
            "before": {"status": "open", "version": version - 1},
            "after": {"status": status, "version": version, **after},
        },
    }  # fmt: skip
    return Record(offset, NOW, subject.encode(), json.dumps(value).encode())


def statuses(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        return dict(connection.execute(select(TABLE.c.id, TABLE.c.status)).tuples().all())


FIRST = f"{MES_EVENTS}/0/0"
BROKEN = b'{"type":"production.confirmed.v1"}'


def empty(engine: Engine) -> None:
    with writing(engine) as connection:
        for table in METADATA.sorted_tables:
            connection.execute(table.delete())


@pytest.mark.parametrize("accepted", [True, False])
def test_an_exception_stands_as_its_topics_say_in_whatever_order_they_come(
    books: Engine, accepted: bool
) -> None:
    """Its exception, the act that sent it again, and the input with what was sent again.

    An input is never read before the exceptions of its own records; those of others may come late.
    """
    original = sent(0, BROKEN)
    again = sent(1, confirmed(0) if accepted else BROKEN, FIRST)
    steps = {
        "exceptions": lambda: put(books, (EXCEPTIONS, 0), refusal(0, original)),
        "acts": lambda: put(books, (AUDIT, 0), act(0, "resend", FIRST, 1, "resent")),
        "again": lambda: put(books, (MES_EVENTS, 0), again),
        "refused again": lambda: put(books, (EXCEPTIONS, 1), refusal(0, again)),
    }
    if accepted:
        del steps["refused again"]
    ended = set()
    for order in permutations(steps):
        if not accepted and order.index("refused again") > order.index("again"):
            continue
        empty(books)
        for step in order:
            steps[step]()
        with books.connect() as connection:
            row = connection.execute(
                select(TABLE.c.status, TABLE.c.version).where(TABLE.c.id == FIRST)
            ).one()
        ended.add(tuple(row))
    assert ended == {("resolved" if accepted else "refused_again", 1)}


def test_what_was_accepted_once_stays_resolved(books: Engine) -> None:
    original, event = sent(0, BROKEN), confirmed(0)
    put(books, (EXCEPTIONS, 0), refusal(0, original))
    put(books, (MES_EVENTS, 0), original, sent(1, event, FIRST), sent(2, event, FIRST))
    assert statuses(books)[FIRST] == "resolved"
    third = sent(3, BROKEN, FIRST)
    put(books, (EXCEPTIONS, 0), refusal(1, third))
    put(books, (MES_EVENTS, 0), third)
    assert statuses(books) == {FIRST: "resolved", f"{MES_EVENTS}/0/3": "open"}


def test_master_data_that_is_sent_again_resolves_its_exception(books: Engine) -> None:
    refused, again = sent(0, b"{}"), sent(5, b"{}", f"{ERP_MASTER}/0/0")
    put(books, (EXCEPTIONS, 0), refusal(0, refused, ERP_MASTER))
    put(books, (ERP_MASTER, 0), refused, again)
    assert statuses(books) == {f"{ERP_MASTER}/0/0": "resolved"}


def test_inputs_wait_for_the_exceptions_that_they_need(books: Engine) -> None:
    job = job_over(random_log(95, 60))
    records = job.topics[MES_EVENTS, 0]
    batch = Batch((MES_EVENTS, 0), None, records, len(records), {(EXCEPTIONS, 0): 3})
    assert write(books, batch, MEASURES, NOW) is None
    values = [Record(n, NOW, None, b"{}") for n in range(3)]
    put(books, (EXCEPTIONS, 0), *values)
    assert write(books, batch, MEASURES, NOW) is not None
