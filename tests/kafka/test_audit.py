"""The audit of a system on a real broker: proven where all is right, refuted where one thing isn't."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete
from msgspec import Struct, field

import agents.audit.audit
from agents.audit.audit import AuditError, audit
from agents.audit.content import STRUCTURED
from agents.audit.verdict import Audited
from agents.settings.settings import Settings, rules_of
from agents.simulate.factory import Plan, arrivals
from broker import run_apart
from clusters import Broker, delete_topics, fresh_topics
from streams.contract.topics import (
    ERP_TRANSACTIONS,
    EXCEPTIONS,
    INPUTS,
    MES_EVENTS,
    SUMMARY_CONSUMPTION,
    changelog,
)
from streams.kafka.cluster import Cluster, bounds, read_broker, read_to
from streams.log.record import Outgoing, Record, partition_of
from streams.trouble import Trouble
from tables.partition.partition import Partition
from tables.store.store import HEAD, Change, MemoryStore

LINESIDE = str(Path(sys.executable).with_name("lineside"))
PARTITIONS = 2
EVENTS = 1_500
SECONDS_MAX = 60

RULES = rules_of(Settings())

Entry = tuple[bytes | None, bytes | None]
"""(key, value) of a record."""


class Done(Struct):
    """What the task of one input partition came to."""

    outputs: list[Outgoing] = field(default_factory=list)
    due: int = 0
    """So many of the outputs left before the state."""
    state: list[Change] = field(default_factory=list)
    """Changes of the state, its head among them."""


class System(Struct):
    """A system as it may be found on a cluster: its input, and what its tasks came to.

    A test changes what it wants to be wrong, and then lays it on the topics.
    """

    cluster: Cluster
    group: str
    done: dict[TopicPartition, Done] = field(default_factory=dict)

    def left(self) -> list[Outgoing]:
        """Return all that left, the two inputs in turns."""
        return [record for done in self.done.values() for record in done.outputs]

    async def feed(self) -> None:
        """Write a factory's log, and what nobody should send; in part by transactions."""
        entries: defaultdict[tuple[str, int], list[Entry]] = defaultdict(list)
        sent = 0
        for arrival in islice(arrivals(Plan(seed=3, plants=1, lines=3)), 2 * EVENTS):
            key = None if arrival.key is None else arrival.key.encode()
            for topic in INPUTS if arrival.tick else [arrival.topic]:
                for number in (
                    range(PARTITIONS) if arrival.tick else [partition_of(key, PARTITIONS)]
                ):
                    entries[topic, number].append((key, arrival.value))
            sent += not arrival.tick
            if sent == EVENTS:
                break
        entries[MES_EVENTS, 0] += [(None, b"{}"), (b"DE01/L1", None), (b"\xff", b"x" * 70_000)]
        async with producing(self.cluster) as plain, producing(self.cluster, "mes") as by_turns:
            for (topic, number), records in sorted(entries.items()):
                half = len(records) // 2
                await lay(plain, topic, number, records[:half])
                await by_turns.begin_transaction()
                await lay(by_turns, topic, number, [(b"DE01/L1", b"never committed")])
                await by_turns.abort_transaction()
                for some in (records[half : half + 5], records[half + 5 :]):
                    async with by_turns.transaction():
                        await lay(by_turns, topic, number, some)

    async def work(self, share: float = 1.0) -> None:
        """Let each task process all of its input; its state is after `share` of the records."""
        tps = [TopicPartition(topic, number) for topic in INPUTS for number in range(PARTITIONS)]
        records: defaultdict[TopicPartition, list[Record]] = defaultdict(list)
        async with self.cluster.reader() as consumer:
            consumer.assign(tps)
            spans = await bounds(consumer, tps)
            for tp, (begin, _) in spans.items():
                consumer.seek(tp, begin)
            async for tp, found in read_to(consumer, {tp: end for tp, (_, end) in spans.items()}):
                records[tp] += [
                    Record(one.offset, one.timestamp * 1000, one.key, one.value, one.headers)
                    for one in found
                ]
        for tp in tps:
            done = self.done[tp] = Done()
            task = Partition(*tp, RULES[tp.topic], MemoryStore())
            reached = round(share * len(records[tp]))
            for start, end in [(0, reached // 2), (reached // 2, reached), (reached, None)]:
                step = task.step(records[tp][start:end])
                task.commit(step)
                done.outputs += step.outputs
                if end is not None and task.offset >= 0:
                    done.due = len(done.outputs)
                    done.state += step.changes.items()

    async def lay(self) -> None:
        """Write what the tasks came to, as a worker does: outputs, then states."""
        async with producing(self.cluster) as producer:
            await lay_outputs(producer, self.left())
            for tp, done in self.done.items():
                await lay(producer, changelog(self.group, tp.topic), tp.partition, done.state)

    async def audit(self, exactly_once: bool = False) -> Audited:
        return await audit(self.cluster, self.group, RULES, exactly_once)


@asynccontextmanager
async def producing(cluster: Cluster, name: str | None = None) -> AsyncIterator[AIOKafkaProducer]:
    producer = cluster.producer(name and f"{name}-{uuid.uuid4().hex}", linger_ms=5)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def lay(
    producer: AIOKafkaProducer, topic: str, number: int, entries: Sequence[Entry]
) -> None:
    """Write records to a partition, acknowledged when this returns."""
    sent = [await producer.send(topic, value, key, number) for key, value in entries]
    await asyncio.gather(*sent)


async def lay_outputs(producer: AIOKafkaProducer, outputs: Sequence[Outgoing]) -> None:
    """Write output records, each to the partition of its key."""
    targets: defaultdict[tuple[str, int], list[Entry]] = defaultdict(list)
    for record in outputs:
        at = record.topic, partition_of(record.key, PARTITIONS)
        targets[at].append((record.key, record.value))
    for at, entries in targets.items():
        await lay(producer, *at, entries)


@pytest.fixture
def system(broker: Broker) -> Any:
    """A system whose topics are new and whose input is there."""
    group = f"test-{uuid.uuid4().hex[:12]}"
    fresh_topics(broker, PARTITIONS, group)
    system = System(read_broker(broker.url), group)
    run_apart(system.feed())
    yield system
    delete_topics(broker, [changelog(group, topic) for topic in INPUTS])


def lineside(
    system: System, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `lineside audit` on a system."""
    own = {name: value for name, value in os.environ.items() if "LINESIDE" not in name}
    url = f"kafka://{','.join(system.cluster.servers)}"
    return subprocess.run(
        [LINESIDE, "audit", *arguments],
        env=own | {"LINESIDE_BROKER": url, "LINESIDE_GROUP": system.group} | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


async def test_a_stopped_system_is_proven_with_all_its_figures(system: System) -> None:
    await system.work()
    await system.lay()
    audited = lineside(system, "--json")
    assert audited.returncode == 0, audited.stdout + audited.stderr
    found = json.loads(audited.stdout)
    assert found["verdict"] == "proven"
    assert {law["verdict"] for law in found["laws"]} == {"proven"}
    assert len(found["laws"]) == 6
    assert found["first_difference"] is None
    for each in found["inputs"]:
        counts = [each[name] for name in ("accepted", "duplicate", "exception", "tick")]
        assert sum(counts) == each["records"] > 100
        # Three transactions ended in between, and the record of one of them was never committed.
        assert each["end"] - each["begin"] == each["records"] + 4
        assert each["state"] == each["end"] - 2
    left = system.left()
    assert {topic: figures["records"] for topic, figures in found["outputs"].items()} == {
        topic: sum(record.topic == topic for record in left) for topic in found["outputs"]
    }
    assert not any(
        figures["to_come"] or figures["repeats"] for figures in found["outputs"].values()
    )


async def test_a_report_for_people_says_why_each_law_holds(system: System) -> None:
    await system.work()
    await system.lay()
    audited = lineside(system)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    lines = audited.stdout.splitlines()
    assert lines[0] == (
        f"audit of kafka://{system.cluster.servers[0]}, group {system.group}, at_least_once"
    )
    assert lines[-1] == "proven"
    laws = [line.split("  ")[0] for line in lines if " proven  " in line]
    assert laws == [
        "conservation", "idempotence", "determinism", "order", "no loss", "relevance"
    ]  # fmt: skip
    assert any(line.startswith("mes.events.v1/1 ") for line in lines)


async def test_a_system_at_work_is_proven_up_to_where_it_is(system: System) -> None:
    await system.work(share=0.5)
    behind = 0
    for done in system.done.values():
        # Of what follows the state some has left already.
        ahead = (len(done.outputs) - done.due) // 2
        behind += len(done.outputs) - done.due - ahead
        done.outputs = done.outputs[: done.due + ahead]
    await system.lay()
    found = await system.audit()
    assert found.verdict == "proven"
    assert sum(figures.to_come for figures in found.outputs.values()) == behind > 0


async def test_a_system_that_hasnt_begun_is_waiting_not_wrong(system: System) -> None:
    found = await system.audit()
    assert found.verdict == "proven"
    assert {each.state for each in found.inputs} == {None}
    assert sum(figures.to_come for figures in found.outputs.values()) > 100


async def test_topics_without_input_prove_nothing(system: System, broker: Broker) -> None:
    fresh_topics(broker, PARTITIONS, system.group)
    found = await system.audit()
    assert found.verdict == "not provable"


async def test_repeats_are_legal_at_least_once_only(system: System) -> None:
    await system.work()
    repeats = 0
    for done in system.done.values():
        again = done.outputs[-20:]
        done.outputs += again
        repeats += len(again)
    await system.lay()
    found = await system.audit()
    assert found.verdict == "proven"
    assert sum(figures.repeats for figures in found.outputs.values()) == repeats > 20
    for options, environment in [
        (["--exactly-once"], {}), ([], {"LINESIDE_GUARANTEE": "exactly_once"}),
    ]:  # fmt: skip
        audited = lineside(system, *options, **environment)
        assert audited.returncode == 1, audited.stdout + audited.stderr
        assert "determinism   refuted" in audited.stdout
        assert (
            f"exactly_once puts each record there once (and {repeats - 1} more)" in audited.stdout
        )


def dropped(done: Done, index: int) -> None:
    del done.outputs[index]


def changed(done: Done, index: int) -> None:
    record = done.outputs[index]
    event = json.loads(record.value)
    event["data"]["quantity"] = "123456"
    done.outputs[index] = with_value(record, json.dumps(event).encode())


def swapped(done: Done, index: int) -> None:
    record = done.outputs[index]
    other = next(
        place
        for place in range(index + 1, len(done.outputs))
        if (done.outputs[place].topic, done.outputs[place].key) == (record.topic, record.key)
    )
    done.outputs[index], done.outputs[other] = done.outputs[other], record


def added(done: Done, index: int) -> None:
    record = done.outputs[index]
    event = {**json.loads(record.value), "id": f"{record.id}9"}
    done.outputs.insert(index, with_value(record, json.dumps(event).encode()))


def used_twice(done: Done, index: int) -> None:
    done.outputs.append(done.outputs[index])
    changed(done, len(done.outputs) - 1)


def with_value(record: Outgoing, value: bytes) -> Outgoing:
    return Outgoing(record.topic, record.key, record.id, record.type, value)


@pytest.mark.parametrize(
    ("tamper", "kind", "member"),
    [
        (dropped, "missing", "id"),
        (changed, "changed", "data.quantity"),
        (swapped, "reordered", "id"),
        (added, "extra", "id"),
        (used_twice, "reused", "data.quantity"),
    ],
)
async def test_one_wrong_record_is_found_and_named(
    system: System, tamper: Callable[[Done, int], None], kind: str, member: str
) -> None:
    await system.work()
    done = next(
        done for tp, done in system.done.items() if tp.topic == MES_EVENTS and len(done.outputs) > 9
    )
    index = next(
        index
        for index, record in enumerate(done.outputs)
        if index > len(done.outputs) // 2 and record.topic == SUMMARY_CONSUMPTION
    )
    victim = done.outputs[index]
    tamper(done, index)
    await system.lay()
    audited = lineside(system, "--json")
    assert audited.returncode == 1, audited.stdout + audited.stderr
    first = json.loads(audited.stdout)["first_difference"]
    assert (first["kind"], first["member"]) == (kind, member)
    assert (first["topic"], first["line"]) == (victim.topic, victim.key.decode())
    assert victim.id in first["says"]
    assert first["offset"] > 0


async def test_the_first_difference_is_reported_to_people(system: System) -> None:
    await system.work()
    outputs = system.done[TopicPartition(MES_EVENTS, 1)].outputs
    lost = outputs.pop(0)
    instead = next(one for one in outputs if (one.topic, one.key) == (lost.topic, lost.key))
    await system.lay()
    audited = lineside(system)
    assert audited.returncode == 1, audited.stdout + audited.stderr
    partition = partition_of(lost.key, PARTITIONS)
    assert lost.key is not None
    assert audited.stdout.splitlines()[-8:] == [
        "refuted",
        f"first difference: {lost.id} is missing: {instead.id} is in its place",
        f"  partition {lost.topic}/{partition}",
        "  offset    0",
        f"  line      {lost.key.decode()}",
        "  member    id",
        f"  expected  {lost.id}",
        f"  found     {instead.id}",
    ]


async def test_a_state_that_counted_otherwise_is_found(system: System) -> None:
    await system.work()
    tp = TopicPartition(MES_EVENTS, 1)
    store = MemoryStore()
    store.write([change for change in system.done[tp].state if change[0] == HEAD])
    task = Partition(*tp, RULES[MES_EVENTS], store)
    task.counts.accepted -= 1
    task.counts.duplicate += 1
    system.done[tp].state += task.commit(task.step([])).items()
    await system.lay()
    found = await system.audit()
    assert found.verdict == "refuted"
    first = found.first_difference
    assert first is not None
    assert (first.kind, first.topic, first.partition, first.member) == (
        "counts", MES_EVENTS, 1, "accepted",
    )  # fmt: skip
    assert first.expected == first.found + 1


async def test_outputs_of_an_open_transaction_are_waited_for(system: System) -> None:
    # A state's commit can be seen before that of its outputs, which are in the same transaction.
    await system.work()
    async with producing(system.cluster, "worker") as producer:
        await producer.begin_transaction()
        await lay_outputs(producer, system.left())
        left, system.done = (
            system.left(),
            {tp: Done(state=done.state) for tp, done in system.done.items()},
        )
        await system.lay()
        auditing = asyncio.create_task(system.audit(exactly_once=True))
        await asyncio.wait([auditing], timeout=2)
        assert not auditing.done()
        await producer.commit_transaction()
        found = await auditing
    assert found.verdict == "proven"
    assert sum(figures.records for figures in found.outputs.values()) == len(left)


async def test_a_transaction_left_open_is_a_sentence(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents.audit.audit, "STILL_SECONDS_MAX", 1.0)
    async with producing(system.cluster, "worker") as producer:
        await producer.begin_transaction()
        await lay(producer, ERP_TRANSACTIONS, 1, [(b"DE01/L1", b"{}")])
        with pytest.raises(
            AuditError, match=r"erp\.transactions\.v1/1 gives nothing past offset 0"
        ):
            await system.audit()
        await producer.abort_transaction()


async def test_where_input_was_removed_the_laws_cant_be_proven(system: System) -> None:
    await system.work()
    await system.lay()
    await remove(system, TopicPartition(MES_EVENTS, 0), 50)
    audited = lineside(system)
    assert audited.returncode == 3, audited.stdout + audited.stderr
    assert audited.stdout.splitlines()[-1] == "not provable"
    assert "removed by retention: the beginning of mes.events.v1/0;" in audited.stdout
    # What is left can still contradict itself.
    done = system.done[TopicPartition(MES_EVENTS, 1)]
    index = [record.topic for record in done.outputs].index(ERP_TRANSACTIONS)
    changed(done, index)
    async with producing(system.cluster) as producer:
        await lay_outputs(producer, [done.outputs[index]])
    found = await system.audit()
    assert found.verdict == "refuted"
    assert found.first_difference is not None
    assert found.first_difference.kind == "reused"


async def test_where_outputs_were_removed_the_rest_is_held_against_the_input(
    system: System,
) -> None:
    await system.work()
    outputs = system.done[TopicPartition(MES_EVENTS, 0)].outputs
    last = max(n for n, record in enumerate(outputs) if record.topic == ERP_TRANSACTIONS)
    await system.lay()
    at = TopicPartition(ERP_TRANSACTIONS, partition_of(outputs[last].key, PARTITIONS))
    await remove(system, at, 3)
    found = await system.audit()
    assert found.verdict == "not provable"
    assert found.removed == [f"{at.topic}/{at.partition}"]
    changed(system.done[TopicPartition(MES_EVENTS, 0)], last)
    async with producing(system.cluster) as producer:
        await lay_outputs(producer, [outputs[last]])
    assert (await system.audit()).verdict == "refuted"


async def remove(system: System, tp: TopicPartition, before: int) -> None:
    async with system.cluster.admin() as admin:
        await admin.delete_records({tp: RecordsToDelete(before)})


@pytest.mark.parametrize(("prefix", "kind"), [(b"w", "state"), (b"l", "ledger")])
async def test_a_state_of_which_something_was_erased_is_refuted(
    system: System, prefix: bytes, kind: str
) -> None:
    await system.work()
    tp, done = next(
        (tp, done) for tp, done in system.done.items() if tp.topic == MES_EVENTS and done.outputs
    )
    held = {key: value for key, value in done.state if key.startswith(prefix)}
    key = min(key for key, value in held.items() if value is not None)
    done.state.append((key, None))
    await system.lay()
    audited = lineside(system, "--json")
    assert audited.returncode == 1, audited.stdout + audited.stderr
    first = json.loads(audited.stdout)["first_difference"]
    assert (first["kind"], first["topic"], first["partition"]) == (kind, *tp)
    assert first["line"] == key[1:].split(b"\0")[0].decode()
    assert "found" not in first


@pytest.mark.parametrize("forgery", ["headers", "twice"])
async def test_a_copy_that_a_reader_takes_for_something_else_is_refuted(
    system: System, forgery: str
) -> None:
    await system.work()
    await system.lay()
    assert (await system.audit()).verdict == "proven"
    record = next(
        record
        for record in system.left()
        if record.topic == ERP_TRANSACTIONS and b'"quantity"' in record.value
    )
    value, headers, member = record.value, [STRUCTURED], "data.quantity"
    if forgery == "headers":
        headers = [("ce_specversion", b"1.0"), ("ce_type", b"erp.reversal.v1")]
        member = "header ce_specversion"
    else:
        value = value.replace(b'"data":{', b'"data":{"quantity":"999999",', 1)
    number = partition_of(record.key, PARTITIONS)
    async with producing(system.cluster) as producer:
        await producer.send_and_wait(record.topic, value, record.key, number, headers=headers)
    found = await system.audit()
    assert found.verdict == "refuted"
    first = found.first_difference
    assert first is not None
    assert (first.kind, first.topic, first.member) == ("reused", record.topic, member)


async def test_a_state_of_other_settings_is_refused_with_the_way_out(system: System) -> None:
    await system.work()
    await system.lay()
    audited = lineside(system, LINESIDE_GRACE_SECONDS="31")
    assert_sentence(audited, 2, "mes.events.v1/0", "--config")


async def test_a_group_or_topic_that_isnt_there_is_named(system: System, broker: Broker) -> None:
    audited = lineside(system, "--group", "nobody")
    assert_sentence(audited, 2, "nobody-mes.events.v1-changelog", "'nobody'")
    delete_topics(broker, [EXCEPTIONS])
    assert_sentence(lineside(system), 2, EXCEPTIONS)


async def test_partitions_that_were_added_are_reported(system: System) -> None:
    async with system.cluster.admin() as admin:
        await admin.create_partitions({MES_EVENTS: NewPartitions(PARTITIONS + 1)})
    with pytest.raises(Trouble, match=r"mes\.events\.v1 has 3 partitions, and its changelog 2"):
        await system.audit()


def assert_sentence(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    error = done.stderr.splitlines()[-1]
    assert error.startswith("Error: ")
    for word in words:
        assert word in error


def test_a_broker_that_doesnt_answer_proves_nothing() -> None:
    nobody = System(Cluster(("127.0.0.1:1",)), "lineside")
    assert_sentence(lineside(nobody), 3, "127.0.0.1:1")
