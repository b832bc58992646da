"""The headers of an event that lineside sends again: which exception it was, and why it goes now.

They are Kafka headers and no attributes of the event, whose bytes stay as its producer sent them.
"""

from collections.abc import Sequence
from typing import Final

Header = tuple[str, bytes | None]

RESENT_FROM: Final = "lineside_resent_from"
"""The `id` of the exception that had the event."""

RESENT_FOR: Final = "lineside_resent_for"
"""The offset in `reference.v1` of the record that it had lacked."""

NEVER: Final = -1
"""Less than any offset: an event that wasn't sent again for any record."""

_OWN: Final = (RESENT_FROM, RESENT_FOR)

_DIGITS_MAX: Final = 19


def with_lineage(headers: Sequence[Header], exception: str, offset: int) -> list[Header]:
    """Return an event's headers as it is sent again: what they said of lineage is replaced."""
    kept = [header for header in headers if header[0] not in _OWN]
    return [*kept, (RESENT_FROM, exception.encode()), (RESENT_FOR, b"%d" % offset)]


def resent_for(headers: Sequence[Header]) -> int:
    """Return for which record an event was sent again, `NEVER` if it wasn't."""
    said = dict(headers).get(RESENT_FOR)
    if said is None or not said.isdigit() or len(said) > _DIGITS_MAX:
        return NEVER
    return int(said)
