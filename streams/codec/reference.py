"""A reference record of `mes.events.v1`: from its attributes and `data` to what it says."""

from collections.abc import Mapping
from typing import Any

from streams.contract.members import JsonObject
from streams.contract.reference import ANYWHERE, KINDS, Id, Reference, ReferenceData, told
from streams.contract.reference_values import place_problem, seq
from streams.contract.rejection import shown
from streams.contract.transactions import SOURCE


def read_reference(kind: str, envelope: Mapping[str, Any], binary: bool) -> Reference | str:
    """Return what a reference record says, or a sentence on the first member that is wrong.

    Of the attributes only `source`, `plant` and `seq` are looked at; `binary` says whether they
    came as headers.
    """
    source = envelope.get("source")
    if source != SOURCE:
        return f"source is {shown(source)}: reference records are written by {SOURCE} only"
    plant, struct = envelope.get("plant"), KINDS[kind]
    if not (plant == ANYWHERE and struct.EVERYWHERE):
        problem = place_problem(plant)
        if problem is not None:
            return f"plant is {shown(plant)}: {problem}"
    number = envelope.get("seq")
    if number is not None:
        try:
            number = seq(number, binary)
        except ValueError as error:
            return f"seq is {shown(number)}: {error}"
    given = envelope.get("data")
    if not isinstance(given, dict):
        return "data is missing" if given is None else f"data is {shown(given)}: not an object"
    read = read_reference_data(struct, given)
    if isinstance(read, str):
        return read
    return Reference(kind, str(plant), *read, number)


def read_reference_data(
    struct: type[ReferenceData], given: JsonObject
) -> tuple[Id, ReferenceData | None] | str:
    """Return the id that `data` names and what it says (None: it deletes), or what is wrong.

    Beside `deleted` only the id has to be there; what else there is has to be right all the same.
    """
    deleted = given.get("deleted")
    if deleted is not None and not isinstance(deleted, bool):
        return f"data.deleted is {shown(deleted)}: neither true nor false"
    if deleted and struct.LASTS:
        return "data.deleted is True: a hold and its release stay"
    found: dict[str, Any] = {}
    for member in told(struct):
        value = given.get(member.name)
        if value is None:
            if member.required and not (deleted and member.name not in struct.ID):
                return f"data.{member.name} is missing"
            continue
        try:
            found[member.name] = member.reads(value)
        except ValueError as error:
            return f"data.{member.name} is {shown(value)}: {error}"
    conversions, base = found.get("conversions"), found.get("base_uom")
    if conversions and base in conversions:
        return f"data.conversions is {shown(given['conversions'])}: {shown(base)} is the base unit"
    identity = tuple(found[name] for name in struct.ID)
    return identity, None if deleted else struct(**found)
