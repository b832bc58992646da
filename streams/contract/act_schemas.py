"""The JSON Schema of acts, the records of `audit.v1`, with an example."""

from typing import Final

from streams.contract import samples
from streams.contract.acts import ACT, ACTS, STATUSES
from streams.contract.output_schemas import WRITTEN, Message, envelope
from streams.contract.reruns import RERUN
from streams.contract.schemas import TIME_OUT, Schema, mapping
from streams.contract.topics import AUDIT, INPUTS, MES_EVENTS
from streams.contract.transactions import SOURCE

TEXT: Final[Schema] = {"type": "string", "minLength": 1}

STANDING: Final = mapping(
    {
        "status": {"enum": list(STATUSES)},
        "version": {"type": "integer", "minimum": 0, "description": "rises with each act"},
        "assigned_to": TEXT,
        "fixed": {"type": "string", "description": "the value sent in place of the original"},
        "key": {"type": "string", "description": "the key in place of the original's"},
        "asked_by": {**TEXT, "description": "who asked for what a second person approves"},
    },
    ["status", "version"],
)
"""How an exception stands before or after an act."""

_BEFORE: Final[Schema] = {"status": "open", "version": 0}
_AFTER: Final[Schema] = {"status": "resent", "version": 1, "key": "DE01/L3"}


def acts() -> dict[str, Message]:
    """Return the messages of `audit.v1`; an act's place is that of the exception, if it has one."""
    data = mapping(
        {
            "who": TEXT,
            "act": {"enum": list(ACTS)},
            "subject": {**TEXT, "description": "the id of the exception"},
            "why": TEXT,
            "batch": {**TEXT, "description": "one for all acts of a bulk action"},
            "before": STANDING,
            "after": STANDING,
        },
        ["who", "act", "subject", "before", "after"],
    )
    about: dict[str, Schema] = {"source": {"const": SOURCE}, "id": TEXT, "time": TIME_OUT}
    payload = envelope(ACT, about, data)
    payload["required"] = [name for name in payload["required"] if name not in ("plant", "line")]
    said: Schema = {
        "who": "anna",
        "act": "fix",
        "subject": samples.REFUSED_ID,
        "why": "the gateway had the key of the line beside it",
        "before": _BEFORE,
        "after": _AFTER,
    }
    example = samples.example(payload, id="5f1c0d3e9a7b4c2d8e6f0a1b2c3d4e5f", data=said)
    message = Message(topics=(AUDIT,), payload=payload, headers=WRITTEN, key=TEXT, example=example)
    return {ACT: message, RERUN: _rerun()}


def _rerun() -> Message:
    """Return the message that says who has begun to send inputs again."""
    topics: Schema = {"type": "array", "items": {"enum": list(INPUTS)}, "minItems": 1}
    ends: Schema = {
        "type": "object",
        "additionalProperties": {"type": "integer", "minimum": 0},
        "description": "by topic/partition: where it ended then, and nothing behind is sent",
    }
    data = mapping(
        {
            "who": TEXT,
            "begin": TIME_OUT,
            "end": TIME_OUT,
            "topics": topics,
            "ends": ends,
            "plant": TEXT,
            "line": TEXT,
            "order": TEXT,
        },
        ["who", "begin", "end", "topics", "ends"],
    )
    about: dict[str, Schema] = {"source": {"const": SOURCE}, "id": TEXT, "time": TIME_OUT}
    payload = envelope(RERUN, about, data)
    for name in ("plant", "line"):
        del payload["properties"][name]
        payload["required"].remove(name)
    said: Schema = {
        "who": "anna",
        "begin": "2026-11-21T06:00:00Z",
        "end": "2026-11-21T14:00:00Z",
        "topics": [MES_EVENTS],
        "ends": {f"{MES_EVENTS}/0": 4711},
        "plant": "DE01",
        "line": "L3",
        "order": "1000123",
    }
    example = samples.example(payload, id="rerun-5f1c0d3e9a7b4c2d8e6f0a1b", data=said)
    return Message(topics=(AUDIT,), payload=payload, headers=WRITTEN, key=None, example=example)
