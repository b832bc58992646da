"""An exception read back: the record that was refused, as it came."""

from base64 import b64decode
from typing import Any

import msgspec
from msgspec import Struct

from streams.log.record import KEY_BYTES_MAX, Record
from streams.values import instant


class Refused(Struct, frozen=True):
    """What an `exception.raised.v1` carries; the record has no timestamp where that has no time."""

    id: str
    code: str
    reason: str
    topic: str
    partition: int
    record: Record


class ExceptionHeader(Struct):
    """A header as an exception has it."""

    name: str
    value: str | None = None
    value_base64: str | None = None

    def read(self) -> tuple[str, bytes | None]:
        """Return the header as a record has it."""
        if self.value_base64 is not None:
            return self.name, b64decode(self.value_base64)
        return self.name, None if self.value is None else self.value.encode()


class _Data(Struct):
    code: str
    reason: str
    topic: str
    partition: int
    offset: int
    value: str
    headers: list[ExceptionHeader]
    key_bytes: int | None = None
    value_bytes: int | None = None
    headers_count: int | None = None

    @property
    def whole(self) -> bool:
        """Whether all of the record is there."""
        return self.key_bytes is self.value_bytes is self.headers_count is None


class _Exception(Struct):
    id: str
    data: _Data
    time: Any = None


_read = msgspec.json.Decoder(_Exception).decode


def refused_of(exception: Record, code: str) -> Refused | None:
    """Return what an exception of this code carries; None of another one, or if a part is missing.

    Raises no error: what isn't one of lineside's exceptions is None, too.
    """
    value = exception.value or b""
    if b'"%b"' % code.encode() not in value:
        return None
    try:
        read = _read(value)
        data = read.data
        if data.code != code or not data.whole or len(exception.key or b"") > KEY_BYTES_MAX:
            return None
        time = instant.parse(read.time) if isinstance(read.time, str) else None
        headers = [header.read() for header in data.headers]
        original = Record(data.offset, time, exception.key, b64decode(data.value), headers)
    except ValueError:  # msgspec's and base64's errors are ValueErrors
        return None
    return Refused(read.id, code, data.reason, data.topic, data.partition, original)
