"""The headers of an event that is sent again: which record it was, and why it goes now.

They are Kafka headers and no attributes of the event, whose bytes stay as its producer sent them.
"""

from collections.abc import Sequence
from typing import Final

Header = tuple[str, bytes | None]

RESENT_FROM: Final = "lineside_resent_from"
"""The `id` of the exception that had the event: the topic, partition and offset of the record."""

RESENT_FOR: Final = "lineside_resent_for"
"""The offset in `reference.v1` of the record that it had lacked."""

RESENT_BY: Final = "lineside_act"
"""The `id` of the act in `audit.v1` by which somebody sent it again."""

NEVER: Final = -1
"""Less than any offset: an event that wasn't sent again for any record."""

_OWN: Final = (RESENT_FROM, RESENT_FOR, RESENT_BY)

_DIGITS_MAX: Final = 19


def with_lineage(headers: Sequence[Header], exception: str, offset: int) -> list[Header]:
    """Return an event's headers as it is sent again: what they said of lineage is replaced."""
    kept = [header for header in headers if header[0] not in _OWN]
    return [*kept, (RESENT_FROM, exception.encode()), (RESENT_FOR, b"%d" % offset)]


def with_act(headers: Sequence[Header], record: str, act: str | None) -> list[Header]:
    """Return an event's headers as somebody sends it again; None: by no act of the desk."""
    kept = [header for header in headers if header[0] not in _OWN]
    by = [] if act is None else [(RESENT_BY, act.encode())]
    return [*kept, (RESENT_FROM, record.encode()), *by]


def resent_by(headers: Sequence[Header]) -> str | None:
    """Return the `id` of the act by which somebody sent an event again, None if nobody did."""
    return _said(headers, RESENT_BY)


def resent_from(headers: Sequence[Header]) -> str | None:
    """Return which record was sent again, None if it's no event that was."""
    return _said(headers, RESENT_FROM)


def _said(headers: Sequence[Header], name: str) -> str | None:
    value = dict(headers).get(name)
    return None if value is None else value.decode("utf-8", "replace")


def resent_for(headers: Sequence[Header]) -> int:
    """Return for which record an event was sent again, `NEVER` if it wasn't."""
    said = dict(headers).get(RESENT_FOR)
    if said is None or not said.isdigit() or len(said) > _DIGITS_MAX:
        return NEVER
    return int(said)
