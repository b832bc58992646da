"""The ledger tells new from known: by identity and fingerprint, as far back as retention goes."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draws import rngs
from runs import (
    Bench,
    confirmed,
    consumed,
    event,
    new_task,
    placed,
    reversed_,
    stamp,
    started,
    stepped,
)
from streams.codec.decode import decode, read_original
from streams.contract.events import AnyEvent, TransactionReversed
from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS
from streams.values.instant import EARLIEST, LATEST, parse
from tables.line.ledger import (
    FREED,
    PARKED,
    REVERSED,
    SILENT,
    counts,
    entry_bytes,
    entry_fingerprint,
    entry_flags,
    entry_more,
    entry_time,
    fingerprint,
    identity,
    original_fingerprint,
)
from tables.line.rules import Timing
from tables.partition import snapshot
from tables.partition.partition import Partition


def read(value: bytes) -> AnyEvent:
    decoded: Any = decode(value, (), None)
    assert decoded.__class__.__name__ not in ("Rejection", "Tick"), decoded
    return decoded  # type: ignore[no-any-return]


# Laws.


@given(
    st.integers(EARLIEST, LATEST),
    st.binary(min_size=16, max_size=16),
    st.sampled_from([0, PARKED, FREED]),
    st.sampled_from([0, REVERSED]),
    st.sampled_from([0, SILENT]),
    st.integers(EARLIEST, LATEST),
)
def test_an_entry_says_what_was_put_in(
    time: int, print_: bytes, held: int, reversed: int, silent: int, more: int
) -> None:
    flags = held | reversed | silent
    entry = entry_bytes(time, print_, flags, more)
    assert entry_time(entry) == time
    assert entry_fingerprint(entry) == print_
    assert entry_flags(entry) == flags
    if held:
        assert entry_more(entry) == more


@given(
    st.integers(EARLIEST, LATEST),
    st.sampled_from([0, PARKED, FREED]),
    st.sampled_from([0, REVERSED | SILENT]),
    st.integers(EARLIEST, LATEST),
    st.integers(EARLIEST, LATEST),
)
def test_an_entry_counts_by_its_time_while_parked_and_once_freed_from_then_on(
    time: int, held: int, more_flags: int, since: int, oldest: int
) -> None:
    entry = entry_bytes(time, bytes(16), held | more_flags, since)
    wanted = {0: time >= oldest, PARKED: True, FREED: since >= oldest}[held]
    assert counts(entry, oldest) == wanted


def test_an_entry_of_a_state_of_contract_v1_is_read() -> None:
    """It ended with a byte 1 where it was reversed, and with nothing where it wasn't."""
    old = (2**63 + 5).to_bytes(8, "big") + bytes(range(16))
    assert (entry_time(old), entry_fingerprint(old), entry_flags(old)) == (5, bytes(range(16)), 0)
    assert entry_flags(old + b"\x01") == REVERSED
    assert counts(old, 5)
    assert not counts(old + b"\x01", 6)


names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1)
identities = st.tuples(names, names, names | st.just("/a/b"), names)


