"""An input partition processed anew: what its state says must be what its records give."""

from collections.abc import Iterable
from io import BytesIO
from random import Random

import msgspec
import pytest

from agents.audit.expected_outputs import ExpectedOutputs
from agents.audit.findings import Differences, Place
from agents.audit.reprocess import Head, OtherRulesError, ReprocessedPartition, read_head
from runs import confirmed, consumed, cut, event, new_task, placed, stepped
from streams.contract.policy import default_policy
from streams.contract.topics import MES_EVENTS, REFERENCE
from streams.log.record import Outgoing, Record
from tables.line.rules import Rules, Timing, rules_for
from tables.partition.head import FORMATS, FormatError
from tables.partition.partition import Bounds, Partition
from tables.store.store import HEAD, MemoryStore

M = (MES_EVENTS, 0)

LOG = [
    consumed(0, id="a"), consumed(0, id="a"), consumed(1, "x", id="b"), event("clock.tick.v1", 2),
    consumed(900, id="c"), consumed(901, id="d"), b"no event", consumed(902, id="d"),
]  # fmt: skip
"""accepted, duplicate, exception, tick, accepted (a window leaves), accepted, two exceptions."""


def head_after(records: Iterable[Record], timing: Timing | None = None) -> bytes:
    """Return the head that a worker's state has after these records."""
    store = MemoryStore()
    stepped(new_task(M, timing, store=store), list(records))
    (head,) = store.get_many([HEAD])
    assert head is not None
    return head


def reprocess(
    records: list[Record], head: Head | None, begin: int = 0, end: int | None = None
) -> tuple[ReprocessedPartition, Differences, bool]:
    """Reprocess records in random batches; return the differences, and whether it was possible."""
    differences = Differences()
    expected_outputs = ExpectedOutputs(BytesIO(), differences, {})
    last = records[-1].offset + 1 if records else begin
    reprocessed = ReprocessedPartition(
        M, rules_for(MES_EVENTS), MemoryStore(), head, begin, end or last, expected_outputs
    )  # fmt: skip
    for batch in cut(records, Random(1)):
        reprocessed.take(list(batch))
    reprocessed.finish()
    return reprocessed, differences, reprocessed.compare(differences)


def rules(timing: Timing | None = None) -> Rules:
    return rules_for(MES_EVENTS, timing)


RECORDS = placed(LOG)[M]
HEADS = [read_head(head_after(RECORDS[: number + 1]), M, rules()) for number in range(len(LOG))]


def test_a_head_is_read_as_the_state_wrote_it() -> None:
    head = HEADS[-1]
    assert head.offset == 7
    assert head.records == 8
    assert head.counts == {
        "accepted": 3, "duplicate": 1, "exception": 3, "tick": 1,
        "exceptions invalid": 1, "exceptions key_conflict": 1, "exceptions malformed": 1,
        "left erp.goods_issue.v1": 1, "left summary.consumption.v1": 1,
    }  # fmt: skip


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_a_state_at_any_offset_says_what_its_records_give(head: Head) -> None:
    reprocessed, differences, whole = reprocess(RECORDS, head)
    assert whole
    assert differences.first() is None
    assert reprocessed.records == 8
    assert reprocessed.partition.counts.accepted == 3


def test_a_state_that_hasnt_begun_says_nothing() -> None:
    _, differences, whole = reprocess(RECORDS, None)
    assert whole
    assert differences.first() is None


def test_what_is_due_is_what_left_up_to_the_head() -> None:
    for head, due in zip(HEADS, [0, 0, 1, 1, 3, 3, 4, 5], strict=True):
        reprocessed, _, _ = reprocess(RECORDS, head)
        lanes = reprocessed.expected_outputs.lanes.values()
        assert sum(series.due for lane in lanes for series in lane.series) == due
        assert sum(len(series.ids) for lane in lanes for series in lane.series) == 5


@pytest.mark.parametrize(
    ("name", "by"),
    [("exceptions malformed", 1), ("left summary.consumption.v1", -1), ("left erp.lost.v1", 1)],
)
def test_a_count_that_isnt_that_of_the_records_is_named(name: str, by: int) -> None:
    right = HEADS[-1].counts
    wrong = Head(7, right | {name: right.get(name, 0) + by})
    _, differences, whole = reprocess(RECORDS, wrong)
    assert whole
    first = differences.first()
    assert first is not None
    assert (first.kind, first.topic, first.partition, first.offset) == ("counts", *M, 7)
    assert (first.member, first.expected, first.found) == (
        name, right.get(name, 0), right.get(name, 0) + by,
    )  # fmt: skip
    assert name in first.says


def test_an_outcome_taken_for_another_is_named_though_the_sum_is_right() -> None:
    right = HEADS[-1].counts
    wrong = Head(7, right | {"accepted": right["accepted"] - 1, "duplicate": 2})
    _, differences, _ = reprocess(RECORDS, wrong)
    assert differences.counts == {"counts": 2}
    first = differences.first()
    assert first is not None
    assert (first.member, first.expected, first.found) == ("accepted", 3, 2)


@pytest.mark.parametrize("by", [-1, 1])
def test_a_state_that_counted_another_number_of_records_is_reported(by: int) -> None:
    right = HEADS[-1].counts
    _, differences, whole = reprocess(RECORDS, Head(7, right | {"tick": 1 + by}))
    assert whole
    first = differences.first()
    assert first is not None
    assert (first.member, first.expected, first.found) == ("records", 8, 8 + by)


