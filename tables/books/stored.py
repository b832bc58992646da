"""What lies in the books as bytes: compressed events, and what is read of them."""

import zlib
from functools import lru_cache
from typing import Any, Final

import msgspec

from streams.codec.decode import decode
from streams.contract.events import AnyEvent, Tick
from streams.contract.reference import Reference
from streams.contract.rejection import Rejection

OPENED_BYTES_MAX: Final = 32 << 20
"""Of one value: an exception has at most 6 MiB of its original, and 7 MiB of its headers."""

_read_document = msgspec.json.Decoder(float_hook=str).decode


def opened(stored: bytes | None) -> bytes:
    """Return what was stored compressed; nothing for None. Raises `zlib.error`."""
    return zlib.decompressobj().decompress(stored, OPENED_BYTES_MAX) if stored else b""


def document(stored: bytes | None) -> dict[str, Any]:
    """Return a stored JSON object, decimals as text; an empty one if it can't be read."""
    try:
        found = _read_document(opened(stored))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, zlib.error):
        return {}
    return found if isinstance(found, dict) else {}


def data_of(stored: bytes | None) -> dict[str, Any]:
    """Return the `data` of a stored CloudEvent, an empty one if it has none."""
    found = document(stored).get("data")
    return found if isinstance(found, dict) else {}


def event_of(stored: bytes | None) -> AnyEvent | None:
    """Return a stored event as the job reads it, None if it is none."""
    return None if not stored else read_event(opened(stored))


@lru_cache(maxsize=1_024)
def read_event(value: bytes) -> AnyEvent | None:
    """Return the event in bytes as the job reads it, None if it is none.

    The last ones are kept: a page asks several times for the same.
    """
    found = decode(value, (), None)
    if isinstance(found, Rejection | Tick | Reference):
        return None
    return found