@given(identities, identities)
def test_identities_are_equal_only_if_all_four_parts_are(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    assert (identity(*one) == identity(*other)) == (one == other)
    moved = (one[0], one[1], one[2] + one[3][:1], one[3][1:] or "x")
    assert (identity(*one) == identity(*moved)) == (one == moved)


@given(st.integers(-(10**24) + 1, 10**24 - 1), st.integers(-(10**24) + 1, 10**24 - 1))
def test_measures_of_any_size_are_told_apart(one: int, other: int) -> None:
    """Past 64 bits of billionths, too."""

    def print_of(billionths: int) -> bytes:
        found: Any = read(consumed(0))
        found.data.quantity = billionths
        return fingerprint(found)

    assert (print_of(one) == print_of(other)) == (one == other)


# What is equal.

SAME = [
    consumed(0, "0.75", id="a"),
    consumed(0, 0.75, id="a"),
    consumed(0, "0.750", id="a"),
    consumed(0, "75e-2", id="a", lot=None, unknown="x"),
    json.dumps(dict(reversed(json.loads(consumed(0, "0.75", id="a")).items()))).encode(),
    consumed(0, "0.75", id="a").replace(b"06:00:00Z", b"07:00:00.0000001+01:00"),
    consumed(0, "0.75", id="a").replace(b'"source"', b'"subject": 5, "source"'),
    consumed(0, "0.75", id="a").replace(b'"I1"', b'"\\u00491"'),
]
OTHER = [
    consumed(0, "0.751", id="a"),
    consumed(0, "-0.75", id="a"),
    consumed(0.000001, "0.75", id="a"),
    consumed(0, "0.75", id="a", lot="L1"),
    consumed(0, "0.75", id="a", storage="L1"),
    consumed(0, "0.75", id="a", uom="KG"),
    confirmed(0, "0.75", id="a", uom="kg"),
]


@pytest.mark.parametrize("number", range(len(SAME)))
def test_what_is_equal_after_decoding_is_a_duplicate(number: int) -> None:
    bench = Bench()
    bench.send(SAME[0])
    assert bench.send(SAME[number]) == []
    assert (bench.task.counts.accepted, bench.task.counts.duplicate) == (1, 1)


@pytest.mark.parametrize("number", range(len(OTHER)))
def test_what_differs_is_a_key_conflict_and_posts_nothing(number: int) -> None:
    bench = Bench()
    bench.send(SAME[0])
    (left,) = bench.send(OTHER[number])
    assert (left["data"]["code"], left["data"]["class"]) == ("key_conflict", "data")
    assert "'a'" in left["data"]["reason"]
    assert bench.task.counts.accepted == 1
    assert bench.send(SAME[0]) == []
    assert bench.task.counts.duplicate == 1


def test_a_false_final_and_none_are_equal_and_a_true_one_is_not() -> None:
    bench = Bench()
    bench.send(confirmed(0, id="a"))
    bench.send(confirmed(0, id="a", final=False))
    bench.send(confirmed(0, id="a", final=True))
    assert (bench.task.counts.duplicate, bench.task.counts.exception) == (1, 1)


def test_two_equal_confirmations_with_two_ids_are_both_real() -> None:
    bench = Bench()
    assert len(bench.send(confirmed(0, "10", id="a"), confirmed(0, "10", id="b"))) == 2
    assert bench.task.counts.accepted == 2


def test_an_identity_is_of_its_line_and_source() -> None:
    bench = Bench()
    other_source = consumed(0, id="a").replace(b'"/mes"', b'"/other"')
    bench.send(
        consumed(0, id="a"),
        consumed(0, id="a", line="L2"),
        consumed(0, id="a", plant="DE02"),
        other_source,
    )
    assert bench.task.counts.accepted == 4


def test_a_repeat_in_the_same_batch_is_a_duplicate() -> None:
    bench = Bench()
    bench.send(*[consumed(0, id="a")] * 5, consumed(0, "7", id="a"))
    counts = bench.task.counts
    assert (counts.accepted, counts.duplicate, counts.exception) == (1, 4, 1)


def test_a_reversal_repeated_with_an_equal_original_is_a_duplicate() -> None:
    bench = Bench()
    bench.send(consumed(0, "0.50", id="a"), reversed_(consumed(0, "0.50", id="a"), 1, id="r"))
    bench.send(reversed_(consumed(0, 0.5, id="a", x=1), 1, id="r"))
    assert bench.task.counts.duplicate == 1
    (left,) = bench.send(reversed_(consumed(0, "0.6", id="a"), 1, id="r"))
    assert left["data"]["code"] == "key_conflict"
    (left,) = bench.send(
        reversed_(consumed(0, id="a"), 1, id="r").replace(b'"material.con', b'"nothing.con')
    )
    assert left["data"]["code"] == "key_conflict"


def test_the_fingerprint_of_an_original_is_the_one_in_the_ledger() -> None:
    for value in (consumed(0, "1.50"), confirmed(0, final=False), consumed(0, "999999999999999")):
        reversal = read(reversed_(value, 1))
        assert isinstance(reversal, TransactionReversed)
        original = read_original(reversal.data.original)
        assert not isinstance(original, str)
        assert original_fingerprint(original) == fingerprint(read(value))


# How far back.


@pytest.mark.parametrize(("topic", "days"), [(MES_EVENTS, 7), (MACHINE_EVENTS, 4)])
def test_an_entry_counts_up_to_its_retention_and_older_events_are_too_old(
    topic: str, days: int
) -> None:
    bench = Bench(topic)
    later = days * 86_400

    def counted(at: float, id: str) -> bytes:
        if topic == MES_EVENTS:
            return consumed(at, id=id)
        return event("machine.count.v1", at, id=id, work_unit="U1", good=1, scrap=0)

    bench.send(counted(0, "a"), counted(later, "b"))
    assert bench.send(counted(0, "a")) == []
    assert bench.task.counts.duplicate == 1
    bench.send(counted(later + 0.000001, "c"))
    (left,) = bench.send(counted(0, "a"))
    assert left["data"]["code"] == "too_old"
    (left,) = bench.send(counted(0, "new"))
    assert left["data"]["code"] == "too_old"
    assert stamp(0) in left["data"]["reason"]
    bench.send(counted(0.000001, "new"))
    assert bench.task.counts.accepted == 4


def test_an_events_own_time_makes_nothing_old() -> None:
    """Watermark before the event: a leap of a year is judged by what was before it."""
    bench = Bench()
    bench.send(consumed(0, id="a"))
    bench.send(consumed(365 * 86_400, id="a"))
    assert bench.task.counts.codes == {"key_conflict": 1}
    bench.send(consumed(365 * 86_400, id="b"), consumed(365 * 86_400 + 1, id="a"))
    assert bench.task.counts.accepted == 3


def test_telemetry_is_never_too_old_nor_known() -> None:
    bench = Bench(MACHINE_EVENTS)
    old = event("machine.telemetry.v1", 0, id="a", work_unit="U1", tag="t", value=1)
    other = event("machine.telemetry.v1", 0, id="a", work_unit="U1", tag="t", value=2)
    new = event("machine.count.v1", 10**7, id="a", work_unit="U1", good=1, scrap=0)
    bench.send(old, new, old, other)
    assert bench.task.counts.accepted == 4
    assert sum(1 for _ in bench.store.scan(b"l")) == 1


@pytest.mark.parametrize(
    ("ahead", "refused"), [(600, False), (600.000001, True), (-(10**6), False)]
)
def test_the_future_begins_ten_minutes_past_the_records_timestamp(
    ahead: float, refused: bool
) -> None:
    bench = Bench()
    left = bench.send(confirmed(ahead), timestamp=parse(stamp(0)))
    assert (left[0]["type"] == "exception.raised.v1") == refused
    left = bench.send(event("clock.tick.v1", ahead), timestamp=parse(stamp(0)))
    assert (bench.task.counts.exception == 2) == refused
    if refused:
        assert left[0]["data"]["code"] == "from_the_future"
        assert left[0]["time"] == stamp(0)


def test_what_is_refused_enters_nothing_and_is_judged_anew() -> None:
    bench = Bench()
    issue = consumed(0, id="a")
    reversal = reversed_(issue, 5_000)
    (left,) = bench.send(reversal)
    assert left["data"]["code"] == "unknown_reversal"
    assert bench.task.lines == {}
    bench.send(issue)
    assert bench.task.lines[b"DE01/L1"].watermark == parse(stamp(0))
    bench.send(reversal)
    assert bench.task.counts.accepted == 2


# Reversals.


def test_a_transaction_is_reversed_once() -> None:
    bench = Bench()
    order = confirmed(0, id="a")
    bench.send(order)
    (left,) = bench.send(reversed_(order, 1, id="r1"))
    assert left["id"] == "rv:pc:DE01/L1:/mes|a"
    (left,) = bench.send(reversed_(order, 2, id="r2"))
    assert (left["data"]["code"], left["data"]["class"]) == ("already_reversed", "business")
    bench.reopen()
    (left,) = bench.send(reversed_(order, 3, id="r3"))
    assert left["data"]["code"] == "already_reversed"
    assert bench.send(order) == []
    assert bench.task.counts.duplicate == 1


def _with_original(original: Any) -> bytes:
    return event("transaction.reversed.v1", 1, id="r", reverses="a", original=original)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"data": {"reverses": "b"}}, "unknown_reversal"), ({"source": "/x"}, "unknown_reversal"),
     ({"line": "L2"}, "unknown_reversal"),
     ({"type": "operation.started.v1"}, "not_reversible"), ({"type": 5}, "not_reversible"),
     ({"type": "transaction.reversed.v1"}, "not_reversible"), ({"type": None}, "not_reversible"),
     ({"type": "material.eaten.v1"}, "not_reversible"),
     ({"type": "goods.received.v1"}, "reversal_mismatch"),
     ({"time": "yesterday"}, "reversal_mismatch"), ({"time": stamp(1)}, "reversal_mismatch"),
     ({"original": None}, "reversal_mismatch"), ({"quantity": "2"}, "reversal_mismatch"),
     ({"lot": "L1"}, "reversal_mismatch"), ({"quantity": "x"}, "reversal_mismatch")],
)  # fmt: skip
def test_the_first_check_that_applies_names_what_is_wrong_with_a_reversal(
    change: dict[str, Any], code: str
) -> None:
    bench = Bench()
    issue = consumed(0, id="a")
    bench.send(issue)
    told = json.loads(reversed_(issue, 1))
    original = told["data"]["original"]
    for name, value in change.items():
        if name == "original":
            original["data"] = value
        elif name in ("quantity", "lot"):
            original["data"][name] = value
        elif name in ("source", "line"):
            told[name] = value
        elif name == "data":
            told["data"] |= value
        else:
            original[name] = value
    (left,) = bench.send(json.dumps(told).encode())
    assert (left["data"]["code"], left["data"]["class"]) == (code, "business")
    assert bench.task.counts.accepted == 1


