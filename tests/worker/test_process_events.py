"""What a job keeps for people to look at."""

import json

import pytest

from agents.process_events import RECENT_RECORDS_MAX, SEEN_BYTES_MAX, Job
from runs import new_task
from streams.contract.topics import MES_EVENTS
from streams.log.record import Outgoing, Record


def refused(offset: int, value: bytes, headers: int = 0) -> Outgoing:
    """Return the exception for a record that is no event."""
    record = Record(offset, None, b"DE01/L1", value, [("name", b"value")] * headers)
    (left,) = new_task((MES_EVENTS, 0)).step([record]).outputs
    return left


@pytest.mark.parametrize(("size", "headers"), [(6 << 20, 0), (1, 40_000)])
async def test_the_latest_exceptions_take_little_memory_whatever_was_refused(
    size: int, headers: int
) -> None:
    job = Job({}, None)  # type: ignore[arg-type]  # it opens nothing
    left = refused(7, b"x" * size, headers)
    assert len(left.value) > 1 << 20
    job._observe([left] * RECENT_RECORDS_MAX)
    kept = job.recent["exceptions"]
    assert len(kept) == RECENT_RECORDS_MAX
    assert sum(len(record.value) for record in kept) < 1 << 20
    shown, whole = (json.loads(one.value) for one in (kept[0], left))
    data = shown["data"]
    assert data.pop("value_cut") is True
    assert whole["data"]["value"].startswith(data.pop("value"))
    assert data.pop("headers") == []
    assert shown["id"] == f"{MES_EVENTS}/0/7"
    assert data.items() <= whole["data"].items()


async def test_what_isnt_large_is_kept_as_it_is() -> None:
    job = Job({}, None)  # type: ignore[arg-type]  # it opens nothing
    left = refused(7, b"x" * (64 << 10), 10)
    assert len(left.value) < SEEN_BYTES_MAX
    job._observe([left])
    assert list(job.recent["exceptions"]) == [left]
