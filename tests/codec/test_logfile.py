"""A file is a log: each line that isn't blank becomes records, each where it belongs."""

import json
import time
from io import BytesIO
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.replay.replay import replay
from agents.simulate.factory import Plan, arrivals
from compiled import all_plain, needs_core
from draws import logs, rngs, seeds
from logs import random_log
from oracle_v2.values import parse_json
from runs import At, consumed, event, new_task, placed, value_of
from streams.codec.decode import decode
from streams.codec.document import VALUE_BYTES_MAX
from streams.codec.logfile import BLOCK_BYTES, LINE_BYTES_MAX, LogReader, Placed, lines_of
from streams.contract.rejection import Rejection
from streams.contract.topics import EXCEPTIONS, INPUTS, MACHINE_EVENTS, MES_EVENTS
from streams.log.record import Record, murmur2, partition_of
from tables.line.rules import rules_for
from test_codec import same


def read(file: bytes, partitions: int = 1) -> tuple[dict[At, Placed], int]:
    """Return what a file places by partition, and how many records were passed over."""
    reader = LogReader(partitions)
    found: dict[At, Placed] = {}
    for lines in lines_of(BytesIO(file)):
        reader.place(lines)
        for at, each in reader.take():
            assert len(each.records) == len(each.decoded) == len(each.numbers)
            placed_ = found.setdefault(at, Placed())
            placed_.records += each.records
            placed_.decoded += each.decoded
            placed_.numbers += each.numbers
    return found, reader.passed_over


def only(file: bytes) -> tuple[At, Record]:
    """Return where the one record of a file is, and the record."""
    ((at, placed_),) = read(file)[0].items()
    (record,) = placed_.records
    return at, record


def refused(file: bytes) -> list[dict[str, Any]]:
    """Return the exceptions that a file gives."""
    left = []
    for at, placed_ in read(file)[0].items():
        step = new_task(at).step_decoded(placed_.records, placed_.decoded)
        left += [value_of(output) for output in step.outputs if output.topic == EXCEPTIONS]
    return left


def kcat(**members: Any) -> bytes:
    """Return a record as `kcat -J` prints it, of the MES's topic unless told otherwise."""
    told = {"topic": MES_EVENTS, "partition": 0, "offset": 7, "tstype": "create", "ts": -1,
            "broker": 0, "key": "DE01/L1", "payload": consumed(0).decode()}  # fmt: skip
    return json.dumps(told | members).encode()


# Laws.


@given(logs(), st.sampled_from([b"\n", b"\r\n", b"\n\n \n", b"\n\t\r\n"]), st.booleans())
def test_ends_of_lines_and_blank_ones_are_no_part_of_a_log(
    lines: list[bytes], end: bytes, last: bool
) -> None:
    lines = [line for line in lines if not line.isspace() and b"\r" not in line]
    found, _ = read(end.join(lines) + (end if last else b""))
    expected = placed(lines)
    assert found.keys() == expected.keys()
    for at, placed_ in found.items():
        for one, other in zip(placed_.records, expected[at], strict=True):
            assert (one.value or b"").rstrip(b"\r") == other.value
            assert (one.key, one.offset) == (other.key, other.offset)


@given(logs(), st.sampled_from([1, 2, 4, 16]))
def test_every_line_is_one_record_and_a_tick_one_on_each_partition(
    lines: list[bytes], partitions: int
) -> None:
    found = placed(lines, partitions)
    expected = 0
    for line in lines:
        decoded = decode(line, (), None)
        refused_tick = isinstance(decoded, Rejection) and _type_of(line) == "clock.tick.v1"
        ticks = decoded.__class__.__name__ == "Tick" or refused_tick
        expected += 2 * partitions if ticks else 1
    assert sum(map(len, found.values())) == expected
    for (topic, number), records in found.items():
        assert 0 <= number < partitions
        assert topic in INPUTS
        assert [record.offset for record in records] == list(range(len(records)))
        for record in records:
            assert record.timestamp is None
            assert record.key is None or partition_of(record.key, partitions) == number
            if _type_of(record.value or b"") != "clock.tick.v1":
                machine = str(_type_of(record.value or b"")).startswith("machine.")
                assert machine == (topic == MACHINE_EVENTS)


