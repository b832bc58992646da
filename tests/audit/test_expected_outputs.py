"""Records found, held against those expected: what is right passes, and each wrong is named."""

import json
from collections.abc import Iterable
from io import BytesIO
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agents.audit.expected_outputs import ExpectedOutputs, Headers
from agents.audit.findings import Differences, Place, line_of
from agents.audit.totals import billionths, check_totals
from logs import random_log
from runs import At, Run, confirmed, consumed, event, run, started
from streams.contract.topics import (
    ERP_TRANSACTIONS,
    EXCEPTIONS,
    INPUTS,
    MACHINE_EVENTS,
    MES_EVENTS,
    OUTPUTS,
    REFERENCE,
    SUMMARY_CONSUMPTION,
)
from streams.contract.transactions import encode
from streams.log.record import Outgoing, partition_of
from tables.line.line import sum_of
from tables.line.rules import rules_for

M, E = (MES_EVENTS, 0), (MACHINE_EVENTS, 0)
PARTITIONS = 2

WINDOWED = {kind.record: kind.measures for topic in INPUTS for kind in rules_for(topic).kinds}

Laid = dict[At, list[tuple[bytes | None, bytes]]]
"""(key, value) of each record of an output partition."""


def laid(outputs: Iterable[Outgoing]) -> Laid:
    """Return output partitions with these records, as a worker lays them."""
    found: Laid = {}
    for record in outputs:
        at = record.topic, partition_of(record.key, PARTITIONS)
        found.setdefault(at, []).append((record.key, record.value))
    return found


def compared(done: Run) -> dict[At, list[Outgoing]]:
    """Return what left each partition of a run, but what went to `reference.v1`."""
    return {
        at: [each for each in outputs if each.topic in OUTPUTS]
        for at, outputs in done.outputs.items()
    }


def interleaved(rng: Random, done: Run) -> list[Outgoing]:
    """Return what left all partitions of a run, each one's in its order."""
    left = {at: outputs for at, outputs in compared(done).items() if outputs}
    order: list[Outgoing] = []
    while left:
        at = rng.choice(sorted(left))
        order.append(left[at].pop(0))
        if not left[at]:
            del left[at]
    return order


def expecting(done: Run, due: bool = True, **options: Any) -> ExpectedOutputs:
    """Return expected outputs: those of a run."""
    expected_outputs = ExpectedOutputs(BytesIO(), Differences(), WINDOWED, **options)
    for at, outputs in done.outputs.items():
        expected_outputs.expect(at, outputs)
        if due:
            expected_outputs.due(at)
    return expected_outputs


def hold(expected_outputs: ExpectedOutputs, found: Laid, begin: int = 0) -> Differences:
    """Compare found records with the expected ones; return the differences."""
    for (topic, number), records in sorted(found.items()):
        for offset, (key, value) in enumerate(records, begin):
            expected_outputs.find(Place(topic, number, offset, key), value)
    expected_outputs.finish()
    return expected_outputs.differences


def only(differences: Differences, *kinds: str) -> Any:
    """Return the first difference, of those kinds and no others."""
    assert set(differences.counts) == set(kinds)
    first = differences.first()
    assert first is not None
    return first


def with_data(value: bytes, **data: Any) -> bytes:
    """Return a record with members of its data changed."""
    record = json.loads(value)
    return json.dumps({**record, "data": {**record["data"], **data}}).encode()


def id_of(value: bytes) -> str:
    id = json.loads(value)["id"]
    assert isinstance(id, str)
    return id


LOG = [
    *(confirmed(number, number + 1, id=f"c{number}") for number in range(6)),
    *(confirmed(number, id=f"d{number}", line="L2") for number in range(3)),
]
"""Two lines whose events leave at once, six and three."""

KEY = b"DE01/L1"
AT = (ERP_TRANSACTIONS, partition_of(KEY, PARTITIONS))


def of_line(found: Laid, key: bytes = KEY) -> list[int]:
    """Return where the records of a line are among those of its ERP partition."""
    return [place for place, record in enumerate(found[AT]) if record[0] == key]


