"""What a job keeps for people to look at: the latest of each kind, whatever left after them."""

from typing import Any

import pytest

from agents.partition.opening import Opened
from agents.process_events import RECENT_RECORDS_MAX, Job
from streams.contract.topics import ERP_TRANSACTIONS, EXCEPTIONS, OUTPUTS
from streams.log.record import Outgoing

SUMMARIES = next(topic for topic in OUTPUTS if topic.startswith("summary."))


def outgoing(topic: str, number: int) -> Outgoing:
    return Outgoing(topic, b"DE01/L1", f"{topic}:{number}", "kind", b"{}")


def job() -> Job:
    async def none(*_: Any) -> Opened:
        raise AssertionError("no partition is opened here")

    return Job({}, none)


def ids(job: Job, kind: str) -> list[str]:
    return [record.id for record in job.recent[kind]]


@pytest.mark.parametrize("topic", [EXCEPTIONS, SUMMARIES])
async def test_what_is_rare_stays_whatever_leaves_after_it(topic: str) -> None:
    one = job()
    others = [outgoing(ERP_TRANSACTIONS, number) for number in range(5_000)]
    one._observe([outgoing(topic, 1), *others])
    one._observe(others)
    kind = "exceptions" if topic == EXCEPTIONS else "summaries"
    assert ids(one, kind) == [f"{topic}:1"]


async def test_the_newest_come_first_and_only_so_many() -> None:
    one = job()
    for write in range(3):
        of_write = range(write * 25, write * 25 + 25)
        one._observe([outgoing(topic, n) for n in of_write for topic in (EXCEPTIONS, SUMMARIES)])
    wanted = [f"{EXCEPTIONS}:{n}" for n in range(74, 74 - RECENT_RECORDS_MAX, -1)]
    assert ids(one, "exceptions") == wanted
    one._observe([outgoing(EXCEPTIONS, n) for n in range(100, 200)])
    assert ids(one, "exceptions")[0] == f"{EXCEPTIONS}:199"
    assert len(ids(one, "exceptions")) == RECENT_RECORDS_MAX
