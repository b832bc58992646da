"""AsyncAPI breaks nothing of what has landed, but what is meant to: each with its reason.

docs/releasing.md says when `asyncapi-landed.json` is renewed, and `asyncapi-meant.json` emptied.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evolution import broken
from streams.contract.asyncapi import document

HERE = Path(__file__).parent
LANDED: dict[str, Any] = json.loads((HERE / "asyncapi-landed.json").read_bytes())
MEANT: dict[str, str] = json.loads((HERE / "asyncapi-meant.json").read_bytes())
"""What breaks for users of the landed document on purpose, and why."""

NOW: dict[str, Any] = json.loads(json.dumps(document("1")))


def test_nothing_breaks_but_what_is_meant_to() -> None:
    assert broken(LANDED, NOW) == sorted(MEANT)


def test_each_reason_is_a_sentence() -> None:
    assert all(reason.endswith(".") and len(reason) > 40 for reason in MEANT.values())


def test_a_document_breaks_nothing_of_itself() -> None:
    assert broken(NOW, NOW) == []
    assert broken(LANDED, LANDED) == []


# What is found.

Change = Callable[[Any], object]


def _data(name: str) -> Callable[[Any], Any]:
    def found(changed: Any) -> Any:
        return changed["components"]["messages"][name]["payload"]["properties"]["data"]

    return found


consumed, production = _data("material.consumed.v1"), _data("summary.production.v1")
placed, raised = _data("quality.hold_placed.v1"), _data("exception.raised.v1")

BREAKS: dict[str, tuple[Change, str]] = {
    "a channel less": (
        lambda doc: doc["channels"].pop("exceptions.v1"),
        "channel exceptions.v1 is gone",
    ),
    "a message less": (
        lambda doc: doc["channels"]["mes.events.v1"]["messages"].pop("goods.received.v1"),
        "mes.events.v1: message goods.received.v1 is gone",
    ),
    "another direction": (
        lambda doc: doc["operations"].pop("receive-mes.events.v1"),
        "channel mes.events.v1 has another direction",
    ),
    "a member less that came in": (
        lambda doc: consumed(doc)["properties"].pop("storage"),
        "material.consumed.v1: payload.data.storage is gone",
    ),
    "a member more that has to come in": (
        lambda doc: consumed(doc)["required"].append("lot"),
        "material.consumed.v1: payload.data.lot has become required",
    ),
    "a new member that has to come in": (
        lambda doc: (
            consumed(doc)["properties"].update(shift={"type": "string"}),
            consumed(doc)["required"].append("shift"),
        ),
        "material.consumed.v1: payload.data.shift has become required",
    ),
    "a choice less that came in": (
        lambda doc: placed(doc)["properties"]["scope"]["enum"].remove("order"),
        "quality.hold_placed.v1: payload.data.scope: enum no longer has order",
    ),
    "choices where anything came in": (
        lambda doc: consumed(doc)["properties"]["uom"].update(enum=["kg"]),
        "material.consumed.v1: payload.data.uom: enum no longer has anything",
    ),
    "a kind less that came in": (
        lambda doc: consumed(doc)["properties"]["quantity"].update(type="string"),
        "material.consumed.v1: payload.data.quantity: type no longer has number",
    ),
    "shorter texts that come in": (
        lambda doc: consumed(doc)["properties"]["uom"].update(maxLength=3),
        "material.consumed.v1: payload.data.uom: maxLength was 256, is 3",
    ),
    "another form of what comes in": (
        lambda doc: consumed(doc)["properties"]["uom"].update(pattern="^[a-z]+$"),
        "incoming: pattern ",
    ),
    "a key that is asked for": (
        lambda doc: doc["components"]["messages"]["material.consumed.v1"]["bindings"]["kafka"][
            "key"
        ].update(maxLength=9),
        "material.consumed.v1: key: maxLength was None, is 9",
    ),
    "a header that is asked for": (
        lambda doc: doc["components"]["messages"]["material.consumed.v1"]["headers"].update(
            required=["content-type"]
        ),
        "material.consumed.v1: headers.content-type has become required",
    ),
    "a member less that left": (
        lambda doc: production(doc)["properties"].pop("good"),
        "summary.production.v1: payload.data.good is gone",
    ),
    "a member that needn't leave any more": (
        lambda doc: production(doc)["required"].remove("good"),
        "summary.production.v1: payload.data.good may be absent",
    ),
    "a choice more that leaves": (
        lambda doc: raised(doc)["properties"]["code"]["enum"].append("odd"),
        "exception.raised.v1: payload.data.code: enum has odd",
    ),
    "anything where choices left": (
        lambda doc: raised(doc)["properties"]["code"].pop("enum"),
        "exception.raised.v1: payload.data.code: enum has anything",
    ),
    "a kind more that leaves": (
        lambda doc: production(doc)["properties"]["good"].update(type=["string", "null"]),
        "summary.production.v1: payload.data.good: type has null",
    ),
    "another form of what leaves": (
        lambda doc: production(doc)["properties"]["good"].update(pattern="^.*$"),
        "leaving: pattern ",
    ),
    "longer lists that leave": (
        lambda doc: _data("erp.reversal.v1")(doc)["properties"]["causes"].update(maxItems=50),
        "erp.reversal.v1: payload.data.causes: maxItems was 20, is 50",
    ),
    "another constant": (
        lambda doc: doc["components"]["messages"]["erp.reversal.v1"]["payload"]["properties"][
            "source"
        ].update(const="/other"),
        "erp.reversal.v1: payload.source: const is another",
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_what_breaks_is_found(what: str) -> None:
    change, sentence = BREAKS[what]
    changed = copy.deepcopy(NOW)
    change(changed)
    found = broken(NOW, changed)
    assert any(each.startswith(sentence) for each in found), found


ADDS: dict[str, Change] = {
    "a channel": lambda doc: doc["channels"].update(new={"messages": {}}),
    "a member that may come in": lambda doc: consumed(doc)["properties"].update(shift={}),
    "a choice that may come in": lambda doc: placed(doc)["properties"]["scope"]["enum"].append("x"),
    "a member that leaves": lambda doc: (
        production(doc)["properties"].update(held={"type": "string"}),
        production(doc)["required"].append("held"),
    ),
    "a member that needn't come in any more": lambda doc: consumed(doc)["required"].remove("uom"),
    "a choice less that leaves": lambda doc: raised(doc)["properties"]["code"]["enum"].pop(),
    "longer texts that may come in": lambda doc: consumed(doc)["properties"]["uom"].update(
        maxLength=999
    ),
    "other words": lambda doc: consumed(doc)["properties"]["uom"].update(description="unit"),
}


@pytest.mark.parametrize("what", ADDS)
def test_what_is_added_breaks_nothing(what: str) -> None:
    changed = copy.deepcopy(NOW)
    ADDS[what](changed)
    assert broken(NOW, changed) == []
