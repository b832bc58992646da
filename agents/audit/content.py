"""Compares the content of two records: their JSON values and their headers."""

import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from streams.contract.rejection import shown
from streams.contract.topics import ERP_MASTER
from streams.log.headers import STRUCTURED, TRACE

_OF_MASTER: Final = f'"id":"{ERP_MASTER}/'.encode()
_BEGINNING_BYTES: Final = 128
"""An exception's `id` lies within these."""


def is_of_master(value: bytes | None) -> bool:
    """Return whether an exception is of master data: it's no input that is processed again."""
    return value is not None and _OF_MASTER in value[:_BEGINNING_BYTES]


class Mismatch(NamedTuple):
    """The first member in which two values differ, as a path; None stands for absent.

    If a member is given `twice`, `found` is the list of its values.
    """

    member: str
    expected: Any
    found: Any
    twice: bool = False

    def __str__(self) -> str:
        if self.twice:
            found = " and ".join(map(quoted, self.found))
            return f"{self.member} is there {len(self.found)} times: {found}"
        return f"{self.member} is {quoted(self.found)}, not {quoted(self.expected)}"


class _DuplicateMember(list[Any]):
    """The values of a member that an object has twice or more: readers differ in which they use."""


def read(value: bytes) -> Any:
    """Return the decoded form of a JSON value in UTF-8.

    Raises `ValueError` or `RecursionError` for anything else. A member that an object has twice is
    kept as such: `ambiguous` and `first_mismatch` find it.
    """
    return json.loads(value.decode(), object_pairs_hook=_object, parse_constant=_refuse)


def ambiguous(document: Any, path: str = "") -> Mismatch | None:
    """Return the first member that a document has twice, or None."""
    if isinstance(document, _DuplicateMember):
        return Mismatch(path, None, list(document), twice=True)
    inside: Iterable[tuple[str, Any]] = ()
    if isinstance(document, dict):
        inside = ((_below(path, name), value) for name, value in document.items())
    elif isinstance(document, list):
        inside = ((f"{path}[{index}]", value) for index, value in enumerate(document))
    return next((found for at, value in inside if (found := ambiguous(value, at))), None)


def first_mismatch(expected: bytes, found: bytes) -> Mismatch | None:
    """Return the first difference in content between two JSON values, or None."""
    if expected == found:
        return None
    try:
        return _first_mismatch("", read(expected), read(found))
    except (ValueError, RecursionError):
        return Mismatch(
            "value", expected.decode("utf-8", "replace"), found.decode("utf-8", "replace")
        )


def header_mismatch(
    trace: bytes | None, headers: Iterable[tuple[str, bytes | None]]
) -> Mismatch | None:
    """Return the first header that lineside doesn't write, or None.

    `trace` is the expected traceparent. A missing traceparent is no mismatch: earlier versions of
    lineside wrote none.
    """
    right = {STRUCTURED[0]: STRUCTURED[1], TRACE: trace}
    seen: set[str] = set()
    for name, value in headers:
        expected = right.get(name)
        if expected is None or value != expected:
            return Mismatch(
                f"header {name}", _text(expected), "null" if value is None else _text(value)
            )
        if name in seen:
            return Mismatch(f"header {name}", None, [_text(expected)] * 2, twice=True)
        seen.add(name)
    return None


def quoted(value: Any) -> str:
    """Return a value as it is shown in a sentence; None is shown as "absent"."""
    return "absent" if value is None else shown(value)


def _first_mismatch(path: str, expected: Any, found: Any) -> Mismatch | None:
    if isinstance(found, _DuplicateMember):
        return Mismatch(path, expected, list(found), twice=True)
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in [*expected, *(name for name in found if name not in expected)]:
            below = _below(path, name)
            if name not in expected or name not in found:
                sides = [_given(each, name) for each in (expected, found)]
                return ambiguous(found.get(name), below) or Mismatch(below, *sides)
            different = _first_mismatch(below, expected[name], found[name])
            if different is not None:
                return different
        return None
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, pair in enumerate(zip(expected, found, strict=True)):
            different = _first_mismatch(f"{path}[{index}]", *pair)
            if different is not None:
                return different
        return None
    # True, 1 and 1.0 are equal in Python, but not to readers of JSON.
    same = expected.__class__ is found.__class__ and expected == found
    return None if same else Mismatch(path, expected, "null" if found is None else found)


def _given(document: dict[str, Any], name: str) -> Any:
    value = document.get(name)
    return "null" if name in document and value is None else value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        values: dict[str, list[Any]] = {}
        for name, value in pairs:
            values.setdefault(name, []).append(value)
        for name, each in values.items():
            if len(each) > 1:
                document[name] = _DuplicateMember(each)
    return document


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")
