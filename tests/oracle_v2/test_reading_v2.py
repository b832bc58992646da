"""What is read and what is refused, in which order (sections 2, 3, 6), and lines of a file (8, 14)."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from . import values
from .builders import (
    at,
    begun,
    booked,
    confirmed,
    consumed,
    known,
    placed,
    received,
    reversed_,
    run,
    state,
    stopped,
    tick,
)
from .replay import main


def changed(event: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    told = {**event, **attributes}
    return {name: value for name, value in told.items() if value is not None}


def code(event: dict[str, Any] | bytes, *before: dict[str, Any]) -> str:
    """Return what becomes of an event: the code of its exception, or `accepted`."""
    outcome = run(*before, event)
    return (outcome.codes or ["accepted"])[-1]


def printed(
    event: dict[str, Any] | str,
    topic: str = "mes.events.v1",
    ts: int | None = None,
    key: str | None = "P/L1",
    headers: list[str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a record as `kcat -J` prints it."""
    payload = event if isinstance(event, str) else json.dumps(event)
    record = {"topic": topic, "partition": 0, "offset": 7, "ts": ts, "key": key}
    return {**record, "payload": payload, "headers": headers or [], **more}


EVENT = consumed("m", "06:00")

# ---------------------------------------------------------------- text, times, measures


@pytest.mark.parametrize(
    "text",
    [
        " a",
        "a ",
        "\u00a0a",
        "a\u3000",
        "",
        "x" * 257,
        "a\u0007b",
        "a\u0085b",
        "e\u0301",
        5,
        True,
        ["a"],
    ],
)
def test_text_that_is_refused(text: Any) -> None:
    assert code(consumed("m", "06:00", lot=text)) == "invalid"
    assert code(changed(EVENT, id=text)) == "invalid"


@pytest.mark.parametrize("text", ["a b", "\u00e9", "x" * 256, "\u200ba", "%|:/", "0"])
def test_text_that_is_read(text: str) -> None:
    assert code(consumed("m", "06:00", lot=text)) == "accepted"


@pytest.mark.parametrize("place", ["a/b", "*", "x" * 129, "", "a "])
def test_places_that_are_refused(place: str) -> None:
    assert code(changed(EVENT, plant=place)) == "invalid"
    assert code(changed(EVENT, line=place)) == "invalid"


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-11-21t06:00:00z", "accepted"),
        ("2026-11-21T06:00:00.1234567891+14:00", "accepted"),
        ("2000-01-01T00:00:00Z", "accepted"),
        ("2000-01-01T00:59:59.999999+01:00", "invalid"),  # an hour before 2000 in UTC
        ("1999-12-31T23:59:59-00:01", "accepted"),
        ("9998-12-31T23:59:59.999999Z", "accepted"),
        ("9999-01-01T00:00:00Z", "invalid"),
        ("2026-11-21 06:00:00Z", "invalid"),
        ("2026-11-21T06:00:60Z", "invalid"),
        ("2026-11-21T06:00:00", "invalid"),
        ("2026-02-29T06:00:00Z", "invalid"),
        ("2026-11-21T06:00:00+24:00", "invalid"),
    ],
)
def test_times(time: str, expected: str) -> None:
    assert code(changed(EVENT, time=time)) == expected


def test_a_time_is_cut_to_the_microsecond() -> None:
    first = changed(EVENT, time="2026-11-21T06:00:00.1234569Z")
    same = changed(EVENT, time="2026-11-21T07:00:00.123456+01:00")
    assert run(first, same).report["counts"]["duplicate"] == 1


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        ("1e2", "100"),
        (-0.25, "-0.25"),
        ("1.500", "1.5"),
        ("0.0000000010", "0.000000001"),
        ("999999999999999.999999999", "999999999999999.999999999"),
        ("1E-9", "0.000000001"),
    ],
)
def test_measures_that_are_read(quantity: Any, text: str) -> None:
    outcome = run(consumed("m", "06:00", quantity=quantity), close=True)
    assert outcome.rows("gi", "quantity") == [(text,)]


@pytest.mark.parametrize(
    "quantity",
    [
        "1e15",
        "0.0000000001",
        "+1",
        "01",
        "1.",
        ".5",
        "1,5",
        "NaN",
        "",
        " 1",
        True,
        [1],
        "1e99999999",
    ],
)
def test_measures_that_are_refused(quantity: Any) -> None:
    assert code(consumed("m", "06:00", quantity=quantity)) == "invalid"


