"""The contract as an AsyncAPI 3 document, made from the structs and the policy."""

from typing import Any, Final

from msgspec import Struct
from msgspec.structs import fields

from streams.events import TYPES
from streams.headers import TRACE
from streams.members import NAME_CHARACTERS_MAX, Member, members
from streams.policy import Policy, Summary, Transaction, default_policy
from streams.rejection import codes
from streams.topics import CATALOGUE, ERP_TRANSACTIONS, EXCEPTIONS, MACHINE_EVENTS, MES_EVENTS
from streams.transactions import (
    EXCEPTION,
    NOTIFICATION,
    REVERSAL,
    SOURCE,
    at_once_data,
    data_struct,
    windowed_data,
)  # fmt: skip

Schema = dict[str, Any]

TIME: Final[Schema] = {"type": "string", "format": "date-time"}
NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS_MAX}
PLACE: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[^/]+$"}
NUMBER: Final[Schema] = {
    "type": "string",
    "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]{1,9})?$",
    "description": "exact decimal in plain notation",
}
MEASURE: Final[Schema] = {
    "oneOf": [{"type": "number"}, {"type": "string"}],
    "description": "decimal: a number, or a string in its grammar; below 10^15, 9 places at most",
}

TRACED: Final[Schema] = {
    "type": "object",
    "properties": {
        TRACE: {
            "type": "string",
            "description": "W3C Trace Context of the event, of what leaves at once for one",
        }
    },
}

OUTPUT_MEMBERS: Final[dict[str, Schema]] = {
    "window_start": TIME,
    "window_end": TIME,
    "revision": {"type": "integer", "minimum": 0, "description": "how many windows late"},
    "count": {"type": "integer", "description": "accepted events; a reversal counts -1"},
    "causes": {"type": "array", "items": NAME, "maxItems": 20},
    "cause_count": {"type": "integer", "minimum": 1},
    "posting_date": {"type": "string", "format": "date"},
    "event": {"type": "string", "description": "the type of the event that caused it"},
    "planned": {"type": "boolean"},
    "final": {"type": "boolean"},
}
"""What outgoing records have besides strings and measures."""


def document(version: str, policy: Policy | None = None) -> Schema:
    """Return the AsyncAPI 3.0 document of a version of lineside with this policy."""
    policy = policy or default_policy()
    messages = {**_inputs(), **_outputs(policy)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "lineside",
            "version": version,
            "description": "Events in, ERP transactions and summaries out; see docs/contract.md.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            topic.name: {
                "address": topic.name,
                "description": topic.carries,
                "messages": {
                    name: {"$ref": f"#/components/messages/{name}"}
                    for name, (on, _) in messages.items()
                    if topic.name in on
                },
            }
            for topic in CATALOGUE
        },
        "operations": {
            f"{'receive' if topic.direction == 'in' else 'send'}-{topic.name}": {
                "action": "receive" if topic.direction == "in" else "send",
                "channel": {"$ref": f"#/channels/{topic.name}"},
            }
            for topic in CATALOGUE
        },
        "components": {
            "messages": {
                name: {
                    "name": name,
                    "headers": TRACED if ERP_TRANSACTIONS in on else {"type": "object"},
                    "bindings": {"kafka": {"key": {"type": "string", "description": "plant/line"}}},
                    "payload": payload,
                }
                for name, (on, payload) in messages.items()
            }
        },
    }


Messages = dict[str, tuple[tuple[str, ...], Schema]]
"""(topics, payload) by the value of `type`."""


def _inputs() -> Messages:
    found: Messages = {}
    for name, struct in TYPES.items():
        told = members(struct.__annotations__["data"])
        data = _object(
            {member.name: _member_schema(member) for member in told},
            [member.name for member in told if member.required],
        )
        found[name] = (struct.TOPIC,), _envelope(name, data, NAME)
    tick = {"type": "object", "required": ["type", "time"], "properties": {"time": TIME}}
    found["clock.tick.v1"] = (MES_EVENTS, MACHINE_EVENTS), tick
    return found


def _outputs(policy: Policy) -> Messages:
    found: Messages = {}
    for name, entry in policy.transactions.items():
        found[name] = (ERP_TRANSACTIONS,), _envelope(name, _data(_struct(name, entry), entry))
    for name, of in ((NOTIFICATION, ("episode", "work_unit", "reason")), (REVERSAL, ("reverses",))):
        struct = data_struct(name, *of, "causes", "cause_count", "posting_date")
        found[name] = (ERP_TRANSACTIONS,), _envelope(name, _data(struct, None))
    for name, summary in policy.summaries.items():
        found[name] = (name,), _envelope(name, _data(_struct(name, summary), summary))
    texts = ("reason", "topic", "key", "value")
    about: dict[str, Schema] = {
        "class": {"enum": ["data", "business", "technical"]},
        "code": {"enum": list(codes())},
        **{name: {"type": "string"} for name in texts},
        "partition": {"type": "integer"},
        "offset": {"type": "integer"},
        "headers": {"type": "array", "items": {"type": "object"}},
    }
    about["value"] = {"type": "string", "contentEncoding": "base64"}
    about["key"] = {"type": ["string", "null"]}
    payload = _envelope(EXCEPTION, _object(about, list(about)))
    payload["required"] = [one for one in payload["required"] if one not in _MAYBE_UNREADABLE]
    found[EXCEPTION] = (EXCEPTIONS,), payload
    return found


_MAYBE_UNREADABLE: Final = ("time", "plant", "line")


def _struct(name: str, entry: Transaction | Summary) -> type[Struct]:
    """Return the struct that the job fills for these records."""
    if isinstance(entry, Summary) or entry.when == "window":
        return windowed_data(name, entry.row, entry.measures, isinstance(entry, Transaction))
    names = [
        member.name
        for event in entry.inputs
        for member in members(TYPES[event].__annotations__["data"])
        if member.name not in entry.leave_out
    ]
    return at_once_data(name, dict.fromkeys(names))


def _data(struct: type[Struct], entry: Transaction | Summary | None) -> Schema:
    measures = {"quantity", *(entry.measures if entry is not None else ())}
    return _object(
        {
            field.name: OUTPUT_MEMBERS.get(field.name, NUMBER if field.name in measures else NAME)
            for field in fields(struct)
        },
        [],
    )


def _member_schema(member: Member) -> Schema:
    if member.choices:
        return {"enum": list(member.choices)}
    schemas: dict[str, Schema] = {
        "text": NAME,
        "measure": MEASURE,
        "flag": {"type": "boolean"},
        "object": {"type": "object"},
        "json": {},
    }
    return schemas[member.kind]


def _envelope(kind: str, data: Schema, source: Schema | None = None) -> Schema:
    attributes: dict[str, Schema] = {
        "specversion": {"const": "1.0"},
        "type": {"const": kind},
        "source": source or {"const": SOURCE},
        "id": NAME if source else {"type": "string", "description": "the posting key"},
        "time": TIME,
        "plant": PLACE,
        "line": PLACE,
        "data": data,
    }
    return _object(attributes, list(attributes))


def _object(properties: dict[str, Schema], required: list[str]) -> Schema:
    return {"type": "object", "required": required, "properties": properties}
