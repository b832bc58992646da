"""The head of a state: every format is read, and what can't be gone on with is told in a sentence."""

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from departed import Records, by_line
from draws import logs, rngs, timings
from runs import Bench, confirmed, consumed, cut, new_task, placed, started, stepped
from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS
from streams.log.record import Outgoing
from streams.version import VERSION
from tables.line.rules import Timing, rules_for
from tables.partition.head import (
    FORMATS,
    FormatError,
    Head,
    OtherRulesError,
    head_bytes,
    read_head,
)
from tables.partition.partition import Partition
from tables.store.store import HEAD, MemoryStore

WHERE = "the state of mes.events.v1/0"

counts = st.dictionaries(st.text(), st.integers(0, 2**63 - 1), max_size=3)
heads = st.builds(
    Head,
    offset=st.integers(0, 2**63 - 1),
    counts=st.lists(st.integers(0, 2**63 - 1), min_size=4, max_size=4),
    codes=counts,
    left=counts,
    shape=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5),
)


def told(outputs: list[Outgoing]) -> Records:
    """Return what left by line: a batch does one line after the other."""
    return by_line((each.topic, each.value) for each in outputs)


# Laws.


@given(heads)
def test_a_head_is_read_as_it_was_written(head: Head) -> None:
    assert read_head(head_bytes(head), WHERE) == head


@given(heads)
def test_a_head_has_the_latest_format_and_the_version_that_wrote_it(head: Head) -> None:
    found, second, *_ = msgspec.msgpack.decode(head_bytes(head))
    assert (found, second) == (FORMATS[-1], VERSION)


@given(heads, st.sampled_from(FORMATS[:-1]))
def test_a_head_of_every_earlier_format_is_read(head: Head, format_: int) -> None:
    """1 had no version, and the two before 3 had the members one after the other."""
    members = [head.offset, head.counts, head.codes, head.left, head.shape]
    third = msgspec.to_builtins(head)
    del third["begun"]
    earlier = {1: [1, *members], 2: [2, "0.1.0", *members], 3: [3, "0.1.0", third]}[format_]
    wanted = msgspec.structs.replace(head, begun=format_)
    assert read_head(msgspec.msgpack.encode(earlier), WHERE) == wanted


@given(logs(), timings, rngs)
def test_a_state_goes_on_however_often_it_is_opened_anew(
    lines: list[bytes], timing: Timing, rng: Random
) -> None:
    for at, records in placed(lines).items():
        store, left = MemoryStore(), []
        for batch in cut(records, rng):
            left += stepped(Partition(*at, rules_for(at[0], timing), store), batch)
        assert told(left) == told(stepped(new_task(at, timing), records))


# Examples.


def bench_with_a_state(topic: str = MES_EVENTS) -> Bench:
    bench = Bench(topic)
    if topic == MES_EVENTS:
        bench.send(consumed(0), confirmed(1), started(2, "EP"))
    else:
        bench.tick(0)
    return bench


def test_a_state_is_written_in_the_latest_format() -> None:
    bench = bench_with_a_state()
    for number in range(3):
        bench.reopen()
        bench.send(confirmed(3, id=f"{number}"))
        (head,) = bench.store.get_many([HEAD])
        assert msgspec.msgpack.decode(head or b"")[0] == FORMATS[-1] == 4


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ([5, "0.9.0", 7, "more"], "run lineside 0.9.0, which wrote it"),
        ([5], "run a later lineside, which wrote it"),
        ([5, 7, 8], "run a later lineside, which wrote it"),
        ([0, 7], "has format 0, which there never was"),
        (["two", 7], "has format 'two', which there never was"),
    ],
)
def test_a_state_of_another_format_is_refused_with_a_sentence(head: object, told: str) -> None:
    bench = bench_with_a_state()
    bench.store.write([(HEAD, msgspec.msgpack.encode(head))])
    with pytest.raises(FormatError) as refusal:
        bench.reopen()
    text = str(refusal.value)
    assert text.startswith(f"{WHERE} has format ")
    assert f"this is lineside {VERSION}, which reads formats 1 to 4" in text
    assert told in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("topic", "timing", "told"),
    [
        (
            MES_EVENTS,
            Timing(grace_seconds=60),
            "grace_seconds 30 (now 60: a reference.timing.v1 can change that)",
        ),
        (
            MES_EVENTS,
            Timing(episode_limit_seconds=60),
            "episode_limit_seconds 86400 (now 60)",
        ),
        (
            MES_EVENTS,
            Timing(summary_window_seconds=120, posting_window_seconds=600),
            "posting_window_seconds 300 (now 600), summary_window_seconds 60 (now 120)",
        ),
        (
            MES_EVENTS,
            Timing(mes_retention_seconds=1_000, ledger_bucket_seconds=60),
            "ledger_bucket_seconds 3600 (now 60), mes_retention_seconds 604800 (now 1000)",
        ),
        (
            MACHINE_EVENTS,
            Timing(machine_retention_seconds=1_000),
            "machine_retention_seconds 345600 (now 1000)",
        ),
    ],
)
def test_a_state_of_other_rules_is_refused_with_what_they_were(
    topic: str, timing: Timing, told: str
) -> None:
    bench = bench_with_a_state(topic)
    with pytest.raises(OtherRulesError) as refusal:
        Partition(topic, 0, rules_for(topic, timing), bench.store)
    assert str(refusal.value).startswith(f"the state of {topic}/0 was made with {told}: go on with")
    assert refusal.value.told == f"the state of {topic}/0 was made with {told}"
