"""Topics that fit and topics that don't, without a cluster."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from streams.codec.document import VALUE_BYTES_MAX
from streams.contract.rejection import Rejection, exception_data
from streams.contract.topics import (
    CATALOGUE,
    CHANGELOG_BATCH_BYTES_MIN,
    CLOCK,
    DAY_MS,
    ERP_TRANSACTIONS,
    EXCEPTIONS,
    INPUT_BATCH_BYTES,
    INPUT_BATCH_BYTES_MIN,
    INPUTS,
    MACHINE_EVENTS,
    MES_EVENTS,
    OUTPUT_BATCH_BYTES_MIN,
    OUTPUTS,
    changelog,
    min_insync_replicas,
    settings_of,
    topics_of,
)
from streams.contract.transactions import EXCEPTION, encode
from streams.kafka import cluster
from streams.kafka import writer as kafka_writer
from streams.kafka.topic_check import (
    WAY_OUT,
    Found,
    Problem,
    exception_bytes_max,
    missing,
    problems_of,
)
from streams.log.headers import headers_of
from streams.log.record import Outgoing, Record

GROUP = "lineside"
LEDGERS = {MES_EVENTS: 7 * 86_400, MACHINE_EVENTS: 86_400}
MES_LOG = changelog(GROUP, MES_EVENTS)


def as_made(partitions: int = 8, replication: int = 3) -> dict[str, Found]:
    """Return all topics as `lineside topics create` makes them."""
    return {
        topic.name: Found(
            partitions=1 if topic.single else partitions,
            replication=replication,
            config=settings_of(topic, replication, LEDGERS.get(topic.name, 0)),
        )
        for topic in topics_of(GROUP)
    }


def changed(name: str, **settings: object) -> dict[str, Found]:
    """Return all topics as made, but one with other settings (_ for a dot)."""
    found = as_made()
    config = {each.replace("_", "."): str(value) for each, value in settings.items()}
    found[name] = Found(partitions=8, replication=3, config={**found[name].config, **config})
    return found


def problems_with(found: Mapping[str, Found], brokers: int = 3) -> list[Problem]:
    return problems_of(GROUP, found, brokers, LEDGERS, "broker:9092")


def the_problem(found: Mapping[str, Found], brokers: int = 3) -> Problem:
    (problem,) = problems_with(found, brokers)
    return problem


@pytest.mark.parametrize(("brokers", "replication"), [(1, 1), (2, 2), (3, 3), (5, 3), (5, 5)])
def test_what_is_made_fits(brokers: int, replication: int) -> None:
    assert problems_with(as_made(replication=replication), brokers) == []
    assert missing(GROUP, as_made()) == []


def test_what_is_missing_is_known_by_name() -> None:
    found = as_made()
    del found[MES_LOG], found[CLOCK]
    assert [topic.name for topic in missing(GROUP, found)] == [MES_LOG, CLOCK]
    assert [topic.name for topic in missing("other", as_made())] == [
        changelog("other", topic) for topic in INPUTS
    ]


MISFITS = [
    (MES_LOG, {"cleanup_policy": "delete"}, "error", "compact"),
    (MES_LOG, {"cleanup_policy": "compact,delete"}, "error", "compact"),
    (MES_LOG, {"max_message_bytes": 1_048_588}, "error", "16777216"),
    (MES_LOG, {"segment_bytes": 1 << 20}, "error", "16777216"),
    (MES_LOG, {"delete_retention_ms": 60_000}, "error", "604800000"),
    (MES_EVENTS, {"cleanup_policy": "compact"}, "error", "delete"),
    (MES_EVENTS, {"cleanup_policy": "compact,delete"}, "error", "delete"),
    (MES_EVENTS, {"max_message_bytes": VALUE_BYTES_MAX}, "warning", "1048588"),
    (MES_EVENTS, {"retention_ms": 7 * DAY_MS - 1}, "warning", str(14 * DAY_MS)),
    (MACHINE_EVENTS, {"retention_ms": 3_600_000}, "warning", str(8 * DAY_MS)),
    (MACHINE_EVENTS, {"retention_bytes": 10**9}, "warning", "-1"),
    (ERP_TRANSACTIONS, {"cleanup_policy": "compact"}, "error", "delete"),
    (ERP_TRANSACTIONS, {"max_message_bytes": 500_000}, "error", "1048588"),
    (ERP_TRANSACTIONS, {"retention_ms": DAY_MS}, "warning", str(30 * DAY_MS)),
    (ERP_TRANSACTIONS, {"min_insync_replicas": 4}, "error", "3"),
    (ERP_TRANSACTIONS, {"min_insync_replicas": 1}, "warning", "2"),
    (ERP_TRANSACTIONS, {"unclean_leader_election_enable": "true"}, "warning", "false"),
]


@pytest.mark.parametrize(("topic", "setting", "severity", "wanted"), MISFITS)
def test_a_misfit_names_topic_setting_and_value_and_says_what_to_change(
    topic: str, setting: dict[str, object], severity: str, wanted: str
) -> None:
    ((name, value),) = setting.items()
    name = name.replace("_", ".")
    problem = the_problem(changed(topic, **setting))
    assert problem.severity == severity
    assert problem.text.startswith(f"topic {topic} has {name} ")
    assert str(value) in problem.text
    assert problem.text.endswith(
        f"set {name} to {wanted} with `kafka-configs.sh --bootstrap-server broker:9092 --alter "
        f"--topic {topic} --add-config {name}={wanted}`"
    )


@pytest.mark.parametrize(("topic", "setting", "severity", "wanted"), MISFITS)
def test_what_a_misfit_says_to_do_mends_it(
    topic: str, setting: dict[str, object], severity: str, wanted: str
) -> None:
    (name,) = setting
    assert problems_with(changed(topic, **{name: wanted})) == []


@pytest.mark.parametrize(
    ("topic", "setting"),
    [
        (MES_EVENTS, {"retention_ms": -1}),
        (MES_EVENTS, {"message_timestamp_type": "CreateTime"}),
        (ERP_TRANSACTIONS, {"retention_ms": -1}),
        (ERP_TRANSACTIONS, {"max_message_bytes": OUTPUT_BATCH_BYTES_MIN}),
        (MES_LOG, {"max_message_bytes": 100 << 20}),
        (MES_LOG, {"delete_retention_ms": DAY_MS}),
        (MES_LOG, {"segment_ms": 1_000, "min_cleanable_dirty_ratio": 0.01}),
    ],
)
def test_other_ways_that_work_are_nobodys_business(topic: str, setting: dict[str, object]) -> None:
    assert problems_with(changed(topic, **setting)) == []


def test_few_replicas_are_fine_where_there_are_few_brokers() -> None:
    assert problems_with(as_made(replication=1), brokers=1) == []
    assert problems_with(as_made(replication=2), brokers=2) == []
    problems = problems_with(as_made(replication=1), brokers=3)
    assert {problem.severity for problem in problems} == {"warning"}
    assert len(problems) == len(topics_of(GROUP))
    assert problems[0].text.startswith(f"topic {MES_EVENTS} has 1 replica on a cluster of 3")


def test_one_replica_can_be_lost_and_the_topic_still_be_written() -> None:
    assert [min_insync_replicas(each) for each in (1, 2, 3, 4, 5)] == [1, 1, 2, 2, 2]


@pytest.mark.parametrize(("its", "logs"), [(16, 8), (8, 16)])
def test_partitions_added_to_a_running_system_are_refused_with_the_way_out(
    its: int, logs: int
) -> None:
    found = as_made(partitions=its)
    for topic in INPUTS:
        log = found[changelog(GROUP, topic)]
        found[changelog(GROUP, topic)] = Found(partitions=logs, replication=3, config=log.config)
    problems = problems_with(found)
    assert [problem.severity for problem in problems] == ["error", "error"]
    for topic, problem in zip(INPUTS, problems, strict=True):
        assert problem.text.startswith(
            f"topic {topic} has {its} partitions, and its changelog {changelog(GROUP, topic)} has "
            f"{logs}: "
        )
        assert WAY_OUT in problem.text


def test_inputs_with_different_partition_counts_are_refused() -> None:
    found = as_made()
    for name in (MACHINE_EVENTS, changelog(GROUP, MACHINE_EVENTS)):
        found[name] = Found(partitions=4, replication=3, config=found[name].config)
    problem = the_problem(found)
    assert problem.severity == "error"
    assert f"topics {MES_EVENTS} and {MACHINE_EVENTS} have 8 and 4 partitions" in problem.text


def test_a_clock_of_several_partitions_or_one_that_forgets_is_reported() -> None:
    found = as_made()
    found[CLOCK] = changed(CLOCK, cleanup_policy="delete")[CLOCK]
    wrong, forgets = problems_with(found)
    assert (wrong.severity, forgets.severity) == ("error", "warning")
    assert f"topic {CLOCK} has 8 partitions, and must have 1" in wrong.text
    assert f"topic {CLOCK} has cleanup.policy 'delete'" in forgets.text


def test_a_clock_without_the_brokers_time_is_reported() -> None:
    found = as_made()
    made = found[CLOCK]
    found[CLOCK] = Found(
        partitions=1,
        replication=3,
        config={**made.config, "message.timestamp.type": "CreateTime"},
    )
    (problem,) = problems_with(found)
    assert problem.severity == "warning"
    assert f"topic {CLOCK} has message.timestamp.type CreateTime" in problem.text
    assert f"--topic {CLOCK} --add-config message.timestamp.type=LogAppendTime" in problem.text


def test_outputs_may_have_any_number_of_partitions() -> None:
    found = as_made()
    for number, name in enumerate(OUTPUTS, 1):
        found[name] = Found(partitions=number, replication=3, config=found[name].config)
    assert problems_with(found) == []


# What a refused record becomes has to fit as well.


@pytest.mark.parametrize(
    ("inputs", "exceptions", "severity", "mend"),
    [
        (INPUT_BATCH_BYTES, INPUT_BATCH_BYTES, "error", f"{EXCEPTIONS} --add"),
        (INPUT_BATCH_BYTES, 2 << 20, "warning", f"{EXCEPTIONS} --add"),
        (16 << 20, 16 << 20, "error", f"{MES_EVENTS} --add"),
        (10_000_000, 16 << 20, "warning", f"{MES_EVENTS} --add"),
    ],
)
def test_exceptions_must_hold_what_the_inputs_let_in(
    inputs: int, exceptions: int, severity: str, mend: str
) -> None:
    found = changed(MES_EVENTS, max_message_bytes=inputs)
    found[EXCEPTIONS] = changed(EXCEPTIONS, max_message_bytes=exceptions)[EXCEPTIONS]
    problem = next(
        each for each in problems_with(found) if f" {MES_EVENTS} has {inputs}" in each.text
    )
    assert problem.severity == severity
    assert f"topic {EXCEPTIONS} has max.message.bytes {exceptions}" in problem.text
    assert mend in problem.text


HEADER_NAMES = st.text(max_size=3) | st.text("\x00", max_size=3)
SOME_BYTES = st.binary(max_size=200) | st.text("\x01", max_size=200).map(str.encode)


@given(
    key=st.none() | SOME_BYTES,
    value=st.none() | SOME_BYTES,
    headers=st.lists(st.tuples(HEADER_NAMES, st.none() | st.binary(max_size=3)), max_size=60),
)
def test_an_exception_is_never_larger_than_the_bound(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    assert exception_bytes(key, value, headers) <= exception_bytes_max(
        batch_bytes(key, value, headers)
    )


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (b"\x01" * 150_000, b"", []),
        (b"\xff" * 150_000, b"", []),
        (b"", b"\x00" * 1_000_000, []),
        (b"", b"", [("", None)] * 75_000),
        (b"", b"", [("", b"\xff")] * 50_000),
        (b"", b"", [("\x01", b"\x01")] * 50_000),
        (b"", b"", [("\x01" * 50_000, b"\x01" * 50_000)]),
    ],
)
def test_large_records_of_the_worst_kinds_keep_to_the_bound(
    key: bytes, value: bytes, headers: list[tuple[str, bytes | None]]
) -> None:
    carried = batch_bytes(key, value, headers)
    assert exception_bytes(key, value, headers) <= exception_bytes_max(carried)


def exception_bytes(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
) -> int:
    """Return the size of the batch with the exception for a record, as long as one can be."""
    place = "\U0001f3ed" * 128
    reason = "\x01" * 300
    record = Record(2**62, 1, key, value, headers)
    data = exception_data(Rejection("invalid", reason), MACHINE_EVENTS, 1_023, record)
    id = f"{MACHINE_EVENTS}/1023/{2**62}"
    text = encode(EXCEPTION, id, "2026-11-21T06:00:00.123456Z", place, place, data)
    left = Outgoing(EXCEPTIONS, key, id, EXCEPTION, text, b"0" * 55)
    return batch_bytes(key, text, headers_of(left))


def batch_bytes(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
) -> int:
    """Return the size of a RecordBatch of one record, as a broker compares it with its limit."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, batch_size=1 << 30,
    )  # fmt: skip
    builder.append(0, 1, key, value, list(headers))
    return len(builder.build())


