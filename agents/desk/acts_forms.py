"""What is asked of the desk about exceptions, and what it answers: `POST /exceptions/act`."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from agents.desk.errors import DeskError, invalid
from streams.codec.document import VALUE_BYTES_MAX
from streams.contract.acts import ACTS, ActName
from streams.contract.rejection import shown
from tables.books.moves import Result

ITEMS_MAX: Final = 1_000
"""Exceptions of one request: more are several requests, of one batch perhaps."""

WHY_CHARACTERS_MAX: Final = 2_000
"""A reason is a few sentences; what is longer belongs into another system."""

NAME_CHARACTERS_MAX: Final = 256
"""Of a person's name."""

KEY_CHARACTERS_MAX: Final = 1_025
"""Of a key: plant, slash and line are no longer."""

BATCH_CHARACTERS_MAX: Final = 128
"""Of the name of a bulk action."""

ID_CHARACTERS_MAX: Final = 300
"""Of an exception: topic, partition and offset are no longer."""

APPROVES: Final = frozenset(("approve", "reject"))
"""Acts for which the scope `approve` is needed; for all others it's `work`."""

_NAMELESS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSAID: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSENT: Final = re.compile(r"[\x00\ud800-\udfff]")


class ActRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wants to do, and about which exceptions."""

    act: ActName
    ids: tuple[str, ...] = ()
    why: str | None = None
    versions: dict[str, int] | None = None
    """By id, the version that was seen: if there is a newer one, nothing is done about it."""
    value: str | None = None
    """Of a fix: the value in place of the original's."""
    key: str | None = None
    """Of a fix: the key in place of the original's."""
    to: str | None = None
    """Whom they are assigned to; None: to nobody."""
    dry_run: bool = False
    batch: str | None = None
    """The same request under the same name is done once."""


class ActItem(Struct, frozen=True):
    """What became of one exception, or would become of what is sent."""

    id: str
    result: Result
    reason: str | None = None
    code: str | None = None
    version: int | None = None


class ActAnswer(Struct, frozen=True):
    """What became of all: an item for each id, in their order."""

    dry_run: bool
    batch: str
    done: int
    items: list[ActItem] = field(default_factory=list)


class _Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    act: str
    ids: list[str] | None = None
    filter: dict[str, Any] | None = None
    why: str | None = None
    versions: dict[str, int] | None = None
    value: str | None = None
    key: str | None = None
    to: str | None = None
    dry_run: bool = False
    batch: str | None = None


_read = msgspec.json.Decoder(_Body).decode


def read_request(body: bytes) -> tuple[ActRequest, dict[str, Any] | None]:
    """Return what is asked for, and the filter that says of which exceptions, if that does.

    Raises `DeskError` that names the member.
    """
    try:
        read = _read(body)
    except (msgspec.ValidationError, RecursionError) as error:
        said, _, path = str(error).partition(" - at `$")
        member = path.strip(".`").partition("[")[0] or _named(said)
        raise DeskError("invalid", f"the request can't be read: {error}", member) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DeskError("invalid", f"the request isn't JSON: {error}") from None
    if (read.ids is None) == (read.filter is None):
        raise invalid("ids", "name either the exceptions by ids, or a filter")
    if read.act not in ACTS:
        raise invalid("act", f"act is {shown(read.act)}: it must be one of {', '.join(ACTS)}")
    request = ActRequest(
        act=read.act,
        ids=tuple(read.ids or ()),
        why=read.why,
        versions=read.versions,
        value=read.value,
        key=read.key,
        to=read.to,
        dry_run=read.dry_run,
        batch=read.batch,
    )
    check(request)
    return request, read.filter


def check(request: ActRequest) -> None:
    """Raise `DeskError` on the first member that is wrong."""
    if len(request.ids) > ITEMS_MAX:
        raise DeskError(
            "too_large", f"ids has {len(request.ids):,} exceptions: at most {ITEMS_MAX:,}", "ids"
        )
    for id in request.ids:
        if not id or len(id) > ID_CHARACTERS_MAX or _NAMELESS.search(id):
            raise invalid("ids", f"ids has {shown(id)}: no id of an exception")
    _check_text("why", request.why, WHY_CHARACTERS_MAX, _UNSAID)
    _check_text("to", request.to, NAME_CHARACTERS_MAX, _NAMELESS)
    _check_text("batch", request.batch, BATCH_CHARACTERS_MAX, _NAMELESS)
    _check_text("key", request.key, KEY_CHARACTERS_MAX, _NAMELESS)
    if request.act in ("dismiss", "comment", "reject") and not (request.why or "").strip():
        raise invalid("why", f"why is missing: say the reason when you {request.act}")
    if request.act != "assign" and request.to is not None:
        raise invalid("to", f"to belongs to assign, not to {request.act}")
    if request.act != "fix" and (request.value is not None or request.key is not None):
        member = "value" if request.value is not None else "key"
        raise invalid(member, f"{member} belongs to fix, not to {request.act}")
    if request.act == "fix":
        _check_fix(request)


def _check_fix(request: ActRequest) -> None:
    if request.value is None and request.key is None:
        raise invalid("value", "value and key are missing: a fix has at least one of them")
    if request.value is None:
        return
    if len(request.ids) > 1:
        raise invalid("value", f"value is for one exception, and ids has {len(request.ids)}")
    if _UNSENT.search(request.value):
        raise invalid("value", "value has a character that no text has (NUL, a lone surrogate)")
    size = len(request.value.encode())
    if size > VALUE_BYTES_MAX:
        reason = f"value has {size:,} bytes: an event has at most {VALUE_BYTES_MAX:,}"
        raise DeskError("too_large", reason, "value")


def _check_text(name: str, value: str | None, most: int, no: re.Pattern[str]) -> None:
    if value is None:
        return
    if len(value) > most:
        raise invalid(name, f"{name} has {len(value):,} characters: at most {most:,}")
    if no.search(value):
        raise invalid(name, f"{name} is {shown(value)}: it has a control character")


def _named(said: str) -> str | None:
    found = re.search(r"`(\w+)`", said)
    return None if found is None else found[1]


def plain(answer: ActAnswer) -> Mapping[str, Any]:
    """Return an answer as plain values."""
    found: Mapping[str, Any] = msgspec.to_builtins(answer)
    return found
