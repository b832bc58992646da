"""Who asks the desk, and what they may do in which plants."""

from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from tables.books.plants import Plants, sees

Scope = Literal["read", "work", "approve", "admin"]

SCOPES: Final[tuple[Scope, ...]] = ("read", "work", "approve", "admin")
"""From the least to the most; a scope has all that those before it have."""

ALL: Final = "*"

PLANTS_MAX: Final = 200
"""Plants that one grant names: each query compares with all of them."""

PLANT_CHARACTERS_MAX: Final = 128
"""Of a plant's name: more than any system gives."""


class Grant(Struct, frozen=True):
    """A scope, and the plants in which it holds."""

    scope: Scope
    plants: Plants


class Person(Struct, frozen=True):
    """Somebody who asks: a person, or a program with a token."""

    name: str
    """Stands in the audit trail."""
    grants: tuple[Grant, ...]

    @property
    def scope(self) -> Scope | None:
        """The greatest scope of all grants, None if there are none."""
        ranks = [SCOPES.index(grant.scope) for grant in self.grants]
        return SCOPES[max(ranks)] if ranks else None

    @property
    def scopes(self) -> frozenset[Scope]:
        """All scopes that hold in at least one plant."""
        scope = self.scope
        return frozenset(() if scope is None else SCOPES[: SCOPES.index(scope) + 1])

    @property
    def plants(self) -> Plants:
        """The plants whose data may be seen."""
        return self.plants_of("read")

    def plants_of(self, scope: Scope) -> Plants:
        """Return the plants in which a scope holds; none: the empty set."""
        least = SCOPES.index(scope)
        found: set[str] = set()
        for grant in self.grants:
            if SCOPES.index(grant.scope) >= least:
                if grant.plants is None:
                    return None
                found |= grant.plants
        return frozenset(found)

    def may(self, scope: Scope, plant: str | None = None) -> bool:
        """Return whether a scope holds in a plant; in no plant (None): whether it does in all.

        What names no plant belongs to those who see all plants.
        """
        return sees(plant, self.plants_of(scope))


LOCAL: Final = Person("local", (Grant("admin", None),))
"""Whoever asks from this machine, where no tokens are set."""


def read_scope(text: str) -> Scope:
    """Return a scope. Raises `ValueError`."""
    for scope in SCOPES:
        if text == scope:
            return scope
    raise ValueError(f"{text!r} is no scope: it must be one of {', '.join(SCOPES)}")


def read_plants(text: str) -> Plants:
    """Return the plants of `*`, or of names with commas between them. Raises `ValueError`."""
    if text == ALL:
        return None
    names = [name.strip() for name in text.split(",")]
    if not 1 <= len(names) <= PLANTS_MAX:
        raise ValueError(f"{len(names)} plants: it must be 1 to {PLANTS_MAX}, or * for all")
    for name in names:
        if not name or name == ALL or len(name) > PLANT_CHARACTERS_MAX or not name.isprintable():
            raise ValueError(f"{name!r} is no plant: it must be names with commas between, or *")
    return frozenset(names)


def read_grant(text: str) -> Grant:
    """Return the grant of `SCOPE PLANTS`. Raises `ValueError`."""
    scope, _, plants = text.strip().partition(" ")
    return Grant(read_scope(scope), read_plants(plants.strip()))


def merged(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return grants, one for each scope."""
    person = Person("", tuple(grants))
    return tuple(
        Grant(scope, plants)
        for scope in SCOPES
        if (plants := person.plants_of(scope)) is None or plants
    )
