"""The factory keeps its promises: determinism, order, validity and believable figures."""

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.simulate.factory import (
    Arrival,
    Mess,
    Plan,
    arrivals,
    clean_arrivals,
    line_keys,
    new_line,
    work_until,
)
from agents.simulate.model import MONDAY, POSTINGS_MAX
from oracle_v2 import reading
from oracle_v2.tables import REVERSIBLE, TYPES, E, M

HOUR = 3_600_000_000  # microseconds
TIDY = Mess(
    duplicates=0,
    out_of_order=0,
    late=0,
    very_late=0,
    conflicts=0,
    malformed=0,
    replay_every=0,
    silent_after_seconds=0,
    backlog_seconds=0,
)


def until(plan: Plan, hours: float) -> Iterator[Arrival]:
    for arrival in clean_arrivals(plan):
        if arrival.at >= plan.start + hours * HOUR:
            return
        yield arrival


@pytest.fixture(scope="module")
def shift() -> list[tuple[Arrival, dict[str, Any]]]:
    """The clean arrivals of eight lines in their first shift, read."""
    return [(arrival, msgspec.json.decode(arrival.value)) for arrival in until(Plan(), 8)]


def of_type(shift: list[tuple[Arrival, dict[str, Any]]], kind: str) -> list[dict[str, Any]]:
    return [event for _, event in shift if event["type"] == kind]


# Laws.

DIGEST = """
import hashlib, itertools
from agents.simulate.factory import Plan, arrivals
digest = hashlib.sha256()
for a in itertools.islice(arrivals(Plan(seed=7)), 20_000):
    digest.update(repr(a).encode())
print(digest.hexdigest())
"""


def test_equal_plans_give_equal_bytes_in_every_process() -> None:
    root = str(Path(__file__).parents[2])
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": root},
            check=True,
            capture_output=True,
        ).stdout
        for hash_seed in ("0", "1")
    }
    assert len(digests) == 1


def test_the_seed_changes_the_bytes() -> None:
    def digest(plan: Plan) -> bytes:
        return hashlib.sha256(b"".join(a.value for a in islice(arrivals(plan), 500))).digest()

    assert digest(Plan(seed=1)) == digest(Plan(seed=1))
    assert digest(Plan(seed=1)) != digest(Plan(seed=2))


def test_there_are_as_many_events_as_the_caller_takes() -> None:
    # From Saturday on for more than two days: no shift change, night or Sunday ends the stream.
    plan = Plan(plants=1, lines=1, start=MONDAY * 1000 + 120 * HOUR)
    assert sum(1 for _ in islice(arrivals(plan), 150_000)) == 150_000


plans = st.builds(
    Plan,
    seed=st.integers(0, 1_000),
    plants=st.integers(1, 7),
    lines=st.integers(1, 5),
    start=st.integers(0, 168).map(lambda hour: MONDAY * 1000 + hour * HOUR + 7),
    machine_share=st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]),
    tick_seconds=st.sampled_from([0, 1, 10]),
)


@settings(max_examples=25, deadline=None)
@given(plans)
def test_arrivals_come_in_order_and_nothing_happens_after_it_arrives(plan: Plan) -> None:
    last = plan.start
    for arrival in islice(arrivals(plan), 400):
        assert arrival.at >= last
        last = arrival.at
        if arrival.flaw != "malformed":
            assert micros(msgspec.json.decode(arrival.value)["time"]) <= arrival.at


@settings(max_examples=25, deadline=None)
@given(plans)
def test_every_clean_event_is_valid(plan: Plan) -> None:
    for arrival in islice(clean_arrivals(plan), 400):
        assert problem(arrival.value) is None, arrival.value


def test_every_event_of_a_shift_is_valid_and_sent_to_its_topic_with_its_key(
    shift: list[tuple[Arrival, dict[str, Any]]],
) -> None:
    for arrival, event in shift:
        assert problem(arrival.value) is None, arrival.value
        assert arrival.key == f"{event['plant']}/{event['line']}"
        machine = event["type"].startswith("machine.")
        assert arrival.topic == ("machine.events.v1" if machine else "mes.events.v1")
        assert not arrival.tick
        assert not arrival.flaw


