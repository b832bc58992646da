"""EDGE: what is read of the books for very many lines, and read again only when it may be another.

Nothing of few lines is remembered: that is read faster than it is worth.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Final, TypeVar

LINES_MIN: Final = 200
"""Of fewer lines all is read each time: some 20 ms."""

ENTRIES_MAX: Final = 32
"""What is remembered: for 2,000 lines an entry has some MB. The one used longest ago goes."""

T = TypeVar("T")

_entries: OrderedDict[Hashable, Any] = OrderedDict()
_lock = Lock()


def remembered(key: Hashable, make: Callable[[], T]) -> T:
    """Return what was made under a key, else make it; of two that ask at once both may make it."""
    with _lock:
        if key in _entries:
            _entries.move_to_end(key)
            found: T = _entries[key]
            return found
    made = make()
    with _lock:
        _entries[key] = made
        while len(_entries) > ENTRIES_MAX:
            _entries.popitem(last=False)
    return made
