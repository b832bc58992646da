"""What the Helm chart has that is made from elsewhere: catalogue, schema of its values, README."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from agents.settings.settings import SESSION_SECONDS_MAX, STANDBYS_MAX, STATE_FORMATS, Settings
from streams.contract.rights import ROLES, rights_of
from streams.contract.topics import INPUT_SPARE_MS, MACHINE_EVENTS, MES_EVENTS, topics_of
from tables.line.rules import Timing

CHART: Final = Path(__file__).parent.parent / "helm" / "lineside"

GROUP: Final = "{group}"
"""In the catalogue in place of the consumer group, which is a value of the chart."""

LEDGERS: Final = {
    MES_EVENTS: "mes_retention_seconds",
    MACHINE_EVENTS: "machine_retention_seconds",
}
"""By how long an input has to be kept, besides the spare time."""

OURS: Final = frozenset((
    "broker", "group", "instance", "data_dir", "partitions", "host", "port", "policy",
    "broker_security", "broker_ca", "broker_certificate", "broker_key", "broker_user",
    "broker_password", "plaintext_brokers", "read_tokens", "metrics_tokens", "database",
    "database_password", "desk_port", "desk_tokens", "desk_workers",
))  # fmt: skip
"""Settings that the chart makes from values of its own."""

BOUNDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "standbys": {"minimum": 0, "maximum": STANDBYS_MAX},
    "session_timeout_seconds": {"minimum": 1, "maximum": SESSION_SECONDS_MAX},
    "tick_seconds": {"minimum": 0},
    "books_days": {"minimum": 1},
    "state_format": {"enum": list(STATE_FORMATS)},
    "no_progress_seconds_max": {"exclusiveMinimum": 0},
    **{name: {"minimum": 1} for name in Timing.__struct_fields__},
    **{name: {"minimum": 0} for name in ("grace_seconds", "idle_grace_seconds")},
}

Schema = dict[str, Any]


@dataclass
class Note:
    """What the comment above a value says: a sentence for people, words for the schema."""

    text: str = ""
    words: dict[str, str] = field(default_factory=dict)


def catalogue() -> str:
    """Return the topics and the rights that the chart gives to Strimzi, for any group."""
    topics = []
    for topic in topics_of(GROUP):
        entry: dict[str, Any] = {
            "name": topic.name,
            "direction": topic.direction,
            "config": dict(topic.config),
        }
        if topic.single:
            entry["partitions"] = 1
        if setting := LEDGERS.get(topic.name):
            seconds = getattr(Timing(), setting)
            entry["ledger"] = {"setting": setting, "seconds": seconds, "spareMs": INPUT_SPARE_MS}
        topics.append(entry)
    rights = {role: msgspec.to_builtins(rights_of(role, GROUP)) for role in ROLES}
    return json.dumps({"topics": topics, "rights": rights}, indent=1) + "\n"


def schema() -> str:
    """Return the JSON schema of the chart's values."""
    text = (CHART / "values.yaml").read_text("utf-8")
    notes = _notes(text)
    made = _of_map(yaml.safe_load(text), (), notes)
    made["properties"]["global"] = {"type": "object"}  # Helm's own, where this is a subchart
    root = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "lineside"}
    return json.dumps(root | made, indent=1) + "\n"


def readme() -> str:
    """Return the page of the chart's values."""
    text = (CHART / "values.yaml").read_text("utf-8")
    notes = _notes(text)
    rows = [
        f"| `{'.'.join(path)}` | {_shown(value)} | {notes[path].text} |"
        for path, value in _leaves(yaml.safe_load(text), (), notes)
    ]
    head = (CHART / "README.head.md").read_text("utf-8")
    return "\n".join([head, "| value | default | meaning |", "| --- | --- | --- |", *rows, ""])


def _notes(text: str) -> dict[tuple[str, ...], Note]:
    """Return what is said of each value, by its path."""
    notes: dict[tuple[str, ...], Note] = {}
    path: list[str] = []
    note = Note()
    for line in text.splitlines():
        if comment := re.match(r"\s*# (-- |@(\w+) ?)?(.*)", line):
            if comment[2]:
                note.words[comment[2]] = comment[3]
            elif comment[1] or note.text:
                note.text = f"{note.text} {comment[3]}".strip()
        elif key := re.match(r"( *)([A-Za-z_]\w*):", line):
            path[len(key[1]) // 2 :] = [key[2]]
            notes[tuple(path)] = note
            note = Note()
        else:
            note = Note()
    return notes


def _leaves(
    value: Any, path: tuple[str, ...], notes: Mapping[tuple[str, ...], Note]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and not (path and notes[path].words):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name), notes)
    else:
        yield path, value


def _shown(value: Any) -> str:
    return "empty" if value == "" else f"`{json.dumps(value)}`"


def _of(value: Any, path: tuple[str, ...], notes: Mapping[tuple[str, ...], Note]) -> Schema:
    """Return the schema of a value: its type is that of the default."""
    words = notes[path].words
    if "settings" in words:
        return _closed(_settings())
    if "roles" in words:
        return {"type": "object", "additionalProperties": {"enum": list(ROLES)}}
    if "resources" in words:
        amounts = {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}
        return _closed({"requests": amounts, "limits": amounts})
    if "object" in words:
        inner = words["object"]
        return {"type": "object"} | ({"additionalProperties": {"type": inner}} if inner else {})
    if isinstance(value, dict):
        return _of_map(value, path, notes)
    if isinstance(value, list):
        return {"type": "array", "items": {"type": words["items"]}}
    made: Schema = {"type": {bool: "boolean", int: "integer", str: "string"}[type(value)]}
    if "enum" in words:
        made["enum"] = words["enum"].split()
    if "pattern" in words:
        made["pattern"] = words["pattern"]
    if "minimum" in words:
        made["minimum"] = int(words["minimum"])
    return made


def _of_map(
    value: Mapping[str, Any], path: tuple[str, ...], notes: Mapping[tuple[str, ...], Note]
) -> Schema:
    return _closed({name: _of(inner, (*path, name), notes) for name, inner in value.items()})


def _closed(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": dict(properties)}


def _settings() -> dict[str, Schema]:
    """Return the schema of each setting that is given by name."""
    told = msgspec.json.schema(Settings)["$defs"]["Settings"]["properties"]
    return {
        name: {word: said for word, said in each.items() if word != "default"}
        | BOUNDS.get(name, {})
        for name, each in told.items()
        if name not in OURS
    }
