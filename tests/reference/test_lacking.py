"""What an event lacks is read from its exception, and found once the record of it has come."""

import json
from typing import Any

import pytest

from masters import master
from runs import Bench, consumed, event, started
from streams.contract.checks import Code
from streams.contract.reference_values import REQUIRABLE
from streams.contract.refused import Refused, refused_of
from streams.contract.rejection import Rejection, exception_data, exception_key
from streams.contract.topics import EXCEPTIONS, MES_EVENTS, REFERENCE
from streams.contract.transactions import EXCEPTION, encode
from streams.log.record import Outgoing, Record
from tables.reference.keeping import Terms, kept
from tables.reference.known import UNPLACED, Known
from tables.reference.lacking import CODE, Lack, known_from, lack_of

ORDER: dict[str, Any] = {"order": "O1", "status": "released"}
ITEM: dict[str, Any] = {"item": "I1", "base_uom": "kg"}
LONG = "O" * 200
"""A reason doesn't quote all of it."""

CASES: dict[str, tuple[bytes, list[bytes], list[bytes]]] = {
    "line": (consumed(1), [], [master("line", "DE01", line="L1")]),
    "item": (consumed(1), [master("item", "PL01", **ITEM)], [master("item", "*", **ITEM)]),
    "uom": (
        consumed(1, uom="g"),
        [master("item", "DE01", **ITEM), master("item", "*", **ITEM, conversions={"g": "0.001"})],
        [master("item", "DE01", **ITEM, conversions={"g": "0.001"})],
    ),
    "lot": (
        consumed(1),
        [master("item", "DE01", **ITEM, lot_control=True)],
        [master("item", "DE01", **ITEM, lot_control=False)],
    ),
    "work_unit": (
        started(1, work_unit="a/b|%"),
        [master("line", "DE01", line="L1"), master("work_unit", "DE01", line="L1", work_unit="a")],
        [master("work_unit", "DE01", line="L1", work_unit="a/b|%")],
    ),
    "reason": (
        event("scrap.declared.v1", 1, order="O1", operation="0010", item="I1", quantity="1",
              uom="kg", reason="jam", kind="operation"),
        [master("reason", "PL01", reason="jam")],
        [master("reason", "DE01", reason="jam")],
    ),
    "order": (
        consumed(1, order=LONG),
        [master("order", "DE01", **ORDER)],
        [master("order", "DE01", order=LONG, status="closed")],
    ),
}  # fmt: skip
"""By what a plant requires: an event, what is known and doesn't help, and what does."""


def refused(required: str, value: bytes, said: list[bytes]) -> Refused:
    """Return an event of `DE01/L1` as a partition refuses it that has these records."""
    bench = Bench()
    copies = [
        json.dumps({**json.loads(each), "source": "/lineside", "line": "*"}).encode()
        for each in [master("plant", "DE01", require=[required]), *said]
    ]
    assert bench.send(*copies) == []
    (record,) = bench.records(value, timestamp=1_795_240_900_000_000)
    record = Record(record.offset, record.timestamp, record.key, value, [("trace", b"\xff")])
    step = bench.task.step([record])
    bench.task.commit(step)
    (left,) = step.outputs
    assert left.topic == EXCEPTIONS
    found = refused_of(Record(0, None, left.key, left.value), CODE)
    assert found is not None, left.value
    assert found.record == record
    return found


def learn(known: Known, value: bytes, offset: int) -> None:
    left, _ = kept(Record(offset, 0, None, value), 0, known, Terms())
    assert left is not None
    assert left.topic == REFERENCE, left.value
    known.learn(left.key or b"", left.value, offset)


@pytest.mark.parametrize("required", REQUIRABLE)
def test_what_a_refused_event_lacks_is_known_from_the_record_that_names_it(required: str) -> None:
    value, useless, useful = CASES[required]
    found = refused(required, value, useless)
    lack = lack_of(found.record, found.reason)
    assert lack is not None
    known = Known()
    assert known_from(lack, known) is None
    for offset, each in enumerate(useless):
        learn(known, each, offset)
        assert known_from(lack, known) is None
    for offset, each in enumerate(useful, 10):
        learn(known, each, offset)
    assert known_from(lack, known) == 10
    known.learn(lack.keys[0], None)
    known.learn(lack.keys[-1], None)
    assert known_from(lack, known) is None


def test_a_record_that_isnt_written_yet_is_before_all_others() -> None:
    known = Known()
    lack = Lack("DE01", (b"line|DE01|L1",))
    known.learn(b"line|DE01|L1", b'{"data":{"line":"L1"}}')
    assert known_from(lack, known) == UNPLACED
    known.learn(b"line|DE01|L1", b'{"data":{"line":"L1"}}', 7)
    assert known_from(lack, known) == 7


@pytest.mark.parametrize("reason", ["data.lot is missing: x", "data.color is 'x': x", "", "data"])
@pytest.mark.parametrize("value", [started(1), b"{", b"", event("clock.tick.v1", 1)])
def test_where_it_cant_be_read_what_is_lacking_nothing_is(reason: str, value: bytes) -> None:
    assert lack_of(Record(0, None, b"DE01/L1", value), reason) is None


def exception(record: Record, code: Code = CODE) -> Outgoing:
    """Return the exception of a record, as a partition writes it."""
    data = exception_data(Rejection(code, "line is 'L1': x"), MES_EVENTS, 0, record)
    value = encode(EXCEPTION, f"{MES_EVENTS}/0/{record.offset}", None, "DE01", "L1", data)
    return Outgoing(EXCEPTIONS, exception_key(record), "", code, value)


def test_an_exception_that_hasnt_all_of_its_record_isnt_read_back() -> None:
    whole = Record(0, None, b"DE01/L1", consumed(1), [("a", None), ("b", b"c")])
    for record, there in [
        (whole, True),
        (Record(0, None, b"x" * 5000, consumed(1)), False),
        (Record(0, None, b"DE01/L1", b"x" * (7 << 20)), False),
        (Record(0, None, b"DE01/L1", b"", [("a", b"x" * (1 << 20))]), False),
    ]:
        left = exception(record)
        found = refused_of(Record(0, None, left.key, left.value), CODE)
        assert (found is not None) == there
    left = exception(whole, "invalid")
    assert refused_of(Record(0, None, left.key, left.value), CODE) is None
    for value in (b'"unknown_master"', b'{"id":"x","data":{"code":"unknown_master"}}', None):
        assert refused_of(Record(0, None, None, value), CODE) is None
