"""A record of `erp.master.v1`: what a source says of one thing, or why it can't be read.

The form is that of a reference record, from any `source`, and it may be partial: a member that is
absent isn't spoken of, one that is null is taken away.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Raw, Struct

from streams.codec.document import Headers, binary_envelope, read_document
from streams.contract.members import NAME_CHARACTERS_MAX, JsonObject
from streams.contract.reference import ANYWHERE, KINDS, TYPES, Told, told
from streams.contract.reference_key import EXTRA, key_of
from streams.contract.reference_values import (
    place_problem,
    read_factor,
    reference_text_problem,
)
from streams.contract.rejection import Rejection, shown
from streams.values import instant
from streams.values.quantity import Number

TYPES_READ: Final[Mapping[str, str]] = {
    **TYPES,
    **{f"reference.{kind}.v1": kind for kind in EXTRA},
}
"""The kinds by the value of `type`."""


class Step(Struct, frozen=True):
    """A conversion as a source tells it: so many of another unit, None: of the base unit."""

    factor: int
    """In billionths."""
    of: str | None = None


class Master(Struct, frozen=True):
    """What a source says of one thing."""

    kind: str
    plant: str
    """A plant, or `*`."""
    id: Mapping[str, Any]
    """The members of the id, as JSON."""
    source: str
    said: Mapping[str, Any]
    """The other members that are spoken of, as JSON, `conversions` as `Step`s; None: taken away."""
    deleted: bool = False
    event_id: str = ""
    time: int | None = None

    @property
    def key(self) -> bytes:
        """The key in `reference.v1`."""
        return key_of(self.kind, self.plant, map(str, self.id.values()))


def read_master(value: bytes | None, headers: Headers) -> Master | Rejection:
    """Return what a record of `erp.master.v1` says, or why it can't be read."""
    document = read_document(value)
    if isinstance(document, str):
        return Rejection("malformed", document)
    envelope = binary_envelope(headers, document) or document
    name, plant = envelope.get("type"), envelope.get("plant")
    where = None if place_problem(plant) else str(plant)
    if not isinstance(name, str):
        why = _problem(envelope, "type", "not a string")
        return Rejection("invalid", why, where)
    kind = TYPES_READ.get(name)
    if kind is None:
        return Rejection("unknown_type", f"type is {shown(name)}: no kind of master data", where)
    problem = _envelope_problem(envelope, kind)
    if problem is not None:
        return Rejection("invalid", problem, where)
    try:
        return _read(kind, envelope)
    except ValueError as error:
        return Rejection("invalid", str(error), where)


def _envelope_problem(envelope: JsonObject, kind: str) -> str | None:
    if envelope.get("specversion") != "1.0":
        return _problem(envelope, "specversion", "not '1.0'")
    for name in ("source", "id"):
        problem = reference_text_problem(envelope.get(name), NAME_CHARACTERS_MAX)
        if problem is not None:
            return _problem(envelope, name, problem)
    everywhere = kind in EXTRA or KINDS[kind].EVERYWHERE
    if not (envelope.get("plant") == ANYWHERE and everywhere):
        problem = place_problem(envelope.get("plant"))
        if problem is not None:
            return _problem(envelope, "plant", problem)
    if not isinstance(envelope.get("data"), dict):
        return _problem(envelope, "data", "not an object")
    return None


def _problem(envelope: JsonObject, name: str, problem: str) -> str:
    value = envelope.get(name)
    return f"{name} is missing" if value is None else f"{name} is {shown(value)}: {problem}"


def _read(kind: str, envelope: JsonObject) -> Master:
    """Return what is said. Raises `ValueError` with a sentence on what is wrong."""
    given, time = envelope["data"], envelope.get("time")
    deleted = given.get("deleted")
    if deleted is not None and not isinstance(deleted, bool):
        raise ValueError(f"data.deleted is {shown(deleted)}: neither true nor false")
    if kind in EXTRA:
        identity, said = _read_extra(given)
    else:
        if deleted and KINDS[kind].LASTS:
            raise ValueError("data.deleted is True: a hold and its release stay")
        identity, said = _read_members(kind, given)
    return Master(
        kind=kind,
        plant=envelope["plant"],
        id=identity,
        source=envelope["source"],
        said=said,
        deleted=bool(deleted),
        event_id=envelope["id"],
        time=None if time is None else _checked("time", time, instant.parse),
    )


def _read_members(kind: str, given: JsonObject) -> tuple[dict[str, Any], dict[str, Any]]:
    identity: dict[str, Any] = {}
    said: dict[str, Any] = {}
    for member in told(KINDS[kind]):
        if member.name in KINDS[kind].ID:
            if given.get(member.name) is None:
                raise ValueError(f"data.{member.name} is missing")
            identity[member.name] = _canonical(member, given[member.name])
        elif member.name in given:
            value = given[member.name]
            said[member.name] = None if value is None else _canonical(member, value)
    return {name: identity[name] for name in KINDS[kind].ID}, said


def _canonical(member: Told, value: Any) -> Any:
    """Return a value as JSON, the same for values that are equal."""
    if member.name == "conversions":
        return _checked("data.conversions", value, _steps)
    read = _checked(f"data.{member.name}", value, member.reads)
    return read if member.writes is None else member.writes(read)


def _checked(name: str, value: Any, read: Any) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"{name} is {shown(value)}: {error}") from None


def _steps(value: Any) -> dict[str, Step]:
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return {uom: _step(uom, given) for uom, given in value.items() if given is not None}


def _step(uom: str, given: Any) -> Step:
    if not isinstance(given, dict):
        return Step(read_factor(uom, given))
    of = given.get("uom")
    problem = reference_text_problem(of)
    if problem is not None:
        raise ValueError(f"uom of {shown(uom)} is {shown(of)}: {problem}")
    return Step(read_factor(uom, given.get("quantity")), of)


def _read_extra(given: JsonObject) -> tuple[dict[str, Any], dict[str, Any]]:
    name = given.get("id")
    problem = reference_text_problem(name)
    if problem is not None:
        raise ValueError(
            "data.id is missing" if name is None else f"data.id is {shown(name)}: {problem}"
        )
    said = {
        member: _json(value) for member, value in given.items() if member not in ("id", "deleted")
    }
    return {"id": name}, said


def _json(value: Any) -> Any:
    """Return a value that can be encoded: numbers as they were written."""
    if isinstance(value, Number):
        return Raw(str(value).encode())
    if isinstance(value, dict):
        return {name: _json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_json(each) for each in value]
    return value