@given(logs(), st.sampled_from([1, 4]), rngs)
def test_what_isnt_decoded_yet_is_where_decoding_would_have_put_it(
    lines: list[bytes], partitions: int, rng: Random
) -> None:
    """Among printed records, and lines with a byte that isn't theirs."""
    needs_core()
    printed = rng.choice([kcat(), kcat(topic="another"), kcat(payload="x")])
    mixed = [rng.choice([line, line, printed, _changed(line, rng)]) for line in lines]
    found, passed_over = read(b"\n".join(mixed), partitions)
    with all_plain():
        expected, as_many = read(b"\n".join(mixed), partitions)
    assert passed_over == as_many
    assert found.keys() == expected.keys()
    for at, placed_ in found.items():
        assert placed_.records == expected[at].records
        assert placed_.numbers == expected[at].numbers
        for record, one, other in zip(
            placed_.records, placed_.decoded, expected[at].decoded, strict=True
        ):
            assert same(decode(record.value, record.headers, at[0]) if one is None else one, other)


def test_most_lines_of_a_factory_arent_decoded_to_be_placed() -> None:
    needs_core()
    lines = [arrival.value for arrival in islice(arrivals(Plan()), 5_000)]
    found, _ = read(b"\n".join(lines))
    decoded = [one for placed_ in found.values() for one in placed_.decoded]
    assert decoded.count(None) > 0.95 * len(decoded)


def _changed(line: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(line))
    return line[:at] + bytes([rng.choice(b'"{}\\,:x0')]) + line[at + 1 :]


def _type_of(line: bytes) -> object:
    """Return the type of an event that is at least a JSON object, surrogates and all."""
    try:
        document = parse_json(line)
    except ValueError:
        return None
    return document.get("type") if isinstance(document, dict) else None


