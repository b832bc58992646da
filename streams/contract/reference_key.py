"""The key of a record in `reference.v1`: `<kind>|<plant or *>|<id>`, in UTF-8."""

import re
from collections.abc import Iterable
from typing import Final

from streams.contract.reference import KINDS, Id, told
from streams.values import instant

EXTRA: Final = ("shift_calendar", "bill_of_material", "routing", "person")
"""Kinds that no check and no posting needs: they lie in `reference.v1` only, under a `data.id`."""

SEEN: Final = "seen"
PROGRESS: Final = "progress"
"""Kinds of lineside's own notes: where lines of a plant were seen; how far master data was read."""

COPIED: Final = frozenset(KINDS)
"""The kinds that are copied into the partitions of `mes.events.v1`."""

SPELT: Final = {"%": "%25", "|": "%7C", "/": "%2F"}
"""How these are written within a component."""

_SPECIAL = re.compile("[%|/]")


def key_of(kind: str, plant: str, parts: Iterable[str]) -> bytes:
    """Return a record's key; `parts` are the values of its id, joined by "/"."""
    return f"{kind}|{_spelt(plant)}|{'/'.join(map(_spelt, parts))}".encode()


def parts_of(kind: str, identity: Id) -> tuple[str, ...]:
    """Return an id as its key has it: an instant in RFC 3339 in UTC, however it was spelt."""
    struct = KINDS[kind]
    kinds = {member.name: member.kind for member in told(struct)}
    return tuple(
        instant.text(int(value)) if kinds[name] == "instant" else str(value)
        for name, value in zip(struct.ID, identity, strict=True)
    )


def read_key(key: bytes) -> tuple[str, str, tuple[str, ...]]:
    """Return kind, plant and the values of the id. Raises `ValueError` if it is no key."""
    kind, plant, identity = key.decode().split("|")
    return kind, _read(plant), tuple(map(_read, identity.split("/"))) if identity else ()


def _spelt(part: str) -> str:
    return _SPECIAL.sub(lambda found: SPELT[found[0]], part)


def _read(part: str) -> str:
    for character, spelt in reversed(SPELT.items()):  # "%" last
        part = part.replace(spelt, character)
    return part