@pytest.fixture
def done() -> Run:
    return run(LOG)


@pytest.fixture
def found(done: Run) -> Laid:
    return laid(interleaved(Random(1), done))


def test_both_lines_are_in_the_partition_that_the_tests_look_at(found: Laid) -> None:
    assert len(of_line(found)) == 6
    assert len(found[AT]) in (6, 9)


def test_a_hold_goes_to_a_topic_that_is_not_compared() -> None:
    """The record is on `reference.v1`, until a later one of its key takes its place."""
    placed = event("quality.hold_placed.v1", 0, hold="H1", scope="lot", value="A1", reason="BURR")
    done = run([placed, *LOG])
    (told,) = [each for each in done.outputs[M] if each.topic == REFERENCE]
    assert told.key == b"hold|DE01|H1"
    assert hold(expecting(done), laid(compared(done)[M])).first() is None


@given(st.integers(0, 10**6), st.integers(1, 120), st.randoms(use_true_random=False))
def test_what_the_log_gives_is_proven_in_any_interleaving(
    seed: int, size: int, rng: Random
) -> None:
    done = run(random_log(seed, size))
    expected_outputs = expecting(done, exactly_once=True)
    differences = hold(expected_outputs, laid(interleaved(rng, done)))
    assert differences.first() is None
    assert expected_outputs.keys == sum(map(len, compared(done).values()))
    check_totals(done.tasks.values(), expected_outputs.sums, differences)
    assert differences.first() is None


@given(st.integers(0, 10**6), st.integers(1, 120), st.randoms(use_true_random=False))
def test_repeats_from_any_place_on_are_legal_at_least_once(
    seed: int, size: int, rng: Random
) -> None:
    done = run(random_log(seed, size))
    again = {}
    for at, outputs in compared(done).items():
        # A crash repeats what had left since the last state; and the next one may, once more.
        reached = rng.randint(0, len(outputs))
        state = rng.randint(0, reached)
        again[at] = [*outputs[:reached], *outputs[state:reached], *outputs[state:]]
    expected_outputs = expecting(done)
    differences = hold(expected_outputs, laid(interleaved(rng, Run(outputs=again))))
    assert differences.first() is None
    repeats = sum(map(len, again.values())) - sum(map(len, compared(done).values()))
    assert sum(figures.repeats for figures in expected_outputs.figures.values()) == repeats
    check_totals(done.tasks.values(), expected_outputs.sums, differences)
    assert differences.first() is None


@given(
    st.integers(0, 10**6), st.integers(20, 120), st.randoms(use_true_random=False),
    st.sampled_from(["drop", "change", "swap", "reuse", "insert", "move"]),
)  # fmt: skip
def test_no_single_wrong_passes(seed: int, size: int, rng: Random, wrong: str) -> None:
    done = run(random_log(seed, size))
    found = laid(interleaved(rng, done))
    assume(found)
    at = rng.choice(sorted(found))
    records = found[at]
    place = rng.randrange(len(records))
    key, value = records[place]
    expected = {
        "drop": {"missing"}, "change": {"changed"}, "swap": {"reordered"}, "reuse": {"reused"},
        "insert": {"extra"}, "move": {"extra", "missing"},
    }[wrong]  # fmt: skip
    if wrong == "drop":
        del records[place]
    elif wrong == "change":
        records[place] = key, with_data(value, tampered=1)
    elif wrong == "swap":
        after = [n for n in range(place + 1, len(records)) if records[n][0] == key]
        if at[0] == EXCEPTIONS:  # those of M and E are in no order
            source = id_of(value).rpartition("/")[0]
            after = [n for n in after if id_of(records[n][1]).rpartition("/")[0] == source]
        assume(after)
        records[place], records[after[0]] = records[after[0]], records[place]
    elif wrong == "reuse":
        records.append((key, with_data(value, tampered=1)))
    elif wrong == "insert":
        record = {**json.loads(value), "id": "gi:DE01/L1:1:x:0"}
        records.insert(place, (key, json.dumps(record).encode()))
    else:
        records[place] = b"DE99/L9", value
    differences = hold(expecting(done), found)
    assert set(differences.counts) == expected
    first = differences.first()
    assert first is not None
    assert first.topic == at[0]
    assert first.partition == (
        at[1] if any(first.line == line_of(key) for key, _ in records) else None
    )


