"""XXH3 of what a writer holds: compiled code calls its library itself (`hashing.pyx`)."""

from xxhash import xxh3_128_digest

from streams.values import writer


def digest_written(to: writer.Writer) -> bytes:
    """Return 16 bytes: the XXH3 of what has been written, which is then gone."""
    return xxh3_128_digest(writer.taken(to))


def digest_of(data: bytes) -> bytes:
    """Return 16 bytes: the XXH3 of some bytes."""
    return xxh3_128_digest(data)
