"""Exceptions: they carry the record, and fit their topic whatever it was."""

import json
from base64 import b64decode

import pytest

from streams.contract.rejection import Rejection, exception_data
from streams.contract.topics import CATALOGUE, EXCEPTIONS, MES_EVENTS
from streams.kafka.cluster import BATCH_BYTES_MAX
from streams.log.record import KEY_BYTES_MAX, ORIGINAL_BYTES_MAX, Record
from tables.line.rules import rules_for
from tables.partition.partition import Partition
from tables.store.store import MemoryStore

MALFORMED = Rejection("malformed", "it's no JSON")


def test_an_exception_carries_the_whole_record() -> None:
    value = bytes(range(256)) * 1_000
    headers = [("a", b"text"), ("b", b"\xff"), ("c", None)]
    data = exception_data(MALFORMED, MES_EVENTS, 3, Record(7, None, b"k\xff", value, headers))
    assert b64decode(data["value"]) == value
    assert "value_bytes" not in data
    assert data["key"] == "k\\xff"
    assert data["headers"] == [
        {"name": "a", "value": "text"},
        {"name": "b", "value_base64": "/w=="},
        {"name": "c", "value": None},
    ]


NAMELESS: list[tuple[str, bytes | None]] = [("", None)] * 1_000_000
"""Two bytes each on the wire, and next to nothing once they are compressed."""


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        (None, [("\0" * 10, b"\x01" * 1_000)] * 2_000),
        (None, [("\0", None)] * 1_000_000),
        (None, [("\U0001f3ed" * 1_000, b"\xff" * 1_000)] * 1_000),
        (None, NAMELESS),
        (b"\0" * (4 << 20), []),
        (b"\xff" * (4 << 20), NAMELESS),
    ],
    ids=["text", "one byte", "emoji", "nameless", "key", "key and nameless"],
)
def test_the_exception_for_a_record_beyond_measure_fits_its_topic_and_a_batch(
    key: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    (topic,) = [topic for topic in CATALOGUE if topic.name == EXCEPTIONS]
    room = min(int(topic.config["max.message.bytes"]), BATCH_BYTES_MAX)
    value = b"\0" * (ORIGINAL_BYTES_MAX * 5)
    record = Record(7, None, key, value, headers)
    task = Partition(MES_EVENTS, 3, rules_for(MES_EVENTS), MemoryStore())
    (left,) = task.step([record]).outputs
    assert len(left.key or b"") + len(left.value) < room - 10_000
    data = json.loads(left.value)["data"]
    assert data["value_bytes"] == len(value)
    assert len(b64decode(data["value"])) == ORIGINAL_BYTES_MAX
    assert value.startswith(b64decode(data["value"]))
    assert len(data["headers"]) < len(headers) or not headers
    assert data.get("headers_count", 0) == len(headers)
    assert left.key == (None if key is None else key[:KEY_BYTES_MAX])
    assert data.get("key_bytes") == (None if key is None else len(key))


def test_of_a_record_in_measure_nothing_is_cut() -> None:
    headers = [("n" * 100, b"v" * 900)] * 500
    record = Record(7, None, b"k" * KEY_BYTES_MAX, b"{", headers)
    data = exception_data(MALFORMED, MES_EVENTS, 3, record)
    assert data["key"] == "k" * KEY_BYTES_MAX
    assert len(data["headers"]) == 500
    assert {"key_bytes", "value_bytes", "headers_count"}.isdisjoint(data)