def test_a_record_that_is_missing_is_named_with_what_is_in_its_place(
    done: Run, found: Laid
) -> None:
    places = of_line(found)
    lost = found[AT].pop(places[2])
    instead = found[AT][of_line(found)[2]]
    first = only(hold(expecting(done), found), "missing")
    assert (first.topic, first.partition) == AT
    assert first.offset == of_line(found)[2]
    assert first.line == "DE01/L1"
    assert (first.member, first.expected, first.found) == ("id", id_of(lost[1]), id_of(instead[1]))
    assert id_of(lost[1]) in first.says


def test_records_missing_at_the_end_are_counted_and_the_first_is_named(
    done: Run, found: Laid
) -> None:
    lost = [found[AT].pop(place) for place in reversed(of_line(found)[-2:])][::-1]
    differences = hold(expecting(done), found)
    first = only(differences, "missing")
    assert differences.counts["missing"] == 2
    assert (first.expected, first.found, first.offset) == (id_of(lost[0][1]), None, None)
    assert (first.topic, first.partition) == AT


def test_a_line_of_which_nothing_is_there_is_missing(done: Run) -> None:
    first = only(hold(expecting(done), {}), "missing")
    assert (first.topic, first.partition, first.expected) == (
        ERP_TRANSACTIONS, None, "pc:DE01/L1:/mes|c0",
    )  # fmt: skip


def test_past_the_state_records_may_be_there_or_not_yet(done: Run, found: Laid) -> None:
    for there in range(7):
        expected_outputs = expecting(done, due=False)
        partial = {AT: [found[AT][place] for place in of_line(found)[:there]]}
        assert hold(expected_outputs, partial).first() is None
        assert expected_outputs.figures[ERP_TRANSACTIONS].to_come == 9 - there


def test_past_the_state_too_what_is_there_must_go_on_without_a_gap(done: Run, found: Laid) -> None:
    partial = {AT: [found[AT][place] for place in of_line(found)[1:3]]}
    first = only(hold(expecting(done, due=False), partial), "missing")
    assert first.expected == "pc:DE01/L1:/mes|c0"
    assert first.found == "pc:DE01/L1:/mes|c1"


def test_what_is_due_ends_where_the_state_is() -> None:
    done, before = run(LOG), run(LOG[:4])
    for there, missing in [(4, 0), (3, 1)]:
        expected_outputs = ExpectedOutputs(BytesIO(), Differences(), WINDOWED)
        expected_outputs.expect(M, before.outputs[M])
        expected_outputs.due(M)
        expected_outputs.expect(M, done.outputs[M][len(before.outputs[M]) :])
        differences = hold(expected_outputs, laid(done.outputs[M][:there]))
        assert differences.counts["missing"] == missing


def test_a_changed_record_is_named_with_the_member_that_differs(done: Run, found: Laid) -> None:
    place = of_line(found)[3]
    key, value = found[AT][place]
    found[AT][place] = key, with_data(value, quantity="44")
    first = only(hold(expecting(done), found), "changed")
    assert (first.topic, first.partition, first.offset, first.line) == (*AT, place, "DE01/L1")
    assert (first.member, first.expected, first.found) == ("data.quantity", "4", "44")
    assert id_of(value) in first.says
    assert "'44', not '4'" in first.says


def test_another_spelling_of_equal_content_is_no_change(done: Run, found: Laid) -> None:
    found = {
        at: [(key, json.dumps(json.loads(value), indent=2).encode()) for key, value in records]
        for at, records in found.items()
    }
    assert hold(expecting(done), found).first() is None


TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER_TRACE = TRACE.replace(b"0af7", b"0af8")


@pytest.mark.parametrize(
    ("headers", "member"),
    [
        ([("ce_specversion", b"1.0"), ("ce_type", b"erp.reversal.v1")], "header ce_specversion"),
        ([("content-type", b"application/json")], "header content-type"),
        ([("traceparent", OTHER_TRACE)], "header traceparent"),
    ],
)
@pytest.mark.parametrize("repeat", [True, False])
def test_headers_that_lineside_doesnt_write_are_a_change(
    done: Run, found: Laid, headers: Headers, member: str, repeat: bool
) -> None:
    expected_outputs = expecting(done)
    place = of_line(found)[0]
    key, value = found[AT][place]
    if repeat:
        differences = hold(expected_outputs, found)
        expected_outputs.find(Place(*AT, 99, key), value, headers)
    else:
        del found[AT][place]
        expected_outputs.find(Place(*AT, 0, key), value, headers)
        differences = hold(expected_outputs, found, begin=1)
    first = only(differences, "reused" if repeat else "changed")
    assert first.member == member


def test_a_record_has_the_trace_of_its_event_or_as_earlier_versions_wrote_it_none() -> None:
    traced = json.dumps({**json.loads(LOG[0]), "traceparent": TRACE.decode()}).encode()
    done = run([traced])
    (left,) = done.outputs[M]
    assert left.trace == TRACE
    structured = ("content-type", b"application/cloudevents+json")
    for headers, kinds in [
        ([("traceparent", TRACE)], set()),
        ([("traceparent", TRACE), structured], set()),
        ([structured], set()),
        ([], set()),
        ([("traceparent", OTHER_TRACE)], {"changed"}),
        ([("traceparent", TRACE), ("traceparent", TRACE)], {"changed"}),
    ]:
        expected_outputs = expecting(done)
        expected_outputs.find(Place(*AT, 0, KEY), left.value, headers)
        expected_outputs.finish()
        assert set(expected_outputs.differences.counts) == kinds


@pytest.mark.parametrize("repeat", [True, False])
def test_a_member_that_is_there_twice_is_a_change_though_the_last_one_is_right(
    done: Run, found: Laid, repeat: bool
) -> None:
    place = of_line(found)[3]
    key, value = found[AT][place]
    forged = value.replace(b'"data":{', b'"data":{"quantity":"999999",', 1)
    assert forged != value
    if repeat:
        found[AT].append((key, forged))
    else:
        found[AT][place] = key, forged
    first = only(hold(expecting(done), found), "reused" if repeat else "changed")
    assert (first.member, first.found) == ("data.quantity", ["999999", "4"])
    assert "data.quantity is there 2 times: '999999' and '4'" in first.says


def test_a_record_that_comes_too_late_is_named_with_what_came_before(
    done: Run, found: Laid
) -> None:
    one, other = of_line(found)[1:3]
    records = found[AT]
    records[one], records[other] = records[other], records[one]
    first = only(hold(expecting(done), found), "reordered")
    assert (first.topic, first.partition, first.offset) == (*AT, other)
    assert first.expected == "pc:DE01/L1:/mes|c1"
    assert first.found == "pc:DE01/L1:/mes|c2"


def test_a_record_that_follows_from_no_input_is_named_with_what_could_come(
    done: Run, found: Laid
) -> None:
    place = of_line(found)[4]
    key, value = found[AT][place]
    forged = json.dumps({**json.loads(value), "id": "pc:DE01/L1:/mes|forged"}).encode()
    found[AT].insert(place, (key, forged))
    first = only(hold(expecting(done), found), "extra")
    assert (first.topic, first.partition, first.offset) == (*AT, place)
    assert (first.expected, first.found) == (id_of(value), "pc:DE01/L1:/mes|forged")


