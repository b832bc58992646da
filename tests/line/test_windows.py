"""Windows tumble in event time, close by the watermark alone, and lose nothing that comes late."""

from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from draws import seeds, timings
from runs import Bench, confirmed, consumed, event, new_task, reversed_, stamp, value_of
from streams.contract.topics import ERP_TRANSACTIONS, MACHINE_EVENTS, MES_EVENTS
from streams.log.record import Record
from streams.values.instant import EARLIEST, LATEST, SECOND, parse
from tables.line.rules import Timing, rules_for
from tables.line.windows import Cadence, carrier_of, end_of, revision_of, start_of
from tables.partition.partition import Partition
from tables.store.store import MemoryStore

lengths = st.sampled_from([60, 7, 300, 3_600]).map(lambda seconds: seconds * SECOND)
graces = st.sampled_from([0, 30, 45, 600]).map(lambda seconds: seconds * SECOND)
instants = st.integers(EARLIEST, LATEST)
zones = st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]).map(ZoneInfo)

# Laws.


cadences = lengths.map(Cadence) | st.builds(
    Cadence, st.just(0), zone=st.none() | zones, daily=st.booleans()
)


@given(instants, cadences)
@example(0, Cadence(60 * SECOND))
@example(-1, Cadence(60 * SECOND))
def test_windows_follow_one_another_without_a_gap(at: int, cadence: Cadence) -> None:
    start = start_of(cadence, at)
    end = end_of(cadence, start)
    assert start <= at < end
    assert end_of(cadence, at) == end_of(cadence, end - 1) == end
    assert start_of(cadence, end - 1) == start
    assert start_of(cadence, end) == end
    if cadence.length:
        assert (start % cadence.length, end - start) == (0, cadence.length)


@given(instants, st.integers(0, 10**12), cadences, graces, st.integers(0, 10**12))
@example(0, 0, Cadence(60 * SECOND), 0, 0)
@example(-1, 1, Cadence(60 * SECOND), 0, 0)
def test_a_carrier_is_the_own_window_while_open_else_the_watermarks(
    at: int, ahead: int, cadence: Cadence, grace: int, further: int
) -> None:
    """It is told by its end. `furthest` may lie past watermark - grace, after a smaller grace."""
    watermark = at + ahead
    furthest = min(watermark, watermark - grace + further)
    start, own = start_of(cadence, at), end_of(cadence, at)
    carrier = carrier_of(cadence, own, watermark, furthest)
    assert carrier >= own
    assert carrier > furthest  # so it's open itself
    if own > furthest:
        assert carrier == own
        assert revision_of(cadence, start, carrier) == 0
    else:
        assert start_of(cadence, carrier - 1) <= watermark < carrier
        assert carrier == end_of(cadence, watermark)
        late = start_of(cadence, carrier - 1) - start
        assert revision_of(cadence, start, carrier) == late // (cadence.length or 60 * SECOND) > 0
        assert late % (cadence.length or 60 * SECOND) == 0


@given(seeds, timings)
def test_a_line_puts_each_event_where_the_rule_of_carriers_says(seed: int, timing: Timing) -> None:
    """The fold spells the rule out for speed."""
    rng = Random(seed)
    bench = Bench(timing=timing)
    for number in range(20):
        at = 15 * rng.randrange(rng.choice([2, 20, 300]))  # often just at an edge
        # An item of its own tells this event's row from all others.
        bench.send(consumed(at, id=f"e{number}", item=f"I{number}"))
        (line,) = bench.task.lines.values()
        found = {
            (kind.record, carrier, start)
            for kind, carried in zip(bench.rules.kinds, line.windows, strict=True)
            for carrier, rows in carried.items()
            for start, members in rows
            if f"I{number}" in members
        }
        micros = parse(stamp(at))
        expected = set()
        for record, length in (
            ("erp.goods_issue.v1", timing.posting_window_seconds * SECOND),
            ("summary.consumption.v1", timing.summary_window_seconds * SECOND),
        ):
            start = micros - micros % length
            closed = start + length + bench.rules.grace <= line.watermark
            carrier = line.watermark - line.watermark % length if closed else start
            expected.add((record, carrier + length, start))
        assert found == (expected if bench.task.counts.exception == 0 else found)


@given(st.lists(st.integers(0, 4_000), min_size=1, max_size=40))
def test_a_watermark_is_the_greatest_time_and_never_falls(times: list[int]) -> None:
    bench = Bench()
    for number, at in enumerate(times):
        bench.send(consumed(at, id=f"e{number}"))
        (line,) = bench.task.lines.values()
        assert line.watermark == parse(stamp(max(times[: number + 1])))


# When a window closes.


