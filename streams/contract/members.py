"""The members of an event's `data`, read off its struct: what each must be, in words."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints
from unicodedata import is_normalized

from msgspec import NODEFAULT, Raw, Struct
from msgspec.structs import fields, replace

from streams.contract.rejection import SHOWN_CHARACTERS_MAX, shown
from streams.values import quantity

JsonObject = dict[str, Any]

NAME_CHARACTERS_MAX: Final = 256
PLACE_CHARACTERS_MAX: Final = 128

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class Member(Struct, frozen=True):
    """One member of `data`; `choices` is empty unless only these strings are allowed.

    `absent` is the text that it is read as where it is absent, empty if it stays absent.
    """

    name: str
    kind: Literal["text", "measure", "flag", "json", "object"]
    required: bool
    choices: tuple[str, ...] = ()
    absent: str = ""


@cache
def members(struct: type[Struct]) -> tuple[Member, ...]:
    """Return the members of a data struct, in its order."""
    hints = get_type_hints(struct, include_extras=True)
    absent: Mapping[str, str] = getattr(struct, "ABSENT", {})
    return tuple(
        replace(
            _member(field.name, hints[field.name], field.default is NODEFAULT),
            absent=absent.get(field.name, ""),
        )
        for field in fields(struct)
    )


def member_problem(member: Member, value: object) -> str | None:
    """Return what is wrong with a value that is there, None if nothing."""
    match member.kind:
        case "text":
            problem = text_problem(value, NAME_CHARACTERS_MAX)
            if problem is None and member.choices and value not in member.choices:
                return f"not one of {', '.join(member.choices)}"
            return problem
        case "measure":
            try:
                quantity.parse(value)
            except ValueError as error:
                return str(error)
            return None
        case "flag":
            return None if isinstance(value, bool) else "neither true nor false"
        case "object":
            return None if isinstance(value, dict) else "not an object"
        case "json":
            return None


def text_problem(value: object, characters_max: int) -> str | None:
    """Return what is wrong with a string member or attribute, None if nothing.

    White space is Unicode's, as `str.strip` has it.
    """
    if value.__class__ is not str:
        return "not a string"
    text = str(value)
    if not text:
        return "empty"
    if len(text) > characters_max:
        return f"longer than {characters_max} characters ({len(text)})"
    if text.isascii() and text.isprintable() and text[0] != " " and text[-1] != " ":
        return None  # nearly all are such
    control = _CONTROL.search(text)
    if control is not None:
        return f"a control character ({shown(control[0])}) in it"
    if not is_normalized("NFC", text):
        return f"not in Unicode normal form C ({text[:SHOWN_CHARACTERS_MAX]!a})"
    return None if text == text.strip() else "white space at an end of it"


def place_problem(value: object) -> str | None:
    """Return what is wrong with a plant or a line, None if nothing."""
    problem = text_problem(value, PLACE_CHARACTERS_MAX)
    if problem is None and "/" in str(value):
        return "a '/' in it"
    return "it stands for all of them" if problem is None and value == "*" else problem


def _member(name: str, hint: Any, required: bool) -> Member:
    if get_origin(hint) is Union or type(None) in get_args(hint):
        hint = next(arm for arm in get_args(hint) if arm is not type(None))
    metadata = getattr(hint, "__metadata__", ())
    if "measure" in metadata:
        return Member(name, "measure", required)
    if get_origin(hint) is Literal:
        return Member(name, "text", required, get_args(hint))
    if hint is bool:
        return Member(name, "flag", required)
    if hint is Raw:
        return Member(name, "json", required)
    if get_origin(hint) is dict:
        return Member(name, "object", required)
    return Member(name, "text", required)
