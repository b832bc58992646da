"""What the structs of events are made of: kinds of members, `data`, and the envelope."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from streams.contract.topics import MES_EVENTS

Name = Annotated[str, Meta(min_length=1, max_length=256)]
"""1 to 256 characters; the other rules of text are checked by `streams.codec.decode`."""

Place = Annotated[str, Meta(min_length=1, max_length=128)]
"""A plant or a line: 1 to 128 characters; the other rules are checked by `streams.codec.decode`."""

if TYPE_CHECKING:
    Instant = int
    Measure = int
else:
    # On the wire a string, or a number or string; `streams.codec.decode` turns it into an integer
    # before anybody else sees the event. Done by the structs themselves, in `__post_init__`, it
    # would cost more (docs/decisions/0009); that is also why these structs aren't frozen.
    Instant = Annotated[Any, "instant"]
    Measure = Annotated[Any, "measure"]
"""`Instant`: microseconds since the epoch. `Measure`: billionths of a unit."""


MachineStateName = Literal[
    "Stopped", "Starting", "Idle", "Suspended", "Execute", "Stopping", "Aborting", "Aborted",
    "Holding", "Held", "Unholding", "Suspending", "Unsuspending", "Resetting", "Completing",
    "Complete", "Clearing",
]  # fmt: skip
"""The states of ISA-TR88.00.02 (PackML)."""


class Data(Struct, gc=False, omit_defaults=True):
    """The `data` of an event; an absent or null member is None, unless `ABSENT` names it."""

    ABSENT: ClassVar[Mapping[str, str]] = {}
    """What a member is read as that is absent."""
    ORDER: ClassVar[tuple[str, ...]] = ()
    """The order in which a fingerprint has the members, where it isn't that of the struct.

    A ledger lasts: its fingerprints have to stay equal though a struct gains members.
    """


class Event(Struct, kw_only=True, gc=False, tag_field="type"):
    """A CloudEvent 1.0 on an input topic; attributes that aren't named here are ignored.

    Each subclass is an event type, and belongs to `AnyEvent` and `TYPES` of
    `streams.contract.events` by being there.
    """

    TOPIC: ClassVar[str] = MES_EVENTS
    """The topic that the type belongs on."""
    REVERSIBLE: ClassVar[bool] = False
    """Whether `transaction.reversed.v1` can take back what the type's events lead to."""

    specversion: Literal["1.0"]
    source: Name
    id: Name
    time: Instant
    plant: Place
    line: Place
    if TYPE_CHECKING:
        data: Data  # each type says which
    payload: Raw | UnsetType = UNSET
    """No attribute of ours: an object with `topic` and `payload` is a printed record of a log."""
