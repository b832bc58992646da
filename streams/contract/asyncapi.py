"""The contract as an AsyncAPI 3 document, made from the structs and the policy."""

from typing import Final

from msgspec import Struct
from msgspec.structs import fields, replace

from streams.contract import reference_schemas, schemas
from streams.contract.checks import CLASSES, remedies
from streams.contract.events import REVERSIBLE, TICK_TYPE, TYPES
from streams.contract.members import Member, members
from streams.contract.policy import LASTING, Policy, Summary, Transaction, default_policy
from streams.contract.reference import KINDS
from streams.contract.reference_key import EXTRA
from streams.contract.schemas import NAME, PLACE, TIME, TIME_OUT, Schema, mapping
from streams.contract.topics import (
    CATALOGUE,
    ERP_MASTER,
    ERP_TRANSACTIONS,
    EXCEPTIONS,
    INPUTS,
    MES_EVENTS,
    REFERENCE,
    Topic,
)
from streams.contract.transactions import (
    COMMON,
    EXCEPTION,
    NOTIFICATION,
    OF_WINDOW,
    REVERSAL,
    SOURCE,
    at_once_data,
    windowed_data,
)  # fmt: skip
from streams.log.headers import CONTENT_TYPE, STRUCTURED, TRACE
from streams.log.tracing import FORM

TYPE_OF_CONTENT: Final[Schema] = {"type": "string", "const": STRUCTURED[1].decode()}
TRACEPARENT: Final[Schema] = {
    "type": "string",
    "pattern": f"^{FORM.pattern.decode()}$",
    "description": "W3C Trace Context of the event, of what leaves at once for one",
}

GIVEN: Final = mapping({CONTENT_TYPE: {"type": "string", "examples": [STRUCTURED[1].decode()]}}, [])
"""Headers of what others write: in structured mode, and none are asked for."""

WRITTEN: Final = mapping({CONTENT_TYPE: TYPE_OF_CONTENT}, [CONTENT_TYPE])
TRACED: Final = mapping({CONTENT_TYPE: TYPE_OF_CONTENT, TRACE: TRACEPARENT}, [CONTENT_TYPE])
"""Headers of what lineside writes, and of what may have a trace."""

LINE_KEY: Final[Schema] = {
    "type": "string",
    "pattern": "^[^/]+/[^/]+$",
    "description": "plant/line",
}
RECORD_KEY: Final[Schema] = {"type": ["string", "null"], "description": "that of the record"}


REFUSING: Final = (*INPUTS, ERP_MASTER)
"""Topics whose records may be refused."""


class Message(Struct, frozen=True, kw_only=True):
    """A message of the document: on which topics it is, and what its parts are."""

    topics: tuple[str, ...]
    payload: Schema
    headers: Schema
    key: Schema | None


def document(version: str, policy: Policy | None = None) -> Schema:
    """Return the AsyncAPI 3.0 document of a version of lineside with this policy."""
    policy = policy or default_policy()
    messages = {**_inputs(), **_reference(), **_outputs(policy)}
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
                    for name, message in messages.items()
                    if topic.name in message.topics
                },
            }
            for topic in CATALOGUE
        },
        "operations": {
            f"{_action(topic)}-{topic.name}": {
                "action": _action(topic),
                "channel": {"$ref": f"#/channels/{topic.name}"},
            }
            for topic in CATALOGUE
        },
        "components": {
            "messages": {
                name: {
                    "name": name,
                    "headers": message.headers,
                    "bindings": {"kafka": {} if message.key is None else {"key": message.key}},
                    "payload": message.payload,
                }
                for name, message in messages.items()
            }
        },
    }


def _action(topic: Topic) -> str:
    return "receive" if topic.direction in ("in", "master") else "send"


def _inputs() -> dict[str, Message]:
    found = {}
    for name, struct in TYPES.items():
        listed = members(struct.__annotations__["data"])
        data = mapping(
            {member.name: schemas.member_in(member) for member in listed},
            [member.name for member in listed if member.required],
        )
        if "original" in data["properties"]:
            data["properties"]["original"] = _original()
        payload = _envelope(name, {"source": NAME, "id": NAME, "time": TIME}, data)
        payload["properties"][TRACE] = {"description": TRACEPARENT["description"]}
        found[name] = Message(topics=(struct.TOPIC,), payload=payload, headers=GIVEN, key=LINE_KEY)
    anywhere = {"source": {"const": SOURCE}, "id": NAME, "time": TIME}
    tick = _envelope(TICK_TYPE, anywhere, mapping({}, []), place={"const": "*"})
    found[TICK_TYPE] = Message(topics=INPUTS, payload=tick, headers=WRITTEN, key=None)
    return found