@given(seeds, st.sampled_from([1, 7, 1 << 10]))
def test_blocks_of_a_file_change_nothing(seed: int, size: int) -> None:
    lines = [line for line in random_log(seed, 60) if b"\n" not in line and not line.isspace()]
    file = b"\n".join(lines)

    class Slow(BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            return super().read(size)

    assert [line for part in lines_of(Slow(file)) for line in part] == [
        line for line in lines if line
    ]


@pytest.mark.timeout(120)
@given(st.binary(max_size=60) | st.text(max_size=30).map(str.encode), st.sampled_from([1, 4]))
@example(b'{"topic":"mes.events.v1","payload":"x","offset":99999999999999999999}', 1)
@example(b'{"topic":"mes.events.v1","payload":"x","ts":99999999999999999999999999}', 1)
@example(b'{"topic":"mes.events.v1","payload":"x","headers":["\\ud800","v"]}', 1)
@example(b'{"topic":"mes.events.v1","payload":"x","headers":["\xff","v"]}', 1)
@example(b'{"topic":"mes.events.v1","payload":"x","headers":[null,"v"]}', 1)
@example(b'{"topic":"mes.events.v1","payload":"x","headers":["k","\\ud800"]}', 1)
@example(b'{"topic":"mes.events.v1","payload":"x","key":"\\ud800"}', 1)
@example(b'{"topic":"mes.events.v1","payload":"x","partition":-1}', 1)
@example(b'{"topic":"mes.events.v1","payload":{"a":1.50}}', 1)
@example(b'{"topic":5,"payload":"x"}', 1)
@example(b'{"topic":null,"payload":null}', 1)
@example(b'{"topic":"mes.events.v1","payload":"\\ud800"}', 1)
def test_any_line_is_one_exception_at_most_and_never_an_error(line: bytes, partitions: int) -> None:
    for part in line.split(b"\n"):
        reader = LogReader(partitions)
        if not part.strip():
            continue
        reader.place([part])
        assert len(refused(part)) + reader.passed_over == 1


# Bare lines.


def test_a_bare_line_goes_to_the_topic_of_its_type_keyed_by_plant_and_line() -> None:
    assert only(consumed(0)) == ((MES_EVENTS, 0), Record(0, None, b"DE01/L1", consumed(0)))
    count = event("machine.count.v1", 0, work_unit="U1", good=1, scrap=0)
    assert only(count) == ((MACHINE_EVENTS, 0), Record(0, None, b"DE01/L1", count))
    assert only(event("machine.unheard", 0))[0] == (MACHINE_EVENTS, 0)
    assert only(event("unheard", 0))[0] == (MES_EVENTS, 0)
    assert only(b"{")[0] == (MES_EVENTS, 0)
    assert only(b"{")[1].key is None


def test_a_refused_bare_line_keeps_the_key_that_can_be_read() -> None:
    assert only(consumed(0, "x"))[1].key == b"DE01/L1"
    assert only(consumed(0, plant="a/b"))[1].key == b"a/b/L1"
    assert only(consumed(0, plant=5))[1].key is None


def test_bare_lines_have_no_timestamp_so_none_is_from_the_future() -> None:
    assert refused(consumed(10**8)) == []


def test_a_tick_goes_to_every_partition_of_both_topics() -> None:
    found, _ = read(event("clock.tick.v1", 0), partitions=4)
    assert found.keys() == {(topic, number) for topic in INPUTS for number in range(4)}
    assert all(len(placed_.records) == 1 for placed_ in found.values())


@pytest.mark.parametrize("data", [{"item": "I", "base_uom": "kg"}, {"item": "I", "base_uom": 5}])
def test_a_reference_record_goes_to_every_partition_of_mes_events(data: dict[str, Any]) -> None:
    line = event("reference.item.v1", 0, source="/lineside", **data)
    found, _ = read(line, partitions=4)
    assert found.keys() == {(MES_EVENTS, number) for number in range(4)}
    assert all(len(placed_.records) == 1 for placed_ in found.values())


def test_a_refused_reference_record_keeps_the_key_of_its_plant_and_line() -> None:
    """As any bare line does; `*` is what lineside writes for the line."""
    line = event("reference.item.v1", 0, source="/lineside", line="*", item="I", base_uom=5)
    (told,) = refused(line)
    assert (told["data"]["code"], told["data"]["key"]) == ("invalid", "DE01/*")


def test_a_line_of_a_plant_stays_on_its_partition() -> None:
    found, _ = read(b"\n".join(consumed(n, line=f"L{n % 50}") for n in range(200)), partitions=16)
    homes: dict[bytes | None, set[At]] = {}
    for at, placed_ in found.items():
        for record in placed_.records:
            homes.setdefault(record.key, set()).add(at)
    assert len(homes) == 50
    assert all(len(home) == 1 for home in homes.values())
    assert len({next(iter(home)) for home in homes.values()}) > 8


@pytest.mark.parametrize(
    ("key", "hash_"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536),
     (b"a-little-bit-longer-string", -1486304829), (b"abc", 479470107),
     (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971)],
)  # fmt: skip
def test_keys_are_hashed_as_kafkas_java_client_does(key: bytes, hash_: int) -> None:
    """The vectors are those of Kafka's own `UtilsTest.testMurmur2`."""
    assert murmur2(key) == hash_ & 0x7FFFFFFF
    assert partition_of(key, 16) == (hash_ & 0x7FFFFFFF) % 16
    assert partition_of(None, 16) == partition_of(key, 1) == 0


def test_a_line_of_two_members_named_like_kcats_is_a_printed_record_however_spelt() -> None:
    """An object with `topic` and `payload`: an event with such attributes, too, in any spelling."""
    told = json.loads(consumed(0)) | {"topic": "other.v1", "payload": "x"}
    plain = json.dumps(told).encode()
    spellings = [
        plain,
        json.dumps(dict(reversed(told.items()))).encode(),
        plain.replace(b'"payload"', b'"payl\\u006fad"'),
        plain.replace(b'"topic"', b'"t\\u006fpic"'),
        plain.replace(b'"I1"', b'"\\u00491"'),
        plain.replace(b'"specversion"', b' "specversion"'),
        plain.replace(b"{", b' \t{"payload":5,', 1),
    ]
    for line in spellings:
        assert read(line) == ({}, 1), line


