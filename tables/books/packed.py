"""Values as the books keep them: compressed by zlib, with tables as small as values are."""

import zlib
from typing import Final

LEVEL: Final = 6
WINDOW_BITS: Final = 10
MEMORY: Final = 2
"""Most values have less than a KiB. With zlib's own sizes (32 KiB of window, 256 KiB of tables) one
takes three times as long, most of it for making the tables."""

_new, _METHOD = zlib.compressobj, zlib.DEFLATED


def pack(value: bytes) -> bytes:
    """Return a value compressed."""
    packer = _new(LEVEL, _METHOD, WINDOW_BITS, MEMORY)
    return packer.compress(value) + packer.flush()


def unpack(packed: bytes) -> bytes:
    """Return the value that was packed."""
    return zlib.decompress(packed)
