"""The mess keeps to its settings: what is off doesn't happen, what is on stays within bounds."""

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.simulate.mess import BREAKAGES, Arrival, Mess, Outages, messed

SECOND = 1_000_000
START = 1_767_589_200 * SECOND
RATES = ("duplicates", "out_of_order", "late", "very_late", "conflicts", "malformed")
OFF = Mess(
    duplicates=0,
    out_of_order=0,
    late=0,
    very_late=0,
    conflicts=0,
    malformed=0,
    replay_every=0,
)
EVENTS = 40_000


def clean(events: int = EVENTS) -> Iterator[Arrival]:
    """Ten events a second from three lines, every fifth of them telemetry."""
    for number in range(events):
        line = f"L{number % 3}"
        telemetry = number % 5 == 0
        kind = "machine.telemetry.v1" if telemetry else "material.consumed.v1"
        data = f'"tag":"t","value":{number}' if telemetry else f'"quantity":"{number}.5"'
        value = (
            f'{{"specversion":"1.0","type":"{kind}","source":"/DE01/mes","id":"{number}"'
            f',"time":"2026-01-05T05:00:00.{number % 1000:03d}Z","plant":"DE01","line":"{line}"'
            f',"data":{{{data}}}}}'
        )
        topic = "machine.events.v1" if telemetry else "mes.events.v1"
        yield Arrival(START + number * 100_000, value.encode(), topic, f"DE01/{line}")


def through(mess: Mess, outages: Outages | None = None, events: int = EVENTS) -> list[Arrival]:
    return list(messed(clean(events), mess, outages or Outages(), Random(1)))


# Laws.


def test_no_mess_changes_nothing() -> None:
    assert through(OFF) == list(clean())


@settings(max_examples=30, deadline=None)
@given(
    st.builds(
        Mess,
        **{name: st.sampled_from([0.0, 0.01, 0.15]) for name in RATES},
        replay_every=st.sampled_from([0, 1, 100]),
        replay_length=st.integers(0, 50),
        replay_reach=st.integers(0, 100),
    ),
    st.integers(0, 99),
)
def test_arrivals_stay_in_order_and_no_event_is_lost_but_the_malformed(
    mess: Mess, seed: int
) -> None:
    got = list(messed(clean(600), mess, Outages(), Random(seed)))
    assert [a.at for a in got] == sorted(a.at for a in got)
    first_arrivals = Counter(a.value for a in got if a.flaw in ("", "late"))
    malformed = sum(a.flaw == "malformed" for a in got)
    assert set(first_arrivals.values()) <= {1}
    assert set(first_arrivals) <= {a.value for a in clean(600)}
    assert len(first_arrivals) + malformed == 600


def test_equal_seeds_make_equal_mess() -> None:
    assert through(Mess(), events=5_000) == through(Mess(), events=5_000)


# One kind of mess at a time.

KINDS = {
    "duplicates": ("duplicate", 0.015),
    "out_of_order": ("late", 0.012),
    "late": ("late", 0.0075),
    "very_late": ("late", 0.0005),
    "conflicts": ("conflict", 0.0005 * 0.8),  # telemetry has none
    "malformed": ("malformed", 0.001),
}


@pytest.mark.parametrize("name", RATES)
def test_each_rate_is_kept_and_turns_on_nothing_else(name: str) -> None:
    flaw, share = KINDS[name]
    mess = msgspec.structs.replace(OFF, **{name: getattr(Mess(), name)})
    flaws = Counter[str](a.flaw for a in through(mess) if a.flaw)
    assert set(flaws) == {flaw}
    expected = share * EVENTS
    assert abs(flaws[flaw] - expected) < 5 * expected**0.5


def test_by_default_all_kinds_together_keep_their_rates() -> None:
    flaws = Counter(a.flaw for a in through(Mess()))
    assert flaws["duplicate"] / EVENTS == pytest.approx(0.015, abs=0.003)
    assert flaws["late"] / EVENTS == pytest.approx(0.02, abs=0.003)
    assert flaws["malformed"] / EVENTS == pytest.approx(0.001, abs=0.0008)
    assert flaws["replay"] in (200, 400, 600)
    assert flaws["backlog"] == 0


def test_a_duplicate_is_the_same_bytes_again_within_seconds() -> None:
    seen: dict[bytes, Arrival] = {}
    for arrival in through(msgspec.structs.replace(OFF, duplicates=0.1)):
        if arrival.flaw:
            first = seen[arrival.value]
            assert (arrival.topic, arrival.key) == (first.topic, first.key)
            assert 0 < arrival.at - first.at <= 5 * SECOND
        else:
            seen[arrival.value] = arrival


@pytest.mark.parametrize(
    ("name", "shortest", "longest"),
    [("out_of_order", 2, 25), ("late", 100, 900), ("very_late", 3_600, 10_800)],
)
def test_how_late_an_event_comes_is_in_the_bounds_of_its_kind(
    name: str, shortest: int, longest: int
) -> None:
    sent = {a.value: a.at for a in clean()}
    mess = msgspec.structs.replace(OFF, **{name: 0.05})
    delays = [(a.at - sent[a.value]) / SECOND for a in through(mess) if a.flaw]
    assert shortest <= min(delays) < max(delays) <= longest
    assert max(delays) - min(delays) > 0.9 * (longest - shortest)


