"""Records are read as the independent reading of the contract reads them, in every core."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draws import seeds
from oracle_v2 import reading, values
from oracle_v2.tables import REFERENCE_TYPES, TICK
from streams.codec import scanning
from streams.codec.decode import decode, decode_plain, place_refusal, read_original
from streams.contract.events import NAMES as TYPE_NAMES
from streams.contract.events import MachineTelemetry, Tick, TransactionReversed
from streams.contract.rejection import Rejection
from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS
from streams.log.record import Record
from test_codec import NAMES, some_value

Headers = Sequence[tuple[str, str | None]]

ATTRIBUTES = ("plant", "line")


def by_the_oracle(value: bytes, headers: Headers, topic: str) -> Any:
    """Return what a record is: a tick's time, an event, or (code, plant, line) of a refusal."""
    record = reading.Record(topic, 0, 0, None, None, value, tuple(headers))
    envelope = reading.Envelope({}, binary=False)
    try:
        envelope = reading.read_envelope(record)
        kind = reading.read_type(envelope, topic)
        assert kind not in REFERENCE_TYPES
        if kind == TICK:
            time = values.parse_time(envelope.get("time"))
            if time is None:
                raise reading.Rejected("invalid", "time")
            return time
        event = reading.read_event(kind, envelope)
    except reading.Rejected as rejected:
        places = [envelope.get(name) for name in ATTRIBUTES]
        told = [None if values.place_problem(place) else place for place in places]
        return (rejected.code, *told)
    if "original" in event.data:
        event.data["original"] = event.data["original"].event
    if kind == "machine.telemetry.v1":
        event.data.pop("value", None)
    return kind, event.source, event.id, event.time, event.plant, event.line, event.data


def told(decoded: Any) -> Any:
    """Return the same of what lineside has read."""
    if isinstance(decoded, Tick):
        return decoded.time
    if not isinstance(decoded, Rejection):
        decoded = place_refusal(decoded.plant, decoded.line) or decoded
    if isinstance(decoded, Rejection):
        return decoded.code, decoded.plant, decoded.line
    members = {name: getattr(decoded.data, name) for name in decoded.data.__struct_fields__}
    data = {name: member for name, member in members.items() if member is not None}
    if isinstance(decoded, TransactionReversed):
        original = read_original(data["original"])
        data["original"] = None
        if not isinstance(original, str):
            own = {name: getattr(original.data, name) for name in original.data.__struct_fields__}
            there = {name: member for name, member in own.items() if member is not None}
            data["original"] = (original.type, original.time, there)
    if isinstance(decoded, MachineTelemetry):
        del data["value"]
    name = TYPE_NAMES[decoded.__class__]
    where = decoded.plant, decoded.line
    return name, decoded.source, decoded.id, decoded.time, *where, data


def read_in_every_way(value: bytes, headers: Headers, topic: str) -> Iterator[Any]:
    """Yield what each reader makes of a record; the last is that of the partition."""
    spelt = [(name, None if given is None else given.encode()) for name, given in headers]
    yield told(decode(value, spelt, topic))
    yield told(decode_plain(value, spelt, topic))
    events = scanning.Events()
    events.read([Record(0, None, None, value, spelt)], -1, topic)
    yield told(events.decoded_at(0))


def in_binary_mode(rng: Random, value: bytes, odd: float) -> tuple[bytes, Headers]:
    """Return an event with its attributes in headers, some of them perhaps twice."""
    try:
        document = values.parse_json(value)
        data, attributes = json.loads(value)["data"], document.items()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return value, []
    headers: list[tuple[str, str | None]] = [
        (f"ce_{name}", given)
        for name, given in attributes
        if name != "data" and isinstance(given, str | None)
    ]
    if headers and rng.random() < odd:
        name, given = rng.choice(headers)
        headers.insert(rng.randrange(len(headers)), (name, rng.choice([given, None, "x"])))
    if rng.random() < odd:
        headers.append(rng.choice([("ce_data", "{}"), ("ce_x", "1"), ("x", "1"), ("ce_", None)]))
    if rng.random() < odd:
        kind = rng.choice(["application/cloudevents+json", "application/json", None])
        headers.insert(0, ("content-type", kind))
    return json.dumps(data, ensure_ascii=rng.random() < 0.5).encode("utf-8", "replace"), headers


CASES = st.tuples(
    seeds, st.sampled_from([0.0, 0.02, 0.1]), st.sampled_from([MES_EVENTS, MACHINE_EVENTS])
)


@given(CASES)
def test_any_record_is_read_as_the_oracle_reads_it(case: tuple[int, float, str]) -> None:
    seed, odd, topic = case
    rng = Random(seed)
    for _ in range(50):
        value = some_value(rng, odd, NAMES)
        right = by_the_oracle(value, (), topic)
        for found in read_in_every_way(value, (), topic):
            assert found == right, value


@given(CASES)
def test_and_so_is_one_in_binary_mode(case: tuple[int, float, str]) -> None:
    seed, odd, topic = case
    rng = Random(seed)
    for _ in range(50):
        value, headers = in_binary_mode(rng, some_value(rng, odd, NAMES), odd)
        right = by_the_oracle(value, headers, topic)
        for found in read_in_every_way(value, headers, topic):
            assert found == right, (value, headers)


EVENT = (
    '{"specversion":"1.0","type":"goods.received.v1","source":"/s","id":"1","time":"2026-11-21T06:'
    '00:00Z","plant":"P","line":"L","data":{"order":"O","item":"I","quantity":1,"uom":"%s"}}'
)


def test_each_character_at_the_begin_middle_and_end_of_a_text_is_read_as_the_oracle_does() -> None:
    codes = [*range(0x20, 0x600), *range(0x900, 0xA00), *range(0x1680, 0x1681)]
    codes += [*range(0x1E00, 0x2130), *range(0x3000, 0x3100), 0xAC00, 0xD7FF, 0xFB1D, 0xFEFF]
    for code in codes:
        if code in (0x22, 0x5C):
            continue
        for text in (chr(code), f"a{chr(code)}b", f"{chr(code)}a", f"a{chr(code)}"):
            value = (EVENT % text).encode()
            right = by_the_oracle(value, (), MES_EVENTS)
            for found in read_in_every_way(value, (), MES_EVENTS):
                assert found == right, (hex(code), text)


def test_the_letters_of_europe_are_in_form_c_in_any_order() -> None:
    letters = [chr(code) for code in range(0xA1, 0x180) if code != 0xAD]
    for letter in letters:
        text = "".join(f"{letter}{other}" for other in letters)
        for at in range(0, len(text), 200):
            value = (EVENT % text[at : at + 200]).encode()
            assert told(decode(value, (), MES_EVENTS)) == by_the_oracle(value, (), MES_EVENTS)
            assert told(decode(value, (), MES_EVENTS))[0] == "goods.received.v1"


@pytest.mark.parametrize("odd", [0.0, 0.02, 0.1])
def test_the_comparison_sees_events_and_refusals(odd: float) -> None:
    rng = Random(3)
    found: Counter[str] = Counter()
    for _ in range(1_000):
        value = some_value(rng, odd, NAMES)
        right = by_the_oracle(value, (), MES_EVENTS)
        found["tick" if isinstance(right, int) else right[0] if len(right) == 3 else "event"] += 1
    assert min(found[kind] for kind in ("event", "invalid", "unknown_type")) > 30
    assert (found["malformed"] > 30) == (odd > 0)
