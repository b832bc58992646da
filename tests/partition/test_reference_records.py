"""A reference record on a partition counts as a tick; a refused one is an exception."""

from runs import consumed, event, placed, watched
from runs import new_task as task_of
from streams.contract.topics import MES_EVENTS


def test_a_reference_record_counts_as_a_tick_and_sends_nothing() -> None:
    lines = [
        event("reference.item.v1", 0, source="/lineside", item="I", base_uom="kg"),
        event("reference.item.v1", 0, item="I", base_uom="kg"),  # an MES wrote it
        event("reference.calendar.v1", 0, source="/lineside"),
        consumed(1),
    ]
    ((at, records),) = ((at, each) for at, each in placed(lines).items() if each)
    assert at == (MES_EVENTS, 0)
    task = task_of(at)
    taken = list(watched(task, records))
    assert [each.outcome for each in taken] == ["tick", "exception", "exception", "accepted"]
    assert [len(each.outputs) for each in taken] == [0, 1, 1, 0]
    assert list(task.lines) == [b"DE01/L1"]