def test_source_and_id_are_used_once(shift: list[tuple[Arrival, dict[str, Any]]]) -> None:
    used = Counter((event["source"], event["id"]) for _, event in shift)
    assert used.most_common(1)[0][1] == 1


def test_a_reversal_repeats_exactly_and_once_what_arrived_before_it(
    shift: list[tuple[Arrival, dict[str, Any]]],
) -> None:
    seen: dict[tuple[str, str], bytes] = {}
    reversed_before = set()
    for arrival, event in shift:
        seen[event["source"], event["id"]] = arrival.value
        if event["type"] == "transaction.reversed.v1":
            identity = event["source"], event["data"]["reverses"]
            original = msgspec.json.decode(seen[identity])
            assert original["line"] == event["line"]
            assert event["data"]["original"] == {
                name: original[name] for name in ("type", "time", "data")
            }
            assert original["type"] in REVERSIBLE
            assert identity not in reversed_before
            reversed_before.add(identity)
    assert len(reversed_before) > 100


def test_one_line_more_changes_no_other_line() -> None:
    few = list(until(Plan(plants=1, lines=2), 0.5))
    many = list(until(Plan(plants=3, lines=3), 0.5))
    for key in ("DE01/L1", "DE01/L2"):
        assert [a for a in few if a.key == key] == [a for a in many if a.key == key]


def test_what_a_line_remembers_does_not_grow() -> None:
    out: list[Arrival] = []
    line = new_line(1, 0.5, plant=0, line=1, begin=MONDAY, out=out)
    for hour in range(1, 49):
        work_until(line, MONDAY + hour * 3_600_000)
        out.clear()
        orders, order = 0, line.units[-1].order
        while order is not None:
            orders, order = orders + 1, order.following
        assert orders <= len(line.units) + 1
        assert len(line.agenda) <= 6 * len(line.units) + 20
        assert len(line.postings) <= POSTINGS_MAX
        assert len(line.holds) <= 20
        assert len(line.unclassified) <= 20


# The factory can be believed.


def test_eight_lines_send_about_eight_events_a_second_of_about_250_bytes(
    shift: list[tuple[Arrival, dict[str, Any]]],
) -> None:
    assert 6 < len(shift) / (8 * 3600) < 10
    assert 230 < sum(len(arrival.value) for arrival, _ in shift) / len(shift) < 285


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_share_of_machine_events_is_about_the_one_asked_for(share: float) -> None:
    topics = Counter(a.topic for a in islice(clean_arrivals(Plan(machine_share=share)), 20_000))
    assert topics["machine.events.v1"] / 20_000 == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize(("share", "topic"), [(0, "mes.events.v1"), (1, "machine.events.v1")])
def test_no_machine_events_or_nothing_else_can_be_had(share: float, topic: str) -> None:
    sent = islice(clean_arrivals(Plan(machine_share=share)), 5_000)
    assert {a.topic for a in sent} == {topic}


def test_every_type_of_event_occurs_in_a_shift(
    shift: list[tuple[Arrival, dict[str, Any]]],
) -> None:
    assert {event["type"] for _, event in shift} == set(TYPES)


def test_members_that_few_plants_have_occur_too(
    shift: list[tuple[Arrival, dict[str, Any]]],
) -> None:
    products = Counter(e["data"].get("product") for e in of_type(shift, "goods.received.v1"))
    assert products.keys() == {None, "main", "co_product", "by_product"}
    booked = [e["data"] for e in of_type(shift, "labor.booked.v1")]
    assert all("work_unit" in data for data in booked)
    assert {data["activity"] for data in booked if "person" not in data} == {"machine"}
    taken = [
        e["data"]["serial"] for e in of_type(shift, "material.consumed.v1") if "serial" in e["data"]
    ]
    assert len(taken) == len(set(taken)) > 10
    broken = [
        e["data"]["serial"] for e in of_type(shift, "scrap.declared.v1") if "serial" in e["data"]
    ]
    assert len(broken) == len(set(broken)) == len(taken)
    stops = {e["data"]["episode"] for e in of_type(shift, "downtime.started.v1")}
    classified = [e["data"] for e in of_type(shift, "downtime.classified.v1")]
    assert {data["episode"] for data in classified} < stops
    assert {data["planned"] for data in classified} == {True, False}