def closed(left: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Return (short, revision) of windowed records."""
    return [(each["id"].partition(":")[0], each["data"]["revision"]) for each in left]


def test_a_window_closes_when_the_watermark_reaches_its_end_and_grace() -> None:
    bench = Bench()
    assert bench.send(consumed(0)) == []
    assert bench.tick(89.999999) == []
    assert closed(bench.tick(90)) == [("sc", 0)]
    assert bench.tick(329.999999) == []
    assert closed(bench.tick(330)) == [("gi", 0)]
    assert bench.tick(10_000) == []


def test_an_event_closes_windows_before_it_is_folded_itself() -> None:
    bench = Bench()
    bench.send(confirmed(0, id="a"))
    left = bench.send(confirmed(90, id="b"))
    assert [each["id"].partition(":")[0] for each in left] == ["su", "pc"]
    assert left[0]["data"]["count"] == 1


def test_an_event_in_its_own_grace_still_belongs_to_its_window() -> None:
    bench = Bench()
    bench.send(consumed(0, "1"), consumed(89.9, "2"), consumed(59.9, "4"))
    (left,) = bench.send(consumed(90, "8"))
    assert (left["data"]["quantity"], left["data"]["count"]) == ("5", 2)


def test_a_late_event_is_carried_by_the_window_that_holds_the_watermark() -> None:
    """Under its own window and row; the revision says how many windows late it is."""
    bench = Bench()
    bench.send(consumed(0, "1"), consumed(605, "2"))
    assert bench.task.lines[b"DE01/L1"].late_events == 0
    bench.send(consumed(10, "4", id="late"))
    assert bench.task.lines[b"DE01/L1"].late_events == 1
    left = [each for each in bench.tick(690) if each["type"] == "summary.consumption.v1"]
    assert [each["data"]["revision"] for each in left] == [10, 0]
    late = left[0]["data"]
    assert (late["window_start"], late["window_end"]) == (stamp(0), stamp(60))
    assert (late["quantity"], late["count"]) == ("4", 1)
    assert left[0]["time"] == stamp(60)
    (issue,) = [each for each in bench.tick(930) if each["data"]["revision"] == 2]
    assert issue["id"] == "gi:DE01/L1:1795240800:O1|0010|I1|||kg:2"
    assert issue["data"]["causes"] == ["late"]


def test_two_late_events_of_one_row_leave_together_and_of_two_carriers_apart() -> None:
    bench = Bench()
    bench.send(consumed(0, "1"), consumed(200, "1"))
    bench.send(consumed(5, "2", id="a"), consumed(6, "3", id="b"))
    left = bench.send(consumed(400, "1"), consumed(7, "5", id="c"), consumed(600, "1"))
    left += bench.close()
    told = [
        (each["data"]["revision"], each["data"]["quantity"])
        for each in left
        if each["type"] == "summary.consumption.v1" and each["data"]["window_start"] == stamp(0)
    ]
    assert told == [(3, "5"), (6, "5")]


def test_a_tick_counts_less_the_idle_grace_and_makes_no_line_seen() -> None:
    bench = Bench()
    assert bench.send(event("clock.tick.v1", 10_000)) == []
    assert bench.task.lines == {}
    bench.send(consumed(0))
    assert bench.send(event("clock.tick.v1", 90 + 120 - 0.000001)) == []
    assert closed(bench.send(event("clock.tick.v1", 90 + 120))) == [("sc", 0)]
    assert bench.task.counts.tick == 3


def test_a_tick_closes_windows_of_every_line_seen() -> None:
    bench = Bench()
    bench.send(consumed(0), consumed(0, line="L2"), consumed(0, plant="DE02"))
    left = bench.tick(90)
    assert {(each["plant"], each["line"]) for each in left} == {
        ("DE01", "L1"), ("DE01", "L2"), ("DE02", "L1"),
    }  # fmt: skip


def test_a_line_knows_nothing_of_another_lines_time() -> None:
    bench = Bench()
    assert bench.send(consumed(0), consumed(5_000, line="L2")) == []


def test_telemetry_raises_the_watermark() -> None:
    bench = Bench(MACHINE_EVENTS)
    bench.send(event("machine.count.v1", 0, work_unit="U1", good=1, scrap="0.5"))
    (left,) = bench.send(event("machine.telemetry.v1", 90, work_unit="U1", tag="t", value=None))
    assert left["id"] == "sm:DE01/L1:1795240800:U1||:0"
    assert left["data"] == {
        "work_unit": "U1", "good": "1", "scrap": "0.5", "window_start": stamp(0),
        "window_end": stamp(60), "revision": 0, "count": 1,
    }  # fmt: skip


def test_windows_are_aligned_to_the_epoch_at_the_first_instant_too() -> None:
    task = new_task((MES_EVENTS, 0))
    old = consumed(0).replace(b"2026-11-21T06:00:00Z", b"2000-01-01T00:00:00Z")
    task.step([Record(0, None, b"DE01/L1", old)])
    left = [(output.id, value_of(output)["data"]["window_end"]) for output in task.close_all()]
    assert left == [
        ("sc:DE01/L1:946684800:O1|0010|I1|||kg:0", "2000-01-01T00:01:00Z"),
        ("gi:DE01/L1:946684800:O1|0010|I1|||kg:0", "2000-01-01T00:05:00Z"),
    ]


# What a close sends.


def test_windows_of_one_end_close_in_the_order_of_the_table_and_earlier_ends_first() -> None:
    bench = Bench()
    scrap = {"order": "O1", "operation": "0010", "item": "I1", "quantity": 1, "uom": "pc",
             "reason": "burr", "kind": "operation"}  # fmt: skip
    booked = {"order": "O1", "operation": "0010", "person": "P1", "seconds": 60}
    bench.send(
        event("labor.booked.v1", 241, **booked),
        event("scrap.declared.v1", 242, **scrap),
        consumed(243),
        consumed(0, id="first"),
    )
    assert closed(bench.tick(10_000)) == [
        ("gi", 0), ("sp", 0), ("lc", 0), ("sc", 4), ("sc", 0), ("ss", 0), ("su", 0),
    ]  # fmt: skip
    bench.send(consumed(12_250), consumed(12_301))
    left = bench.tick(20_000)
    ends = [each["data"]["window_end"] for each in left]
    assert ends == [stamp(seconds) for seconds in (12_300, 12_300, 12_360, 12_600)]


def test_the_rows_of_a_close_are_sorted_by_the_utf_8_bytes_of_their_ids() -> None:
    bench = Bench(timing=Timing(posting_window_seconds=60))
    items = ["b", "a", "ä", "\uffee", "😀", "Z", "a b", "a|", "a%"]
    bench.send(*(consumed(0, id=f"e{n}", item=item) for n, item in enumerate(items)))
    ids = [each["id"].encode() for each in bench.tick(90) if each["id"].startswith("gi")]
    assert ids == sorted(ids)
    assert len(ids) == len(items)


def test_an_erp_row_of_zeros_is_not_sent_and_a_summary_row_only_if_it_counts() -> None:
    bench = Bench(timing=Timing(posting_window_seconds=60))
    bench.send(consumed(0, "0"))
    (left,) = bench.tick(90)
    assert left["type"] == "summary.consumption.v1"
    assert (left["data"]["quantity"], left["data"]["count"]) == ("0", 1)
    issue = consumed(100, "2", id="a")
    bench.send(issue, reversed_(issue, 101))
    assert bench.tick(10_000) == []
    back = [consumed(10_000, "2", id="b"), consumed(10_000, "-2", id="c")]
    bench.send(*back)
    (left,) = bench.tick(20_000)
    assert (left["data"]["quantity"], left["data"]["count"]) == ("0", 2)


def test_a_reversal_is_the_originals_row_negative_at_the_originals_time() -> None:
    bench = Bench()
    issue = consumed(0, "2.5", id="a")
    bench.send(issue, consumed(400, "1", id="b"))
    bench.send(reversed_(issue, 401, id="r"))
    left = [each for each in bench.close() if each["data"]["window_start"] == stamp(0)]
    told = [(each["id"][:2], each["data"]["quantity"], each["data"]["revision"]) for each in left]
    assert told == [("sc", "-2.5", 6), ("gi", "-2.5", 1)]
    assert left[0]["data"]["count"] == -1
    assert left[1]["data"]["causes"] == ["r"]
    assert left[1]["data"]["cause_count"] == 1
    assert left[1]["data"]["posting_date"] == "2026-11-21"


def test_a_row_names_its_first_twenty_causes_and_counts_them_all() -> None:
    bench = Bench()
    issues = [consumed(number, id=f"e{number}") for number in range(25)]
    bench.send(*issues, reversed_(issues[0], 30, id="r"))
    (left,) = [each for each in bench.tick(330) if each["type"] == "erp.goods_issue.v1"]
    assert left["data"]["causes"] == [f"e{number}" for number in range(20)]
    assert left["data"]["cause_count"] == 26
    assert left["data"]["quantity"] == "24"


def test_a_row_tells_absent_members_apart_and_escapes_them_in_its_key() -> None:
    bench = Bench()
    bench.send(
        consumed(0, id="a", item="I|1:%"),
        consumed(0, id="b", item="I|1:%", lot="L"),
        consumed(0, id="c", item="I|1:%", storage="L"),
    )
    left = [each for each in bench.tick(330) if each["type"] == "erp.goods_issue.v1"]
    assert [each["id"] for each in left] == [
        "gi:DE01/L1:1795240800:O1|0010|I%7C1%3A%25|L||kg:0",
        "gi:DE01/L1:1795240800:O1|0010|I%7C1%3A%25||L|kg:0",
        "gi:DE01/L1:1795240800:O1|0010|I%7C1%3A%25|||kg:0",
    ]
    assert ["lot" in each["data"] for each in left].count(True) == 1
    assert ["storage" in each["data"] for each in left].count(True) == 1


def test_a_place_is_escaped_in_keys_and_plain_in_records() -> None:
    bench = Bench()
    bench.send(confirmed(0, id="a:1", plant="P|1:x%", line="Ü 3"))
    (left,) = bench.send(confirmed(1, id="a|2", plant="P|1:x%", line="Ü 3"))
    assert left["id"] == "pc:P%7C1%3Ax%25/Ü 3:/mes|a%7C2"
    assert (left["plant"], left["line"]) == ("P|1:x%", "Ü 3")


def test_scrap_of_components_is_no_scrap_of_production() -> None:
    bench = Bench()
    for number, kind in enumerate(["operation", "component"]):
        bench.send(
            event(
                "scrap.declared.v1", 0, id=f"s{number}", order="O1", operation="0010", item="I1",
                quantity=number + 1, uom="pc", reason="burr", kind=kind,
            )
        )  # fmt: skip
    left = {each["type"]: each["data"] for each in bench.tick(90)}
    assert left["summary.production.v1"]["scrap"] == "1"
    assert left["summary.production.v1"]["count"] == 1
    assert left["summary.scrap.v1"]["kind"] == "operation"


def test_labor_leaves_without_the_person() -> None:
    bench = Bench()
    bench.send(
        event("labor.booked.v1", 0, order="O1", operation="0010", person="P1", seconds="1800.5")
    )
    (left,) = bench.close()
    assert left["data"] == {
        "order": "O1", "operation": "0010", "seconds": "1800.5", "window_start": stamp(0),
        "window_end": stamp(300), "revision": 0, "causes": ["labor.booked.v1@0"], "cause_count": 1,
        "document_date": "2026-11-21", "posting_date": "2026-11-21",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "at", "date"),
    [("America/Caracas", "2026-11-21T03:59:59Z", "2026-11-20"),
     ("America/Caracas", "2026-11-21T04:00:00Z", "2026-11-21"),
     ("Asia/Tokyo", "2026-11-20T15:00:00Z", "2026-11-21"),
     ("UTC", "2026-11-21T00:00:00Z", "2026-11-21")],
)  # fmt: skip
def test_posting_dates_are_in_the_plants_time_zone(zone: str, at: str, date: str) -> None:
    rules = rules_for(MES_EVENTS, zones={"DE01": ZoneInfo(zone)})
    task = Partition(MES_EVENTS, 0, rules, MemoryStore())
    value = confirmed(0).replace(b"2026-11-21T06:00:00Z", at.encode())
    (left,) = task.step([Record(0, None, b"DE01/L1", value)]).outputs
    assert value_of(left)["data"]["posting_date"] == date
    assert left.topic == ERP_TRANSACTIONS


def test_the_posting_date_of_a_window_is_that_of_its_start() -> None:
    rules = rules_for(MES_EVENTS, zones={"DE01": ZoneInfo("Asia/Tokyo")})
    task = Partition(MES_EVENTS, 0, rules, MemoryStore())
    value = consumed(0).replace(b"2026-11-21T06:00:00Z", b"2026-11-20T14:59:59Z")
    task.step([Record(0, None, b"DE01/L1", value)])
    dates = [value_of(each)["data"].get("posting_date") for each in task.close_all()]
    assert sorted(dates, key=str) == ["2026-11-20", None]


# Settings.


def test_timings_that_cannot_work_are_told_by_name() -> None:
    assert Timing().problem() is None
    assert Timing(grace_seconds=0, idle_grace_seconds=0).problem() is None
    for name in ("summary_window_seconds", "posting_window_seconds", "mes_retention_seconds"):
        problem = Timing(**{name: 0}).problem()
        assert problem is not None
        assert problem.startswith(f"{name} is 0")
    for seconds in (7, 420, 1_800):
        problem = Timing(posting_window_seconds=seconds).problem()
        assert problem == (
            f"posting_window_seconds is {seconds}: it must divide 900, so that a window ends at "
            "every local midnight"
        )
    assert Timing(posting_window_seconds=900).problem() is None
    problem = Timing(machine_retention_seconds=329).problem()
    assert problem is not None
    assert "machine_retention_seconds is 329" in problem
    assert Timing(machine_retention_seconds=330).problem() is None


def test_lengths_of_windows_are_settings() -> None:
    bench = Bench(timing=Timing(summary_window_seconds=10, posting_window_seconds=20))
    bench.send(consumed(0))
    assert closed(bench.tick(40)) == [("sc", 0)]
    assert closed(bench.tick(50)) == [("gi", 0)]