def test_an_empty_original_is_not_reversible_but_an_unknown_one_is_unknown_first() -> None:
    bench = Bench()
    (left,) = bench.send(_with_original({}))
    assert left["data"]["code"] == "unknown_reversal"
    bench.send(consumed(0, id="a"))
    (left,) = bench.send(_with_original({}))
    assert left["data"]["code"] == "not_reversible"
    (left,) = bench.send(_with_original([]))
    assert (left["data"]["code"], left["data"]["class"]) == ("invalid", "data")


def test_an_original_that_expired_is_unknown() -> None:
    bench = Bench(timing=Timing(mes_retention_seconds=1_000))
    issue = consumed(0, id="a")
    bench.send(issue, consumed(1_000, id="b"))
    assert bench.send(reversed_(issue, 1_000, id="r")) == []
    bench = Bench(timing=Timing(mes_retention_seconds=1_000))
    left = bench.send(issue, consumed(1_000.000001, id="b"), reversed_(issue, 1_000, id="r"))
    assert left[-1]["data"]["code"] == "unknown_reversal"


def test_a_reversal_cannot_be_reversed() -> None:
    bench = Bench()
    issue = consumed(0, id="a")
    reversal = reversed_(issue, 1, id="r")
    bench.send(issue, reversal)
    (left,) = bench.send(reversed_(reversal, 2, id="rr"))
    assert left["data"]["code"] == "not_reversible"


