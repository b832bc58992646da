"""`lineside simulate --broker`: what is on the input topics is what was to be sent, once."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from broker import KafkaBroker, run_apart
from clusters import Broker, delete_topics, fresh_topics
from runs import At, placed
from streams.contract.topics import INPUTS, MACHINE_EVENTS, MES_EVENTS, changelog, topics_of
from streams.kafka.cluster import bounds, read_broker, read_to
from streams.log.headers import STRUCTURED
from streams.log.record import Record, partition_of

LINESIDE = str(Path(sys.executable).with_name("lineside"))
SECONDS_MAX = 60
PARTITIONS = 3
EVENTS = 20_000

Where = Broker | KafkaBroker


def simulate(*arguments: object, exit_code: int = 0) -> str:
    """Return what `lineside simulate` says."""
    done = subprocess.run(
        [LINESIDE, "simulate", *map(str, arguments)],
        capture_output=True, text=True, timeout=SECONDS_MAX,
    )  # fmt: skip
    assert done.returncode == exit_code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def started(*arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [LINESIDE, "simulate", *map(str, arguments)], stderr=subprocess.PIPE, text=True
    )


def on_topics(broker: Where) -> dict[At, list[ConsumerRecord]]:
    """Return what the input topics hold, by partition."""

    async def read() -> dict[At, list[ConsumerRecord]]:
        found: dict[At, list[ConsumerRecord]] = {}
        async with read_broker(broker.url).reader() as reader:
            tps = [TopicPartition(topic, n) for topic in INPUTS for n in range(PARTITIONS)]
            reader.assign(tps)
            await reader.seek_to_beginning(*tps)
            ends = {tp: end for tp, (_, end) in (await bounds(reader, tps)).items()}
            async for tp, records in read_to(reader, ends):
                found.setdefault((tp.topic, tp.partition), []).extend(records)
        return found

    return run_apart(read())


def pairs(records: list[ConsumerRecord] | list[Record]) -> list[tuple[bytes | None, bytes | None]]:
    return [(record.key, record.value) for record in records]


@pytest.fixture
def topics(broker: Broker, new_name: Callable[[], str]) -> Broker:
    fresh_topics(broker, PARTITIONS, group := new_name())
    delete_topics(broker, [changelog(group, topic) for topic in INPUTS])
    return broker


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "log.ndjson"
    simulate("--events", EVENTS, "--plants", 2, "--lines", 4, "--out", path)
    return path


def test_a_factory_sends_at_its_rate_as_things_happen(topics: Broker) -> None:
    before = time.time()
    said = simulate("--broker", topics.url, "--rate", 300, "--seconds", 5, "--clean")
    match = re.search(r"^sent ([\d,]+) events in ([\d.]+) s$", said, re.MULTILINE)
    assert match, said
    sent = int(match[1].replace(",", ""))
    assert 1_200 <= sent <= 1_600
    found = on_topics(topics)
    records = [record for each in found.values() for record in each]
    assert len(records) == sent
    assert {topic for topic, _ in found} == set(INPUTS)
    lines: set[bytes] = set()
    for (topic, number), each in found.items():
        for record in each:
            event = json.loads(record.value)
            assert event["type"].startswith("machine.") == (topic == MACHINE_EVENTS)
            assert record.key == f"{event['plant']}/{event['line']}".encode()
            assert partition_of(record.key, PARTITIONS) == number
            assert record.headers == (STRUCTURED,)
            assert event["time"][:10] >= time.strftime("%Y-%m-%d", time.gmtime(before - 90))
            lines.add(record.key)
    assert len(lines) > 100


def test_no_two_runs_of_a_factory_share_an_event_or_an_order(topics: Broker) -> None:
    for _ in range(2):
        simulate("--broker", topics.url, "--rate", 200, "--events", 300, "--clean")
    events = [json.loads(r.value) for records in on_topics(topics).values() for r in records]
    assert len(events) == 600
    assert len({(event["source"], event["id"]) for event in events}) == 600
    orders: dict[str, set[str]] = {}
    for event in events:
        run = event["id"].split("-")[-2]
        orders.setdefault(run, set()).update({event["data"].get("order")} - {None})
    first, second = orders.values()
    assert first
    assert first.isdisjoint(second)


def test_ticks_are_sent_where_they_are_asked_for(topics: Broker) -> None:
    said = simulate("--broker", topics.url, "--rate", 40, "--events", 60, "--tick-seconds", 10)
    ticks = [
        record
        for records in on_topics(topics).values()
        for record in records
        if b'"clock.tick.v1"' in record.value
    ]
    assert f"sent 60 events and {len(ticks)} ticks" in said
    assert len(ticks) >= 2 * PARTITIONS
    assert {record.key for record in ticks} == {None}
    assert {record.headers for record in ticks} == {(STRUCTURED,)}


def test_a_log_is_sent_in_its_order_each_line_once(topics: Broker, log: Path) -> None:
    said = simulate("--broker", topics.url, "--log", log)
    assert f"sent {EVENTS:,} events" in said
    expected = placed(log.read_bytes().splitlines(), PARTITIONS)
    found = on_topics(topics)
    assert {at: pairs(records) for at, records in found.items()} == {
        at: pairs(records) for at, records in expected.items()
    }
    assert {r.headers for records in found.values() for r in records} == {(STRUCTURED,)}


def test_a_broker_that_was_killed_gets_each_line_once(own_broker: KafkaBroker, log: Path) -> None:
    fresh_topics(own_broker, PARTITIONS)
    process = started("--broker", own_broker.url, "--log", log, "--rate", EVENTS / 4)
    assert process.stderr is not None
    for line in process.stderr:
        if re.search(r"sent [1-9]", line):
            break
    own_broker.kill()
    own_broker.restart()
    _, said = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 0, said
    expected = placed(log.read_bytes().splitlines(), PARTITIONS)
    found = on_topics(own_broker)
    assert {at: pairs(records) for at, records in found.items()} == {
        at: pairs(records) for at, records in expected.items()
    }
    delete_topics(own_broker, [topic.name for topic in topics_of("lineside")])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_when_what_was_sent_has_arrived(
    topics: Broker, log: Path, number: signal.Signals
) -> None:
    process = started("--broker", topics.url, "--log", log, "--rate", 2_000)
    assert process.stderr is not None
    for line in process.stderr:
        if re.search(r"sent [1-9]", line):
            break
    process.send_signal(number)
    _, said = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 0, said
    match = re.search(r"^sent ([\d,]+) events and ([\d,]+) ticks in", said, re.MULTILINE)
    assert match, said
    sent = sum(int(count.replace(",", "")) for count in match.groups())
    expected = placed(log.read_bytes().splitlines(), PARTITIONS)
    found = on_topics(topics)
    assert 0 < sum(map(len, found.values())) == sent < sum(map(len, expected.values()))
    for at, records in found.items():
        assert pairs(records) == pairs(expected[at][: len(records)])


def test_a_signal_while_the_broker_is_away_says_what_isnt_known(
    own_broker: KafkaBroker, log: Path
) -> None:
    fresh_topics(own_broker, PARTITIONS)
    process = started("--broker", own_broker.url, "--log", log, "--rate", 2_000)
    assert process.stderr is not None
    for line in process.stderr:
        if re.search(r"sent [1-9]", line):
            break
    own_broker.freeze()
    for line in process.stderr:
        if re.search(r"  0/s  unacknowledged [1-9]", line):
            break
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 1
    assert re.search(r"Error: [\d,]+ of [\d,]+ records weren't acknowledged", said), said
    assert "Traceback" not in said


def test_a_printed_record_keeps_its_partition_timestamp_and_headers(
    broker: Broker, topics: Broker, tmp_path: Path
) -> None:
    path = tmp_path / "log.ndjson"
    whole = {"topic": MES_EVENTS, "partition": 2, "offset": 70, "tstype": "create",
            "ts": 1_700_000_000_123, "broker": 0, "key": "DE01/L1", "payload": "x",
            "headers": ["ce_id", "1", "none", None]}  # fmt: skip
    bare = {**whole, "headers": []}
    other = {**whole, "topic": "other", "partition": 0}
    path.write_text("".join(f"{json.dumps(one)}\n" for one in (whole, other, bare)))
    said = simulate("--broker", topics.url, "--log", path, exit_code=1)
    assert "sent 2 events" in said
    assert "2  malformed: the value isn't JSON" in said
    assert f"{path} was sent as it is, and nothing of it is an event" in said
    (at,) = found = on_topics(topics)
    assert at == (MES_EVENTS, 2)
    record, last = found[at]
    assert (record.key, record.value) == (b"DE01/L1", b"x")
    assert record.headers == (("ce_id", b"1"), ("none", None))
    assert last.headers == ()


def test_a_printed_record_of_a_partition_that_isnt_there_is_refused(
    topics: Broker, tmp_path: Path
) -> None:
    path = tmp_path / "log.ndjson"
    path.write_text(f'{{"topic":"{MES_EVENTS}","partition":9,"payload":"x"}}\n')
    said = simulate("--broker", topics.url, "--log", path, exit_code=1)
    assert f"line 1 of {path} is of partition 9 of {MES_EVENTS}, which has 3" in said


def test_topics_that_arent_there_are_reported_with_the_way_out(topics: Broker) -> None:
    delete_topics(topics, [MACHINE_EVENTS])
    said = simulate("--broker", topics.url, "--seconds", 1, exit_code=1)
    assert f"topic {MACHINE_EVENTS} is missing" in said
    assert f"lineside topics create --broker {topics.url}" in said
