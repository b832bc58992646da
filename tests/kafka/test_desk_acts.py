"""Acts of people on a real broker: the act and its event are there both, once, or neither is."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from acts.acting_desks import ANNA, BEN, RULES, Clock
from acts.refusals import act as act_of_anna
from acts.refusals import add_exception, claims_in, encoded, event, row_of
from agents.desk.acts import Acting
from agents.desk.acts_finishing import end_what_was_left
from agents.desk.acts_forms import ActRequest
from broker import KafkaBroker, run_apart
from contents import read
from kafka_workers import KafkaJob
from streams.contract.acts import Standing, act_bytes, act_of
from streams.contract.topics import AUDIT, ERP_MASTER, INPUTS, MES_EVENTS
from streams.kafka.cluster import BrokerError
from streams.kafka.desk import KafkaDesk
from streams.log.desk import Again, Sending
from streams.log.lineage import RESENT_BY, RESENT_FROM, with_act
from streams.log.record import partition_of
from streams.log.writing import Lost
from tables.books import claims
from tables.books.claims import Claim
from tables.books.opening import migrate, open_books, writing

OTHERS = 3
"""Desks that act at the same time."""


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Engine]:
    engine = open_books(f"sqlite:///{tmp_path}/desk.db")
    migrate(engine)
    yield engine
    engine.dispose()


def log_of(job: KafkaJob) -> KafkaDesk:
    counts = {**dict.fromkeys(INPUTS, job.partitions), ERP_MASTER: 1, AUDIT: 1}
    return KafkaDesk(job.cluster, job.cluster, job.group, counts, secrets.token_hex(4))


def acting_on(books: Engine, job: KafkaJob) -> Acting:
    return Acting(books, log_of(job), rules=RULES, clock=Clock())


def sent(job: KafkaJob) -> list[dict[str, bytes | None]]:
    """Return the headers of each event that was sent again, with its partition."""
    return [
        {"partition": b"%d" % tp.partition, **dict(one.headers)}
        for tp, records in job.read([MES_EVENTS]).items()
        for one in records
    ]


def acts_on(job: KafkaJob) -> Counter[str]:
    """Return how often each act is on its topic."""
    found: Counter[str] = Counter()
    for records in run_apart(read(job.cluster, {AUDIT: 1})).values():
        for one in records:
            act = act_of(one.value)
            assert act is not None
            assert (one.key or b"").decode() == act.subject
            found[act.id] += 1
    return found


def sending_of(id: str, name: str = "a") -> tuple[Claim, Sending]:
    act = act_of_anna(name * 32, id, Standing("resent", 1), act="resend")
    again = Again(MES_EVENTS, 1, b"DE01/L3", encoded(event()), with_act([], id, act.id))
    return Claim(act, again), Sending(act.id, id, act_bytes(act), again)


def test_many_desks_send_each_event_once_to_where_it_was(job: KafkaJob, books: Engine) -> None:
    ids = [
        add_exception(
            books, n, number=n % job.partitions, value=encoded(event(attributes={"id": f"{n}"}))
        )
        for n in range(60)
    ]

    async def work() -> None:
        desks = [acting_on(books, job) for _ in range(OTHERS)]
        request = ActRequest(act="resend", ids=tuple(ids))
        answers = await asyncio.gather(*(desk.act(ANNA, request) for desk in desks))
        assert sum(answer.done for answer in answers) == len(ids)
        fix = ActRequest(act="fix", ids=(moved,), key="DE01/L3")
        assert (await desks[0].act(BEN, fix)).done == 1
        for desk in desks:
            await desk.close()

    moved = add_exception(books, 99, key="DE01/L9", value=encoded(event(attributes={"id": "99"})))
    run_apart(work())
    found = sent(job)
    origins = Counter((each[RESENT_FROM] or b"").decode() for each in found)
    assert origins == Counter([*ids, moved])
    for each in found:
        topic, number, _ = (each[RESENT_FROM] or b"").decode().rsplit("/", 2)
        if (each[RESENT_FROM] or b"").decode() == moved:
            number = str(partition_of(b"DE01/L3", job.partitions))
        assert (topic, number.encode()) == (MES_EVENTS, each["partition"])
    acts = acts_on(job)
    assert set(acts.values()) == {1}
    assert set(acts) == {(each[RESENT_BY] or b"").decode() for each in found}
    assert claims_in(books) == []


@pytest.mark.parametrize("written", [False, True])
def test_a_desk_that_died_is_ended_by_another_one(
    job: KafkaJob, books: Engine, *, written: bool
) -> None:
    id = add_exception(books, number=1)
    claim, sending = sending_of(id)

    async def work() -> None:
        first, second = acting_on(books, job), acting_on(books, job)
        with writing(books) as connection:
            assert claims.claim(connection, [claim], first.log.sender, 0)
        if written:
            await first.log.send([sending])
        else:  # a transaction that is open when its desk dies
            log = first.log
            assert isinstance(log, KafkaDesk)
            producer = log._producer = await log._new_producer(log.sender)
            await producer.begin_transaction()
            batch = producer.create_batch()
            batch.append(timestamp=None, key=b"DE01/L3", value=b"never")
            await (await producer.send_batch(batch, MES_EVENTS, partition=1))
        assert await end_what_was_left(second) == 1
        assert await end_what_was_left(second) == 0
        with pytest.raises(Lost):  # it is shut out, however alive it is
            await first.log.send([sending_of(id, "b")[1]])
        for desk in (first, second):
            await desk.close()

    run_apart(work())
    assert [each[RESENT_BY] for each in sent(job)] == [claim.act.id.encode()]
    assert acts_on(job) == {claim.act.id: 1}
    assert claims_in(books) == []
    assert row_of(books, id).status == "resent"


def test_an_act_is_found_behind_another_desks_open_transaction(
    job: KafkaJob, books: Engine
) -> None:
    """A reader of what is committed sees the end of a topic before the first open transaction."""
    id = add_exception(books, number=1)
    claim, sending = sending_of(id)

    async def work() -> None:
        slow, first, second = (acting_on(books, job) for _ in range(3))
        log = slow.log
        assert isinstance(log, KafkaDesk)
        producer = log._producer = await log._new_producer(log.sender)
        await producer.begin_transaction()
        batch = producer.create_batch()
        batch.append(timestamp=None, key=b"k", value=b"never")
        await (await producer.send_batch(batch, AUDIT, partition=0))
        with writing(books) as connection:
            assert claims.claim(connection, [claim], first.log.sender, 0)
        await first.log.send([sending])
        ending = asyncio.ensure_future(end_what_was_left(second))
        await asyncio.sleep(1)
        assert not ending.done()
        await producer.abort_transaction()
        assert await ending == 1
        for desk in (slow, first, second):
            await desk.close()

    run_apart(work())
    assert len(sent(job)) == 1
    assert acts_on(job) == {claim.act.id: 1}


def test_a_broker_that_is_away_delays_an_act(
    own_broker: KafkaBroker, books: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = KafkaJob(own_broker, "lineside", tmp_path)
    monkeypatch.setattr("streams.kafka.desk.WRITE_SECONDS_MAX", 3.0)
    id = add_exception(books)

    async def work() -> None:
        acting = acting_on(books, job)
        warm = add_exception(books, 1, value=encoded(event(attributes={"id": "w"})))
        assert (await acting.act(ANNA, ActRequest(act="resend", ids=(warm,)))).done == 1
        own_broker.freeze()
        answer = await acting.act(ANNA, ActRequest(act="resend", ids=(id,)))
        assert answer.items[0].result == "done"
        assert "it is on its way" in str(answer.items[0].reason)
        with pytest.raises(Lost):
            await end_what_was_left(acting)
        own_broker.thaw()
        for _ in range(20):
            try:
                assert await end_what_was_left(acting) == 1
                break
            except Lost:
                await asyncio.sleep(0.5)
        await acting.close()

    run_apart(work())
    assert len(sent(job)) == 2
    assert set(acts_on(job).values()) == {1}
    assert claims_in(books) == []


def test_a_cluster_without_the_topic_of_acts_is_named(job: KafkaJob) -> None:
    with pytest.raises(BrokerError, match=r"topic audit\.v1 is missing.*lineside topics create"):
        KafkaDesk(job.cluster, job.cluster, "lineside", {MES_EVENTS: 1}, "d")