def test_a_zero_with_any_exponent_is_a_measure() -> None:
    assert values.parse_measure("0e999999999") == 0


def test_null_and_unknown_members_are_as_absent() -> None:
    other = {
        **EVENT,
        "subject": 5,
        "traceparent": [],
        "data": {**EVENT["data"], "lot": None, "x": 1},
    }
    assert run(EVENT, other).report["counts"]["duplicate"] == 1
    assert code({**EVENT, "data": {**EVENT["data"], "order": None}}) == "invalid"


# ---------------------------------------------------------------- check 1


def line(event: dict[str, Any], old: str, new: str) -> bytes:
    text = json.dumps(event)
    assert old in text
    return text.replace(old, new, 1).encode()


TWICE = '"quantity": "1", "quantity": "5"'


@pytest.mark.parametrize(
    "value",
    [
        b"this is no JSON",
        b"[1]",
        b'"text"',
        b"\xff{}",
        b'{"a": NaN}',
        b"{" + b'"a":{' * 512 + b"}" * 513,
        line(EVENT, '"id"', '"id": "x", "id"'),
        line(EVENT, '"quantity": "1"', TWICE),
        line({**EVENT, "time": "no time"}, '"quantity": "1"', TWICE),  # before check 5
        line({**EVENT, "x": "-"}, '"-"', '"\\ud800"'),
        line({**EVENT, "-": 1}, '"-"', '"\\udc00\\ud800"'),
        line(reversed_("r", "06:01", EVENT), '"quantity": "1"', TWICE),
        line(reversed_("r", "06:01", EVENT, type="unknown"), '"quantity": "1"', TWICE),
        line(reversed_("r", "06:01", EVENT, x=1), '"x": 1', '"x": 1, "x": 1'),
        line(
            known("item", item="I", base_uom="kg", conversions={"g": 1}), '"g": 1', '"g": 1, "g": 1'
        ),
        line(
            known("rules", valid_from=at("06:00"), transactions={"a": {"when": "day"}}),
            '"when": "day"',
            '"when": "day", "when": "day"',
        ),
        line(tick("06:00"), '"type"', '"x": 1, "x": 1, "type"'),
        json.dumps({**EVENT, "x": "x" * 65_536}).encode(),
    ],
)
def test_what_is_malformed(value: bytes) -> None:
    assert code(value) == "malformed"


@pytest.mark.parametrize(
    "value",
    [
        b"\xef\xbb\xbf" + json.dumps(EVENT).encode(),
        # An unknown member's object isn't read.
        line({**EVENT, "x": {"a": 1}}, '"a": 1', '"a": 1, "a": 2'),
        line({**EVENT, "data": {**EVENT["data"], "x": {"a": 1}}}, '"a": 1', '"a": 1, "a": 2'),
        line({**EVENT, "x": 1}, '"x": 1', '"x": ' + "[" * 511 + "]" * 511),
        line({**EVENT, "x": "-"}, '"-"', '"\\ud83d\\ude00"'),
    ],
)
def test_what_is_not_malformed(value: bytes) -> None:
    assert code(value) == "accepted"


def test_of_a_tick_only_the_envelope_is_read_and_of_an_unknown_type_too() -> None:
    twice = line({**tick("06:00"), "data": {"a": 1}}, '"a": 1', '"a": 1, "a": 1')
    assert run(twice).report["counts"]["tick"] == 2
    unknown = line({**EVENT, "type": "material.eaten.v1"}, '"quantity": "1"', TWICE)
    assert code(unknown) == "unknown_type"


# ---------------------------------------------------------------- checks 2 to 14, in order


def test_checks_2_to_5() -> None:
    assert code(changed(EVENT, type=5)) == "invalid"
    assert code(changed(EVENT, type=" material.consumed.v1")) == "unknown_type"
    assert (
        code({"type": "reference.bill.v1", "source": "/lineside", "plant": "P"}) == "unknown_type"
    )
    assert code(changed(tick("06:00"), time="soon")) == "invalid"
    assert code(changed(tick("06:00"), time="1999-01-01T00:00:00Z")) == "invalid"
    assert code(changed(EVENT, specversion="1.1")) == "invalid"
    assert code(changed(EVENT, data=[])) == "invalid"
    assert code(confirmed("p", "06:00", final="true")) == "invalid"
    assert code(received("g", "06:00", product="x")) == "invalid"
    assert code(state("s", "06:00", state="EXECUTE")) == "invalid"
    assert code(booked("l", "06:00")) == "accepted"  # person is optional


