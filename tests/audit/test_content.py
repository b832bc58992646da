"""The audit passes over exceptions of master data: nothing of the inputs leads to them."""

from agents.audit.content import is_of_master
from masters import master
from runs import consumed, event, run
from streams.contract.topics import EXCEPTIONS
from streams.log.record import Record
from tables.reference.keeping import Terms, kept
from tables.reference.known import Known


def test_an_exception_of_master_data_is_told_from_one_of_an_event() -> None:
    left, _ = kept(Record(7, 0, None, master("line")), 0, Known(), Terms())
    assert left is not None
    assert left.topic == EXCEPTIONS
    assert is_of_master(left.value)
    (done,) = [each for each in run([event("x", 0), consumed(0)]).outputs.values() if each]
    assert [is_of_master(each.value) for each in done] == [False]
    assert not is_of_master(None)
