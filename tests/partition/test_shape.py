"""A state may grow: what is new begins at nothing, and nothing that is there changes its meaning."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from decimal import localcontext
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import rows
from compiled import all_plain, needs_core
from departed import Records, by_line
from draws import logs, timings
from logs import random_log
from runs import At, Bench, Taken, confirmed, consumed, new_task, placed, value_of, watched
from streams.contract.events import TransactionReversed
from streams.contract.policy import LASTING, Policy, default_policy
from streams.contract.topics import MES_EVENTS
from streams.log.record import Outgoing, Record
from tables.line.conservation import balances
from tables.line.rules import Timing, rules_for
from tables.partition.head import OtherRulesError
from tables.partition.partition import Partition
from tables.partition.shape import (
    GONE_MAX,
    Difference,
    KindShape,
    Shape,
    Words,
    differences,
    grown,
)
from tables.store.rocksdb import RocksStore
from tables.store.store import MemoryStore, Store

STATES = Path(__file__).parent / "states"

WORDS = Words(posting=frozenset({"erp.a.v1"}))

names = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True).map(tuple)
kinds = st.builds(
    KindShape,
    short=st.sampled_from(["k1", "k2", "k3", "k4"]),
    record=st.sampled_from(["erp.a.v1", "summary.b.v1", "summary.c.v1"]),
    length=st.sampled_from([60, 300]),
    row=names,
    measures=names,
)


def shapes_of(each: st.SearchStrategy[KindShape]) -> st.SearchStrategy[Shape]:
    unique = st.lists(each, max_size=4, unique_by=lambda kind: kind.short).map(tuple)
    lengths = st.sampled_from([1, 2])
    return st.builds(
        Shape, kinds=unique, grace=lengths, episode_limit=lengths, retention=lengths,
        bucket=lengths, by_window=st.just(("erp.a.v1",)),
    )  # fmt: skip


shapes = shapes_of(kinds)
some_new = st.lists(
    st.builds(replace, kinds, short=st.sampled_from(["n1", "n2"])),
    max_size=2,
    unique_by=lambda kind: kind.short,
)
more_measures = st.lists(st.sampled_from(["x", "y"]), max_size=2, unique=True)


@st.composite
def growths(draw: st.DrawFn) -> tuple[Shape, Shape]:
    """A shape, and one that has it all and perhaps more, in any order."""
    before = draw(shapes)
    more = [replace(kind, measures=(*kind.measures, *draw(more_measures))) for kind in before.kinds]
    now = draw(st.permutations([*more, *draw(some_new)]))
    return before, replace(before, kinds=tuple(now))


def verdicts(told: list[Difference]) -> set[str]:
    return {each.verdict for each in told}


def keeps(was: KindShape, is_: KindShape) -> bool:
    """Return whether what is stored of a record type means the same: it may gain members at most."""
    gained = tuple(name for name in is_.row if name in was.row)
    return (
        (was.record, was.length) == (is_.record, is_.length)
        and gained == was.row
        and (len(is_.row) > len(was.row) or is_.row == was.row)
        and is_.measures[: len(was.measures)] == was.measures
    )


# The checker.


@given(shapes, st.randoms(use_true_random=False))
def test_equal_shapes_give_nothing_in_whatever_order(shape: Shape, rng: Random) -> None:
    assert differences(shape, shape, WORDS) == []
    shuffled = tuple(rng.sample(shape.kinds, len(shape.kinds)))
    assert differences(shape, replace(shape, kinds=shuffled), WORDS) == []
    assert grown(shape, shape) == shape


@given(growths())
def test_what_is_new_is_allowed_and_each_of_it_is_told(pair: tuple[Shape, Shape]) -> None:
    before, now = pair
    told = differences(before, now, WORDS)
    assert verdicts(told) <= {"allowed"}
    new = len(now.kinds) - len(before.kinds)
    was = {kind.short: kind for kind in before.kinds}
    for kind in now.kinds:
        if kind.short in was:
            new += len(kind.measures) - len(was[kind.short].measures)
    assert len(told) == new
    assert grown(before, now) == now


@given(growths())
def test_to_grow_and_shrink_back_is_refused_or_loses_nothing(pair: tuple[Shape, Shape]) -> None:
    before, now = pair
    there = {kind.short: kind for kind in now.kinds}
    back = differences(now, before, WORDS)
    assert "allowed" not in verdicts(back)
    gone = {each.short for each in back if each.verdict == "if_closed"}
    assert gone == there.keys() - {kind.short for kind in before.kinds}
    fewer = any(kind.measures != there[kind.short].measures for kind in before.kinds)
    assert ("refused" in verdicts(back)) == fewer  # their sums would be lost
    if not fewer:
        after = grown(now, before)
        assert {kind.short: kind for kind in (*after.kinds, *after.gone)} == there
        assert verdicts(differences(after, now, WORDS)) <= {"allowed"}  # and forth again


@given(shapes, shapes)
def test_what_isnt_refused_keeps_the_meaning_of_all_that_is_there(
    before: Shape, now: Shape
) -> None:
    told = differences(before, now, WORDS)
    after = {kind.short: kind for kind in now.kinds}
    kept = [(kind, after[kind.short]) for kind in before.kinds if kind.short in after]
    same = (
        all(keeps(was, is_) for was, is_ in kept)
        and before.retention <= now.retention  # the ledger of each line says how far it reaches
        and replace(before, kinds=(), retention=0) == replace(now, kinds=(), retention=0)
    )
    assert ("refused" not in verdicts(told)) == same
    closed = {kind.short for kind in before.kinds} - after.keys()
    assert {each.short for each in told if each.verdict == "if_closed"} == closed


@given(shapes, shapes)
def test_what_is_gone_keeps_its_short_for_ever(before: Shape, now: Shape) -> None:
    without = replace(before, kinds=())
    told = differences(grown(before, without), replace(before, kinds=now.kinds), WORDS)
    was = {kind.short: kind for kind in before.kinds}
    other = any(kind.short in was and not keeps(was[kind.short], kind) for kind in now.kinds)
    assert ("refused" in verdicts(told)) == other


A = KindShape("a", "erp.a.v1", 300_000_000, ("order",), ("quantity", "scrap"))
ALONE = Shape((A,), 30_000_000, 1, 1, 1, by_window=("erp.a.v1",))


@pytest.mark.parametrize(
    ("now", "verdict", "told"),
    [
        (
            replace(ALONE, grace=60_000_000),
            "refused",
            "grace_seconds 30 (now 60: a reference.timing.v1 can change that)",
        ),
        (replace(ALONE, retention=3_000_000), "allowed", "mes_retention_seconds 1e-06 (now 3)"),
        (replace(ALONE, retention=0), "refused", "mes_retention_seconds 1e-06 (now 0)"),
        (
            replace(ALONE, by_window=()),
            "refused",
            "a policy with erp.a.v1 by window (now at once: a reference.rules.v1 can change that)",
        ),
        (
            replace(ALONE, kinds=(replace(A, length=60_000_000),)),
            "refused",
            "posting_window_seconds 300 (now 60)",
        ),
        (
            replace(ALONE, kinds=(replace(A, record="erp.b.v1"),)),
            "refused",
            "a policy with erp.a.v1 as 'a' (now erp.b.v1)",
        ),
        (
            replace(ALONE, kinds=(replace(A, row=("order", "lot")),)),
            "allowed",
            "a policy without lot in erp.a.v1",
        ),
        (
            replace(ALONE, kinds=(replace(A, row=("lot",)),)),
            "refused",
            "a policy with the row order of erp.a.v1 (now lot)",
        ),
        (
            replace(ALONE, kinds=(replace(A, measures=("scrap", "quantity")),)),
            "refused",
            (
                "a policy with the measures quantity, scrap of erp.a.v1 (now scrap, quantity; a new "
                "one goes to the end)"
            ),
        ),
        (
            replace(ALONE, kinds=(replace(A, measures=("quantity", "scrap", "rework")),)),
            "allowed",
            "a policy without the measure rework of erp.a.v1",
        ),
        (
            replace(ALONE, kinds=(A, replace(A, short="b", record="erp.b.v1"))),
            "allowed",
            "a policy without erp.b.v1",
        ),
        (replace(ALONE, kinds=()), "if_closed", "a policy with erp.a.v1"),
    ],
)
def test_each_difference_is_told_with_its_verdict(now: Shape, verdict: str, told: str) -> None:
    (found,) = differences(ALONE, now, WORDS)
    assert (found.verdict, found.text) == (verdict, told)


def test_what_went_by_window_cant_leave_at_once() -> None:
    words = Words(at_once=frozenset({"erp.a.v1"}))
    for before in (ALONE, grown(ALONE, replace(ALONE, kinds=()))):
        (found,) = differences(before, replace(ALONE, kinds=()), words)
        assert found.verdict == "refused"
        assert found.text == "a policy with erp.a.v1 by window (now at once)"


def test_what_was_gone_comes_back_only_as_it_went() -> None:
    without = grown(ALONE, replace(ALONE, kinds=(), by_window=()))
    assert without.by_window == ("erp.a.v1",)
    assert verdicts(differences(without, ALONE, WORDS)) == {"allowed"}
    (_, found) = differences(without, replace(ALONE, by_window=()), WORDS)
    assert found.text.startswith("a policy with erp.a.v1 by window (now at once")


def test_what_is_new_may_go_as_it_likes() -> None:
    none = replace(ALONE, kinds=(), by_window=())
    for now in (ALONE, replace(ALONE, by_window=())):
        assert verdicts(differences(none, now, WORDS)) == {"allowed"}


def test_a_shape_of_before_contract_v2_had_all_its_postings_by_window() -> None:
    before = replace(ALONE, by_window=None)
    assert differences(before, ALONE, WORDS) == []
    (found,) = differences(before, replace(ALONE, by_window=()), WORDS)
    assert found.verdict == "refused"


def test_no_state_remembers_record_types_without_end() -> None:
    many = tuple(replace(A, short=f"a{number}") for number in range(GONE_MAX + 1))
    less = replace(ALONE, kinds=())
    assert verdicts(differences(replace(ALONE, kinds=many[1:]), less, WORDS)) == {"if_closed"}
    assert "refused" in verdicts(differences(replace(ALONE, kinds=many), less, WORDS))


# A state that grows.


def policy_without(records: Sequence[str], rework: bool = True) -> Policy:
    """Return the shipped policy without some record types, and without the measure rework."""
    policy = default_policy()
    summaries = {name: each for name, each in policy.summaries.items() if name not in records}
    if not rework and "summary.production.v1" in summaries:
        production = summaries["summary.production.v1"]
        fed = {kind: of for kind, of in production.inputs.items() if "rework" not in of}
        assert production.measures[-1] == "rework"
        summaries["summary.production.v1"] = replace(
            production, measures=production.measures[:-1], inputs=fed
        )
    transactions = {name: each for name, each in policy.transactions.items() if name not in records}
    return replace(policy, summaries=summaries, transactions=transactions)


MAY_BE_NEW = [kind.record for kind in rules_for(MES_EVENTS).kinds if kind.record not in LASTING]


def fed_by(policy: Policy, sums: Counter[rows.Row]) -> Counter[rows.Row]:
    """Return the sums of what a policy has."""
    entries = {**policy.transactions, **policy.summaries}
    return Counter(
        {row: sum_ for row, sum_ in sums.items() if row[2] in entries and row[4] in entries[row[2]].measures}
    )  # fmt: skip


def accepted_later(policy: Policy, seen: list[Taken], more: list[Taken]) -> Counter[rows.Row]:
    """Return the sums of `more`, which the shipped policy took after another one took `seen`.

    The reversal of what has sent nothing to the ERP sends nothing either.
    """
    before = {_identity(one.event, one.event.id) for one in seen if one.outcome == "accepted"}
    old, new = [], []
    for one in more:
        of_before = (
            one.outcome == "accepted"
            and isinstance(one.event, TransactionReversed)
            and _identity(one.event, one.event.data.reverses) in before
        )
        (old if of_before else new).append(one)
    sums = rows.accepted(new)
    for row, sum_ in rows.accepted(old).items():
        if row[2] in policy.transactions or not row[2].startswith("erp."):
            sums[row] += sum_
    return sums


def _identity(event: Any, id: str) -> tuple[str, ...]:
    return event.plant, event.line, event.source, id


def emitted(left: Sequence[Outgoing]) -> Counter[rows.Row]:
    """Sum what left, of records that have no rework as if they had none of it."""
    told = []
    for output in left:
        record = value_of(output)
        if record["type"] == "summary.production.v1":
            record["data"].setdefault("rework", "0")
        told.append(replace(output, value=rows.json.dumps(record).encode()))
    return rows.emitted(told)


def taken(task: Partition, records: Sequence[Record]) -> tuple[list[Taken], list[Outgoing]]:
    seen = list(watched(task, records))
    return seen, [output for each in seen for output in each.outputs]


def assert_it_grows(
    at: At, records: list[Record], timing: Timing, small: Policy, stores: Iterator[Store],
    lines_max: int | None = None,
) -> set[tuple[str, str]]:  # fmt: skip
    """Let a state of another policy go on with the shipped one; hold all totals against the log.

    Return the record types and measures that the second half added to.
    """
    half = len(records) // 2
    first = Partition(*at, rules_for(at[0], timing, small), next(stores), lines_max=lines_max)
    seen, left = taken(first, records[:half])
    second = Partition(*at, rules_for(at[0], timing), next(stores), lines_max=lines_max)
    more_seen, more_left = taken(second, records[half:])
    last = Partition(*at, rules_for(at[0], timing), next(stores))
    for line in last.lines.values():
        assert all(each.error == 0 for each in balances(line, last.rules).values())
    with localcontext() as context:
        context.prec = 60
        before = fed_by(small, rows.accepted(seen))
        came = rows.total(before, accepted_later(small, seen, more_seen))
        assert came == rows.total(emitted([*left, *more_left]), rows.still_open(last))
    steady = new_task(at, timing)
    always = [each for one in watched(steady, records) for each in one.outputs]
    entries = {**small.transactions, **small.summaries}
    unchanged = {name for name in entries if name != "summary.production.v1"}
    unchanged |= {"erp.reversal.v1", "erp.maintenance_notification.v1", "exception.raised.v1"}

    def is_unchanged(record: dict[str, Any]) -> bool:
        reversed_type = record["data"].get("reversed_type", "erp.maintenance_notification.v1")
        return record["type"] in unchanged and reversed_type in unchanged

    def told(outputs: list[Outgoing]) -> Records:
        return by_line((o.topic, o.value) for o in outputs if is_unchanged(value_of(o)))

    assert told(left + more_left) == told(always)
    return {(row[2], row[4]) for row, sum_ in rows.accepted(more_seen).items() if sum_}


@pytest.fixture(params=["plain", "compiled"])
def core(request: pytest.FixtureRequest) -> AbstractContextManager[None]:
    if request.param == "compiled":
        needs_core()
        return nullcontext()
    return all_plain()


@given(
    lines=logs(),
    timing=timings,
    new=st.lists(st.sampled_from(MAY_BE_NEW), unique=True),
    rework=st.booleans(),
    lines_max=st.sampled_from([None, 1]),
    plain=st.booleans(),
)
def test_a_state_goes_on_when_record_types_and_measures_are_new(
    lines: list[bytes],
    timing: Timing,
    new: list[str],
    rework: bool,
    lines_max: int | None,
    plain: bool,
) -> None:
    small = policy_without(new, rework)
    with all_plain() if plain else nullcontext():
        for at, records in placed(lines).items():
            store = MemoryStore()
            assert_it_grows(at, records, timing, small, iter([store] * 3), lines_max)


@pytest.mark.parametrize("new", ["summary.production.v1", "erp.goods_issue.v1", "rework"])
def test_and_through_rocksdb(core: AbstractContextManager[None], new: str, tmp_path: Path) -> None:
    def opened(path: Path) -> Iterator[Store]:
        for _ in range(3):
            store = RocksStore(path)
            yield store
            store.close()

    small = policy_without([new], rework=new != "rework")
    added = set()
    with core:
        for seed in range(3):
            for at, records in placed(random_log(seed, 300)).items():
                path = tmp_path / f"{seed} {at[0]}"
                added |= assert_it_grows(at, records, Timing(), small, opened(path))
    assert any(new in each for each in added)


# A record type that is gone.

GONE = "erp.goods_issue.v1"


def reopened(bench: Bench, policy: Policy | None = None) -> None:
    bench.rules = rules_for(MES_EVENTS, policy=policy)
    bench.reopen()


def test_a_record_type_with_open_windows_cant_go() -> None:
    bench = Bench()
    bench.send(consumed(0))
    before = list(bench.store.scan(b""))
    with pytest.raises(OtherRulesError) as refusal:
        reopened(bench, policy_without([GONE]))
    assert str(refusal.value).startswith(
        f"the state of mes.events.v1/0 was made with a policy with {GONE}, which has open windows: "
        "go on with that"
    )
    assert list(bench.store.scan(b"")) == before


def test_once_they_are_closed_it_can_and_comes_back() -> None:
    bench = Bench()
    bench.send(consumed(0, "2"), confirmed(1_000))
    without = policy_without([GONE])
    reopened(bench, without)
    bench.send(consumed(1_001, "4"))
    reopened(bench, without)  # what is gone is remembered
    bench.send(consumed(1_002, "8"))
    reopened(bench)
    bench.send(consumed(1_003, "16"), confirmed(2_000))
    (line,) = bench.task.lines.values()
    told = balances(line, bench.rules)[GONE, "quantity"]
    assert (told.error, told.open) == (0, 0)
    assert told.accepted == 16 * 10**9  # the line was written without what went before


@pytest.mark.parametrize(
    "other",
    [
        {"row": ("order", "operation", "item", "uom")},
        {"measures": ("amount",), "inputs": {"material.consumed.v1": {"amount": "quantity"}}},
    ],
)
def test_its_short_name_is_never_given_to_something_else(other: dict[str, Any]) -> None:
    bench = Bench()
    bench.send(consumed(0, "2"), confirmed(1_000))
    reopened(bench, policy_without([GONE]))
    bench.send(confirmed(1_001))
    shipped = default_policy()
    changed = replace(shipped.transactions[GONE], **other)
    with pytest.raises(OtherRulesError, match=GONE):
        reopened(bench, replace(shipped, transactions=shipped.transactions | {GONE: changed}))


# The order of record types.


def in_another_order() -> Policy:
    policy = default_policy()
    return replace(policy, summaries=dict(reversed(policy.summaries.items())))


def test_from_format_3_on_the_order_of_record_types_may_change() -> None:
    bench = Bench()
    bench.send(consumed(0, "2"), confirmed(1))
    reopened(bench, in_another_order())
    left = [each["type"] for each in bench.send(confirmed(1_000))]
    # Equal ends leave in the order of the policy that there is when they do.
    assert left[:2] == ["summary.production.v1", "summary.consumption.v1"]
    (line,) = bench.task.lines.values()
    assert all(each.error == 0 for each in balances(line, bench.rules).values())


@pytest.mark.parametrize("name", ["mes-1", "mes-2", "mes-3"])
@pytest.mark.parametrize(
    "now",
    [None, in_another_order(), policy_without(["summary.scrap.v1"])],
    ids=["shipped", "order", "less"],
)
def test_a_state_of_an_earlier_format_goes_on_with_more_and_in_another_order(
    name: str, now: Policy | None
) -> None:
    """Formats 1 and 2 have sums in the order of their record types, 3 by their short names."""
    told = json.loads((STATES / f"{name}.json").read_bytes())
    bench = Bench()
    bench.store.write(
        [(bytes.fromhex(key), bytes.fromhex(value)) for key, value in told["state"].items()]
    )
    bench.sent = len(told["log"])
    reopened(bench, now)
    for number in range(2):
        bench.send(consumed(710 + number, id=f"more {number}"))
        for line in bench.task.lines.values():
            assert not any(each.error for each in balances(line, bench.rules).values())
        reopened(bench, now)
    found = {line.line: balances(line, bench.rules) for line in bench.task.lines.values()}
    issued = found["L2"]["erp.goods_issue.v1", "quantity"]
    assert issued.accepted == 12 * 999_999_999_999_999_500_000_000
    assert found["L1"]["erp.goods_issue.v1", "quantity"].accepted == 34 * 10**9
    assert found["L1"]["summary.consumption.v1", "quantity"].accepted == 34 * 10**9


def test_a_state_that_has_grown_and_lost_goes_on() -> None:
    bench = Bench()
    reopened(bench, policy_without(["summary.scrap.v1"]))
    bench.send(consumed(0, "2"), confirmed(1_000))
    without = policy_without([GONE])
    for number in range(5):
        reopened(bench, without)
        bench.send(confirmed(1_001 + number, id=f"at {bench.sent}"))
    assert bench.task.counts.accepted == 7
