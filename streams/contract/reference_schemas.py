"""JSON Schemas of master data: as sources say it, and as it is known."""

from typing import Final

from streams.contract import schemas
from streams.contract.reference import ANYWHERE, KINDS, ReferenceData, Told, told
from streams.contract.reference_key import EXTRA
from streams.contract.reference_values import (
    CHOICES,
    REQUIRABLE,
    RULED,
    SECONDS_MAX,
    WHENS,
    WINDOWS_SECONDS,
)
from streams.contract.schemas import FLAG, MEASURE, NAME, PLACE, TIME, Schema, mapping
from streams.contract.transactions import SOURCE

WHOLE: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": SECONDS_MAX}
CADENCE: Final = mapping(
    {
        "when": {"enum": list(WHENS)},
        "window_seconds": {
            "description": f"with `window` a whole number that divides {WINDOWS_SECONDS}, "
            "else whatever it is",
        },
    },
    ["when"],
)
VALUES: Final[dict[str, Schema]] = {
    "text": NAME,
    "place": PLACE,
    "flag": FLAG,
    "measure": MEASURE,
    "instant": TIME,
    "seconds": WHOLE,
    "breakdown": {**WHOLE, "minimum": 1},
    "zone": {**NAME, "description": "IANA name of a time zone"},
    "require": {"type": "array", "items": {"enum": list(REQUIRABLE)}},
    "conversions": {
        "type": "object",
        "additionalProperties": {**MEASURE, "type": [*MEASURE["type"], "null"]},
        "description": "how many base units one of a unit is: above 0 and below 10^6",
    },
    "transactions": {
        "type": "object",
        "properties": {name: {**CADENCE, "type": ["object", "null"]} for name in RULED},
    },
    **{name: {"type": "string", "enum": list(choices)} for name, choices in CHOICES.items()},
}
"""By the mark of a member's type."""

STEPS: Final[Schema] = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [
            {"type": "null"},
            MEASURE,
            mapping({"quantity": MEASURE, "uom": NAME}, ["quantity", "uom"]),
        ]
    },
    "description": "how many base units one of a unit is, or how many of another unit",
}


def known(kind: str) -> Schema:
    """Return the schema of a record of a kind, in `reference.v1` or in a partition."""
    properties: Schema = {
        "source": {"const": SOURCE},
        "id": NAME,
        "seq": {"type": "integer", "minimum": 0, "description": "of a copy: its offset there"},
    }
    return _envelope(kind, properties, ["source"], data(kind))


def said(kind: str) -> Schema:
    """Return the schema of what a source says of a thing: some of its members may be left out."""
    return _envelope(kind, {"source": NAME, "id": NAME}, ["source", "id"], data(kind, partial=True))


def data(kind: str, partial: bool = False) -> Schema:
    """Return the schema of `data`."""
    if kind in EXTRA:
        return mapping({"id": NAME, "deleted": {"type": ["boolean", "null"]}}, ["id"])
    struct = KINDS[kind]
    listed = told(struct)
    properties = {member.name: _value(member, struct, partial) for member in listed}
    deleted: Schema = {"type": ["boolean", "null"]}
    found = mapping(properties | {"deleted": deleted}, list(struct.ID))
    needed = [member.name for member in listed if member.required]
    if struct.LASTS:
        found["properties"]["deleted"] = {"enum": [False, None]}
    if not partial and needed != list(struct.ID):
        found["if"] = {"properties": {"deleted": {"const": True}}, "required": ["deleted"]}
        found["else"] = {"required": needed}
    return found


def _value(member: Told, struct: type[ReferenceData], partial: bool) -> Schema:
    schema = STEPS if partial and member.kind == "conversions" else VALUES[member.kind]
    if member.name in struct.ID or (member.required and not partial):
        return schema
    if "enum" in schema:
        return {"enum": [*schema["enum"], None]}
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*kinds, "null"]}


def _envelope(kind: str, about: Schema, required: list[str], of: Schema) -> Schema:
    plant = PLACE
    if kind in EXTRA or KINDS[kind].EVERYWHERE:
        plant = {**PLACE, "description": f"a plant, or {ANYWHERE}: of all plants"}
    properties = {
        "specversion": {"const": "1.0"},
        "type": {"const": f"reference.{kind}.v1"},
        **about,
        "time": schemas.TIME,
        "plant": plant,
        "data": of,
    }
    return mapping(properties, ["specversion", "type", *required, "plant", "data"])
