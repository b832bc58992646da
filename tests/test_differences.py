"""What an audit tells: which member differs, and which difference is the first."""

import json

import pytest

from agents.worker import differences as tell
from agents.worker.differences import LAWS, Differences, Place, unlike
from streams.topics import ERP_TRANSACTIONS, EXCEPTIONS, MES_EVENTS

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
        ("data.causes", ["a", "c"], "data.causes[1]", "b", "c"),
        ("data.causes", ["a"], "data.causes", ["a", "b"], ["a"]),
        ("data.final", None, "data.final", True, None),
        ("data.more", 1, "data.more", None, 1),
    ],
)
def test_the_member_that_differs_is_named_with_its_values(
    path: str, value: object, member: str, expected: object, found: object
) -> None:
    assert unlike(json.dumps(RECORD).encode(), changed(path, value)) == (member, expected, found)


def test_the_order_of_members_and_spaces_are_no_content() -> None:
    turned = dict(reversed(RECORD.items()))
    assert unlike(json.dumps(RECORD).encode(), json.dumps(turned, indent=1).encode()) is None


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_differs_as_a_whole(value: bytes) -> None:
    different = unlike(b"{}", value)
    assert different is not None
    assert (different.member, different.expected) == ("value", "{}")


def test_the_first_difference_is_that_of_the_first_topic_partition_and_offset() -> None:
    found = Differences()
    assert found.first() is None
    total = tell.totals("erp.goods_issue.v1", "quantity", "1", "2")
    late = tell.repeated(Place(EXCEPTIONS, 0, 1), "x")
    end = tell.missing(Place(ERP_TRANSACTIONS, 1), "c", None)
    seventh = tell.missing(Place(ERP_TRANSACTIONS, 1, 7), "b", "c")
    third = tell.missing(Place(ERP_TRANSACTIONS, 1, 3), "a", "b")
    counts = tell.miscounted(Place(MES_EVENTS, 3, 9), "tick", 1, 2, "")
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
    assert set(tell.LAW_OF.values()) == set(LAWS)
