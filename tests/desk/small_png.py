"""A screenshot as a small PNG: at most 256 colours, which a page of text and rules hardly exceeds."""

import struct
import zlib
from collections import Counter
from itertools import chain

HEAD = b"\x89PNG\r\n\x1a\n"


COLOURS_MAX = 256


def small(png: bytes) -> bytes:
    """Return a PNG of 8 bits a channel, without transparency, with a palette in place of colours.

    The palette has the most frequent colours; of the rest, each becomes the one that is nearest.
    """
    wide, high, rows = _pixels(png)
    pixels = [[row[at : at + 3] for at in range(0, 3 * wide, 3)] for row in rows]
    counts = Counter(chain.from_iterable(pixels))
    palette = [colour for colour, _ in counts.most_common(COLOURS_MAX)]
    number = {colour: at for at, colour in enumerate(palette)}
    for colour in counts.keys() - number.keys():
        number[colour] = min(range(len(palette)), key=lambda at: _distance(palette[at], colour))
    lines = (b"\0" + bytes(number[colour] for colour in row) for row in pixels)
    head = struct.pack(">IIBBBBB", wide, high, 8, 3, 0, 0, 0)
    parts = (
        (b"IHDR", head),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(b"".join(lines), 9)),
        (b"IEND", b""),
    )
    return HEAD + b"".join(_chunk(kind, data) for kind, data in parts)


def _distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pixels(png: bytes) -> tuple[int, int, list[bytes]]:
    """Return width, height, and the rows as red, green, blue."""
    at, packed, wide, high = len(HEAD), b"", 0, 0
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        data = png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            wide, high, depth, colour = struct.unpack(">IIBB", data[:10])
            assert (depth, colour) == (8, 2), "a screenshot has 8 bits of red, green and blue"
        packed += data if kind == b"IDAT" else b""
        at += 12 + length
    raw, size = zlib.decompress(packed), 3 * wide
    rows, above = [], bytes(size)
    for start in range(0, len(raw), size + 1):
        above = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + size]), above)
        rows.append(above)
    return wide, high, rows


def _unfiltered(kind: int, row: bytearray, above: bytes) -> bytes:
    """Undo a row's filter, as the PNG specification tells it."""
    for at, value in enumerate(row):
        left = row[at - 3] if at >= 3 else 0
        up, corner = above[at], above[at - 3] if at >= 3 else 0
        if kind == 1:
            row[at] = (value + left) & 0xFF
        elif kind == 2:
            row[at] = (value + up) & 0xFF
        elif kind == 3:
            row[at] = (value + (left + up) // 2) & 0xFF
        elif kind == 4:
            near = left + up - corner
            distances = abs(near - left), abs(near - up), abs(near - corner)
            row[at] = (value + (left, up, corner)[distances.index(min(distances))]) & 0xFF
    return bytes(row)
