"""Bytes that grow: how what leaves, and what a store keeps, is spelt into them.

Compiled code has the same names in `writer.pxd`.
"""

from typing import Literal

import msgspec

from streams.values import instant, quantity

_json = msgspec.json.Encoder().encode
_packed = msgspec.msgpack.Encoder().encode


class Writer:
    """Bytes that grow, and are taken as a whole."""

    def __init__(self) -> None:
        self.data = bytearray()


def put(to: Writer, data: bytes) -> None:
    """Append bytes."""
    to.data += data


def begin(to: Writer) -> None:
    """Begin anew, whatever an error may have left."""
    to.data.clear()


def put_number(to: Writer, number: int) -> None:
    """Append an integer of 64 bits in decimal digits."""
    to.data += b"%d" % number


def put_measure(to: Writer, billionths: int) -> None:
    """Append a measure as `streams.values.quantity.text` spells it."""
    to.data += quantity.text(billionths).encode()


def put_instant(to: Writer, micros: int) -> None:
    """Append an instant as `streams.values.instant.text` spells it."""
    to.data += instant.text(micros).encode()


def put_big(to: Writer, number: int) -> None:
    """Append an integer of 64 bits as 8 bytes that sort as integers do."""
    to.data += (number + 2**63).to_bytes(8, "big")


def big_at(data: bytes) -> int:
    """Return the integer whose 8 bytes some data begins with."""
    return int.from_bytes(data[:8], "big") - 2**63


def holds(data: bytes, begin: int, part: bytes) -> bool:
    """Return whether a part lies in some data at this place."""
    return data[begin : begin + len(part)] == part


def put_escaped(to: Writer, text: str) -> None:
    """Append a component of a posting key: `%`, `|` and `:` percent-encoded."""
    escaped = text.replace("%", "%25").replace("|", "%7C").replace(":", "%3A")
    to.data += escaped.encode()


def put_bare(to: Writer, text: str) -> None:
    """Append a string as UTF-8, as it is."""
    put(to, text.encode())


def put_text(to: Writer, text: str) -> None:
    """Append a string as JSON has it, quotes included."""
    to.data += _json(text)


def taken(to: Writer) -> bytes:
    """Return what has been written, and begin anew."""
    data = bytes(to.data)
    to.data.clear()
    return data


def taken_text(to: Writer) -> str:
    """Return what has been written as a string, and begin anew."""
    return taken(to).decode()


def pack_list(to: Writer, size: int) -> None:
    """Append the head of a list of `size` elements, in MessagePack as all that is packed."""
    to.data += _head(size, 0x90, 0xDC)


def pack_map(to: Writer, size: int) -> None:
    """Append the head of a map of `size` entries."""
    to.data += _head(size, 0x80, 0xDE)


def pack_number(to: Writer, number: int) -> None:
    """Append an integer of 64 bits, as short as can be."""
    to.data += _packed(number)


def pack_wide(to: Writer, number: int) -> None:
    """Append a sum, as short as can be; raises `OverflowError` past 64 bits."""
    to.data += _packed(number)


def pack_text(to: Writer, text: str) -> None:
    """Append a string of up to 65,535 bytes."""
    to.data += _packed(text)


def pack_constant(to: Writer, value: Literal[True, False, None]) -> None:
    """Append true, false, or nil for None."""
    to.data += _packed(value)


def _head(size: int, short: int, long: int) -> bytes:
    if size < 16:
        return bytes([short | size])
    if size < 65_536:
        return bytes([long]) + size.to_bytes(2, "big")
    return bytes([long + 1]) + size.to_bytes(4, "big")
