"""`lineside policy`: which rules hold, what is wrong with a file, what becomes of an event."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.cli.main import main
from agents.replay.replay import replay
from agents.settings.settings import Settings, rules_of
from streams.contract.checks import CHECKS

PAGE = (Path(__file__).parents[2] / "docs" / "change-a-rule.md").read_text("utf-8")
POLICY = Path(__file__).parents[2] / "streams" / "contract" / "policy.toml"

CONSUMED = {"order": "O", "operation": "0010", "item": "M", "quantity": "2", "uom": "kg"}

Event = dict[str, Any]


def event(kind: str, id: str, time: str, **data: Any) -> Event:
    return {
        "specversion": "1.0", "type": kind, "source": "/mes", "id": id,
        "time": f"2026-11-21T{time}Z", "plant": "DE01", "line": "L3", "data": data,
    }  # fmt: skip


def consumed(id: str, time: str, **more: Any) -> Event:
    return event("material.consumed.v1", id, time, **(CONSUMED | more))


def known(kind: str, **data: Any) -> Event:
    return {"type": f"reference.{kind}.v1", "source": "/lineside", "plant": "DE01", "data": data}


HOLD = known("hold", hold="H", scope="lot", value="LOT7", reason="r")
HOURLY = known(
    "rules",
    valid_from="2026-11-20T00:00:00Z",
    transactions={"erp.goods_issue.v1": {"when": "hour"}},
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(name: str, *given: Event) -> str:
    Path(name).write_text("".join(json.dumps(each) + "\n" for each in given))
    return name


def policy(*words: str) -> Result:
    return CliRunner().invoke(main, ["policy", *words])


def explained(*given: Event, known: tuple[Event, ...] = (), topic: str | None = None) -> Any:
    words = ["--reference", lines("known.ndjson", *known)] if known else []
    words += [] if topic is None else ["--topic", topic]
    done = policy("explain", lines("event.json", *given), "--json", *words)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def stopped_at(told: Any) -> str:
    (step,) = [each for each in told["checks"] if each["came"] == "stopped here"]
    return str(step["number"])


def replayed(folder: Path, *given: Event) -> dict[str, Event]:
    """Return what a replay of these lines says has left, by posting key."""
    log = io.BytesIO("".join(json.dumps(each) + "\n" for each in given).encode())
    replay(log, folder / "out", rules_of(Settings()), close=True)
    left: dict[str, Event] = {}
    for file in (folder / "out").glob("*.v1.ndjson"):
        for line in file.read_text().splitlines():
            record = json.loads(line)
            left[record["id"]] = record["data"]
    return left


@pytest.mark.parametrize(
    ("given", "before", "rules"),
    [
        (consumed("1", "06:00:00"), (), ()),
        (consumed("1", "06:00:00"), (), (HOURLY,)),
        (consumed("2", "06:00:00"), (consumed("1", "09:00:00", order="P"),), (HOURLY,)),
        (consumed("1", "06:00:00", serial="S1"), (), ()),
        (event("production.confirmed.v1", "1", "06:00:00", final=True, **CONSUMED), (), (HOURLY,)),
        (event("labor.booked.v1", "1", "06:00:00", order="O", operation="1", seconds=60), (), ()),
        (
            event("downtime.started.v1", "1", "06:00:00", episode="E", work_unit="W", reason="jam",
                  planned=False),
            (), (),
        ),
        (event("machine.count.v1", "1", "06:00:00", work_unit="W", good=3, scrap=1), (), ()),
        (
            event("quality.hold_placed.v1", "1", "06:00:00", hold="H", scope="lot", value="L",
                  reason="r"),
            (), (),
        ),
    ],
)  # fmt: skip
def test_what_is_told_to_leave_is_what_a_replay_sends(
    folder: Path, given: Event, before: tuple[Event, ...], rules: tuple[Event, ...]
) -> None:
    told = explained(*before, given, known=rules)
    assert (told["outcome"], stopped_at(told)) == ("accepted", "18")
    without = replayed(folder, *rules, *before)
    left = replayed(folder, *rules, *before, given)
    own = {id: data for id, data in left.items() if id not in without}
    assert {each["id"]: each["data"] for each in told["records"]} == own
    assert own


@pytest.mark.parametrize(
    ("number", "given", "reference"),
    [
        ("2", [{"id": "1"}], ()),
        ("3", [event("machine.melted.v1", "1", "06:00:00")], ()),
        ("4", [{"type": "clock.tick.v1", "time": "noon"}], ()),
        ("4", [{"type": "clock.tick.v1", "time": "2026-11-21T06:00:00Z"}], ()),
        ("5", [consumed("1", "06:00:00", uom=5)], ()),
        ("8", [consumed("1", "06:00:00"), consumed("2", "06:00:00") | {
            "time": "2026-11-01T06:00:00Z"}], ()),
        ("9", [consumed("1", "06:00:00"), consumed("1", "06:00:00")], ()),
        ("10", [consumed("1", "06:00:00"), consumed("1", "06:00:01")], ()),
        ("11", [event("transaction.reversed.v1", "2", "06:00:00", reverses="1", original={})], ()),
        ("15", [event("downtime.ended.v1", id, "06:00:00", episode="E", work_unit=id)
                for id in ("1", "2")], ()),
        ("15a", [event("quality.hold_placed.v1", "1", "06:00:00", hold="H", scope="lot",
                       value="other", reason="r")], (HOLD,)),
        ("16", [consumed("1", "06:00:00")], (known("plant", require=["item"]),)),
        ("17", [consumed("1", "06:00:00")], (
            known("plant", require=["order"]), known("order", order="O", status="closed"))),
    ],
)  # fmt: skip
def test_the_check_at_which_the_fold_stops_is_named(
    folder: Path, number: str, given: list[Event], reference: tuple[Event, ...]
) -> None:
    told = explained(*given, known=reference)
    assert stopped_at(told) == number
    place = [check.number for check in CHECKS].index(number)
    came = [each["came"] for each in told["checks"]]
    assert all(each in ("passed", "does not apply") for each in came[:place])
    assert set(came[place + 1 :]) == {"not reached"}
    if told["outcome"] == "exception":
        assert told["code"] == CHECKS[place].outcome or number == "4"
        assert told["reason"] == told["checks"][place]["told"]
        assert told["remedy"]
    assert told["records"] == []


def test_a_value_that_is_no_json_and_a_record_of_kcat_are_explained(folder: Path) -> None:
    Path("event.json").write_text('{"id": 1,\n "id"')
    told = json.loads(policy("explain", "event.json", "--json").output)
    assert (stopped_at(told), told["code"]) == ("1", "malformed")
    printed = {"topic": "mes.events.v1", "partition": 3, "offset": 7, "ts": 1_000, "key": "DE01/L3",
               "payload": json.dumps(consumed("1", "06:00:00"))}  # fmt: skip
    assert stopped_at(explained(printed)) == "7"
    assert stopped_at(explained(printed | {"key": "L3", "ts": -1})) == "6"


def test_an_event_may_be_asked_about_on_the_other_topic(folder: Path) -> None:
    told = explained(consumed("1", "06:00:00"), topic="machine.events.v1")
    assert (stopped_at(told), told["code"]) == ("3", "unknown_type")
    done = policy("explain", "event.json", "--topic", "mes")
    assert done.exit_code == 2
    assert "'mes' is none of mes.events.v1, machine.events.v1" in done.output


def test_what_is_parked_is_told_with_what_it_would_be(folder: Path) -> None:
    item = {"kind": "item", "plant": "*", "data": {
        "item": "M", "base_uom": "g", "conversions": {"kg": "1000"}}}  # fmt: skip
    told = explained(consumed("1", "06:00:00", lot="LOT7"), known=(item, HOLD))
    assert told["nothing"] == "parked: hold H on lot LOT7"
    (summary, parked) = told["records"]
    assert (summary["type"], summary["leaves"]) == ("summary.consumption.v1", "by window")
    assert (parked["type"], parked["leaves"]) == ("erp.goods_issue.v1", "parked")
    assert parked["id"] == "gi:DE01/L3:1795240800:O|0010|M|LOT7||kg:0"
    assert parked["data"]["base_quantity"] == "2000"
    free = explained(consumed("1", "06:00:00", lot="LOT8"), known=(item, HOLD))
    assert free["nothing"] is None
    held = known("order", order="O", status="held")
    assert explained(consumed("1", "06:00:00"), known=(held,))["nothing"] == (
        "parked: order O is held"
    )
    backflushed = known("item", item="M", base_uom="kg", consumption="erp")
    told = explained(consumed("1", "06:00:00"), known=(backflushed,))
    assert told["nothing"].startswith("backflushed")
    assert [each["type"] for each in told["records"]] == ["summary.consumption.v1"]


def test_a_late_row_is_told_with_what_carries_it_and_what_closes_before(folder: Path) -> None:
    told = explained(consumed("1", "09:00:00", order="P"), consumed("2", "06:10:00"))
    (posting,) = [each for each in told["rows"] if each["record"] == "erp.goods_issue.v1"]
    assert posting == {
        "record": "erp.goods_issue.v1", "adds": {"quantity": "2"}, "revision": 34,
        "row": {"order": "O", "operation": "0010", "item": "M", "uom": "kg"},
        "window_start": "2026-11-21T06:10:00Z", "window_end": "2026-11-21T06:15:00Z",
        "carrier_start": "2026-11-21T09:00:00Z", "carrier_end": "2026-11-21T09:05:00Z",
    }  # fmt: skip
    told = explained(consumed("1", "06:00:00"), consumed("2", "09:00:00"))
    assert told["closes"] == [
        "sc:DE01/L3:1795240800:O|0010|M|||kg:0", "gi:DE01/L3:1795240800:O|0010|M|||kg:0",
    ]  # fmt: skip
    original = {"type": "material.consumed.v1", "time": "2026-11-21T06:00:00Z", "data": CONSUMED}
    told = explained(
        consumed("1", "06:00:00"),
        event("transaction.reversed.v1", "2", "06:00:30", reverses="1", original=original),
    )
    assert {row["record"]: row["adds"] for row in told["rows"]} == {
        "erp.goods_issue.v1": {"quantity": "-2"},
        "summary.consumption.v1": {"quantity": "-2", "count": "-1"},
    }
    assert told["records"] == []


def test_each_fault_of_reference_records_is_a_sentence_with_its_way_out(folder: Path) -> None:
    Path("bad.ndjson").write_text(
        json.dumps(known("item", item="M", base_uom=5)) + "\n"
        + json.dumps(known("timing", grace_seconds=-1)) + "\n"
        + "{\n"
        + json.dumps({"kind": "order", "plant": "DE01", "data": {"order": "O", "status": "lost"}})
        + "\n" + json.dumps(HOLD) + "\n"
    )  # fmt: skip
    done = policy("check", "bad.ndjson")
    assert done.exit_code == 1
    first, second, third, fourth = done.output.splitlines()
    assert first == (
        "bad.ndjson: line 1: data.base_uom is 5: not a string; give a text of 1 to 256 characters "
        "without white space at either end"
    )
    assert second.startswith("bad.ndjson: line 2: data.grace_seconds is -1: ")
    assert second.endswith("; give a whole number of 0 to 86400")
    assert third.startswith("bad.ndjson: line 3: the line isn't JSON: ")
    assert fourth.startswith("bad.ndjson: line 4: data.status is 'lost': not one of released, ")
    told = json.loads(policy("check", "bad.ndjson", "--json").output)
    assert (told["records"], [each["line"] for each in told["faults"]]) == (1, [1, 2, 3, 4])
    done = policy("show", "--reference", "bad.ndjson")
    assert (done.exit_code, done.output) == (1, f"Error: {first}\n")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "FILE: there is no record in it that says anything; give one on a line"),
        ("5\n", "FILE: line 1: the value is 5: not a JSON object; "),
        ("[" * 5_000, "Error: the file isn't JSON: maximum recursion depth exceeded"),
        ('{"a":' * 5_000, "FILE: line 1: the line isn't JSON: "),
        (
            json.dumps({"kind": "reason", "plant": "*", "data": {"reason": "\ud800"}}),
            "FILE: line 1: a lone surrogate is in it: give text that is UTF-8",
        ),
        (
            json.dumps({"type": "clock.tick.v1", "source": "/lineside",
                        "time": "2026-11-21T06:00:00Z"}),
            "FILE: line 1: type is no reference record: give reference.<kind>.v1",
        ),
    ],
)  # fmt: skip
def test_a_file_that_is_something_else_is_told_in_a_sentence(
    folder: Path, text: str, sentence: str
) -> None:
    Path("FILE").write_text(text)
    done = policy("check", "FILE")
    assert done.exit_code == 1
    assert done.output.startswith(sentence)
    assert done.output.count("\n") == 1


def test_all_faults_of_a_policy_are_told_at_once(folder: Path) -> None:
    right = policy("check", str(POLICY))
    assert (right.exit_code, right.output) == (0, f"{POLICY} is right: policy\n")
    text = POLICY.read_text()
    text = text.replace('"labor.booked.v1" = { seconds', '"labour.booked.v1" = { seconds')
    text = text.replace('short = "gr"', 'short = "pc"')
    Path("bad.toml").write_text(text)
    done = policy("check", "bad.toml")
    assert done.exit_code == 1
    gr, *lc = done.output.splitlines()
    assert gr == (
        "bad.toml: erp.goods_receipt.v1: short 'pc' is taken or not alphanumeric; take one of "
        "letters and digits that no other record type has"
    )
    assert lc[0] == (
        "bad.toml: erp.labor_confirmation.v1: no input type 'labour.booked.v1'; take a type of "
        "docs/contract.md"
    )


def test_the_rules_of_a_plant_are_shown_with_their_boundaries(folder: Path) -> None:
    name = lines(
        "known.ndjson", HOURLY, HOLD, known("timing", grace_seconds=5),
        known("plant", require=["item"]),
    )  # fmt: skip
    words = ["show", "--reference", name, "--at", "2026-11-21T00:00:00Z", "--json"]
    plant, others = json.loads(policy(*words).output)
    assert (plant["plant"], plant["require"]) == ("DE01", ["item"])
    assert (plant["timing"]["grace_seconds"], plant["timing_told"]) == (5, ["grace_seconds"])
    assert plant["holds"] == ["H: lot LOT7"]
    before, after = plant["periods"]
    assert (before["begin"], before["holds_now"]) == (None, False)
    assert (after["begin"], after["holds_now"]) == ("2026-11-20T00:00:00Z", True)
    assert before["records"]["erp.goods_issue.v1"] == "window of 300 s"
    assert after["records"]["erp.goods_issue.v1"] == "hour"
    assert [each["begin"] for each in others["periods"]] == [None]
    assert policy("show", "--at", "noon").exit_code == 2


def test_the_page_says_what_happens(folder: Path) -> None:
    rule, given = re.findall(r"^```json\n(.*?)\n```", PAGE, re.MULTILINE | re.DOTALL)
    right, shown, told, wrong = re.findall(r"^```text\n(.*?)\n```", PAGE, re.MULTILINE | re.DOTALL)
    Path("rule.ndjson").write_text(rule)
    Path("event.json").write_text(given)
    assert policy("check", "rule.ndjson").output == f"{right}\n"
    words = ["--reference", "rule.ndjson"]
    at = ["--at", "2026-11-21T00:00:00Z"]
    assert shown in policy("show", *words, *at).output
    lines = policy("explain", "event.json", *words).output.splitlines()
    assert [line for line in told.splitlines() if line not in lines] == []
    Path("rule.ndjson").write_text(rule.replace('"hour"', '"hourly"'))
    assert policy("check", "rule.ndjson").output == f"rule.ndjson: {wrong}\n"
