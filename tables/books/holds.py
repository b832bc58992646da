"""EDGE: which events holds keep from the ERP, by the contract's rule, partition by partition.

An event is parked if something active touches it when it is accepted, and stays so as long as
anything active touches it. What is in force where is in `copies`: a hold from its position on until
that of its release, and an order's status `held` until its next record.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, exists, or_, select

from streams.values import instant
from tables.books.plants import Plants, seen
from tables.books.schema import COPIES
from tables.books.stored import document
from tables.line.plans import TOUCHED

ACTIVE_MAX: Final = 2_000
"""Holds that are in force at once, on all partitions: more aren't looked at."""

RELEASED_MAX: Final = 20_000
"""Copies of holds and releases that are looked at for events of the past."""

FOR_EVER: Final = 2**62
"""A position that no partition reaches."""

HELD: Final = "held"
"""The status of an order that keeps its events as a hold does."""


class Force(Struct, frozen=True):
    """What keeps events from the ERP, from a position of a partition on until another."""

    number: int
    plant: str
    name: str
    """Of the hold, or of the order."""
    scope: str
    value: str
    item: str | None
    since: int
    until: int
    placed_at: int
    """When that was said, in microseconds; 0: it isn't known."""
    by_status: bool = False
    """The order's status, and no hold."""

    @property
    def label(self) -> str:
        """Return what a person knows it by."""
        return f"order {self.name} is held" if self.by_status else self.name

    def touches(self, row: RowMapping) -> bool:
        """Return whether an event is one that it names."""
        if row["number"] != self.number or row["plant"] != self.plant:
            return False
        if self.scope == "order":
            return bool(row["order_id"] == self.value)
        if self.scope == "item":
            return bool(row["item"] == self.value)
        return bool(row["lot"] == self.value) and self.item in (None, row["item"])


class Parking(Struct, frozen=True):
    """What became of a touched event: `by` keeps it still; None: it went on at `freed`."""

    by: Force | None
    freed: int


def parking_of(row: RowMapping, forces: Iterable[Force]) -> Parking | None:
    """Return how an event was parked, None if nothing touched it when it was accepted."""
    if row["type"] not in TOUCHED or row["outcome"] != "accepted":
        return None
    at = int(row["position"])
    touching = sorted(
        (each for each in forces if each.until > at and each.touches(row)),
        key=lambda each: each.since,
    )
    last: Force | None = None
    kept_until = at
    for each in touching:
        if each.since > kept_until or (last is None and each.since >= at):
            break
        if each.until > kept_until:
            last, kept_until = each, each.until
    if last is None:
        return None
    return Parking(last if kept_until == FOR_EVER else None, kept_until)


def active_forces(connection: Connection, plants: Plants) -> list[Force]:
    """Return what is in force, and what was in force when anything of that came into force."""
    active = [
        *_of_holds(_active_holds(connection, plants)),
        *held_orders(connection, plants, None),
    ]
    active = [each for each in active if each.until == FOR_EVER]
    first: dict[int, int] = {}
    for each in active:
        first[each.number] = min(each.since, first.get(each.number, each.since))
    if not first:
        return []
    later = or_(
        *(
            and_(COPIES.c.number == number, COPIES.c.position > since)
            for number, since in sorted(first.items())
        )
    )
    released = connection.execute(
        _copies(plants).where(COPIES.c.kind == "hold_release", later).limit(ACTIVE_MAX)
    )
    names = {(row.plant, row.name) for row in released}
    return [*active, *of_names(connection, names)] if names else active


def of_names(connection: Connection, names: Collection[tuple[str, str]]) -> list[Force]:
    """Return holds by (plant, name), with their releases."""
    if not names:
        return []
    rows = connection.execute(
        _copies(frozenset(plant for plant, _ in names))
        .where(
            COPIES.c.kind.in_(("hold", "hold_release")),
            COPIES.c.name.in_(sorted({name for _, name in names})),
        )
        .limit(RELEASED_MAX)
    ).all()
    return _of_holds([row for row in rows if (row.plant, row.name) in names])


def forces_on(connection: Connection, plants: Plants, orders: Collection[str]) -> list[Force]:
    """Return all holds of plants, released ones too, and held ones of these orders."""
    rows = connection.execute(
        _copies(plants)
        .where(COPIES.c.kind.in_(("hold", "hold_release")))
        .order_by(COPIES.c.position.desc())
        .limit(RELEASED_MAX)
    ).all()
    found = _of_holds(rows)
    return [*found, *held_orders(connection, plants, orders)] if orders else found


def held_orders(
    connection: Connection, plants: Plants, orders: Collection[str] | None
) -> list[Force]:
    """Return the stretches in which the status of orders is `held`; of all orders for None."""
    wanted = _copies(plants).where(COPIES.c.kind == "order")
    if orders is not None:
        wanted = wanted.where(COPIES.c.name.in_(sorted(orders)))
    rows = connection.execute(wanted.order_by(COPIES.c.position).limit(RELEASED_MAX)).all()
    found: list[Force] = []
    begun: dict[tuple[int, str, str], Any] = {}
    for row in rows:
        at = (row.number, row.plant, row.name)
        if (document(row.value).get("data") or {}).get("status") == HELD:
            begun.setdefault(at, row)
        elif at in begun:
            found.append(_of_order(begun.pop(at), row.position))
    return [*found, *(_of_order(row, FOR_EVER) for row in begun.values())]


def _of_order(row: Any, until: int) -> Force:
    said_at = _said_at(document(row.value))
    return Force(
        row.number, row.plant, row.name, "order", row.name, None, row.position, until, said_at, True
    )


def _said_at(told: Mapping[str, Any]) -> int:
    try:
        return instant.parse(told.get("time"))
    except ValueError:
        return 0


def _copies(plants: Plants) -> Any:
    """Return the query of what is said of plants."""
    return select(COPIES).where(seen(COPIES.c.plant, plants))


def _active_holds(connection: Connection, plants: Plants) -> list[Any]:
    release = COPIES.alias()
    released: ColumnElement[bool] = exists(
        select(release.c.number).where(
            release.c.kind == "hold_release",
            release.c.plant == COPIES.c.plant,
            release.c.name == COPIES.c.name,
            release.c.number == COPIES.c.number,
        )
    )
    wanted = _copies(plants).where(COPIES.c.kind == "hold", ~released)
    return list(connection.execute(wanted.order_by(COPIES.c.position).limit(ACTIVE_MAX)))


def _of_holds(rows: Iterable[Any]) -> list[Force]:
    """Return the stretches of holds: each from its first copy on, until its release's first."""
    holds: dict[tuple[int, str, str], Any] = {}
    releases: dict[tuple[int, str, str], int] = {}
    for row in sorted(rows, key=lambda one: (one.number, one.position)):
        at = (row.number, row.plant, row.name)
        if row.kind == "hold":
            holds.setdefault(at, row)
        else:
            releases.setdefault(at, row.position)
    found = []
    for at, row in holds.items():
        whole = document(row.value)
        told = whole.get("data") or {}
        scope, value = told.get("scope"), told.get("value")
        until = releases.get(at, FOR_EVER)
        if isinstance(scope, str) and isinstance(value, str) and row.position < until:
            found.append(
                Force(
                    row.number, row.plant, row.name, scope, value, told.get("item"), row.position,
                    until, _said_at(whole),
                )
            )  # fmt: skip
    return found
