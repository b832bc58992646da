"""JSON Schemas of what members and attributes can be: what a record must be, and what it may be.

Draft 7, as AsyncAPI's own schemas are, with patterns that ECMA-262 and Python read alike. Members
that aren't named may be there: a producer may add some at any time, and so may a later version.
"""

from typing import Any, Final

from streams.contract.members import NAME_CHARACTERS_MAX, PLACE_CHARACTERS_MAX, Member
from streams.contract.transactions import CAUSES_MAX
from streams.values.quantity import WHOLE_MAX

Schema = dict[str, Any]

_CONTROL: Final = r"\u0000-\u001f\u007f-\u009f"
"""Characters that no text has."""

_DAY: Final = r"-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"

_SPACE: Final = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""Characters that no text begins or ends with."""

_FORM: Final = "in Unicode normal form C, without white space at either end"

NAME: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": NAME_CHARACTERS_MAX,
    "pattern": f"^[^{_SPACE}{_CONTROL}]([^{_CONTROL}]*[^{_SPACE}{_CONTROL}])?$",
    "description": _FORM,
}
PLACE: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": PLACE_CHARACTERS_MAX,
    "pattern": rf"^(?!\*$)[^/{_SPACE}{_CONTROL}]([^/{_CONTROL}]*[^/{_SPACE}{_CONTROL}])?$",
    "description": _FORM,
}
FLAG: Final[Schema] = {"type": "boolean"}
OBJECT: Final[Schema] = {"type": "object"}

TIME: Final[Schema] = {
    "type": "string",
    "pattern": f"^(1999|[2-9][0-9]{{3}}){_DAY}[Tt]{_CLOCK}"
    r"(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
    "description": "RFC 3339 with an offset, from 2000 to before 9999",
}
MEASURE: Final[Schema] = {
    "type": ["number", "string"],
    "exclusiveMinimum": -WHOLE_MAX,
    "exclusiveMaximum": WHOLE_MAX,
    "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$",
    "description": "decimal: a number, or a string in its grammar; below 10^15, 9 places at most",
}

TIME_OUT: Final[Schema] = {
    "type": "string",
    "pattern": rf"^[0-9]{{4,5}}{_DAY}T{_CLOCK}(\.[0-9]{{3}}|\.[0-9]{{6}})?Z$",
    "description": "RFC 3339 in UTC",
}
MEASURE_OUT: Final[Schema] = {
    "type": "string",
    "pattern": r"^(0|-?(0\.[0-9]{0,8}[1-9]|[1-9][0-9]*(\.[0-9]{0,8}[1-9])?))$",
    "description": "exact decimal in plain notation, without trailing zeros",
}
DATE_OUT: Final[Schema] = {"type": "string", "pattern": f"^[0-9]{{4,5}}{_DAY}$"}

_SPELT: Final = "[^:|]"
"""A character of a component of a posting key: `%`, `|` and `:` are percent-encoded."""

_WHERE: Final = "[^/:|]+/[^/:|]+"
_NOTIFICATION = rf"mn:{_WHERE}:{_SPELT}+:-?[0-9]+"

ABOUT: Final[dict[str, Schema]] = {
    "window_start": TIME_OUT,
    "window_end": TIME_OUT,
    "revision": {"type": "integer", "minimum": 0, "description": "how many windows late"},
    "count": {"type": "integer", "description": "accepted events; a reversal counts -1"},
    "causes": {"type": "array", "items": NAME, "minItems": 1, "maxItems": CAUSES_MAX},
    "cause_count": {"type": "integer", "minimum": 1},
    "document_date": DATE_OUT,
    "posting_date": DATE_OUT,
}
"""What outgoing records say of themselves, beside the members of events: each is always there."""


def member_in(member: Member) -> Schema:
    """Return the schema of a member of an event's `data`; an optional one may be null."""
    of_kind = {
        "text": {"type": "string", "enum": list(member.choices)} if member.choices else NAME,
        "measure": MEASURE,
        "flag": FLAG,
        "object": OBJECT,
        "json": {},
    }
    schema: Schema = of_kind[member.kind]
    if member.required:
        return schema
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    nullable = {**schema, "type": [*kinds, "null"]}
    return nullable if "enum" not in schema else {**nullable, "enum": [*schema["enum"], None]}


def member_out(members: list[Member]) -> Schema:
    """Return the schema of a member as it leaves, by what it is in the events that have it."""
    (kind,) = {member.kind for member in members}
    if all(member.choices for member in members):
        choices = dict.fromkeys(choice for member in members for choice in member.choices)
        return {"type": "string", "enum": list(choices)}
    if members[0].name == "final":
        return {"const": True, "description": "absent where it is false"}
    of_kind: dict[str, Schema] = {
        "text": NAME,
        "measure": MEASURE_OUT,
        "flag": FLAG,
        "object": OBJECT,
        "json": {},
    }
    return of_kind[kind]


def at_once_key(short: str) -> Schema:
    """Return the schema of the posting key of what leaves at once for an event."""
    return _key(rf"{short}:{_WHERE}:{_SPELT}+\|{_SPELT}+")


def windowed_key(short: str, row: tuple[str, ...]) -> Schema:
    """Return the schema of the posting key of a row of a window."""
    spelt = r"\|".join([f"{_SPELT}*"] * len(row))
    return _key(rf"{short}:{_WHERE}:-?[0-9]+:{spelt}:[0-9]+")


def notification_key() -> Schema:
    """Return the schema of the posting key of a maintenance notification."""
    return _key(_NOTIFICATION)


def reversal_key() -> Schema:
    """Return the schema of the posting key of what takes back another record."""
    return _key(rf"rv:({_NOTIFICATION}|[a-z0-9A-Z]+:{_WHERE}:[^:]+)")


def _key(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^{pattern}$", "description": "the posting key"}


def mapping(properties: dict[str, Schema], required: list[str]) -> Schema:
    """Return the schema of an object that has what is required, and may have more than is named."""
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": True,
    }