def test_downtimes_are_short_and_long_planned_and_not_and_a_few_ends_are_lost(
    shift: list[tuple[Arrival, dict[str, Any]]],
) -> None:
    ends = {e["data"]["episode"]: micros(e["time"]) for e in of_type(shift, "downtime.ended.v1")}
    starts = of_type(shift, "downtime.started.v1")
    lasted = Counter[tuple[bool, bool]]()
    for start in starts:
        end = ends.pop(start["data"]["episode"], None)
        if end is not None:
            seconds = (end - micros(start["time"])) / 1e6
            assert seconds > 0
            lasted[start["data"]["planned"], seconds >= 600] += 1
    assert not ends
    assert lasted[False, False] > lasted[False, True] > 0
    assert lasted[True, False] > 0
    assert 0 < len(starts) - lasted.total() < len(starts) / 10


def test_machines_and_mes_tell_the_same_story_of_an_order(
    shift: list[tuple[Arrival, dict[str, Any]]],
) -> None:
    counted: Counter[tuple[str, str]] = Counter()
    confirmed: Counter[tuple[str, str]] = Counter()
    for event in of_type(shift, "machine.count.v1"):
        data = event["data"]
        counted[data["order"], data["work_unit"]] += data["good"]
    started = {
        (e["data"]["order"], e["data"]["operation"]): e["data"]["work_unit"]
        for e in of_type(shift, "operation.started.v1")
    }
    for event in of_type(shift, "production.confirmed.v1"):
        data = event["data"]
        unit = started[data["order"], data["operation"]]
        confirmed[data["order"], unit] += int(data["quantity"])
    final = [e["data"] for e in of_type(shift, "production.confirmed.v1") if "final" in e["data"]]
    assert len(final) > 50
    for data in final:
        order_unit = data["order"], started[data["order"], data["operation"]]
        assert confirmed[order_unit] == counted[order_unit] > 0


def test_no_operation_makes_more_than_the_one_before_it_gave(
    shift: list[tuple[Arrival, dict[str, Any]]],
) -> None:
    made: dict[str, Counter[str]] = defaultdict(Counter)
    for event in of_type(shift, "production.confirmed.v1"):
        if "final" in event["data"]:
            made[event["data"]["order"]][event["data"]["operation"]] = 0
    for event in of_type(shift, "production.confirmed.v1"):
        data = event["data"]
        if data["operation"] in made[data["order"]]:
            made[data["order"]][data["operation"]] += int(data["quantity"])
    for operations in made.values():
        quantities = [operations[name] for name in sorted(operations)]
        assert quantities == sorted(quantities, reverse=True)


def test_a_work_unit_is_in_one_state_at_a_time(
    shift: list[tuple[Arrival, dict[str, Any]]],
) -> None:
    times: dict[str, set[str]] = defaultdict(set)
    states = of_type(shift, "machine.state.v1")
    for event in states:
        assert event["time"] not in times[event["source"]]
        times[event["source"]].add(event["time"])
    assert {"Execute", "Aborted", "Held", "Suspended", "Complete", "Idle"} <= {
        event["data"]["state"] for event in states
    }


def test_one_mes_writes_local_time_and_numbers_the_other_utc_and_strings(
    shift: list[tuple[Arrival, dict[str, Any]]],
) -> None:
    for event in of_type(shift, "material.consumed.v1"):
        abroad = event["plant"] == "DE02"
        assert event["time"].endswith("+01:00" if abroad else "Z")
        assert isinstance(event["data"]["quantity"], int | float if abroad else str)
    for event in of_type(shift, "machine.count.v1"):
        assert event["time"].endswith("Z")
        assert isinstance(event["data"]["good"], int)


def test_a_line_without_a_night_shift_sends_only_some_telemetry_by_night() -> None:
    plan = Plan(plants=1, lines=3)
    night = [
        msgspec.json.decode(a.value)
        for a in until(plan, 24)
        if a.key == "DE01/L3" and a.at > plan.start + 16.1 * HOUR
    ]
    assert 50 < len(night) < 500
    assert {event["type"] for event in night} == {"machine.telemetry.v1"}


