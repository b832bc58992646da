"""What a hold touches is parked, and goes on in order when nothing touches it any more."""

from typing import Any

from runs import Bench, confirmed, consumed, event, reversed_, stepped, value_of
from tables.line.conservation import balances
from tables.partition.partition import Bounds, Partition


def placed(seconds: float, hold: str = "H", **data: Any) -> bytes:
    members = {"scope": "lot", "value": "A", "reason": "crack"} | data
    return event("quality.hold_placed.v1", seconds, f"{hold} placed", hold=hold, **members)


def released(seconds: float, hold: str = "H", **data: Any) -> bytes:
    return event(
        "quality.hold_released.v1",
        seconds,
        f"{hold} released",
        hold=hold,
        disposition="use",
        **data,
    )


def posted(left: list[dict[str, Any]]) -> list[str]:
    """Return the ids of events behind the confirmations that have left."""
    return [each["id"].rpartition("|")[2] for each in left if each["id"].startswith("pc:")]


def test_what_is_touched_is_parked_and_freed_in_the_order_of_acceptance() -> None:
    bench = Bench()
    bench.send(placed(0))
    left = bench.send(
        confirmed(3, id="b", lot="A"), confirmed(1, id="a", lot="A"), confirmed(2, id="c", lot="B")
    )
    assert posted(left) == ["c"]
    assert bench.task.parking.count == 2
    bench.reopen()
    assert bench.task.parking.count == 2
    left = bench.send(released(10))
    assert posted(left) == ["b", "a"]
    assert left[0]["id"].startswith("qn:")  # the event's own records come first
    assert bench.task.parking.count == 0


def test_lines_are_freed_in_the_order_of_their_bytes() -> None:
    bench = Bench()
    bench.send(placed(0))
    bench.send(
        *(confirmed(n, id=line, line=line, lot="A") for n, line in enumerate(["Ü", "b", "B"]))
    )
    assert posted(bench.send(released(10))) == ["B", "b", "Ü"]


def test_another_hold_keeps_it() -> None:
    bench = Bench()
    bench.send(placed(0), placed(0, "I", scope="item", value="I1"), confirmed(1, id="a", lot="A"))
    assert posted(bench.send(released(2))) == []
    assert posted(bench.send(released(3, "I"))) == ["a"]


def test_a_parked_row_balances_and_is_folded_at_the_watermark_when_it_is_freed() -> None:
    bench = Bench()
    bench.send(placed(0), consumed(10, "2.5", id="a", lot="A"))
    (line,) = bench.task.lines.values()
    told = balances(line, bench.rules)["erp.goods_issue.v1", "quantity"]
    assert (told.parked, told.open, told.error) == (2_500_000_000, 0, 0)
    assert not any(record["id"].startswith("gi") for record in bench.tick(700))
    bench.send(released(701))
    (late,) = [record for record in bench.tick(1_000) if record["id"].startswith("gi")]
    assert (late["data"]["quantity"], late["data"]["revision"]) == ("2.5", 2)


def test_the_reversal_of_what_is_parked_takes_it_out() -> None:
    bench = Bench()
    made = confirmed(1, id="a", lot="A")
    bench.send(placed(0), made)
    assert bench.send(reversed_(made, 2)) == []
    assert bench.task.parking.count == 0
    assert posted(bench.send(released(3))) == []


def test_steps_are_bounded_while_it_goes_on_and_a_new_opening_goes_on_from_there() -> None:
    bench = Bench()
    bench.send(placed(0), *(confirmed(n, id=f"{n:03}", lot="A") for n in range(60)))
    bounds = Bounds(output_bytes=2_000, rows=5, lines=3)

    def opened() -> Partition:
        return Partition(bench.task.topic, 0, bench.rules, bench.store, bounds=bounds)

    records, left, steps = bench.records(released(100), event("clock.tick.v1", 100)), [], 0
    task = opened()
    while task.offset < records[-1].offset:  # the tick is taken when all have gone on
        outputs = stepped(task, records)
        assert len(outputs) < 20
        left += outputs
        steps += 1
        assert steps < 200, "nothing goes on any more"
        task = opened()
    assert steps > 3
    assert posted([value_of(each) for each in left]) == [f"{n:03}" for n in range(60)]
