"""Exceptions: they carry the record, and fit their topic whatever it was."""

import json
from base64 import b64decode

from streams.record import Record
from streams.rejection import HEADERS_BYTES_MAX, ORIGINAL_BYTES_MAX, Rejection, exception_data
from streams.topics import CATALOGUE, EXCEPTIONS, MES_EVENTS

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


def test_the_exception_for_a_record_beyond_measure_fits_its_topic() -> None:
    (topic,) = [topic for topic in CATALOGUE if topic.name == EXCEPTIONS]
    room = int(topic.config["max.message.bytes"])
    value = b"\0" * (ORIGINAL_BYTES_MAX * 5)
    headers = [("\0" * 10, b"\x01" * 1_000)] * (2 * HEADERS_BYTES_MAX // 1_000)
    data = exception_data(MALFORMED, MES_EVENTS, 3, Record(7, None, None, value, headers))
    assert data["value_bytes"] == len(value)
    assert value.startswith(b64decode(data["value"]))
    assert len(b64decode(data["value"])) == ORIGINAL_BYTES_MAX
    assert 0 < len(data["headers"]) < len(headers)
    assert len(json.dumps(data)) < room - 10_000
