"""The contract as an AsyncAPI 3 document, made from the structs and the policy."""

from typing import Final

from streams.contract import reference_schemas, samples, schemas
from streams.contract.act_schemas import acts
from streams.contract.events import REVERSIBLE, TICK_TYPE, TYPES
from streams.contract.members import members
from streams.contract.output_schemas import (
    LINE_KEY,
    TRACEPARENT,
    WRITTEN,
    Message,
    envelope,
    outputs,
)
from streams.contract.policy import Policy, default_policy
from streams.contract.reference import KINDS
from streams.contract.reference_key import EXTRA
from streams.contract.schemas import NAME, TIME, Schema, mapping
from streams.contract.topics import CATALOGUE, ERP_MASTER, INPUTS, MES_EVENTS, REFERENCE, Topic
from streams.contract.transactions import SOURCE
from streams.log.headers import CONTENT_TYPE, STRUCTURED, TRACE

GIVEN: Final = mapping({CONTENT_TYPE: {"type": "string", "examples": [STRUCTURED[1].decode()]}}, [])
"""Headers of what others write: in structured mode, and none are asked for."""


def document(version: str, policy: Policy | None = None) -> Schema:
    """Return the AsyncAPI 3.0 document of a version of lineside with this policy."""
    policy = policy or default_policy()
    messages = {**_inputs(), **_reference(), **outputs(policy), **acts()}
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
                    "examples": [{"payload": message.example}],
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
        payload = envelope(name, {"source": NAME, "id": NAME, "time": TIME}, data)
        payload["properties"][TRACE] = {"description": TRACEPARENT["description"]}
        found[name] = Message(
            topics=(struct.TOPIC,),
            payload=payload,
            headers=GIVEN,
            key=LINE_KEY,
            example=samples.example(payload),
        )
    anywhere = {"source": {"const": SOURCE}, "id": NAME, "time": TIME}
    tick = envelope(TICK_TYPE, anywhere, mapping({}, []), place={"const": "*"})
    found[TICK_TYPE] = Message(
        topics=INPUTS, payload=tick, headers=WRITTEN, key=None, example=samples.example(tick)
    )
    return found


def _original() -> Schema:
    about = {"type": {"enum": sorted(REVERSIBLE)}, "time": TIME, "data": schemas.OBJECT}
    return mapping(about, list(about))


def _reference() -> dict[str, Message]:
    """Return the messages of master data; those of the sources are named `master`."""
    found = {}
    for kind in (*KINDS, *EXTRA):
        topics = (MES_EVENTS, REFERENCE) if kind in KINDS else (REFERENCE,)
        known, said = reference_schemas.known(kind), reference_schemas.said(kind)
        found[f"reference.{kind}.v1"] = Message(
            topics=topics, payload=known, headers=WRITTEN, key=None, example=samples.example(known)
        )
        found[f"master.{kind}.v1"] = Message(
            topics=(ERP_MASTER,),
            payload=said,
            headers=GIVEN,
            key=None,
            example=samples.example(said, source="/erp"),
        )
    return found
