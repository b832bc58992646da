"""Lines of a file, binary mode, partitions, the command (sections 2, 8, 14)."""

import json
from pathlib import Path
from typing import Any

import pytest

from .builders import (
    confirmed,
    consumed,
    known,
    placed,
    printed,
    run,
    tick,
)
from .replay import main

EVENT = consumed("m", "06:00")

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
