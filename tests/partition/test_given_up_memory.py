"""A partition that is another's keeps nothing in memory: its lines, its windows, its master data."""

import gc
import json

import pytest

from logs import random_log
from oracle_v2.worlds import World
from runs import new_task, placed
from tables.partition.partition import Partition

LOGS = {
    "events": random_log(1, 300),
    "master data": [json.dumps(event, ensure_ascii=False).encode() for event in World(5).log(200)],
}


def partitions() -> int:
    gc.collect()
    return sum(type(each) is Partition for each in gc.get_objects())


@pytest.mark.parametrize("name", LOGS)
def test_a_partition_that_nobody_has_any_more_is_freed(name: str) -> None:
    """Lines are passed over by the collector: no line may lead back to its partition."""

    def work() -> int:
        lines = 0
        for at, records in placed(LOGS[name]).items():
            task = new_task(at)
            task.commit(task.step(records))
            lines += len(task.lines)
        return lines

    before = partitions()
    assert work() > 1
    assert partitions() == before