# Figures that two places have to agree on.


def test_topics_admit_what_lineside_builds() -> None:
    assert CHANGELOG_BATCH_BYTES_MIN == cluster.BATCH_BYTES_MAX
    assert kafka_writer.OUTPUT_BATCH_BYTES < 0.95 * OUTPUT_BATCH_BYTES_MIN
    assert VALUE_BYTES_MAX < 0.6 * INPUT_BATCH_BYTES_MIN
    assert exception_bytes_max(INPUT_BATCH_BYTES) <= CHANGELOG_BATCH_BYTES_MIN


def test_the_page_names_every_topic_with_its_settings() -> None:
    page = (Path(__file__).parents[2] / "docs" / "topics.md").read_text("utf-8")
    for topic in topics_of("<group>"):
        assert f"`{topic.name}`" in page
        for name, value in settings_of(topic, 3, LEDGERS.get(topic.name, 0)).items():
            assert f"`{name}={value}`" in page, f"{topic.name}: {name}={value}"
    assert f"## {WAY_OUT.partition('#')[2].replace('-', ' ').capitalize()}\n" in page


def test_own_topics_stay_out_of_the_catalogue() -> None:
    directions = {topic.direction for topic in CATALOGUE}
    assert directions == {"in", "out", "master", "reference", "audit"}
    own = [topic for topic in topics_of(GROUP) if topic not in CATALOGUE]
    assert [topic.name for topic in own] == [
        "lineside-mes.events.v1-changelog",
        "lineside-machine.events.v1-changelog",
        "lineside.clock.v1",
    ]


def test_inputs_are_kept_for_longer_than_the_ledger_reaches_back() -> None:
    for topic in CATALOGUE[:2]:
        for seconds in (86_400, 30 * 86_400):
            assert int(settings_of(topic, 3, seconds)["retention.ms"]) == (
                seconds * 1000 + 7 * DAY_MS
            )