def test_a_replay_repeats_records_in_the_order_of_their_first_arrival() -> None:
    mess = msgspec.structs.replace(
        OFF, replay_every=1_000, replay_length=100, replay_reach=500, late=0.01
    )
    order = {a.value: place for place, a in enumerate(through(OFF))}
    got = through(mess, events=10_000)
    replayed = [order[a.value] for a in got if a.flaw == "replay"]
    assert 8 * 100 <= len(replayed) <= 13 * 100
    for block in range(0, len(replayed), 100):
        places = replayed[block : block + 100]
        assert places == sorted(places)
        assert places[-1] - places[0] < 110  # but for the late ones, in a row
    arrived: set[bytes] = set()
    for arrival in got:
        assert arrival.flaw != "replay" or arrival.value in arrived
        arrived.add(arrival.value)


def test_a_conflict_has_the_identity_of_an_earlier_transaction_and_other_content() -> None:
    seen: dict[str, dict[str, Any]] = {}
    conflicts = 0
    for arrival in through(msgspec.structs.replace(OFF, conflicts=0.05)):
        event = msgspec.json.decode(arrival.value)
        if arrival.flaw:
            first = seen[event["id"]]
            assert event["source"] == first["source"]
            assert event["type"] == first["type"] == "material.consumed.v1"
            assert float(event["data"]["quantity"]) > float(first["data"]["quantity"])
            conflicts += 1
        else:
            seen[event["id"]] = event
    assert conflicts > 1_000


def test_a_conflict_without_a_measure_has_another_time() -> None:
    value = b'{"type":"downtime.ended.v1","time":"2026-01-05T05:00:00.129+01:00","data":{}}'
    one = Arrival(START, value, "mes.events.v1", "DE01/L1")
    mess = msgspec.structs.replace(OFF, conflicts=1.0)
    _, other = messed([one], mess, Outages(), Random(1))
    assert other.value == value.replace(b".129", b".120")


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_event_never_reads_as_it_was_meant(breakage: Any) -> None:
    rng = Random(1)
    for arrival in clean(200):
        value, readable = breakage(arrival.value, rng)
        assert value != arrival.value
        if readable:
            assert msgspec.json.decode(value) != msgspec.json.decode(arrival.value)
        else:
            with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
                msgspec.json.decode(value.decode(), type=dict[str, Any])


def test_only_unreadable_records_have_no_key() -> None:
    for arrival in through(msgspec.structs.replace(OFF, malformed=0.05), events=5_000):
        if arrival.key is None:
            assert arrival.flaw == "malformed"
    assert all(a.key for a in through(msgspec.structs.replace(Mess(), malformed=0.0)))


# Outages.


def test_nothing_of_a_silent_line_arrives_from_then_on() -> None:
    since = START + 600 * SECOND
    mess = msgspec.structs.replace(Mess(), replay_every=0, malformed=0.0)
    got = through(mess, Outages(silent="DE01/L1", silent_from=since))
    last = max(a.at for a in got if a.key == "DE01/L1")
    assert since - 2 * SECOND < last < since
    assert max(a.at for a in got if a.key == "DE01/L2") > since + 600 * SECOND


def test_a_held_line_delivers_everything_at_once_and_in_order_when_its_outage_ends() -> None:
    since, until = START + 600 * SECOND, START + 1_200 * SECOND
    outages = Outages(held="DE01/L1", held_from=since, held_until=until)
    got = through(OFF, outages)
    assert not [a for a in got if a.key == "DE01/L1" and since <= a.at < until]
    backlog = [a for a in got if a.flaw == "backlog"]
    assert {(a.at, a.key) for a in backlog} == {(until, "DE01/L1")}
    assert len(backlog) == 2_000
    in_order = [a.value for a in clean() if a.key == "DE01/L1"]
    assert [a.value for a in got if a.key == "DE01/L1"] == in_order


def test_a_late_event_of_a_held_line_waits_with_the_others() -> None:
    since, until = START + 600 * SECOND, START + 1_200 * SECOND
    outages = Outages(held="DE01/L1", held_from=since, held_until=until)
    mess = msgspec.structs.replace(Mess(), replay_every=0, malformed=0.0, late=0.2)
    got = through(mess, outages)
    assert not [a for a in got if a.key == "DE01/L1" and since <= a.at < until]


# Settings.


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"late": -0.1}, "late is -0.1: not 0 or more"),
        ({"replay_every": -1}, "replay_every is -1: not 0 or more"),
        ({"late": 0.6, "duplicates": 0.6}, "the rates .* add up to 1.2"),
    ],
)
def test_a_mess_that_cannot_be_is_refused_with_its_value(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Mess(**settings)
