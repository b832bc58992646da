"""JSON Schemas of what leaves: transactions at once and by window, summaries, exceptions."""

from typing import Final

from msgspec import Struct
from msgspec.structs import fields, replace

from streams.contract import samples, schemas
from streams.contract.checks import CLASSES, remedies
from streams.contract.events import TYPES
from streams.contract.members import Member, members
from streams.contract.policy import LASTING, Policy, Summary, Transaction
from streams.contract.schemas import NAME, PLACE, TIME_OUT, Schema, mapping
from streams.contract.topics import ERP_MASTER, ERP_TRANSACTIONS, EXCEPTIONS, INPUTS
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
    example: Schema


def outputs(policy: Policy) -> dict[str, Message]:
    """Return the messages that leave by a policy."""
    found = {}
    for name, entry in policy.transactions.items():
        found[name] = _erp(name, *_transaction(name, entry), *_sample_of(name, entry))
    about: dict[str, Schema] = dict.fromkeys(("episode", "work_unit", "reason"), NAME)
    told = _told(about)
    found[NOTIFICATION] = _erp(
        NOTIFICATION,
        schemas.notification_key(),
        told,
        samples.notification_id(),
        _enriched(samples.of("data", told)),
    )
    about = {
        "reverses": {"type": "string", "minLength": 1, "description": "a posting key"},
        "reversed_type": {"enum": [*policy.transactions, NOTIFICATION]},
    }
    more: dict[str, Schema] = dict.fromkeys(("episode", "work_unit", "reason"), NAME)
    for entry in policy.transactions.values():
        sources = _sources(entry).items()
        more.update((name, schemas.member_out(each)) for name, each in sources)
    schema = _told(about, more)
    found[REVERSAL] = _erp(REVERSAL, schemas.reversal_key(), schema, *_sample_of_reversal(policy))
    for name, summary in policy.summaries.items():
        payload = _leaving(name, _id(summary), _data(_struct(name, summary), summary))
        id, data = _sample_of(name, summary)
        found[name] = Message(
            topics=(name,),
            payload=payload,
            headers=WRITTEN,
            key=LINE_KEY,
            example=samples.example(payload, id=id, time=data["window_end"], data=data),
        )
    payload = _exception()
    data = samples.of("data", payload["properties"]["data"]) | samples.REFUSED
    found[EXCEPTION] = Message(
        topics=(EXCEPTIONS,),
        payload=payload,
        headers=WRITTEN,
        key=RECORD_KEY,
        example=samples.example(payload, id=samples.REFUSED_ID, data=data),
    )
    return found


def _sample_of(name: str, entry: Transaction | Summary) -> tuple[str, Schema]:
    """Return an id and the `data` of a record of a type, as the policy lets it leave."""
    data: Schema = samples.of("data", _data(_struct(name, entry), entry))
    if isinstance(entry, Summary):
        data |= samples.SUMMARY_WINDOW
    elif entry.when == "at_once":
        return samples.at_once_id(entry.short), _enriched(data)
    else:
        data = _enriched(data)
    return samples.windowed_id(entry.short, entry.row, data), data


def _sample_of_reversal(policy: Policy) -> tuple[str, Schema]:
    """Return an id and the `data` of what takes back a record of the policy's first type."""
    name, entry = next(iter(policy.transactions.items()))
    key, data = _sample_of(name, replace(entry, when="at_once"))
    told = {"reverses": key, "reversed_type": name, "cost_center": data["cost_center"]}
    left_out = ENRICHED.keys() | {"event"}
    return samples.reversal_id(key), told | {n: data[n] for n in data if n not in left_out}


def _enriched(data: Schema) -> Schema:
    """Return `data` with what master data adds to it."""
    added = ENRICHED if "quantity" in data else ("cost_center",)
    return data | {name: samples.MEMBERS[name] for name in added}


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


def _erp(name: str, id: Schema, data: Schema, sample_id: str, sample: Schema) -> Message:
    payload = _leaving(name, id, {**data, "properties": data["properties"] | ENRICHED})
    time = sample.get("window_end", samples.MEMBERS["time"])
    return Message(
        topics=(ERP_TRANSACTIONS,),
        payload=payload,
        headers=TRACED,
        key=LINE_KEY,
        example=samples.example(payload, id=sample_id, time=time, data=sample),
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
    for name, whole in (("value_bytes", "value"), ("key_bytes", "key")):
        data["properties"][name] = {**count, "description": f"of a {whole} that isn't all there"}
    more = "how many headers the record has, if not all are there"
    data["properties"]["headers_count"] = {**count, "description": more}
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
    return envelope(kind, {"source": {"const": SOURCE}, "id": id, "time": TIME_OUT}, data)


def envelope(kind: str, about: dict[str, Schema], data: Schema, place: Schema = PLACE) -> Schema:
    attributes: dict[str, Schema] = {
        "specversion": {"const": "1.0"},
        "type": {"const": kind},
        **about,
        "plant": place,
        "line": place,
        "data": data,
    }
    return mapping(attributes, list(attributes))
