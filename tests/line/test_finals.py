"""Final confirmations wait for what belongs to them, and leave before the summaries of that end."""

from typing import Any

from msgspec.structs import replace

from runs import Bench, confirmed, consumed, reversed_, stamp
from streams.contract.policy import Policy, default_policy
from streams.contract.topics import MES_EVENTS
from tables.line.rules import rules_for

KEY = "pc:DE01/L1:/mes|f"


def shorts(left: list[dict[str, Any]]) -> list[str]:
    return [record["id"].partition(":")[0] for record in left]


def test_a_final_leaves_when_its_posting_window_closes_behind_the_rows_of_that_end() -> None:
    bench = Bench()
    assert bench.send(consumed(250), confirmed(250, id="f", final=True)) == []
    assert bench.tick(329.999999) == []
    left = bench.tick(330)
    assert shorts(left) == ["gi", "pc", "sc", "su"]
    assert left[1]["id"] == KEY
    assert left[1]["data"]["final"] is True
    assert left[1]["time"] == stamp(250)


def test_several_leave_by_id_and_one_that_isnt_final_at_once() -> None:
    bench = Bench()
    left = bench.send(
        confirmed(0, id="b", final=True), confirmed(1, id="a", final=True), confirmed(2, id="c")
    )
    assert [record["id"][-1] for record in left] == ["c"]
    bench.reopen()
    assert [r["id"][-1] for r in bench.tick(330) if r["id"].startswith("pc")] == ["a", "b"]


def test_a_late_one_waits_for_the_carrier_of_its_window() -> None:
    bench = Bench()
    bench.send(consumed(700), confirmed(10, id="f", final=True))
    assert KEY not in [record["id"] for record in bench.tick(929)]
    (left,) = [record for record in bench.tick(930) if record["id"] == KEY]
    assert left["time"] == stamp(10)


def test_the_reversal_of_one_that_waits_takes_it_out_and_neither_leaves() -> None:
    bench = Bench()
    final = confirmed(0, "3", id="f", final=True)
    bench.send(final)
    bench.reopen()
    assert bench.send(reversed_(final, 1)) == []
    assert bench.tick(1_000) == []  # the summary got both: 0 pieces, and 0 events
    assert bench.task.counts.accepted == 2


def test_the_reversal_of_one_that_has_left_is_an_rv() -> None:
    bench = Bench()
    final = confirmed(0, id="f", final=True)
    bench.send(final)
    bench.tick(330)
    assert [record["id"] for record in bench.send(reversed_(final, 400))] == [f"rv:{KEY}"]


def only_pieces() -> Policy:
    """Return the shipped policy, with confirmations in pieces posted and no others."""
    policy = default_policy()
    name = "erp.production_confirmation.v1"
    pieces = replace(policy.transactions[name], where={"production.confirmed.v1": {"uom": "pc"}})
    return replace(policy, transactions={**policy.transactions, name: pieces})


def test_a_final_that_the_policy_doesnt_ask_for_sends_nothing_nor_does_its_reversal() -> None:
    bench = Bench(policy=only_pieces())
    final = confirmed(0, id="f", final=True, uom="kg")
    bench.send(final, confirmed(0, id="g", final=True))
    bench.reopen()
    assert [record["id"][-1] for record in bench.tick(330) if record["id"].startswith("pc")] == [
        "g"
    ]
    assert "rv" not in shorts(bench.send(reversed_(final, 400)))


def test_what_has_sent_nothing_to_the_erp_is_known_by_that_under_another_policy() -> None:
    bench = Bench(policy=only_pieces())
    kilos = confirmed(0, id="kilos", uom="kg")
    pieces = confirmed(0, id="pieces")
    assert shorts(bench.send(kilos, pieces)) == ["pc"]
    bench.rules = rules_for(MES_EVENTS)
    bench.reopen()
    left = bench.send(reversed_(kilos, 1), reversed_(pieces, 2))
    assert [record["id"] for record in left] == ["rv:pc:DE01/L1:/mes|pieces"]