def test_a_type_of_the_other_topic_is_unknown_and_a_reference_record_on_e_too() -> None:
    assert run(printed(EVENT, topic="machine.events.v1")).codes == ["unknown_type"]
    record = known("item", item="I", base_uom="kg")
    assert run(printed(record, topic="machine.events.v1")).codes == ["unknown_type"]


def test_the_key_comes_before_the_future_and_the_future_before_the_ledger() -> None:
    early = 1_795_240_800_000 - 600_001  # 06:00 less ten minutes and a millisecond
    assert run(printed(EVENT, key="P/L2", ts=early)).codes == ["key_mismatch"]
    assert run(printed(EVENT, ts=early)).codes == ["from_the_future"]
    assert run(printed(EVENT, ts=early + 1)).codes == []
    assert run(printed(EVENT, ts=-1)).codes == []
    assert run(printed(tick("06:00"), ts=early)).codes == ["from_the_future"]
    # timing changes it for events, and not for ticks.
    wider = known("timing", future_seconds_max=3600)
    assert run(wider, printed(EVENT, ts=early)).codes == []
    assert run(wider, printed(tick("06:00"), ts=early)).codes == ["from_the_future"]


def test_the_ledger_reaches_as_far_as_the_retention() -> None:
    week = begun("o", "2026-11-28T06:00:00Z")
    assert run(EVENT, week, EVENT).report["counts"]["duplicate"] == 1
    past = begun("o", "2026-11-28T06:00:00.000001Z")
    assert run(EVENT, past, EVENT).codes == ["too_old"]
    assert run(EVENT, week, consumed("m", "06:00", quantity="2")).codes == ["key_conflict"]
    assert run(EVENT, past, consumed("m", "2026-11-28T06:00:00Z")).codes == []  # counts no longer
    four = [state("a", "06:00", state="Idle"), state("b", "2026-11-25T06:00:01Z", state="Idle")]
    assert run(*four, four[0]).codes == ["too_old"]


def test_reversals_that_are_refused() -> None:
    undo = reversed_("r", "06:01", EVENT)
    assert code(undo) == "unknown_reversal"
    assert code(changed(undo, source="/other"), EVENT) == "unknown_reversal"
    assert (
        code(reversed_("r", "06:01", begun("o", "06:00")), begun("o", "06:00")) == "not_reversible"
    )
    assert code(reversed_("r", "06:01", EVENT, time="no time"), EVENT) == "reversal_mismatch"
    other = {**EVENT["data"], "quantity": "2"}
    assert code(reversed_("r", "06:01", EVENT, data=other), EVENT) == "reversal_mismatch"
    same = {**EVENT["data"], "quantity": 1.00, "lot": None}
    assert code(reversed_("r", "06:01", EVENT, data=same), EVENT) == "accepted"
    assert code(reversed_("s", "06:01", EVENT), EVENT, undo) == "already_reversed"
    assert code({**undo, "data": {"reverses": "m", "original": []}}, EVENT) == "invalid"


def test_what_is_refused_is_judged_anew() -> None:
    undo = reversed_("r", "06:01", EVENT)
    outcome = run(undo, EVENT, undo)
    assert outcome.codes == ["unknown_reversal"]
    assert outcome.report["counts"]["accepted"] == 2


# ---------------------------------------------------------------- exceptions (section 6)


def test_an_exception_says_where_the_record_is_and_repeats_it() -> None:
    bad = changed(EVENT, time="no time")
    record = printed(bad, ts=1_795_240_800_000, headers=["a", "b"])
    (raised,) = run(record).topics["exceptions.v1"]
    assert (raised["id"], raised["source"]) == ("mes.events.v1/0/7", "/lineside")
    assert (raised["plant"], raised["line"]) == ("P", "L1")
    assert raised["time"] == "2026-11-21T06:00:00Z"
    data = raised["data"]
    assert base64.b64decode(data["value"]) == json.dumps(bad).encode()
    assert (data["class"], data["code"], data["key"]) == ("data", "invalid", "P/L1")
    assert data["headers"] == [{"name": "a", "value": "b"}]
    assert "no time" in data["reason"]


