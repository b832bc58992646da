"""Reference records: what is known of master data, orders, holds and rules, one struct per kind.

A record lies in `reference.v1`, the system's own copy, and in the partitions of `mes.events.v1`
that need it. Its type is `reference.<kind>.v1`, its `data` the members of its id and its own ones.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, Final, Union, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Struct
from msgspec.structs import fields

from streams.contract.reference_values import (
    READERS,
    WRITERS,
    Breakdown,
    Consumption,
    Conversions,
    Disposition,
    Flag,
    Instant,
    Measure,
    Place,
    Require,
    Scope,
    Seconds,
    Status,
    Text,
    Transactions,
    Zone,
)

ANYWHERE: Final = "*"
"""In place of a plant: what is said of every plant."""


class ReferenceData(Struct, frozen=True, kw_only=True):
    """The `data` of a reference record; an absent or null member is None.

    Each subclass is a kind, and belongs to `KINDS` by being there.
    """

    ID: ClassVar[tuple[str, ...]] = ()
    """The members of the id, in the order of the key."""
    EVERYWHERE: ClassVar[bool] = False
    """Whether a record may be of every plant: `plant` is then `*`."""
    LASTS: ClassVar[bool] = False
    """Whether a record can't be deleted."""


class Plant(ReferenceData, frozen=True, kw_only=True, tag="plant"):
    """What has to be known of the plant's events; one record per plant."""

    require: Require | None = None


class Line(ReferenceData, frozen=True, kw_only=True, tag="line"):
    ID: ClassVar[tuple[str, ...]] = ("line",)

    line: Place
    cost_center: Text | None = None
    storage: Text | None = None


class WorkUnit(ReferenceData, frozen=True, kw_only=True, tag="work_unit"):
    ID: ClassVar[tuple[str, ...]] = ("line", "work_unit")

    line: Place
    work_unit: Text
    cost_center: Text | None = None
    ideal_seconds: Measure | None = None


class Item(ReferenceData, frozen=True, kw_only=True, tag="item"):
    """`conversions` say how many base units one of a unit is; an absent `consumption` is `mes`."""

    ID: ClassVar[tuple[str, ...]] = ("item",)
    EVERYWHERE: ClassVar[bool] = True

    item: Text
    base_uom: Text
    conversions: Conversions | None = None
    lot_control: Flag | None = None
    consumption: Consumption | None = None
    consumption_from: Instant | None = None


class Reason(ReferenceData, frozen=True, kw_only=True, tag="reason"):
    ID: ClassVar[tuple[str, ...]] = ("reason",)
    EVERYWHERE: ClassVar[bool] = True

    reason: Text
    planned: Flag | None = None
    group: Text | None = None


class Order(ReferenceData, frozen=True, kw_only=True, tag="order"):
    ID: ClassVar[tuple[str, ...]] = ("order",)

    order: Text
    status: Status
    closed_at: Instant | None = None
    item: Text | None = None
    quantity: Measure | None = None
    uom: Text | None = None
    revision: Text | None = None


class Hold(ReferenceData, frozen=True, kw_only=True, tag="hold"):
    ID: ClassVar[tuple[str, ...]] = ("hold",)
    LASTS: ClassVar[bool] = True

    hold: Text
    scope: Scope
    value: Text
    item: Text | None = None
    reason: Text


class HoldRelease(ReferenceData, frozen=True, kw_only=True, tag="hold_release"):
    ID: ClassVar[tuple[str, ...]] = ("hold",)
    LASTS: ClassVar[bool] = True

    hold: Text
    disposition: Disposition


class Rules(ReferenceData, frozen=True, kw_only=True, tag="rules"):
    """When a plant's events go to the ERP, from the first local midnight from `valid_from` on."""

    ID: ClassVar[tuple[str, ...]] = ("valid_from",)

    valid_from: Instant
    time_zone: Zone | None = None
    transactions: Transactions | None = None


class Timing(ReferenceData, frozen=True, kw_only=True, tag="timing"):
    """A plant's lengths of time on `mes.events.v1`; one record per plant."""

    grace_seconds: Seconds | None = None
    idle_grace_seconds: Seconds | None = None
    breakdown_seconds: Breakdown | None = None
    future_seconds_max: Seconds | None = None


KINDS: Final[Mapping[str, type[ReferenceData]]] = {
    str(struct.__struct_config__.tag): struct for struct in ReferenceData.__subclasses__()
}
"""The structs by kind. What else lies in `reference.v1` is never copied into a partition."""

TYPES: Final[Mapping[str, str]] = {f"reference.{kind}.v1": kind for kind in KINDS}
"""The kinds by the value of `type`."""

Id = tuple[str | int, ...]
"""The values of an id's members, in the order of the key; an instant in microseconds."""


class Reference(Struct, frozen=True):
    """A reference record as it was read."""

    kind: str
    plant: str
    """A plant, or `*`."""
    id: Id
    data: ReferenceData | None
    """None: the record deletes what is known under its key."""
    seq: int | None = None
    """The offset in `reference.v1` of what this is a copy of; None: it isn't said."""

    @property
    def deleted(self) -> bool:
        """Whether the record deletes."""
        return self.data is None


class Told(Struct, frozen=True):
    """A member of `data`; `reads` raises `ValueError` that says what is wrong with a value."""

    name: str
    kind: str
    """A key of `streams.contract.reference_values.READERS`, or "choice"."""
    required: bool
    reads: Callable[[Any], Any]
    writes: Callable[[Any], Any] | None
    """None: the value is JSON as it is."""


@cache
def told(struct: type[ReferenceData]) -> tuple[Told, ...]:
    """Return the members of a kind, in the order of its struct."""
    hints = get_type_hints(struct, include_extras=True)
    return tuple(
        _told(field.name, hints[field.name], field.default is NODEFAULT) for field in fields(struct)
    )


def _told(name: str, hint: Any, required: bool) -> Told:
    if get_origin(hint) is Union or type(None) in get_args(hint):
        hint = next(arm for arm in get_args(hint) if arm is not type(None))
    (kind,) = hint.__metadata__
    return Told(name, kind, required, READERS[kind], WRITERS.get(kind))
