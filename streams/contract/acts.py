"""Acts: what somebody did about a refused record, as a record of `audit.v1`."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from streams.contract.transactions import SOURCE
from streams.values import instant

ACT: Final = "lineside.act.v1"
"""The `type` of an act."""

ActName = Literal["resend", "fix", "dismiss", "assign", "comment", "approve", "reject"]

ACTS: Final[tuple[ActName, ...]] = get_args(ActName)

Status = Literal["open", "asked", "resent", "resolved", "refused_again", "dismissed"]

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
"""What can be the matter with an exception: see `tables.books.schema.EXCEPTIONS`."""

SETTLED: Final = frozenset(("resolved", "refused_again"))
"""What became of what was sent again: the log says it, and no act changes it."""


VERSION_MAX: Final = 2**31 - 1
"""What the databases of the desk take."""


class Standing(Struct, frozen=True, omit_defaults=True):
    """How an exception stands before an act, or after it; a member that is None isn't written."""

    status: Status
    version: Annotated[int, Meta(ge=0, le=VERSION_MAX)]
    """How many acts there were; who acts names the one that they saw."""
    assigned_to: str | None = None
    fixed: str | None = None
    """The value that is to be sent, or was, in place of the original."""
    key: str | None = None
    """The key, in place of the original's."""
    asked_by: str | None = None
    """Who asked for what a second person has to approve."""


class Act(Struct, frozen=True):
    """What somebody did about the exception `subject`; `at` in microseconds."""

    id: str
    at: int
    who: str
    act: ActName
    subject: str
    before: Standing
    after: Standing
    plant: str | None = None
    line: str | None = None
    why: str | None = None
    batch: str | None = None
    """One for all acts of one bulk action."""


class _Data(Struct):
    who: str
    act: ActName
    subject: str
    before: Standing
    after: Standing
    why: str | UnsetType | None = UNSET
    batch: str | UnsetType | None = UNSET


class _Event(Struct):
    specversion: Literal["1.0"]
    type: Literal["lineside.act.v1"]
    source: str
    id: str
    time: str
    data: _Data
    plant: str | UnsetType | None = UNSET
    line: str | UnsetType | None = UNSET


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Event).decode


def act_bytes(act: Act) -> bytes:
    """Return the record of an act: a CloudEvent in JSON."""
    return _encode(
        _Event(
            specversion="1.0",
            type=ACT,
            source=SOURCE,
            id=act.id,
            time=instant.text(act.at),
            plant=act.plant or UNSET,
            line=act.line or UNSET,
            data=_Data(
                who=act.who,
                act=act.act,
                subject=act.subject,
                before=act.before,
                after=act.after,
                why=act.why or UNSET,
                batch=act.batch or UNSET,
            ),
        )
    )


def act_of(value: bytes | None) -> Act | None:
    """Return the act that a record of `audit.v1` is, None if it is none."""
    try:
        event = _decode(value or b"")
        at = instant.parse(event.time)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
    data = event.data
    return Act(
        id=event.id,
        at=at,
        who=data.who,
        act=data.act,
        subject=data.subject,
        before=data.before,
        after=data.after,
        plant=_told(event.plant),
        line=_told(event.line),
        why=_told(data.why),
        batch=_told(data.batch),
    )


def standing_json(standing: Standing) -> bytes:
    """Return how an exception stands as JSON."""
    return _encode(standing)


_standing = msgspec.json.Decoder(Standing).decode


def standing_of(document: bytes | Mapping[str, Any]) -> Standing:
    """Return how an exception stands, from JSON."""
    if isinstance(document, bytes):
        return _standing(document)
    return msgspec.convert(document, Standing)


def _told(value: str | UnsetType | None) -> str | None:
    return value or None
