"""The AsyncAPI document: fresh, and true of what really comes in and leaves: no more, no less."""

import copy
import json
import re
import subprocess
import sys
from base64 import b64decode
from collections import Counter
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft7Validator

from draws import seeds
from logs import random_log
from replays import read_lines, replayed
from runs import event, run, value_of
from streams.codec.decode import decode
from streams.codec.master import read_master
from streams.contract.asyncapi import document
from streams.contract.events import TICK_TYPE, TYPES
from streams.contract.policy import read_policy
from streams.contract.reference import KINDS, Reference
from streams.contract.rejection import Rejection
from streams.contract.topics import (
    CATALOGUE,
    ERP_TRANSACTIONS,
    EXCEPTIONS,
    MES_EVENTS,
    OUTPUTS,
    REFERENCE,
)
from streams.log.headers import STRUCTURED, headers_of
from streams.log.record import Outgoing

ROOT = Path(__file__).parents[2]
LINESIDE = str(Path(sys.executable).with_name("lineside"))
GOLDEN = ROOT / "tests" / "golden"

ENVELOPE = ("specversion", "type", "source", "id", "time", "plant", "line", "data")
COMMON = ("causes", "cause_count", "document_date", "posting_date")
WINDOW = ("window_start", "window_end", "revision")
SUMMARY = (*WINDOW, "count")

REQUIRED: dict[str, tuple[str, ...]] = {
    "erp.production_confirmation.v1": ("order", "operation", "item", "quantity", "uom", *COMMON),
    "erp.goods_receipt.v1": ("order", "item", "quantity", "uom", "product", *COMMON),
    "erp.goods_issue.v1": ("order", "operation", "item", "uom", "quantity", *WINDOW, *COMMON),
    "erp.scrap_posting.v1": (
        "order", "operation", "item", "uom", "reason", "kind", "quantity", *WINDOW, *COMMON,
    ),
    "erp.labor_confirmation.v1": ("order", "operation", "seconds", *WINDOW, *COMMON),
    "erp.operation_status.v1": ("order", "operation", "event", *COMMON),
    "erp.quality_notification.v1": ("event", *COMMON),
    "erp.stock_status.v1": ("hold", "event", *COMMON),
    "erp.maintenance_notification.v1": ("episode", "work_unit", "reason", *COMMON),
    "erp.reversal.v1": ("reverses", "reversed_type", *COMMON),
    "summary.consumption.v1": ("order", "operation", "item", "uom", "quantity", *SUMMARY),
    "summary.scrap.v1": (
        "order", "operation", "item", "uom", "reason", "kind", "quantity", *SUMMARY,
    ),
    "summary.production.v1": (
        "order", "operation", "item", "uom", "good", "scrap", "rework", *SUMMARY,
    ),
    "summary.downtime.v1": ("work_unit", "reason", "planned", "seconds", "stops", *WINDOW),
    "summary.availability.v1": ("work_unit", "down", "planned_down", *WINDOW),
    "summary.machine.v1": ("work_unit", "good", "scrap", *SUMMARY),
    "summary.machine_state.v1": ("work_unit", "state", "seconds", *WINDOW),
    "exception.raised.v1": (
        "class", "code", "reason", "topic", "partition", "offset", "key", "value", "headers",
    ),
}  # fmt: skip
"""The members of `data` that a record always has, as docs/contract.md tells them."""

SAMPLES: dict[str, Any] = {
    "quantity": "1", "seconds": 1, "good": "1", "scrap": 0.5, "kind": "component", "planned": False,
    "scope": "lot", "product": "by_product", "disposition": "use", "result": "pass", "state": "Idle", "final": True,
    "original": {"type": "goods.received.v1", "time": "2026-11-21T06:00:00Z", "data": {}},
}  # fmt: skip
"""What a member of an event can be that can't be any text."""


SPACES = "\u0020\u00a0\u1680\u2002\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
"""White space in form C that isn't a control character."""


@cache
def validator(name: str) -> Draft7Validator:
    schema = document("1")["components"]["messages"][name]["payload"]
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def is_described(record: dict[str, Any]) -> bool:
    return bool(validator(record["type"]).is_valid(record))