def _original() -> Schema:
    about = {"type": {"enum": sorted(REVERSIBLE)}, "time": TIME, "data": schemas.OBJECT}
    return mapping(about, list(about))


def _reference() -> dict[str, Message]:
    """Return the messages of master data; those of the sources are named `master`."""
    found = {}
    for kind in (*KINDS, *EXTRA):
        topics = (MES_EVENTS, REFERENCE) if kind in KINDS else (REFERENCE,)
        found[f"reference.{kind}.v1"] = Message(
            topics=topics, payload=reference_schemas.known(kind), headers=WRITTEN, key=None
        )
        found[f"master.{kind}.v1"] = Message(
            topics=(ERP_MASTER,), payload=reference_schemas.said(kind), headers=GIVEN, key=None
        )
    return found


def _outputs(policy: Policy) -> dict[str, Message]:
    found = {}
    for name, entry in policy.transactions.items():
        found[name] = _erp(name, *_transaction(name, entry))
    about: dict[str, Schema] = dict.fromkeys(("episode", "work_unit", "reason"), NAME)
    found[NOTIFICATION] = _erp(NOTIFICATION, schemas.notification_key(), _told(about))
    about = {
        "reverses": {"type": "string", "minLength": 1, "description": "a posting key"},
        "reversed_type": {"enum": [*policy.transactions, NOTIFICATION]},
    }
    more: dict[str, Schema] = dict.fromkeys(("episode", "work_unit", "reason"), NAME)
    for entry in policy.transactions.values():
        sources = _sources(entry).items()
        more.update((name, schemas.member_out(each)) for name, each in sources)
    found[REVERSAL] = _erp(REVERSAL, schemas.reversal_key(), _told(about, more))
    for name, summary in policy.summaries.items():
        payload = _leaving(name, _id(summary), _data(_struct(name, summary), summary))
        found[name] = Message(topics=(name,), payload=payload, headers=WRITTEN, key=LINE_KEY)
    found[EXCEPTION] = Message(
        topics=(EXCEPTIONS,), payload=_exception(), headers=WRITTEN, key=RECORD_KEY
    )
    return found


def _transaction(name: str, entry: Transaction) -> tuple[Schema, Schema]:
    """Return the schemas of the keys and of the `data` of records of a type.

    One that has a row leaves by window or at once, as rules, serials and finals have it: each has
    the members of its own way.
    """
    ways = [entry]
    if entry.row:
        ways = [replace(entry, when=when) for when in ("at_once", "window")]
    keys = [_id(way) for way in ways]
    told = [_data(_struct(name, way), way) for way in ways]
    properties = {n: each for one in told for n, each in one["properties"].items()}
    required = [n for n in told[0]["required"] if all(n in one["required"] for one in told)]
    if len(ways) == 1:
        return keys[0], told[0]
    alone: Schema = {"not": {"anyOf": [{"required": [name]} for name in OF_WINDOW]}}
    either: list[Schema] = [
        {"required": told[0]["required"], **alone},
        {"required": told[1]["required"]},
    ]
    return {"anyOf": keys}, {**mapping(properties, required), "anyOf": either}


ENRICHED: Final[dict[str, Schema]] = {
    "cost_center": NAME,
    "base_uom": NAME,
    "base_quantity": {
        "type": "string",
        "pattern": r"^-?[0-9]+(\.[0-9]{1,18})?$",
        "description": "quantity in base_uom, exact",
    },
}
"""What a transaction gets from master data, where that is known when it leaves."""


def _erp(name: str, id: Schema, data: Schema) -> Message:
    properties = data["properties"] | ENRICHED
    return Message(
        topics=(ERP_TRANSACTIONS,),
        payload=_leaving(name, id, {**data, "properties": properties}),
        headers=TRACED,
        key=LINE_KEY,
    )


def _told(about: dict[str, Schema], more: dict[str, Schema] | None = None) -> Schema:
    """Return the schema of what has the members `about`, the common ones, and perhaps others."""
    properties = about | {name: schemas.ABOUT[name] for name in COMMON}
    return mapping(properties | (more or {}), list(properties))


