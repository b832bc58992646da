"""What a soak decides by: what grows is seen, what is missing is seen, and who is too large is killed."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chained import RECENT_MAX, Chained, differences
from kafka_workers import wait_until
from pages import put_between
from pod_limit import PodLimit
from soak_samples import FLATNESS, LASTING, flatness
from streams.contract.topics import EXCEPTIONS, SUMMARY_SCRAP
from test_outcome import Record, record

SAMPLES = 80


def samples(memory: Callable[[float], float]) -> list[dict[str, Any]]:
    """Return samples whose memory is what `memory` gives for 0 to 1, the whole time; all else is flat."""
    return [
        {
            "seconds": float(number), "memory_mb": {LASTING: memory(number / SAMPLES)},
            "descriptors": {LASTING: 60}, "disk_mb": 100.0, "changelogs_mb": 50.0,
            "lag": None if number % 9 == 0 else 1_000,
        }
        for number in range(1, SAMPLES + 1)
    ]  # fmt: skip


def flat(taken: list[dict[str, Any]]) -> dict[str, bool]:
    return {one["figure"]: one["flat"] for one in flatness(taken)}


def test_what_stays_is_flat_whatever_it_does_while_it_warms_up() -> None:
    assert flat(samples(lambda at: 150.0 if at > 0.2 else 800.0)) == {
        rule.name: True for rule in FLATNESS
    }


def test_what_grows_all_the_time_isnt_flat() -> None:
    verdicts = flat(samples(lambda at: 100 + 400 * at))
    assert verdicts.pop("memory of the lasting worker") is False
    assert all(verdicts.values())


def test_a_peak_in_the_last_quarter_isnt_growth() -> None:
    assert all(flat(samples(lambda at: 900.0 if 0.8 < at < 0.84 else 150.0)).values())


def test_nothing_is_flat_that_wasnt_seen() -> None:
    assert not any(flat([]).values())
    taken = samples(lambda _: 150.0)
    for sample in taken:
        sample["lag"] = None
    assert flat(taken)["lag"] is False


def chained(records: list[Record]) -> Chained:
    made = Chained()
    for topic, value in records:
        made.add(topic, value)
    return made


RIGHT = [
    *(record(number) for number in range(10)),
    *(record(number, SUMMARY_SCRAP, quantity="7", scrap="2.5") for number in range(4)),
    *(record(number, EXCEPTIONS) for number in range(5)),
]


def test_the_same_records_have_the_same_chains_whatever_is_repeated() -> None:
    found = chained([*RIGHT, *RIGHT[:3], *RIGHT[-2:]])
    assert found.repeated == 5
    assert differences(chained(RIGHT), found) == []


def test_exceptions_may_come_in_any_order() -> None:
    assert differences(chained(RIGHT), chained([*RIGHT[:-5], *reversed(RIGHT[-5:])])) == []


CHANGES: list[tuple[Callable[[list[Record]], list[Record]], str]] = [
    (lambda records: records[1:], "10 records should be there, 9 are"),
    (lambda records: [*records, record(99)], "10 records should be there, 11 are"),
    (lambda records: [record(0, lot="another"), *records[1:]], "aren't those, or in another order"),
    (lambda records: [*records, record(0, lot="another")], "10 records should be there, 11 are"),
    (lambda records: [*records[1:6], records[0], *records[6:]], "or in another order"),
    (lambda records: records[:-1], "5 records should be there, 4 are"),
    (lambda records: [record(0, quantity="0.100000001"), *records[1:]], "aren't those"),
]


@pytest.mark.parametrize(("change", "sentence"), CHANGES)
def test_each_kind_of_difference_is_seen(
    change: Callable[[list[Record]], list[Record]], sentence: str
) -> None:
    (first, *_) = differences(chained(RIGHT), chained(change(RIGHT)))
    assert sentence in first


def test_totals_are_compared_besides() -> None:
    sentences = differences(
        chained(RIGHT), chained([record(0, quantity="0.100000001"), *RIGHT[1:]])
    )
    assert sentences[-1] == "('erp.goods_issue.v1', 'quantity', None): 29.500000001 instead of 29.5"


def test_a_repeat_is_known_for_as_long_as_a_crash_can_make_one() -> None:
    found = chained([record(number) for number in range(RECENT_MAX)] + [record(0)])
    assert (found.records, found.repeated) == (RECENT_MAX, 1)


def test_who_passes_the_limit_of_memory_is_killed_and_the_others_arent() -> None:
    def holding(megabytes: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-c", f"import time; x = bytearray(b'x') * ({megabytes} << 20); time.sleep(60)"]
        )  # fmt: skip

    large, small = holding(300), holding(1)
    try:
        with PodLimit(mb_max=200) as limit:
            limit.watch(large)
            limit.watch(small)
            wait_until("it is killed", lambda: large.poll() is not None)
            time.sleep(0.2)
            assert small.poll() is None
        assert set(limit.killed) == {large.pid}
        assert "past the limit of 200" in limit.killed[large.pid]
        assert limit.peak_mb > 200
    finally:
        for process in (large, small):
            process.kill()
            process.wait()


def test_a_page_is_written_between_its_marks_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- soak -->\nold\n<!-- /soak -->\nafter\n")
    put_between(page, "soak", "new \\1")
    assert page.read_text() == "before\n<!-- soak -->\n\nnew \\1\n\n<!-- /soak -->\nafter\n"
    put_between(page, "other", "more")
    assert page.read_text().endswith("after\n<!-- other -->\n\nmore\n\n<!-- /other -->\n")
