"""Small logs with what must leave for them, read by a person against the contract."""

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from replays import by_line, read_lines, replayed
from streams.contract.topics import EXCEPTIONS, OUTPUTS, REFERENCE

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.parent.name for path in GOLDEN.glob("*/log.ndjson"))

sys.path.insert(0, str(GOLDEN))

import make  # noqa: E402  # beside the pairs


def test_the_pairs_are_there() -> None:
    assert NAMES == [
        "bad-input",
        "downtime",
        "field-orders",
        "field-spellings",
        "field-stops",
        "late-and-carried",
        "machines",
        "master-data",
        "quality",
        "reversals",
    ]


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize("name", NAMES)
def test_a_replay_gives_what_must_leave(name: str, partitions: int) -> None:
    """Every topic in its order per line, the counts, the codes: no more and no less."""
    told = json.loads((GOLDEN / name / "expected" / "report.json").read_bytes())
    left, report, _ = replayed((GOLDEN / name / "log.ndjson").read_bytes(), partitions=partitions)
    for topic in (*OUTPUTS, REFERENCE):
        file = GOLDEN / name / "expected" / f"{topic}.ndjson"
        expected = read_lines(file.read_bytes()) if file.exists() else []
        assert by_line(left[topic], partitions) == by_line(expected, partitions), topic
    told["counts"]["tick"] *= partitions if _bare_ticks(name) else 1
    assert report.counts == told["counts"]
    assert report.exceptions == told["exceptions"]
    assert report.passed_over == told["passed_over"]
    assert report.conservation["error"] == "0"


def _bare_ticks(name: str) -> bool:
    return (GOLDEN / name / "log.ndjson").read_bytes().count(b'\n{"type":"clock.tick.v1"') > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_expected_side_is_what_the_oracle_says(name: str) -> None:
    expected = make.expected(GOLDEN / name / "log.ndjson")
    folder = GOLDEN / name / "expected"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == expected


def test_the_pairs_show_every_code_and_every_type_of_record() -> None:
    """A reader finds an example of each."""
    types: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for name in NAMES:
        for file in (GOLDEN / name / "expected").glob("*.ndjson"):
            for record in read_lines(file.read_bytes()):
                types[record["type"]] += 1
                if file.name == f"{EXCEPTIONS}.ndjson":
                    codes[record["data"]["code"]] += 1
    assert codes.keys() == {
        "malformed", "invalid", "unknown_type", "key_mismatch", "from_the_future", "too_old",
        "key_conflict", "unknown_reversal", "not_reversible", "reversal_mismatch",
        "already_reversed", "episode_conflict",
        "hold_conflict", "unknown_master", "order_closed",
    }  # fmt: skip
    assert types.keys() == {
        "erp.production_confirmation.v1", "erp.goods_receipt.v1", "erp.goods_issue.v1",
        "erp.scrap_posting.v1", "erp.labor_confirmation.v1", "erp.operation_status.v1",
        "erp.quality_notification.v1", "erp.stock_status.v1",
        "erp.maintenance_notification.v1", "erp.reversal.v1", "exception.raised.v1",
        "summary.consumption.v1", "summary.scrap.v1", "summary.production.v1",
        "summary.downtime.v1", "summary.availability.v1", "summary.machine.v1",
        "summary.machine_state.v1", "reference.hold.v1", "reference.hold_release.v1",
    }  # fmt: skip
