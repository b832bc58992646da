"""What leaves: posting keys, and the CloudEvent around every outgoing record."""

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from streams.values import instant

SOURCE: Final = "/lineside"
"""The `source` of everything that lineside says."""

CAUSES_MAX: Final = 20
"""A record names its first so many causes; `cause_count` counts them all."""

COMMON: Final = ("causes", "cause_count", "document_date", "posting_date")
"""The members that every record for the ERP has."""

OF_WINDOW: Final = ("window_start", "window_end", "revision")
"""The members that every record of a window has."""

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
    data: Any


_encode = msgspec.json.Encoder().encode


def encode(
    kind: str, id: str, time: str | None, plant: str | None, line: str | None, data: Any
) -> bytes:
    """Return the bytes of an outgoing record; `time` in RFC 3339, `data` a dict or struct."""
    return _encode(
        CloudEvent("1.0", kind, SOURCE, id, time or UNSET, plant or UNSET, line or UNSET, data)
    )


def head_of(kind: str) -> bytes:
    """Return what `encode` writes of a record before its id: for code that writes it itself."""
    return f'{{"specversion":"1.0","type":"{kind}","source":"{SOURCE}","id":'.encode()


def data_struct(name: str, *members: str) -> type[msgspec.Struct]:
    """Return a struct for the `data` of a record; a member that is None isn't written."""
    return msgspec.defstruct(
        name, [(member, Any, None) for member in members], omit_defaults=True, gc=False
    )


def at_once_data(name: str, members: Iterable[str]) -> type[msgspec.Struct]:
    """Return the struct for a record that one event causes: its members, and the common ones."""
    return data_struct(name, *members, "event", *COMMON)


def windowed_data(
    name: str, row: Iterable[str], measures: Iterable[str], erp: bool
) -> type[msgspec.Struct]:
    """Return the struct for a row of a window: the row, its measures, which window, and why."""
    about = COMMON if erp else ("count",)
    return data_struct(name, *row, *measures, *OF_WINDOW, *about)


def escape(component: str) -> str:
    """Return a component of a posting key with `%`, `|` and `:` percent-encoded."""
    if "%" in component or "|" in component or ":" in component:
        return component.replace("%", "%25").replace("|", "%7C").replace(":", "%3A")
    return component


def place(plant: str, line: str) -> str:
    """Return `plant/line` as posting keys spell it."""
    return f"{escape(plant)}/{escape(line)}"


def row_text(row: tuple[str | bool | None, ...]) -> str:
    """Return the members of a row as posting keys spell them; an absent one is empty."""
    try:
        text = "|".join([member or "" for member in row])  # type: ignore[misc]  # tried
    except TypeError:
        return row_text_plain(row)
    if "%" in text or ":" in text or text.count("|") >= len(row) or False in row:
        return row_text_plain(row)
    return text


def row_text_plain(row: tuple[str | bool | None, ...]) -> str:
    """Return what `row_text` returns, member by member: its oracle."""
    return "|".join(map(_component, row))


def _component(member: str | bool | None) -> str:
    if member is None:
        return ""
    if isinstance(member, bool):
        return "true" if member else "false"
    return escape(member)


def at_once_key(short: str, where: str, source: str, id: str) -> str:
    """Return the posting key of a record that one event causes; `where` is a `place`."""
    return f"{short}:{where}:{row_text((source, id))}"


def windowed_key(short: str, where: str, start: int, row: str, revision: int) -> str:
    """Return the posting key of a row of a window that starts at `start` (microseconds)."""
    return f"{short}:{where}:{start // instant.SECOND}:{row}:{revision}"


def notification_key(where: str, episode: str, start: int | None) -> str:
    """Return the posting key of a maintenance notification of an episode that began at `start`.

    None: as versions before contract v2 spelt it, without the start.
    """
    key = f"mn:{where}:{escape(episode)}"
    return key if start is None else f"{key}:{start // instant.SECOND}"


def reversal_key(reversed_key: str) -> str:
    """Return the posting key of what takes back the record with `reversed_key`."""
    return f"rv:{reversed_key}"
