"""Which act moves an exception from where it stands to where, and which acts can't be done."""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from streams.contract.acts import ActName, Standing, Status

Result = Literal[
    "done", "would_be_accepted", "would_be_duplicate", "would_be_refused", "needs_approval",
    "conflict", "gone", "already", "refused",
]  # fmt: skip
"""What becomes of an act, or would become of what it sends."""

ACTS_MAX: Final = 1_000
"""Of one exception: its acts are read whenever somebody acts on it."""

FROM: Final[Mapping[ActName, frozenset[Status]]] = {
    "resend": frozenset(("open", "dismissed")),
    "fix": frozenset(("open", "dismissed")),
    "dismiss": frozenset(("open",)),
    "approve": frozenset(("asked",)),
    "reject": frozenset(("asked",)),
    "assign": frozenset(("open", "asked", "resent", "dismissed")),
    "comment": frozenset(
        ("open", "asked", "resent", "dismissed", "resolved", "refused_again"),
    ),
}
"""As what an exception may stand for an act."""

STANDS: Final[Mapping[Status, str]] = {
    "open": "nobody asked to send it again",
    "asked": "a second person has to approve what was asked before",
    "resent": "it was sent again already",
    "resolved": "what was sent again was accepted, or is a duplicate of what was",
    "refused_again": "what was sent again was refused; the newer exception is open",
    "dismissed": "it was dismissed",
}


class Wish(Struct, frozen=True):
    """What somebody wants to do."""

    act: ActName
    who: str
    value: str | None = None
    """In place of the original's."""
    key: str | None = None
    to: str | None = None
    """Whom it is assigned to, None: nobody."""


class Unmoved(Struct, frozen=True):
    """An act that can't be done, and why."""

    result: Result
    reason: str


class Moves(Struct, frozen=True):
    """An act that can be done: how the exception stands after it, and whether an event is sent."""

    after: Standing
    sends: bool


def moved(stands: Standing, wish: Wish, *, needs_second: bool) -> Moves | Unmoved:
    """Return what an act does to an exception; `needs_second`: a second person has to approve."""
    if stands.status not in FROM[wish.act]:
        return Unmoved("already", f"its status is {stands.status}: {STANDS[stands.status]}")
    if stands.version >= ACTS_MAX:
        reason = f"there were {stands.version:,} acts on it: no more are taken"
        return Unmoved("refused", reason)
    after = replace(stands, version=stands.version + 1)
    match wish.act:
        case "dismiss":
            return Moves(replace(after, status="dismissed"), sends=False)
        case "assign":
            return Moves(replace(after, assigned_to=wish.to), sends=False)
        case "comment":
            return Moves(after, sends=False)
        case "reject":
            back = replace(after, status="open", fixed=None, key=None, asked_by=None)
            return Moves(back, sends=False)
        case "approve":
            if stands.asked_by == wish.who:
                reason = f"{wish.who} asked for it: somebody else has to approve it"
                return Unmoved("refused", reason)
            return Moves(replace(after, status="resent"), sends=True)
        case "resend" | "fix":
            fixed, key = (wish.value, wish.key) if wish.act == "fix" else (None, None)
            if needs_second:
                asked = replace(after, status="asked", fixed=fixed, key=key, asked_by=wish.who)
                return Moves(asked, sends=False)
            return Moves(
                replace(after, status="resent", fixed=fixed, key=key, asked_by=None), sends=True
            )