def test_on_sunday_only_telemetry_is_sent_and_on_monday_work_goes_on() -> None:
    plan = Plan(plants=1, lines=1, start=MONDAY * 1000 + 144 * HOUR)  # Sunday, 05:00Z
    types = Counter(
        (a.at >= plan.start + 24 * HOUR, msgspec.json.decode(a.value)["type"])
        for a in until(plan, 25)
    )
    sunday = {kind for monday, kind in types if not monday}
    assert sunday == {"machine.telemetry.v1", "machine.state.v1"}
    assert types[False, "machine.state.v1"] == 3  # each work unit is stopped
    assert types[True, "production.confirmed.v1"] > 100


# Ticks and the mess are put together with the events.


def test_the_clock_ticks_every_ten_seconds_on_no_topic_of_its_own() -> None:
    plan = Plan()
    ticks = [a for a in islice(arrivals(plan), 5_000) if a.tick]
    assert len(ticks) > 50
    for number, tick in enumerate(ticks, 1):
        assert tick.at == plan.start + number * 10_000_000
        assert (tick.topic, tick.key, tick.flaw) == ("", None, "")
        assert micros(msgspec.json.decode(tick.value)["time"]) == tick.at
    assert msgspec.json.decode(ticks[0].value) == {
        "specversion": "1.0",
        "type": "clock.tick.v1",
        "source": "/lineside",
        "id": "tick-1",
        "time": "2026-01-05T05:00:10.000Z",
        "plant": "*",
        "line": "*",
        "data": {},
    }


def test_no_tick_comes_if_none_is_asked_for() -> None:
    assert not any(a.tick for a in islice(arrivals(Plan(tick_seconds=0)), 5_000))


def test_without_mess_and_ticks_only_clean_events_arrive() -> None:
    plan = Plan(mess=TIDY, tick_seconds=0)
    assert list(islice(arrivals(plan), 20_000)) == list(islice(clean_arrivals(plan), 20_000))


def test_only_what_was_made_malformed_is_not_valid() -> None:
    plan = Plan(tick_seconds=0, mess=Mess(malformed=0.05, conflicts=0.05))
    flaws = Counter[str]()
    for arrival in islice(arrivals(plan), 20_000):
        flaws[arrival.flaw] += 1
        assert (problem(arrival.value) is None) == (arrival.flaw != "malformed"), arrival.value
    assert flaws["malformed"] > 800
    assert flaws["conflict"] > 700


def test_the_last_line_falls_silent_and_the_second_ones_records_come_an_hour_late() -> None:
    plan = Plan(plants=1, lines=3, tick_seconds=0)
    heard: dict[str | None, list[Arrival]] = defaultdict(list)
    for arrival in islice(arrivals(plan), 15_000):
        if arrival.flaw != "replay":
            heard[arrival.key].append(arrival)
    assert plan.start + 0.3 * HOUR < heard["DE01/L3"][-1].at < plan.start + 1200e6
    held = [a for a in heard["DE01/L2"] if a.flaw == "backlog"]
    assert len(held) > 1_500
    assert {a.at for a in held} == {plan.start + int(1.5 * HOUR)}
    gap = [a for a in heard["DE01/L2"] if 0.5 <= (a.at - plan.start) / HOUR < 1.5]
    assert not gap


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"plants": 0}, "plants is 0"),
        ({"lines": 100}, "lines is 100"),
        ({"machine_share": 1.5}, "machine_share is 1.5"),
        ({"tick_seconds": -1}, "tick_seconds is -1"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_its_value(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Plan(**settings)


def test_plants_are_named_by_country_and_number() -> None:
    plants = dict.fromkeys(key.split("/")[0] for key in line_keys(Plan(plants=8, lines=1)))
    assert list(plants) == ["DE01", "DE02", "PL01", "MX01", "US01", "CN01", "DE03", "DE04"]


# Section 2 of the contract, by its other reading: independent of the program that reads events.

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|\+01:00)", re.ASCII)


def micros(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1_000_000)


def problem(value: bytes) -> str | None:
    """What is wrong with an event by section 2 of the contract, None if nothing."""
    topic = E if b'"type":"machine.' in value else M
    try:
        envelope = reading.read_envelope(reading.Record(topic, 0, 0, None, None, value))
        reading.read_event(reading.read_type(envelope, topic), envelope)
    except reading.Rejected as rejected:
        return rejected.reason
    return None if TIME.fullmatch(envelope.get("time")) else "time"