def _exception() -> Schema:
    text: Schema = {"type": "string"}
    base64: Schema = {**text, "contentEncoding": "base64", "pattern": "^[A-Za-z0-9+/]*={0,2}$"}
    header = mapping(
        {"name": text, "value": {"type": ["string", "null"]}, "value_base64": base64}, ["name"]
    )
    count: Schema = {"type": "integer", "minimum": 0}
    about: dict[str, Schema] = {
        "class": {"enum": [*dict.fromkeys(CLASSES.values()), "technical"]},
        "code": {
            "enum": list(CLASSES),
            "description": "\n".join(f"- `{code}`: {cure}" for code, cure in remedies().items()),
        },
        "reason": {**text, "minLength": 1},
        "topic": {"enum": list(REFUSING)},
        "partition": count,
        "offset": count,
        "key": {"type": ["string", "null"]},
        "value": base64,
        "headers": {"type": "array", "items": header},
    }
    data = mapping(about, list(about))
    data["properties"]["value_bytes"] = {**count, "description": "of a value that isn't all there"}
    topics = "|".join(topic.replace(".", r"\.") for topic in REFUSING)
    id: Schema = {
        "type": "string",
        "pattern": f"^({topics})/[0-9]+/[0-9]+$",
        "description": "topic, partition and offset of the record",
    }
    payload = _leaving(EXCEPTION, id, data)
    payload["required"] = [one for one in payload["required"] if one not in _MAYBE_UNREADABLE]
    return payload


_MAYBE_UNREADABLE: Final = ("time", "plant", "line")


def _struct(name: str, entry: Transaction | Summary) -> type[Struct]:
    """Return the struct that the job fills for these records."""
    if isinstance(entry, Summary) or entry.when == "window":
        return windowed_data(name, entry.row, entry.measures, isinstance(entry, Transaction))
    return at_once_data(name, dict.fromkeys(_sources(entry)))


def _id(entry: Transaction | Summary) -> Schema:
    if isinstance(entry, Transaction) and entry.when == "at_once":
        return schemas.at_once_key(entry.short)
    return schemas.windowed_key(entry.short, entry.row)


def _data(struct: type[Struct], entry: Transaction | Summary) -> Schema:
    """Return the schema of the `data` of records that events lead to: required is what all have."""
    sources = _sources(entry)
    kinds = 1 if isinstance(entry, Summary) and not entry.inputs else len(entry.inputs)
    windowed = isinstance(entry, Summary) or entry.when == "window"
    properties: dict[str, Schema] = {}
    required = []
    for name in (field.name for field in fields(struct)):
        if windowed and name in entry.measures:
            properties[name] = schemas.MEASURE_OUT
        elif name in schemas.ABOUT:
            if name == "count" and struct.__name__ in LASTING:
                continue  # seconds of what lasts are no count of events
            properties[name] = schemas.ABOUT[name]
        elif name == "event":
            if isinstance(entry, Transaction) and not entry.event:
                continue
            properties[name] = {"enum": list(entry.inputs)}
        else:
            properties[name] = schemas.member_out(sources[name])
            if sum(member.required or bool(member.absent) for member in sources[name]) < kinds:
                continue
        required.append(name)
    return mapping(properties, required)


def _sources(entry: Transaction | Summary) -> dict[str, list[Member]]:
    """Return what a member is in each of the events that have it, by its name."""
    left_out = entry.leave_out if isinstance(entry, Transaction) else ()
    found: dict[str, list[Member]] = {}
    lasting = [each.event for each in LASTING.values() if each.row == entry.row]
    for event in entry.inputs or lasting:  # a summary of what lasts has no inputs
        for member in members(TYPES[event].__annotations__["data"]):
            if member.name not in left_out:
                found.setdefault(member.name, []).append(member)
    return found


def _leaving(kind: str, id: Schema, data: Schema) -> Schema:
    return _envelope(kind, {"source": {"const": SOURCE}, "id": id, "time": TIME_OUT}, data)


def _envelope(kind: str, about: dict[str, Schema], data: Schema, place: Schema = PLACE) -> Schema:
    attributes: dict[str, Schema] = {
        "specversion": {"const": "1.0"},
        "type": {"const": kind},
        **about,
        "plant": place,
        "line": place,
        "data": data,
    }
    return mapping(attributes, list(attributes))
