"""What a source says, merged with what is known: each member stays with the source that owns it."""

from collections.abc import Mapping
from typing import Any

from streams.codec.master import Master
from streams.contract.reference import KINDS, told
from tables.reference.conversions import resolved

Owners = Mapping[str, Mapping[str, str]]
"""The source that owns a member, by kind and member; `deleted` says who may delete."""


def owner_of(owners: Owners, kind: str, member: str) -> str | None:
    """Return the source that owns a member, None where any may say it."""
    return owners.get(kind, {}).get(member)


def merged(master: Master, known: Mapping[str, Any] | None, owners: Owners) -> dict[str, Any]:
    """Return the whole `data` of a record.

    What another source owns stays as it is known; what isn't spoken of, too. Raises `ValueError`
    with a sentence where the whole can't be right.
    """
    found = dict(known or {})
    for name in master.id:
        found.pop(name, None)
    said = {
        name: value
        for name, value in master.said.items()
        if owner_of(owners, master.kind, name) in (None, master.source)
    }
    for name, value in said.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = value
    if master.kind in KINDS:
        _insist(master, found, owners)
    if master.kind == "item":
        _convert(said, found, known or {})
    return {**master.id, **found}


def _insist(master: Master, found: Mapping[str, Any], owners: Owners) -> None:
    for member in told(KINDS[master.kind]):
        if not member.required or member.name in found or member.name in master.id:
            continue
        owner = owner_of(owners, master.kind, member.name)
        if owner in (None, master.source):
            raise ValueError(f"data.{member.name} is missing")
        raise ValueError(f"data.{member.name} is missing: {owner} owns it and hasn't said it yet")


def _convert(said: Mapping[str, Any], found: dict[str, Any], known: Mapping[str, Any]) -> None:
    """Work out conversions; a new base unit needs new ones, since they are counted in it."""
    base, before = found["base_uom"], known.get("base_uom")
    if said.get("conversions") is not None:
        try:
            found["conversions"] = resolved(base, said["conversions"])
        except ValueError as error:
            raise ValueError(f"data.conversions: {error}") from None
    elif before not in (None, base) and found.get("conversions"):
        raise ValueError(
            f"data.base_uom is {base!r}: contradictory, since conversions are counted in "
            f"{before!r}; a new base unit needs new conversions"
        )
