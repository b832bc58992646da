"""What an audit tells: which member differs, and which difference is the first."""

import json

import pytest

from agents.audit import findings
from agents.audit.content import STRUCTURED, Mismatch, first_mismatch, header_mismatch
from agents.audit.findings import LAWS, Differences, Place
from streams.contract.topics import ERP_TRANSACTIONS, EXCEPTIONS, MES_EVENTS

RECORD = {
    "id": "gi:1",
    "data": {"quantity": "12.5", "revision": 1, "causes": ["a", "b"], "final": True},
}


def changed(path: str, value: object) -> bytes:
    """Return the record with one member changed."""
    record = json.loads(json.dumps(RECORD))
    *above, last = path.split(".")
    inside = record
    for name in above:
        inside = inside[name]
    inside[last] = value
    return json.dumps(record).encode()


@pytest.mark.parametrize(
    ("path", "value", "member", "expected", "found"),
    [
        ("id", "gi:2", "id", "gi:1", "gi:2"),
        ("data.quantity", "12.50", "data.quantity", "12.5", "12.50"),
        ("data.quantity", 12.5, "data.quantity", "12.5", 12.5),
        ("data.revision", True, "data.revision", 1, True),
        ("data.revision", 1.0, "data.revision", 1, 1.0),
        ("data.causes", ["a", "c"], "data.causes[1]", "b", "c"),
        ("data.causes", ["a"], "data.causes", ["a", "b"], ["a"]),
        ("data.final", None, "data.final", True, "null"),
        ("data.more", 1, "data.more", None, 1),
        ("data.more", None, "data.more", None, "null"),
    ],
)
def test_the_member_that_differs_is_named_with_its_values(
    path: str, value: object, member: str, expected: object, found: object
) -> None:
    different = first_mismatch(json.dumps(RECORD).encode(), changed(path, value))
    assert different == Mismatch(member, expected, found)


def test_the_order_of_members_and_spaces_are_no_content() -> None:
    turned = dict(reversed(RECORD.items()))
    assert (
        first_mismatch(json.dumps(RECORD).encode(), json.dumps(turned, indent=1).encode()) is None
    )


@pytest.mark.parametrize(
    ("was", "is_", "member", "found"),
    [
        ('"quantity": "12.5"', '"quantity": "999999", "quantity": "12.5"', "data.quantity",
         ["999999", "12.5"]),
        ('"quantity": "12.5"', '"quantity": "12.5", "quantity": "12.5"', "data.quantity",
         ["12.5", "12.5"]),
        ('"quantity": "12.5"', '"quantity": "12.5", "\\u0071uantity": "1"', "data.quantity",
         ["12.5", "1"]),
        ('"id"', '"id": "gi:9", "id"', "id", ["gi:9", "gi:1"]),
        ('"data"', '"data": {}, "data"', "data", [{}, RECORD["data"]]),
        ('"id"', '"more": {"a": 1, "a": 2}, "id"', "more.a", [1, 2]),
        ('"id"', '"more": [{"a": 1, "a": 2}], "id"', "more[0].a", [1, 2]),
    ],
)  # fmt: skip
def test_a_member_that_is_there_twice_is_a_difference_whichever_value_comes_last(
    was: str, is_: str, member: str, found: object
) -> None:
    value = json.dumps(RECORD)
    assert was in value
    different = first_mismatch(value.encode(), value.replace(was, is_, 1).encode())
    assert different is not None
    assert (different.member, different.found, different.twice) == (member, found, True)
    assert f"{member} is there 2 times" in str(different)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_value_in_another_encoding_is_another_one(encoding: str) -> None:
    value = json.dumps(RECORD)
    assert first_mismatch(value.encode(), value.encode(encoding)) is not None


TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("headers", "member"),
    [
        ([], None),
        ([STRUCTURED], None),
        ([("traceparent", TRACE)], None),
        ([("traceparent", TRACE), STRUCTURED], None),
        ([("ce_type", b"erp.reversal.v1")], "header ce_type"),
        ([STRUCTURED, ("ce_specversion", b"1.0")], "header ce_specversion"),
        ([("content-type", b"application/json")], "header content-type"),
        ([("content-type", None)], "header content-type"),
        ([("Content-Type", STRUCTURED[1])], "header Content-Type"),
        ([STRUCTURED, STRUCTURED], "header content-type"),
        ([("traceparent", TRACE[:-1] + b"0")], "header traceparent"),
        ([("", None)], "header "),
    ],
)
def test_only_the_headers_that_lineside_writes_are_none_too_many(
    headers: list[tuple[str, bytes | None]], member: str | None
) -> None:
    different = header_mismatch(TRACE, headers)
    assert (different.member if different else None) == member


def test_a_trace_that_the_input_doesnt_give_is_a_header_too_many() -> None:
    assert header_mismatch(None, [("traceparent", TRACE)]) is not None


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_differs_as_a_whole(value: bytes) -> None:
    different = first_mismatch(b"{}", value)
    assert different is not None
    assert (different.member, different.expected) == ("value", "{}")


def test_the_first_difference_is_that_of_the_first_topic_partition_and_offset() -> None:
    found = Differences()
    assert found.first() is None
    total = findings.totals("erp.goods_issue.v1", "quantity", "1", "2")
    late = findings.repeated(Place(EXCEPTIONS, 0, 1), "x")
    end = findings.missing(Place(ERP_TRANSACTIONS, 1), "c", None)
    seventh = findings.missing(Place(ERP_TRANSACTIONS, 1, 7), "b", "c")
    third = findings.missing(Place(ERP_TRANSACTIONS, 1, 3), "a", "b")
    counts = findings.miscounted(Place(MES_EVENTS, 3, 9), "tick", 1, 2, "")
    for note, first in [
        (total, total), (late, late), (end, end), (seventh, seventh), (third, third),
        (seventh, third), (counts, counts), (third, counts),
    ]:  # fmt: skip
        found.note(note)
        assert found.first() == first
    assert found.of("no loss") == 6
    assert found.first_of("no loss") == counts
    assert found.first_of("determinism") == late
    assert found.first_of("order") is None


def test_every_kind_of_difference_refutes_a_law() -> None:
    assert set(findings.LAW_OF.values()) == set(LAWS)