def test_a_record_under_another_lines_key_is_named_with_its_own(done: Run, found: Laid) -> None:
    place = of_line(found)[5]
    found[AT][place] = b"DE01/L2", found[AT][place][1]
    differences = hold(expecting(done), found)
    assert set(differences.counts) == {"extra", "missing"}
    first = differences.first_of("determinism")
    assert first is not None
    assert (first.member, first.expected, first.found) == ("key", "DE01/L1", "DE01/L2")


@pytest.mark.parametrize("value", [None, b"", b"[]", b'{"id":1,"type":"x"}', b"\xff", b"[" * 10**5])
def test_what_is_no_record_of_ours_is_reported(done: Run, found: Laid, value: bytes | None) -> None:
    expected_outputs = expecting(done)
    expected_outputs.find(Place(*AT, 0, KEY), value)
    first = only(hold(expected_outputs, found), "extra")
    assert (first.topic, first.partition, first.offset, first.member) == (*AT, 0, "value")


def test_a_repeat_refutes_exactly_once_only(done: Run, found: Laid) -> None:
    found[AT].append(found[AT][of_line(found)[0]])
    expected_outputs = expecting(done)
    assert hold(expected_outputs, found).first() is None
    assert expected_outputs.figures[ERP_TRANSACTIONS].repeats == 1
    first = only(hold(expecting(done, exactly_once=True), found), "repeated")
    assert (first.offset, first.found) == (len(found[AT]) - 1, "pc:DE01/L1:/mes|c0")


def test_a_repeat_with_another_content_is_a_posting_key_used_twice(done: Run, found: Laid) -> None:
    key, value = found[AT][of_line(found)[0]]
    found[AT].append((key, with_data(value, quantity="9")))
    first = only(hold(expecting(done), found), "reused")
    assert (first.topic, first.partition, first.offset) == (*AT, len(found[AT]) - 1)
    assert (first.member, first.expected, first.found) == ("data.quantity", "1", "9")


def test_a_line_in_two_partitions_has_no_order(done: Run, found: Laid) -> None:
    moved = found[AT].pop(of_line(found)[5])
    other = ERP_TRANSACTIONS, 1 - AT[1]
    found.setdefault(other, []).append(moved)
    differences = hold(expecting(done), found)
    first = differences.first_of("order")
    assert first is not None
    assert first.kind == "scattered"
    assert {first.expected, first.found} == {0, 1}


def test_one_posting_key_for_two_records_is_reported_though_the_input_gives_both() -> None:
    # An id of a source comes again after the ledger has forgotten it, with another time.
    day = 86_400
    done = run([confirmed(0, id="c"), confirmed(8 * day, id="d"), confirmed(8 * day, id="c")])
    assert [one.topic for one in done.outputs[M]].count(ERP_TRANSACTIONS) == 3
    first = only(hold(expecting(done), laid(done.outputs[M])), "twice")
    assert first.found == "pc:DE01/L1:/mes|c"


def test_a_machine_event_that_stands_singly_on_an_erp_topic_is_reported() -> None:
    done = run([event("machine.count.v1", 0, work_unit="U1", good=1, scrap=0)])
    value = encode("erp.count.v1", "ct:1", None, "DE01", "L1", {})
    done.outputs[E].append(Outgoing(ERP_TRANSACTIONS, KEY, "ct:1", "erp.count.v1", value))
    first = only(hold(expecting(done), laid(done.outputs[E])), "single")
    assert first.found == "ct:1"


def test_exceptions_of_both_inputs_under_one_key_are_in_no_order_of_their_own() -> None:
    bad = [event("machine.count.v1", 0, id="e"), consumed(0, "x", id="m"), consumed(1, "x", id="n")]
    done = run(bad)
    (of_m, of_n), (of_e,) = done.outputs[M], done.outputs[E]
    for order in ([of_m, of_n, of_e], [of_m, of_e, of_n], [of_e, of_m, of_n]):
        assert hold(expecting(done), laid(order)).first() is None
    first = only(hold(expecting(done), laid([of_n, of_e, of_m])), "reordered")
    assert first.topic == EXCEPTIONS
    assert (first.expected, first.found) == ("mes.events.v1/0/0", "mes.events.v1/0/1")