def test_a_reversal_takes_back_its_original_even_if_that_is_late() -> None:
    bench = Bench()
    issue = consumed(0, "2", id="a")
    bench.send(issue, consumed(5_000, "1", id="b"), reversed_(issue, 3_000))
    assert bench.task.counts.accepted == 3


# Bounded.


def _keys(task: Partition, prefix: bytes) -> int:
    return sum(1 for _ in task.store.scan(prefix))


@given(rngs)
def test_the_store_holds_what_retention_holds_and_no_more(rng: Any) -> None:
    """Expired entries go physically, and their index too, a bucket's step later at most."""
    timing = Timing(mes_retention_seconds=1_000, ledger_bucket_seconds=60)
    ((at, records),) = placed(
        consumed(number * 10, id=f"e{number}") for number in range(600)
    ).items()
    task = new_task(at, timing)
    while records:
        size = rng.choice([1, 5, 20])
        stepped(task, records[:size])
        records = records[size:]
        # 1,000 s of entries, a bucket that is half expired, a step of the sweep, a batch.
        assert _keys(task, b"l") <= (1_000 + 60 + 60) / 10 + 20 + 2
        assert _keys(task, b"x") <= (1_000 + 60 + 60) / 10 + 20 + 2
        assert _keys(task, b"w") <= 20
    assert task.counts.accepted == 600


