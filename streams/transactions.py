"""What leaves: posting keys, and the CloudEvent around every outgoing record."""

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from streams import instant

SOURCE: Final = "/lineside"
"""The `source` of everything that lineside says."""

CAUSES_MAX: Final = 20
"""A record names its first so many causes; `cause_count` counts them all."""

NOTIFICATION: Final = "erp.maintenance_notification.v1"
REVERSAL: Final = "erp.reversal.v1"
EXCEPTION: Final = "exception.raised.v1"


class CloudEvent(msgspec.Struct, frozen=True, gc=False):
    """A CloudEvent 1.0 in JSON; an attribute that is UNSET is left out."""

    specversion: Literal["1.0"]
    type: str
    source: str
    id: str
    time: str | UnsetType
    plant: str | UnsetType
    line: str | UnsetType
    data: dict[str, Any]


_encode = msgspec.json.Encoder().encode


def encode(
    kind: str, id: str, time: str | None, plant: str | None, line: str | None, data: dict[str, Any]
) -> bytes:
    """Return the bytes of an outgoing record; `time` is RFC 3339 in UTC."""
    return _encode(
        CloudEvent("1.0", kind, SOURCE, id, time or UNSET, plant or UNSET, line or UNSET, data)
    )


def escape(component: str) -> str:
    """Return a component of a posting key with `%`, `|` and `:` percent-encoded."""
    if "%" in component or "|" in component or ":" in component:
        return component.replace("%", "%25").replace("|", "%7C").replace(":", "%3A")
    return component


def place(plant: str, line: str) -> str:
    """Return `plant/line` as posting keys spell it."""
    return f"{escape(plant)}/{escape(line)}"


def row_text(row: Iterable[str | bool | None]) -> str:
    """Return the members of a row as posting keys spell them; an absent one is empty."""
    return "|".join(map(_component, row))


def _component(member: str | bool | None) -> str:
    if member is None:
        return ""
    if isinstance(member, bool):
        return "true" if member else "false"
    return escape(member)


def at_once_key(short: str, where: str, source: str, id: str) -> str:
    """Return the posting key of a record that one event causes; `where` is a `place`."""
    return f"{short}:{where}:{escape(source)}|{escape(id)}"


def windowed_key(short: str, where: str, start: int, row: str, revision: int) -> str:
    """Return the posting key of a row of a window that starts at `start` (microseconds)."""
    return f"{short}:{where}:{start // instant.SECOND}:{row}:{revision}"


def notification_key(where: str, episode: str) -> str:
    """Return the posting key of a maintenance notification."""
    return f"mn:{where}:{escape(episode)}"


def reversal_key(reversed_key: str) -> str:
    """Return the posting key of what takes back the record with `reversed_key`."""
    return f"rv:{reversed_key}"


def common(causes: list[str], cause_count: int, posting_date: str) -> dict[str, Any]:
    """Return the members that every record for the ERP has."""
    return {"causes": causes, "cause_count": cause_count, "posting_date": posting_date}