def test_offsets_without_records_are_no_loss() -> None:
    # The ends of transactions have offsets, and are no records.
    spread = [msgspec.structs.replace(each, offset=3 * each.offset + 2) for each in RECORDS]
    head = read_head(head_after(spread[:5]), M, rules())
    _, differences, whole = reprocess(spread, head, end=30)
    assert whole
    assert differences.first() is None


def test_a_state_past_the_end_of_its_topic_is_reported() -> None:
    _, differences, whole = reprocess(RECORDS[:4], HEADS[-1])
    assert whole
    first = differences.first()
    assert first is not None
    assert (first.member, first.expected, first.found) == ("offset", 3, 7)


def test_where_counted_records_are_gone_nothing_can_be_said() -> None:
    _, differences, whole = reprocess(RECORDS[2:], HEADS[-1], begin=2)
    assert not whole
    assert differences.first() is None
    _, _, whole = reprocess(RECORDS[2:], None, begin=2)
    assert not whole


def test_a_system_that_began_where_the_topic_begins_is_looked_at_in_full() -> None:
    later = RECORDS[2:]
    head = read_head(head_after(later), M, rules())
    _, differences, whole = reprocess(later, head, begin=2)
    assert whole
    assert differences.first() is None
    wrong = Head(head.offset, head.counts | {"tick": 0})
    _, differences, whole = reprocess(later, wrong, begin=2)
    assert whole
    assert differences.counts == {"counts": 1}


@pytest.mark.parametrize(
    "timing",
    [
        Timing(summary_window_seconds=30), Timing(grace_seconds=0),
        Timing(mes_retention_seconds=86_400), Timing(episode_limit_seconds=60),
    ],
    ids=["window", "grace", "retention", "limit"],
)  # fmt: skip
def test_a_state_of_other_settings_isnt_judged(timing: Timing) -> None:
    with pytest.raises(OtherRulesError, match=r"mes\.events\.v1/0 .*--config"):
        read_head(head_after(RECORDS, timing), M, rules())
    assert read_head(head_after(RECORDS, timing), M, rules(timing)).records == 8


def test_a_state_that_could_grow_isnt_judged() -> None:
    policy = default_policy()
    more = dict(policy.summaries)
    del more["summary.scrap.v1"]
    other = rules_for(MES_EVENTS, policy=msgspec.structs.replace(policy, summaries=more))
    for before, now in ((other, rules()), (rules(), other)):
        task = Partition(*M, before, MemoryStore())
        stepped(task, RECORDS)
        (head,) = task.store.get_many([HEAD])
        with pytest.raises(OtherRulesError, match=r"summary\.scrap\.v1.*--config"):
            read_head(head or b"", M, now)


def test_a_state_of_another_format_isnt_judged() -> None:
    stored = msgspec.msgpack.decode(head_after(RECORDS))
    later = FORMATS[-1] + 1
    with pytest.raises(FormatError, match=f"format {later}"):
        read_head(msgspec.msgpack.encode([later, *stored[1:]]), M, rules())


def test_what_is_still_to_leave_of_a_release_isnt_due() -> None:
    log = [
        event("quality.hold_placed.v1", 0, hold="H", scope="lot", value="A", reason="crack"),
        *(confirmed(n, id=f"e{n}", lot="A") for n in range(20)),
        event("quality.hold_released.v1", 30, hold="H", disposition="use"),
    ]
    records, store = placed(log)[M], MemoryStore()
    task = new_task(M, store=store, bounds=Bounds(output_bytes=1 << 20, rows=3, lines=10))
    left: list[Outgoing] = []
    while task.offset < records[-1].offset:
        left += stepped(task, records)
    assert task.unfinished
    for lost in (False, True):
        if lost:
            left.pop()
        (head,) = store.get_many([HEAD])
        assert head is not None
        differences = Differences()
        expected = ExpectedOutputs(BytesIO(), differences, {})
        reprocessed = ReprocessedPartition(
            M, rules(), MemoryStore(), read_head(head, M, rules()), 0, len(log), expected, store
        )
        reprocessed.take(records)
        reprocessed.finish()
        assert reprocessed.compare(differences)
        read = [each for each in left if each.topic != REFERENCE]  # the audit doesn't read that
        for offset, each in enumerate(read):
            expected.find(Place(each.topic, 0, offset, each.key), each.value)
        expected.finish()
        assert bool(differences.counts) == lost


def test_what_the_changelog_holds_is_looked_at_where_the_head_is() -> None:
    for number in range(1, len(RECORDS)):
        stored = MemoryStore()
        stepped(new_task(M, store=stored), RECORDS[:number])
        (bytes_,) = stored.get_many([HEAD])
        assert bytes_ is not None
        head = read_head(bytes_, M, rules())
        for erased in (None, b"w", b"l"):
            store = MemoryStore()
            store.write(pair for pair in stored.scan(b"") if pair[0][:1] != erased)
            assert (len(store) < len(stored)) == (erased is not None)
            differences = Differences()
            expected_outputs = ExpectedOutputs(BytesIO(), differences, {})
            reprocessed = ReprocessedPartition(
                M, rules(), MemoryStore(), head, 0, 8, expected_outputs, store
            )
            reprocessed.take(RECORDS)
            reprocessed.finish()
            assert reprocessed.compare(differences)
            assert bool(differences.counts) == (erased is not None)
            first = differences.first()
            assert first is None or (first.topic, first.offset) == (MES_EVENTS, head.offset)
