"""Why an event was refused, and the exception record that says so."""

from base64 import b64encode
from typing import Any, Final

from msgspec import Struct

from streams.contract.checks import CLASSES, Code
from streams.log.record import (
    HEADERS_BYTES_MAX,
    KEY_BYTES_MAX,
    ORIGINAL_BYTES_MAX,
    CutValue,
    Record,
)

HEADERS_JSON_BYTES_MAX: Final = 7 << 20
"""So much a record's headers may take in JSON: those without name and value are many, and nothing
else."""

ESCAPED_BYTES_MAX: Final = 6
"""A byte takes so many in JSON at most: of a control character."""

HEADER_BYTES_MAX: Final = 32
"""Of a header in JSON, beside its name and value: it may have neither."""

HEADER_BYTES_MIN: Final = 2
"""Of a header in a RecordBatch, beside its name and value: their lengths."""

SHOWN_CHARACTERS_MAX: Final = 80
"""A value is quoted in a reason up to this length; the exception carries the whole record."""


class Rejection(Struct, frozen=True, gc=False):
    """An event that is refused: `reason` is a sentence naming the member and the value.

    `plant` and `line` are there where they could be read.
    """

    code: Code
    reason: str
    plant: str | None = None
    line: str | None = None


def shown(value: object) -> str:
    """Return `value` as a reason quotes it: short, on one line."""
    try:
        text = str.__repr__(value) if isinstance(value, str) else repr(value)
    except ValueError:  # CPython refuses to write integers of thousands of digits
        return "an integer of thousands of digits"
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 3] + "..."


def exception_data(
    rejection: Rejection, topic: str, partition: int, record: Record
) -> dict[str, Any]:
    """Return the `data` of the `exception.raised.v1` for a refused record, its bytes included.

    Of a record beyond all measure (it was compressed, or its topic takes such) the beginning is
    there, and how much it was: an exception has to fit its topic, or it would stop the partition.
    """
    value, key = record.value or b"", record.key
    value_bytes = value.value_bytes if isinstance(value, CutValue) else len(value)
    headers = _headers(record)
    data = {
        "class": CLASSES[rejection.code],
        "code": rejection.code,
        "reason": rejection.reason,
        "topic": topic,
        "partition": partition,
        "offset": record.offset,
        "key": None if key is None else _text(key[:KEY_BYTES_MAX]),
        "value": b64encode(value[:ORIGINAL_BYTES_MAX]).decode(),
        "headers": headers,
    }
    if key is not None and len(key) > KEY_BYTES_MAX:
        data["key_bytes"] = len(key)
    if value_bytes > ORIGINAL_BYTES_MAX:
        data["value_bytes"] = value_bytes
    if len(headers) < len(record.headers):
        data["headers_count"] = len(record.headers)
    return data


def exception_key(record: Record) -> bytes | None:
    """Return the Kafka key of the exception for a refused record: the record's own, cut as told."""
    return None if record.key is None else record.key[:KEY_BYTES_MAX]


def _headers(record: Record) -> list[dict[str, str | None]]:
    """Return the headers, the first ones of very many."""
    shown_headers: list[dict[str, str | None]] = []
    size = 0
    for name, value in record.headers:
        size += HEADER_BYTES_MIN + len(name) + len(value or b"")
        in_json = HEADER_BYTES_MAX * (len(shown_headers) + 1) + ESCAPED_BYTES_MAX * size
        if size > HEADERS_BYTES_MAX or in_json > HEADERS_JSON_BYTES_MAX:
            break
        shown_headers.append(_header(name, value))
    return shown_headers


def _header(name: str, value: bytes | None) -> dict[str, str | None]:
    if value is None:
        return {"name": name, "value": None}
    try:
        return {"name": name, "value": value.decode()}
    except UnicodeDecodeError:
        return {"name": name, "value_base64": b64encode(value).decode()}


def _text(key: bytes) -> str:
    return key.decode("utf-8", "backslashreplace")
