"""The schemas of master data say what can be read, and nothing that can't."""

import json
from typing import Any

import pytest
from jsonschema import Draft7Validator

from masters import ODD, SAID, master, reference
from streams.codec.decode import decode
from streams.codec.master import TYPES_READ, read_master
from streams.contract.asyncapi import document
from streams.contract.reference import KINDS, Reference
from streams.contract.rejection import Rejection
from streams.contract.topics import MES_EVENTS

MESSAGES = document("1")["components"]["messages"]


def read(record: dict[str, Any]) -> Any:
    return decode(json.dumps(record).encode(), (), MES_EVENTS)


def is_told(name: str, record: dict[str, Any]) -> bool:
    return bool(Draft7Validator(MESSAGES[name]["payload"]).is_valid(record))


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_of_each_kind_is_as_told_and_one_without_data_isnt(kind: str) -> None:
    record = {"specversion": "1.0", **reference(kind)}
    name = f"reference.{kind}.v1"
    assert is_told(name, record)
    assert is_told(name, record | {"seq": 7})
    assert not is_told(name, record | {"source": "/mes"})
    ids = {member: SAID[kind][member] for member in KINDS[kind].ID}
    deletable = not KINDS[kind].LASTS
    assert is_told(name, record | {"data": ids | {"deleted": True}}) == deletable
    empty = isinstance(read(record | {"data": {}}), Reference)
    assert empty == (kind in ("plant", "timing"))
    assert is_told(name, record | {"data": {}}) == empty


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_schema_refuses_cant_be_read(kind: str) -> None:
    name, refused = f"reference.{kind}.v1", 0
    for member in SAID[kind]:
        for odd in ODD:
            record = {"specversion": "1.0", **reference(kind)}
            record["data"][member] = odd
            if not is_told(name, record) and odd != 1e3:
                assert isinstance(read(record), Rejection), (member, odd)
                refused += 1
    assert refused > 20


@pytest.mark.parametrize("kind", TYPES_READ.values())
def test_what_a_source_says_is_as_told(kind: str) -> None:
    said = SAID.get(kind, {"id": "x", "more": 1})
    for data in (said, {**said, "unknown": [None]}):
        value = master(kind, **data)
        assert not isinstance(read_master(value, ()), Rejection)
    record = {
        "specversion": "1.0", "type": f"reference.{kind}.v1", "source": "/erp", "id": "1",
        "plant": "P", "data": said,
    }  # fmt: skip
    assert is_told(f"master.{kind}.v1", record)
    assert is_told(f"master.{kind}.v1", record | {"data": {}}) == (kind in ("plant", "timing"))
    decoded = decode(master("item", item="I"), (), MES_EVENTS)
    assert isinstance(decoded, Rejection)  # a source's record doesn't belong there