@cache
def examples() -> dict[str, list[dict[str, Any]]]:
    """Return the records that the golden logs lead to, by type."""
    found: dict[str, list[dict[str, Any]]] = {}
    for log in sorted(GOLDEN.glob("*/log.ndjson")):
        left, _, _ = replayed(log.read_bytes(), close=True)
        for record in (each for records in left.values() for each in records):
            found.setdefault(record["type"], []).append(record)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asyncapi")
    log = folder / "log.ndjson"
    many = ["--events", "6000", "--plants", "2", "--lines", "2", "--mess", "malformed=0.02"]
    subprocess.run([LINESIDE, "simulate", *many, "--out", log], check=True, capture_output=True)
    replay = [LINESIDE, "replay", log, "--out", folder / "out", "--close"]
    subprocess.run(replay, check=True, capture_output=True)
    return folder


def test_the_page_is_fresh() -> None:
    code = (
        "import sys; sys.path.insert(0, 'docs'); import generate; sys.stdout.write(generate.page())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == (ROOT / "docs" / "asyncapi.json").read_text(), "run `make docs`"


def test_every_topic_of_the_catalogue_is_a_channel_with_messages() -> None:
    channels = document("1")["channels"]
    assert set(channels) == {topic.name for topic in CATALOGUE}
    assert all(channel["messages"] for channel in channels.values())


# What leaves.


def test_every_record_that_leaves_is_as_told(folder: Path) -> None:
    seen: Counter[str] = Counter()
    for topic in (*OUTPUTS, REFERENCE):
        for record in read_lines((folder / "out" / f"{topic}.ndjson").read_bytes()):
            validator(record["type"]).validate(record)
            assert not is_described({**record, "data": {}})
            unknown = record["data"].keys() - named(record["type"])
            assert not unknown, f"{record['type']} leaves with {unknown}"
            seen[record["type"]] += 1
    assert len(seen) >= 15
    assert sum(seen.values()) > 2_000


def named(kind: str) -> set[str]:
    schema = validator(kind).schema
    assert isinstance(schema, dict)
    return set(schema["properties"]["data"]["properties"])


@pytest.mark.parametrize("kind", REQUIRED)
def test_every_record_of_the_golden_logs_is_as_told(kind: str) -> None:
    for record in examples()[kind]:
        validator(kind).validate(record)
        assert record["data"].keys() <= named(kind)


def test_every_record_of_the_logs_from_the_field_is_as_told_and_none_without_data() -> None:
    """All golden logs, those of situations in real plants among them; and whatever leaves."""
    found = examples()
    assert found.keys() == REQUIRED.keys() | {"reference.hold.v1", "reference.hold_release.v1"}
    for record in (each for records in found.values() for each in records):
        validator(record["type"]).validate(record)
        assert not is_described({**record, "data": {}})


def test_no_message_is_right_without_data_but_where_nothing_is_asked_for() -> None:
    """A plant and its lengths of time have no members of their own that must be there."""
    messages = document("1")["components"]["messages"]
    bare = {name for name in messages if is_right_bare(messages[name]["payload"])}
    partly = {
        f"{word}.{kind}.v1" for word in ("reference", "master") for kind in ("plant", "timing")
    }
    assert bare == {TICK_TYPE, *partly}


def is_right_bare(payload: dict[str, Any]) -> bool:
    return bool(Draft7Validator(payload["properties"]["data"]).is_valid({}))


def test_every_member_has_a_type_a_choice_or_a_pattern() -> None:
    """But telemetry's value, which may be anything."""
    messages = document("1")["components"]["messages"]
    found = {
        f"{name}.{member}"
        for name, message in messages.items()
        for member, schema in message["payload"]["properties"]["data"]["properties"].items()
        if not schema.keys() & {"type", "enum", "const", "anyOf"}
    }
    assert found == {"machine.telemetry.v1.value"}


@given(seeds)
@settings(max_examples=8)
def test_whatever_comes_in_what_leaves_is_as_told(seed: int) -> None:
    done = run(random_log(seed, 80), close=True)
    for record in (value_of(each) for left in done.outputs.values() for each in left):
        validator(record["type"]).validate(record)


def test_what_leaves_by_another_policy_is_as_its_document_tells() -> None:
    text = files("streams.contract").joinpath("policy.toml").read_text("utf-8")
    swapped = {"at_once": "window", "window": "at_once"}
    entries = text.split("\n\n")
    entries = [
        re.sub('when = "(.*)"', lambda found: f'when = "{swapped[found[1]]}"', entry)
        if "row =" in entry
        else entry
        for entry in entries
    ]
    policy = read_policy("\n\n".join(entries))
    messages = document("1", policy)["components"]["messages"]
    seen: Counter[str] = Counter()
    for seed in range(8):
        done = run(random_log(seed, 80), policy=policy, close=True)
        for record in (value_of(each) for left in done.outputs.values() for each in left):
            Draft7Validator(messages[record["type"]]["payload"]).validate(record)
            seen[record["type"]] += 1
    assert {"erp.production_confirmation.v1", "erp.goods_issue.v1"} <= seen.keys()


@pytest.mark.parametrize("kind", REQUIRED)
def test_a_record_that_lacks_something_isnt_as_told(kind: str) -> None:
    record = next(each for each in examples()[kind] if {*REQUIRED[kind]} <= each["data"].keys())
    assert is_described(record)
    assert not is_described({**record, "data": {}})
    attributes = ENVELOPE if kind != "exception.raised.v1" else ("specversion", "source", "id")
    for name in attributes:
        if name != "type":
            assert not validator(kind).is_valid(without(record, name)), name
    for name in REQUIRED[kind]:
        data = without(record["data"], name)
        assert not is_described({**record, "data": data}), name
    told = validator(kind).schema["properties"]["data"]
    ways = told.get("anyOf", [told])  # at once, and by window
    assert set(REQUIRED[kind]) in [set(way["required"]) for way in ways]


def without(members: dict[str, Any], name: str) -> dict[str, Any]:
    assert name in members
    return {each: value for each, value in members.items() if each != name}


@pytest.mark.parametrize("kind", REQUIRED)
def test_a_record_with_something_wrong_isnt_as_told(kind: str) -> None:
    record = examples()[kind][0]
    for name, wrong in [
        ("specversion", "0.3"), ("type", "x"), ("source", "/other"), ("id", ""), ("id", "x"),
        ("time", record["time"].removesuffix("Z")), ("time", record["time"][:-1] + "+00:00"),
        ("time", record["time"].replace("T", " ")), ("plant", ""), ("line", "L/1"), ("line", 1),
        ("data", []),
    ]:  # fmt: skip
        assert not validator(kind).is_valid({**record, name: wrong}), name
    wrong_data = dict[str, list[Any]](
        quantity=[1, 1.5, "1.50", "1e3", "-0", "1,5", "", "01"], seconds=[60], stops=[1], good=[0],
        scrap=[0], rework=[0], revision=[-1, "0", 0.5, None], count=["1", 0.5], cause_count=[0, "1"],
        causes=[[], "e1", [1], ["e"] * 21], posting_date=["2026-11-21T06:00:00Z", "21.11.2026"],
        window_start=["2026-11-21T06:00:00", 1], window_end=["2026-11-21T06:00:00+01:00"],
        order=["", 1, None, "x" * 257, "a\u0007b"], lot=[None, ""], planned=["false", 0],
        kind=["other"], event=["machine.state.v1"], final=[False, "true"], partition=[-1, "0"],
        offset=["0"], headers=[{}, [{}]], reverses=["", 1],
    )  # fmt: skip
    if kind == "exception.raised.v1":
        wrong_data |= {"value": ["{", None], "code": ["other"]}
    for name in named(kind) & wrong_data.keys():
        for wrong in wrong_data[name]:
            changed = {**record, "data": {**record["data"], name: wrong}}
            assert not is_described(changed), f"{name} {wrong!r}"


@pytest.mark.parametrize("kind", [*REQUIRED, *TYPES])
def test_a_member_more_is_no_fault(kind: str) -> None:
    """A later version may add some, and any producer."""
    record = examples()[kind][0] if kind in REQUIRED else sample(kind)
    more = copy.deepcopy(record) | {"recordedtime": 7}
    more["data"]["another"] = {}
    assert is_described(more)


# What comes in.


def test_an_event_is_as_told_unless_it_is_refused_as_broken(folder: Path) -> None:
    refused = {
        b64decode(record["data"]["value"]): record["data"]
        for record in read_lines((folder / "out" / f"{EXCEPTIONS}.ndjson").read_bytes())
    }
    seen: Counter[str] = Counter()
    for line in (folder / "log.ndjson").read_bytes().splitlines():
        data = refused.get(line, {})
        code = data.get("code")
        broken = code in ("malformed", "invalid", "unknown_type")
        seen["broken" if broken else "whole"] += 1
        if code == "invalid" and re.search(r" is '(1e15|0\.0000000001)'", data["reason"]):
            continue  # that a measure is too large or too fine is what no pattern says
        assert told_in(line) != broken, (line, data)
    assert seen["whole"] > 5_000
    assert seen["broken"] > 50


def told_in(value: bytes) -> bool:
    """Return whether a value is JSON and as told by its type."""
    try:
        event = json.loads(value)
    except ValueError:
        return False
    known = isinstance(event, dict) and event.get("type") in (*TYPES, TICK_TYPE)
    return known and is_described(event)


def contract_members() -> dict[str, tuple[list[str], list[str]]]:
    """Return the required and the optional members of each type, as docs/contract.md lists them."""
    page = (ROOT / "docs" / "contract.md").read_text("utf-8")
    found = {}
    for kind, cell in re.findall(r"^\| `([a-z_.]+\.v1)` \| (`\w.*) \|$", page, re.MULTILINE):
        if kind in TYPES:
            names = re.findall(r"`(\w+\??)`", re.sub(r"\([^)]*\)", "", cell).partition(";")[0])
            optional = [name.removesuffix("?") for name in names if name.endswith("?")]
            found[kind] = [name for name in names if not name.endswith("?")], optional
    return found


def sample(kind: str, optional: bool = True) -> dict[str, Any]:
    """Return an event with all members, or with those that it needs."""
    required, more = contract_members()[kind]
    names = [*required, *(more if optional else [])]
    document: dict[str, Any] = json.loads(event(kind, 0, **{n: SAMPLES.get(n, "x") for n in names}))
    return document


def verdict(document: dict[str, Any]) -> bool:
    """Return whether the job takes an event, which has to be what the document says of it."""
    taken = not isinstance(decode(json.dumps(document).encode(), (), None), Rejection)
    assert validator(document["type"]).is_valid(document) == taken, document
    return taken


def test_the_contract_lists_every_type_of_event() -> None:
    assert contract_members().keys() == TYPES.keys()


@pytest.mark.parametrize("kind", TYPES)
def test_an_event_needs_what_the_contract_says(kind: str) -> None:
    required, optional = contract_members()[kind]
    whole = sample(kind)
    assert verdict(whole)
    assert verdict(sample(kind, optional=False))
    assert not verdict({**whole, "data": {}})
    for name in ENVELOPE:
        if name != "type":
            assert not verdict(without(whole, name))
    for name in required:
        assert not verdict({**whole, "data": without(whole["data"], name)})
    for name in [*required, *optional]:
        may_be_null = name in optional or (kind, name) == ("machine.telemetry.v1", "value")
        assert verdict({**whole, "data": {**whole["data"], name: None}}) == may_be_null
        if name != "value" or kind != "machine.telemetry.v1":
            assert not verdict({**whole, "data": {**whole["data"], name: []}})
            assert not verdict({**whole, "data": {**whole["data"], name: ""}})


@pytest.mark.parametrize(
    ("time", "right"),
    [("2026-11-21T06:00:00Z", True), ("2026-11-21t06:00:00.123456789z", True),
     ("2026-11-21T06:00:00+01:00", True), ("2026-11-21T06:00:00", False), (1, False), ("", False),
     ("2026-11-21 06:00:00Z", False), ("2026-11-21T06:00:60Z", False), ("2026-11-21", False),
     ("2026-13-21T06:00:00Z", False), ("2026-11-21T24:00:00Z", False), ("now", False),
     ("2026-11-21T06:00:00+1:00", False), ("2026-11-21T06:00:00.Z", False),
     ("2000-01-01T00:00:00Z", True), ("1999-12-31T23:59:00-00:01", True),
     ("1998-12-31T23:59:00Z", False), ("9998-12-31T23:59:59Z", True),
     ("10000-01-01T00:00:00Z", False)],
)  # fmt: skip
def test_a_time_is_told_as_it_is_read(time: Any, right: bool) -> None:
    assert verdict({**sample("goods.received.v1"), "time": time}) == right


@pytest.mark.parametrize(
    ("measure", "right"),
    [(1, True), (-0.5, True), ("12.500", True), ("1e3", True), ("-0", True), ("+3", False),
     ("012", False), ("12,5", False), ("NaN", False), ("", False), (True, False), (10**15, False),
     ("1.", False), (".5", False)],
)  # fmt: skip
def test_a_measure_is_told_as_it_is_read(measure: Any, right: bool) -> None:
    document = sample("goods.received.v1")
    assert verdict({**document, "data": {**document["data"], "quantity": measure}}) == right


@pytest.mark.parametrize(
    ("text", "right"),
    [("x" * 256, True), ("x" * 257, False), ("Ü 3 \U0001f3ed", True), ("a\tb", False),
     ("a\x7f", False), ("a\x9f", False), (7, False), *((f"{space}a", False) for space in SPACES),
     *((f"a{space}", False) for space in SPACES), *((f"a{space}b", True) for space in SPACES),
     *((space, False) for space in SPACES), ("\u200ba\u200b", True), ("a", True), ("*", True)],
)  # fmt: skip
def test_a_text_is_told_as_it_is_read(text: Any, right: bool) -> None:
    document = sample("goods.received.v1")
    assert verdict({**document, "data": {**document["data"], "item": text}}) == right
    assert verdict({**document, "id": text}) == right


def test_a_place_has_no_slash_and_is_not_all_of_them() -> None:
    for name in ("plant", "line"):
        for wrong in ("a/b", "/", "*", " a", "a\u00a0"):
            assert not is_described({**sample("goods.received.v1"), name: wrong})
        for right in ("**", "*a", "a*", "a", "a b"):
            assert verdict({**sample("goods.received.v1"), name: right})
        assert not verdict({**sample("goods.received.v1"), name: "x" * 129})


def test_a_tick_is_told_as_lineside_writes_it() -> None:
    from agents.tick_clock import tick_bytes

    tick = json.loads(tick_bytes(1_795_240_800_000_000))
    assert is_described(tick)
    for name in ENVELOPE:
        if name != "type":
            assert not validator(TICK_TYPE).is_valid(without(tick, name))


# Examples.

SAMPLES_OF_ALL = {
    name: message["examples"][0]["payload"]
    for name, message in document("1")["components"]["messages"].items()
}


@pytest.mark.parametrize("name", SAMPLES_OF_ALL)
def test_each_message_has_an_example_that_is_as_told(name: str) -> None:
    validator(name).validate(SAMPLES_OF_ALL[name])
    assert SAMPLES_OF_ALL[name]["data"] or name == TICK_TYPE


@pytest.mark.parametrize("name", SAMPLES_OF_ALL)
def test_an_example_that_comes_in_is_taken(name: str) -> None:
    value = json.dumps(SAMPLES_OF_ALL[name]).encode()
    if name in TYPES or name == TICK_TYPE:
        assert not isinstance(decode(value, (), None), Rejection)
    elif name.removeprefix("reference.").removesuffix(".v1") in KINDS:
        assert isinstance(decode(value, (), MES_EVENTS), Reference)
    elif name.startswith("master."):
        assert not isinstance(read_master(value, ()), Rejection)


@pytest.mark.parametrize("name", TYPES)
def test_an_example_shows_each_member_of_an_event(name: str) -> None:
    required, optional = contract_members()[name]
    assert SAMPLES_OF_ALL[name]["data"].keys() == {*required, *optional}


# Headers.


def headers_schema(name: str) -> Draft7Validator:
    return Draft7Validator(document("1")["components"]["messages"][name]["headers"])


@pytest.mark.parametrize("kind", [*REQUIRED, TICK_TYPE])
def test_what_lineside_writes_has_the_headers_that_are_told(kind: str) -> None:
    record = Outgoing(ERP_TRANSACTIONS, b"P/L", "id", kind, b"{}")
    headers = {name: value.decode() for name, value in headers_of(record)}
    assert headers_schema(kind).is_valid(headers)
    assert not headers_schema(kind).is_valid({})
    assert not headers_schema(kind).is_valid({"content-type": "application/json"})


def test_a_trace_is_told_where_one_can_be() -> None:
    name, value = STRUCTURED
    for kind in ("erp.production_confirmation.v1", "erp.goods_issue.v1", "erp.reversal.v1"):
        valid = headers_schema(kind).is_valid
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        assert valid({name: value.decode(), "traceparent": trace})
        assert not valid({name: value.decode(), "traceparent": trace.upper()})
    assert "traceparent" not in headers_schema("summary.production.v1").schema["properties"]
