"""What of an AsyncAPI document would break for those who rely on an earlier one, each in a sentence.

Whoever writes to lineside has to be read as before: nothing more may be asked for. Whoever reads from
it has to find what was told: nothing less may be there, and nothing that couldn't be there before.
Members that are new, and that nobody has to write, break nothing.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

LOWER = ("minLength", "minItems", "minimum", "exclusiveMinimum")
"""Bounds that ask for more the higher they are."""

UPPER = ("maxLength", "maxItems", "maximum", "exclusiveMaximum")
"""Bounds that ask for more the lower they are."""

COMPARED = ("pattern", "const", "not", "anyOf", "if", "else", "contentEncoding")
"""Compared as they are: no reader and no writer can tell which of two asks for more."""

INSIDE = ("properties", "required", "type", "enum", "items", "additionalProperties")
SAID = ("description", "examples")
"""For people: what is said there breaks nothing."""


def broken(landed: Schema, now: Schema) -> list[str]:
    """Return what breaks for users of the document `landed` with the document `now`."""
    return sorted({*_channels(landed, now)})


def _channels(landed: Schema, now: Schema) -> Iterator[str]:
    for name, channel in landed["channels"].items():
        if name not in now["channels"]:
            yield f"channel {name} is gone"
            continue
        incoming = _is_incoming(landed, name)
        if incoming != _is_incoming(now, name):
            yield f"channel {name} has another direction"
        for message in channel["messages"]:
            if message not in now["channels"][name]["messages"]:
                yield f"{name}: message {message} is gone"
                continue
            yield from _message(f"{message}: ", landed, now, message, incoming)


def _is_incoming(document: Schema, channel: str) -> bool:
    return f"receive-{channel}" in document["operations"]


def _message(where: str, landed: Schema, now: Schema, name: str, incoming: bool) -> Iterator[str]:
    before, after = (each["components"]["messages"][name] for each in (landed, now))
    for part in ("payload", "headers"):
        yield from _schema(f"{where}{part}", before[part], after[part], incoming)
    keys = [each["bindings"]["kafka"].get("key", {}) for each in (before, after)]
    yield from _schema(f"{where}key", keys[0], keys[1], incoming)


def _schema(at: str, before: Schema, after: Schema, incoming: bool) -> Iterator[str]:
    """Yield what breaks of a value: incoming if more is asked for, leaving if less is promised."""
    unknown = {*before, *after} - {*LOWER, *UPPER, *COMPARED, *INSIDE, *SAID}
    assert not unknown, f"{at}: what {unknown} asks for isn't compared"
    alternatives = [] if incoming or "anyOf" in before else after.get("anyOf", [])
    for each in alternatives:  # each of what may be there has to be what was told
        if "properties" not in after:
            yield from _schema(at, before, each, incoming)
    if alternatives and "properties" not in after:
        return
    yield from _members(at, before, after, incoming)
    narrow, wide = (before, after) if incoming else (after, before)
    for word in ("type", "enum"):
        lost = _values(narrow, word) - _values(wide, word) if word in wide else set()
        if lost or (word in wide and word not in narrow):
            listed = ", ".join(sorted(lost)) or "anything"
            yield f"{at}: {word} {'no longer has' if incoming else 'has'} {listed}"
    for words, sign in ((LOWER, 1), (UPPER, -1)):
        for word in words:
            asked, given = wide.get(word), narrow.get(word)
            if asked is not None and (given is None or sign * asked > sign * given):
                yield f"{at}: {word} was {before.get(word)}, is {after.get(word)}"
    for word in COMPARED:
        if before.get(word) != after.get(word) and word in wide:
            yield _another(at, word, before, after, incoming)


def _another(at: str, word: str, before: Schema, after: Schema, incoming: bool) -> str:
    """Return the sentence about what isn't as it was; a pattern that many members have is told once."""
    if word == "pattern" and word in before and word in after:
        kind = "incoming" if incoming else "leaving"
        return f"{kind}: pattern {before[word]} became {after[word]}"
    return f"{at}: {word} is another"


def _values(schema: Schema, word: str) -> set[str]:
    given = schema.get(word, [])
    return {str(each) for each in (given if isinstance(given, list) else [given])}


def _members(at: str, before: Schema, after: Schema, incoming: bool) -> Iterator[str]:
    names, new_names = before.get("properties", {}), after.get("properties", {})
    required, new_required = set(before.get("required", ())), set(after.get("required", ()))
    for name in sorted(names.keys() - new_names.keys()):
        yield f"{at}.{name} is gone"
    if incoming:
        for name in sorted(new_required - required):
            yield f"{at}.{name} has become required"
    else:
        for name in sorted((required - new_required) & new_names.keys()):
            yield f"{at}.{name} may be absent"
    for name in names.keys() & new_names.keys():
        yield from _schema(f"{at}.{name}", names[name], new_names[name], incoming)
    for word, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        inner, new_inner = before.get(word), after.get(word)
        if isinstance(inner, dict) and isinstance(new_inner, dict):
            yield from _schema(f"{at}{suffix}", inner, new_inner, incoming)
        elif inner != new_inner and not (incoming and new_inner in (None, True)):
            yield f"{at}{suffix} is another"
