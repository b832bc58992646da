"""Bounded caches of what repeats: dates, times, quantities."""

from typing import Final, TypeVar

CACHE_ENTRIES_MAX: Final = 65_536
"""Past this many distinct entries a cache starts anew."""

Key = TypeVar("Key")
Value = TypeVar("Value")


def keep(cache: dict[Key, Value], key: Key, value: Value) -> Value:
    """Put an entry into a cache, and return its value."""
    if len(cache) >= CACHE_ENTRIES_MAX:
        cache.clear()
    cache[key] = value
    return value