def test_the_class_is_business_where_somebody_has_to_decide() -> None:
    log: list[dict[str, Any]] = [
        reversed_("r", "06:01", EVENT),
        stopped("a", "06:01", episode="E"),
        stopped("b", "06:02", episode="E"),
        placed("h", "06:03", hold="H"),
        placed("i", "06:03", hold="H", value="B"),
        known("plant", require=["order"]),
        consumed("m", "06:03"),
        known("order", order="O1", status="closed"),
        consumed("m", "06:03"),
        changed(EVENT, id=""),
    ]
    classes = {x["data"]["code"]: x["data"]["class"] for x in run(*log).topics["exceptions.v1"]}
    assert classes == {
        "unknown_reversal": "business",
        "episode_conflict": "business",
        "hold_conflict": "business",
        "unknown_master": "data",
        "order_closed": "business",
        "invalid": "data",
    }


# ---------------------------------------------------------------- binary mode


def binary(*more: str, **changed: str | None) -> dict[str, Any]:
    attributes = {name: v for name, v in EVENT.items() if name != "data"} | changed
    headers = [
        word for name, v in attributes.items() if v is not None for word in (f"ce_{name}", v)
    ]
    return printed(json.dumps(EVENT["data"]), headers=[*headers, *more])


def test_binary_mode_is_read() -> None:
    assert run(binary()).report["counts"]["accepted"] == 1
    assert run(binary("ce_id", "x")).codes == ["malformed"]
    assert run(binary(id=None)).codes == ["invalid"]
    whole = printed(
        EVENT, headers=["ce_specversion", "1.0", "content-type", "application/cloudevents+json"]
    )
    assert run(whole).report["counts"]["accepted"] == 1


def test_seq_in_a_header_is_its_digits() -> None:
    data = json.dumps({"item": "I", "base_uom": "kg"})
    headers = ["ce_specversion", "1.0", "ce_type", "reference.item.v1", "ce_source", "/lineside"]
    headers += ["ce_plant", "P", "ce_seq"]
    assert run(printed(data, headers=[*headers, "12"])).codes == []
    assert run(printed(data, headers=[*headers, "1.0"])).codes == ["invalid"]
    assert run(printed(data, headers=[*headers, "-1"])).codes == ["invalid"]


# ---------------------------------------------------------------- lines of a file


def test_ticks_go_to_every_partition_and_reference_records_to_every_one_of_m() -> None:
    counts = run(tick("06:00"), known("item", item="I", base_uom="kg"), partitions=3).report[
        "counts"
    ]
    assert counts["tick"] == 2 * 3 + 3


def test_records_of_other_topics_are_passed_over_and_blank_lines_skipped() -> None:
    outcome = run(b"  \r", printed(EVENT, topic="other.v1"), printed(EVENT))
    assert outcome.report["passed_over"] == 1
    assert outcome.report["counts"] == {"accepted": 1, "duplicate": 0, "exception": 0, "tick": 0}


def test_copies_in_a_log_of_kcat_are_where_the_log_has_them() -> None:
    # The hold is in force on its own partition; on the other one from its copy on.
    used = [consumed(f"m{n}", "06:01", "L2", lot="A") for n in range(2)]
    other: dict[str, Any] = {"partition": 1, "key": "P/L2"}
    log = [
        printed(placed("h", "06:00", hold="H")),
        printed(consumed("m", "06:01", lot="A")),
        printed(used[0], **other),
        printed(known("hold", "P", 5, hold="H", scope="lot", value="A", reason="r"), **other),
        printed(used[1], **other),
    ]
    assert run(*log).report["parked"] == 2


def test_the_number_of_partitions_changes_nothing_per_line() -> None:
    log = [consumed(f"m{n}", f"06:{n:02}", f"L{n % 5}", lot="A") for n in range(40)]
    log += [placed("h", "06:40", hold="H"), confirmed("p", "06:41", "L3", lot="A"), tick("07:00")]
    one, four = (run(*log, partitions=number, close=True) for number in (1, 4))
    for name in (f"L{n}" for n in range(5)):
        assert [r for r in one.erp if r["line"] == name] == [
            r for r in four.erp if r["line"] == name
        ]


def test_the_command_writes_a_file_per_topic_and_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.ndjson"
    log.write_text("\n".join(map(json.dumps, [EVENT, placed("h", "06:01", hold="H")])))
    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["oracle", str(log), "--out", str(out), "--close"])
    main()
    report = json.loads((out / "report.json").read_text())
    assert report["counts"] == {"accepted": 2, "duplicate": 0, "exception": 0, "tick": 0}
    assert len((out / "erp.transactions.v1.ndjson").read_text().splitlines()) == 3
    assert len((out / "reference.v1.ndjson").read_text().splitlines()) == 1
    assert (out / "exceptions.v1.ndjson").read_text() == ""
