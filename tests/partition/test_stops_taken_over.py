"""A state that was written before contract v2 goes on with its stops."""

from typing import Any

from msgspec.msgpack import decode, encode
from msgspec.structs import replace

from runs import START, Bench, classified, consumed, ended, event, started
from streams.contract.policy import AVAILABILITY, default_policy
from tables.line.conservation import balances
from tables.line.rules import Timing
from tables.partition.stored import EPISODE, FIRST_EPISODE, LINE, WINDOW
from tables.partition.stored_line import FIRST_LINE
from tables.store.store import HEAD

SHORT_OF_NEW = "sa"


def as_before(bench: Bench) -> None:
    """Write the state of a bench again, as an earlier version has it, and go on from there."""
    store = bench.store
    format_, version, head = decode(store.get_many([HEAD])[0] or b"")
    head["shape"][0] = [kind for kind in head["shape"][0] if kind[0] != SHORT_OF_NEW]
    made: dict[bytes, bytes | None] = {HEAD: encode([format_, version, head])}
    for key, value in list(store.scan(LINE)):
        line = decode(value)
        sums = line[4]
        sums.pop(SHORT_OF_NEW, None)
        if "sd" in sums:  # seconds were taken from the episodes, stops from their starts
            sums["sd"][0][0] = 0
        made[key] = encode(line[: FIRST_LINE - 1])
    for key, value in list(store.scan(EPISODE)):
        made[key] = encode(decode(value)[:FIRST_EPISODE])
    for key, _ in list(store.scan(WINDOW)):
        if key[1:].split(b"\0")[1] == SHORT_OF_NEW.encode():
            made[key] = None
    store.write(made.items())
    bench.reopen()


def of(left: list[dict[str, Any]], kind: str) -> list[tuple[int, str, str]]:
    """Return (revision, first measure, second measure) of the rows of a summary."""
    return [
        (data["revision"], *(data[name] for name in data if name in MEASURES))
        for data in (each["data"] for each in left if each["type"] == f"summary.{kind}.v1")
    ]


MEASURES = ("seconds", "stops", "down", "planned_down")


def is_balanced(bench: Bench) -> bool:
    (line,) = bench.task.lines.values()
    return not any(each.error for each in balances(line, bench.rules).values())


def test_downtime_goes_on_and_closed_windows_gain_their_standstill() -> None:
    bench = Bench()
    bench.send(started(30), started(40, "E2", planned=True), ended(50, "E2"))
    assert of(bench.tick(200), "downtime") == [(0, "30", "1"), (0, "10", "1"), (0, "60", "0")]
    as_before(bench)
    assert is_balanced(bench)
    bench.send(ended(180))
    left = bench.tick(1_000)
    assert of(left, "downtime") == [(0, "60", "0")]
    assert of(left, "availability") == [(0, "60", "0"), (3, "30", "0"), (2, "60", "0")]
    assert is_balanced(bench)


def test_what_was_taken_over_once_is_not_taken_over_again() -> None:
    bench = Bench()
    bench.send(started(30), ended(70))
    bench.tick(200)
    as_before(bench)
    bench.send(consumed(201))
    bench.reopen()
    bench.reopen()
    assert of(bench.tick(1_000), "availability") == [(3, "30", "0"), (2, "10", "0")]
    bench.reopen()
    assert of(bench.tick(2_000), "availability") == []
    assert is_balanced(bench)


def test_a_breakdown_that_waits_is_told_as_it_would_have_been() -> None:
    bench = Bench()
    bench.send(consumed(599), started(0))
    as_before(bench)
    assert f"mn:DE01/L1:EP1:{START}" in [each["id"] for each in bench.tick(600)]


def test_what_was_told_under_the_key_of_that_time_is_taken_back_under_it() -> None:
    for event_ in (ended(500), classified(900, planned=True)):
        bench = Bench()
        bench.send(started(0))
        bench.tick(900)
        as_before(bench)
        (left,) = bench.send(event_)
        assert left["id"] == "rv:mn:DE01/L1:EP1"
        assert left["data"]["reverses"] == "mn:DE01/L1:EP1"


def test_a_policy_without_availability_goes_on_and_may_take_it_up_later() -> None:
    policy = default_policy()
    summaries = {name: one for name, one in policy.summaries.items() if name != AVAILABILITY}
    bench = Bench(policy=replace(policy, summaries=summaries))
    left = bench.send(started(30), ended(70)) + bench.tick(200)
    assert of(left, "downtime") == [(0, "30", "1"), (0, "10", "0")]
    assert of(left, "availability") == []
    later = Bench()
    later.store, later.sent = bench.store, bench.sent
    later.reopen()
    assert of(later.tick(1_000), "availability") == [(3, "30", "0"), (2, "10", "0")]


def test_a_stop_in_windows_of_a_line_that_was_silent_since_is_no_loss() -> None:
    bench = Bench(timing=Timing(idle_grace_seconds=0))
    bench.send(started(0), ended(40))
    bench.tick(200)
    as_before(bench)
    left = bench.send(event("clock.tick.v1", 250), event("clock.tick.v1", 500))
    assert of(left, "availability") == [(3, "40", "0")]