def test_an_event_with_only_one_of_the_two_is_a_bare_event() -> None:
    for more in ({"payload": "x"}, {"topic": "mes.events.v1"}):
        line = json.dumps(json.loads(consumed(0)) | more).encode()
        assert only(line) == ((MES_EVENTS, 0), Record(0, None, b"DE01/L1", line))


# Printed records.


def test_a_printed_record_is_where_it_was_with_all_it_had() -> None:
    line = kcat(
        topic=MACHINE_EVENTS, partition=3, offset=41, ts=1_795_240_800_123, key="a/b", payload="x",
        headers=["k", "v", "n", None, "k", "w"],
    )  # fmt: skip
    assert only(line) == (
        (MACHINE_EVENTS, 3),
        Record(
            41, 1_795_240_800_123_000, b"a/b", b"x", [("k", b"v"), ("n", None), ("k", b"w")]
        ),
    )  # fmt: skip


def test_nulls_and_absent_members_of_a_printed_record_are_nothing() -> None:
    assert only(kcat(key=None, payload=None, headers=None, ts=None))[1] == Record(
        7, None, None, None, []
    )
    at, record = only(b'{"topic":"mes.events.v1","payload":""}')
    assert (at, record) == ((MES_EVENTS, 0), Record(0, None, None, b"", []))


def test_a_timestamp_of_minus_one_is_none() -> None:
    assert only(kcat(ts=-1))[1].timestamp is None
    assert only(kcat(ts=0))[1].timestamp == 0


def test_a_printed_null_is_malformed_and_has_no_value() -> None:
    (told,) = refused(kcat(payload=None))
    assert (told["data"]["code"], told["data"]["value"]) == ("malformed", "")
    assert told["id"] == "mes.events.v1/0/7"


def test_the_timestamp_of_a_printed_record_tells_the_future_and_the_exceptions_time() -> None:
    (told,) = refused(kcat(ts=(1_795_240_800 - 601) * 1_000))
    assert told["data"]["code"] == "from_the_future"
    assert told["time"] == "2026-11-21T05:49:59Z"
    assert refused(kcat(ts=(1_795_240_800 - 600) * 1_000)) == []


def test_the_key_of_a_printed_record_is_compared() -> None:
    (told,) = refused(kcat(key="DE01/L2"))
    assert told["data"]["code"] == "key_mismatch"
    assert told["data"]["key"] == "DE01/L2"
    assert (told["plant"], told["line"]) == ("DE01", "L1")


def test_other_topics_are_passed_over_and_counted() -> None:
    file = b"\n".join([kcat(topic="other.v1"), kcat(), kcat(topic="erp.transactions.v1")])
    found, passed_over = read(file)
    assert (list(found), passed_over) == ([(MES_EVENTS, 0)], 2)


def test_a_printed_tick_is_on_its_own_partition_only() -> None:
    found, _ = read(kcat(payload=event("clock.tick.v1", 0).decode(), key=None), partitions=4)
    assert list(found) == [(MES_EVENTS, 0)]


def test_a_printed_event_in_binary_mode_is_read() -> None:
    told = json.loads(consumed(0))
    data = told.pop("data")
    headers = [text for name, value in told.items() for text in (f"ce_{name}", value)]
    assert refused(kcat(payload=json.dumps(data), headers=headers)) == []
    del headers[headers.index("ce_id") : headers.index("ce_id") + 2]
    (told,) = refused(kcat(payload=json.dumps(data), headers=headers))
    assert "id is missing" in told["data"]["reason"]
    assert {"name": "ce_source", "value": "/mes"} in told["data"]["headers"]


def test_a_payload_that_is_no_utf_8_keeps_its_bytes() -> None:
    line = kcat(payload="W@rme").replace(b"@", b"\xe4")
    assert only(line)[1].value == b"W\xe4rme"
    (told,) = refused(line)
    assert told["data"]["code"] == "malformed"
    assert told["data"]["value"] == "V+RybWU="