def test_a_silent_lines_entries_go_with_the_tick() -> None:
    bench = Bench(timing=Timing(mes_retention_seconds=1_000, ledger_bucket_seconds=60))
    bench.send(*(consumed(number, id=f"e{number}") for number in range(50)))
    assert _keys(bench.task, b"l") == 50
    bench.tick(1_200)
    assert _keys(bench.task, b"l") == _keys(bench.task, b"x") == 0


def test_a_batch_sweeps_no_more_than_a_bound_and_the_next_ones_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshot, "SWEPT_KEYS_MAX", 20)
    bench = Bench(timing=Timing(mes_retention_seconds=1_000, ledger_bucket_seconds=60))
    lines = [f"L{number}" for number in range(3)]
    for number in range(90):
        bench.send(consumed(number, id=f"e{number}", line=lines[number % 3]))
    left = [_keys(bench.task, b"l")]
    for second in range(20):
        bench.tick(1_300 + second)
        left.append(_keys(bench.task, b"l"))
    gone = [before - after for before, after in itertools.pairwise(left)]
    assert max(gone) <= 20
    assert left[-1] == _keys(bench.task, b"x") == 0
    assert sum(gone) == 90


def test_one_lines_sweep_leaves_the_others_entries() -> None:
    bench = Bench(timing=Timing(mes_retention_seconds=1_000, ledger_bucket_seconds=60))
    bench.send(consumed(0, id="a"), consumed(0, id="b", line="L"), consumed(0, id="c", line="L10"))
    bench.send(consumed(5_000, id="d"))
    assert _keys(bench.task, b"l") == 3
    bench.send(consumed(0, id="b", line="L"), consumed(0, id="c", line="L10"))
    assert bench.task.counts.duplicate == 2


def test_an_identity_accepted_anew_outlives_its_old_bucket() -> None:
    """In the batch of the sweep or before it, at once or a restart later."""
    for sizes in ([1, 1, 1, 1], [1, 2, 1], [1, 3], [4], [2, 1, 1], [2, 2], [3, 1]):
        for restart in (False, True):
            bench = Bench(timing=Timing(mes_retention_seconds=1_000, ledger_bucket_seconds=60))
            values = [consumed(0, id="a"), consumed(9_000), *[consumed(9_000, id="a")] * 2]
            for size in sizes:
                bench.send(*values[:size])
                values = values[size:]
                if restart:
                    bench.reopen()
            counts = bench.task.counts
            assert (counts.accepted, counts.duplicate) == (3, 1), (sizes, restart)


def test_a_mark_of_reversal_does_not_outlive_its_entry() -> None:
    bench = Bench(timing=Timing(mes_retention_seconds=1_000, ledger_bucket_seconds=60))
    issue = consumed(0, id="a")
    bench.send(issue, reversed_(issue, 1), consumed(1_100, id="b"))
    again = consumed(1_101, id="a")
    bench.send(again)
    bench.send(consumed(1_500, id="c"))
    assert bench.send(reversed_(again, 1_501, id="r2")) == []
    assert bench.task.counts.exception == 0


def test_episodes_and_ticks_are_no_entries_but_downtime_events_are() -> None:
    bench = Bench()
    bench.send(started(0, id="s"), event("clock.tick.v1", 5))
    assert _keys(bench.task, b"l") == 1
    bench.send(started(0, id="s"))
    assert bench.task.counts.duplicate == 1