def test_where_the_beginning_is_gone_a_line_is_looked_at_from_its_first_record(
    done: Run, found: Laid
) -> None:
    kept = {AT: found[AT][of_line(found)[2] :]}
    expected_outputs = expecting(done, removed=[AT])
    assert hold(expected_outputs, kept, begin=of_line(found)[2]).first() is None
    lost = kept[AT].pop(of_line(kept)[1])
    first = only(hold(expecting(done, removed=[AT]), kept), "missing")
    assert first.expected == id_of(lost[1])
    assert hold(expecting(done, removed=[AT]), {}).first() is None


def with_windows() -> list[bytes]:
    """Return a log of which consumption leaves, and some stays open."""
    return [consumed(0, "1.5"), consumed(1, "0.25"), consumed(400, "3"), started(500)]


def test_totals_are_those_of_the_records_and_of_what_is_to_come() -> None:
    done = run(with_windows())
    sums = {("erp.goods_issue.v1", "quantity"): 1_750_000_000}
    for there in (0, len(done.outputs[M])):
        expected_outputs = expecting(done, due=False)
        for key, value in laid(done.outputs[M][:there]).get(AT, []):
            expected_outputs.find(Place(*AT, 0, key), value)
        to_come = expected_outputs.finish()
        at_erp = {
            name: total for name, total in (expected_outputs.sums + to_come).items() if name in sums
        }
        assert at_erp == sums


def test_a_changed_measure_changes_the_totals() -> None:
    done = run(with_windows())
    found = laid(done.outputs[M])
    at, place, value = next(
        (at, place, value)
        for at, records in found.items()
        for place, (_, value) in enumerate(records)
        if at[0] == SUMMARY_CONSUMPTION
    )
    found[at][place] = KEY, with_data(value, quantity="1.500000001")
    expected_outputs = expecting(done)
    differences = hold(expected_outputs, found)
    check_totals(done.tasks.values(), expected_outputs.sums, differences)
    assert set(differences.counts) == {"changed", "totals"}
    first = differences.first_of("conservation")
    assert first is not None
    assert first.member == "summary.consumption.v1 quantity"
    assert (first.expected, first.found) == ("4.75", "4.500000001")


def test_a_measure_that_is_none_is_reported_as_changed() -> None:
    done = run(with_windows())
    found = {
        at: [(key, with_data(value, quantity="much")) for key, value in records]
        for at, records in laid(done.outputs[M]).items()
    }
    only(hold(expecting(done), found), "changed")


def test_a_partition_that_doesnt_conserve_refutes_the_totals() -> None:
    done = run(with_windows())
    expected_outputs = expecting(done)
    differences = hold(expected_outputs, laid(done.outputs[M]))
    (line,) = done.tasks[M].lines.values()
    kinds = {kind.record: kind for kind in done.tasks[M].rules.kinds}
    issues, (unit,) = kinds["erp.goods_issue.v1"], line.units.values()
    line.accepted[sum_of(issues, 0)] += 1
    unit.accepted[issues.first_unit_sum] += 1
    check_totals(done.tasks.values(), expected_outputs.sums, differences)
    first = only(differences, "totals")
    assert first.expected == "4.750000001"
    assert first.found == "4.75"


@pytest.mark.parametrize(
    ("text", "scaled"),
    [
        ("0", 0), ("12.5", 12_500_000_000), ("-0.25", -250_000_000), ("0.000000001", 1),
        ("-3", -3_000_000_000), ("1234567890123456789.5", 1_234_567_890_123_456_789_500_000_000),
    ],
)  # fmt: skip
def test_sums_are_read_exactly_whatever_their_size(text: str, scaled: int) -> None:
    assert billionths(text) == scaled


@pytest.mark.parametrize("text", ["", ".5", "x", "1.2.3", "0.0000000001"])
def test_what_is_no_sum_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"measure|invalid literal"):
        billionths(text)