def test_a_key_that_is_no_utf_8_keeps_its_bytes() -> None:
    _, record = only(kcat(key="@").replace(b'"@"', b'"\xe4"'))
    assert record.key == b"\xe4"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("member", "value"),
    [("offset", "5"), ("offset", 1.5), ("partition", None), ("ts", "now"), ("key", 5),
     ("headers", {}), ("headers", [5]), ("offset", 2**63), ("offset", -1), ("partition", -1),
     ("partition", 2**31), ("ts", 10**30)],
)  # fmt: skip
def test_a_printed_record_that_kafka_could_not_have_is_one_exception(
    member: str, value: Any
) -> None:
    """What no Kafka has (offsets past 63 bits, partitions below nought) is no error, either."""
    line = kcat(**{member: value}, payload="x")
    (told,) = refused(line)
    assert told["data"]["code"] == "malformed"
    assert read(line)[1] == 0


def test_no_timestamp_takes_long_to_write() -> None:
    begun = time.thread_time()
    assert refused(kcat(ts=2**63 - 1, payload="x"))
    assert time.thread_time() - begun < 1


# Long lines.


def test_a_long_line_is_kept_up_to_a_bound_and_malformed() -> None:
    long = b'{"a":"' + b"x" * (LINE_BYTES_MAX + 5 * BLOCK_BYTES) + b'"}'
    file = b"\n".join([consumed(0), long, consumed(1)])
    lines = [line for part in lines_of(BytesIO(file)) for line in part]
    assert [len(line) for line in lines][::2] == [len(consumed(0)), len(consumed(1))]
    assert LINE_BYTES_MAX <= len(lines[1]) <= LINE_BYTES_MAX + BLOCK_BYTES
    (told,) = refused(file)
    assert told["data"]["code"] == "malformed"


def test_a_last_line_without_an_end_counts_however_long() -> None:
    for size in (10, BLOCK_BYTES, LINE_BYTES_MAX + 10 * BLOCK_BYTES):
        (lines,) = (part for part in lines_of(BytesIO(b"x" * size)) if part)
        assert [len(line) for line in lines] == [min(size, LINE_BYTES_MAX)]


def test_a_value_just_past_the_limit_is_malformed_on_its_own_key() -> None:
    line = consumed(0, x="x" * VALUE_BYTES_MAX)
    assert only(line)[1].key == b"DE01/L1"
    (told,) = refused(line)
    assert told["data"]["code"] == "malformed"


# A whole replay.


def test_a_replay_writes_every_topic_and_its_report_all_or_nothing(tmp_path: Path) -> None:
    rules = {topic: rules_for(topic) for topic in INPUTS}
    lines = [consumed(0), b"{", consumed(0), kcat(topic="other.v1"), event("clock.tick.v1", 210)]
    sizes: list[int] = []
    log = BytesIO(b"\n".join(lines))
    told = replay(log, tmp_path / "out", rules, progress=sizes.append)
    assert told.counts == {"accepted": 1, "duplicate": 1, "exception": 1, "tick": 2}
    assert (told.exceptions, told.passed_over, told.open_windows) == ({"malformed": 1}, 1, 1)
    assert told.summaries == {"summary.consumption.v1": 1}
    assert (told.transactions, told.lines, told.late) == ({}, 1, 0)
    assert sum(sizes) == len(b"\n".join(lines))
    rows = {(row["type"], row["open"], row["emitted"]) for row in told.conservation["rows"]}
    assert rows == {("erp.goods_issue.v1", "1", "0"), ("summary.consumption.v1", "0", "1")}
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "erp.transactions.v1.ndjson", "exceptions.v1.ndjson", "reference.v1.ndjson", "report.json",
        "summary.availability.v1.ndjson", "summary.consumption.v1.ndjson",
        "summary.downtime.v1.ndjson", "summary.machine.v1.ndjson",
        "summary.machine_state.v1.ndjson", "summary.production.v1.ndjson",
        "summary.scrap.v1.ndjson",
    }  # fmt: skip
