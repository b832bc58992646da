"""Bytes become an event or a rejection, never an error; the fast way agrees with the plain one."""

import json
import statistics
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Sequence
from itertools import count, islice
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from draws import seeds
from logs import random_log
from runs import Bench, confirmed, consumed, event, new_task, reversed_, value_of, watched
from streams.codec.decode import Decoded, decode, decode_plain, read_original
from streams.codec.document import NESTING_MAX, VALUE_BYTES_MAX, Headers, _nesting
from streams.contract.events import (
    REVERSIBLE,
    TYPES,
    GoodsReceived,
    MachineTelemetry,
    MaterialConsumed,
    ProductionConfirmed,
    Tick,
    TransactionReversed,
)
from streams.contract.members import Member, members
from streams.contract.rejection import Rejection
from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS
from streams.log.record import Record
from streams.values import instant

# What is written: JSON as text, so that names may repeat and numbers keep their spelling.

NAMES = [
    '"O1"', '"Ünï"', '"😀"', '"\\u0041b"', '"a\\"b"', '"a\\/b"', '"\\ud83d\\ude00"', '"%|:"',
    '"\u200bx"', '"\u0338"', '"' + "x" * 128 + '"', '"' + "ä" * 256 + '"',
]  # fmt: skip
ODD_TEXTS = [
    '" a"', '"a "', '" "', '"\u00a0a"', '"a\u3000"', '"a\\u0020"', '"e\u0301"', '"e\\u0301"', '"\u212b"',
    '"\u1100\u1161"', '"a\u0323\u0307"', '"a\u0307\u0323"', '"*"', '"a : "', '" , "', '"\ufeffa"',
    '""', '"a/b"', '"\\ud800"', '"\\udc00x"', '"\x7f"', '"\x85"', '"\\u0000"', '"\\u009f"', '"\t"',
    '"\u00a0"', '"\u200b"', '"' + "x" * 257 + '"', '"' + "😀" * 129 + '"', "'O1'", '"O1', '"\\x"',
]  # fmt: skip
MEASURES = [
    "1", "0", "-0", "-1", "12.5", '"12.50"', "0.750", "1e2", "1E+2", "1e-9", '"1e-9"', '"-0"',
    "999999999999999", '"999999999999999.999999999"', "-999999999999999", "10e-10", "0e999999999",
]  # fmt: skip
ODD_NUMBERS = [
    "1e-10", "0.0000000001", "1e15", "1000000000000000", "1e400", "-1e400", "1e-400", "9" * 40,
    "9" * 5_000, f'"{"9" * 5_000}"', "1" + "0" * 4_400 + ".5", "18446744073709551616", "01", "1.",
    ".5", "+1", '"+1"', '"1 "', '"0x1"', '"NaN"', "NaN", "Infinity", "-Infinity", '"１"', "-",
    "--1", "1e", '"1e"', "1e99999999999999999999", '"1_0"',
]  # fmt: skip
ODD_VALUES = [
    "null", "true", "false", "[]", "{}", "[1]", '{"a":1.50}', '{"a":{"b":[null,1e5]}}',
    "[" * 30 + "]" * 30, "[" * 600 + "]" * 600, "[", "}", "nul", "", "[1,]", '{"a":1,}', '{"a"}',
    '{"a":"\\ud800"}', '{"\\ud800":1}', '{"a":1,"a":2}', f'{{"a":{"9" * 40}}}',
]  # fmt: skip
TIMES = [
    '"2026-11-21T06:00:00Z"', '"2026-11-21t06:00:00.123456789+01:00"', '"2026-11-21T06:00:00.5z"',
    '"9998-12-31T23:59:59.999999Z"', '"2000-01-01T00:00:00Z"', '"1999-12-31T23:59:59-00:01"',
]  # fmt: skip
ODD_TIMES = [
    '"9999-01-01T00:00:00Z"', '"9999-01-01T00:00:00+00:01"', '"1999-12-31T23:59:59.999999Z"',
    '"2000-01-01T00:59:00+01:00"', '"9998-12-31T23:59:00-00:01"',
    '"2026-11-21"', '"2026-11-21T06:00:00"', '"2026-11-31T06:00:00Z"',
    '"0001-01-01T00:00:00+01:00"', "1795240800", "1795240800.5",
    '"2026-11-21T06:00:00\\u005a"', '["2026-11-21T06:00:00Z"]',
    '"2026-11-21T06:00:60Z"', '"2026-11-21T06:00:00Z "',
]  # fmt: skip
ODD = [*ODD_TEXTS, *ODD_NUMBERS, *ODD_VALUES, *ODD_TIMES, *NAMES, *MEASURES, *TIMES]
SPACES = ["", "", "", " ", "\n", "\t\r ", "\u00a0", "\x0b"]
KINDS = [*TYPES, "clock.tick.v1"]
REVERSIBLE_KINDS = sorted(REVERSIBLE)


def some_value(rng: Random, odd: float, names: Sequence[str] = NAMES) -> bytes:
    """Return an event of any type; each thing about it is odd with a chance of `odd`.

    `names` are texts in JSON; the last is one that a plant or line can't have.
    """
    kind = rng.choice(KINDS)
    fields = [
        ("specversion", '"1.0"'),
        ("type", json.dumps(kind)),
        *((name, rng.choice(names[:-1])) for name in ("source", "id", "plant", "line")),
        ("time", rng.choice(TIMES)),
    ]
    fields.append(("data", _data(rng, kind, odd, names)))
    written = _object(rng, fields, odd)
    if rng.random() < odd:
        odd_ones = f"\ufeff{written}", f"\ufeff\ufeff{written}", f"[{written}]", f"{written},"
        written = rng.choice([*odd_ones, f"{written}x"])
    value = written.encode("utf-8", "surrogatepass")
    while rng.random() < odd:
        at = rng.randrange(len(value) or 1)
        middle = rng.choice([b"", rng.randbytes(1), value[at:], value[at : at + 1] * 2])
        value = value[:at] + middle + value[at + 1 :] if rng.random() < 0.8 else value[: at + 1]
    return value


def _data(rng: Random, kind: str, odd: float, names: Sequence[str]) -> str:
    struct = TYPES.get(kind)
    known = () if struct is None else members(struct.__annotations__["data"])
    told = [member for member in known if member.required or rng.random() < 0.5]
    return _object(rng, [(each.name, _valid(rng, each, odd, names)) for each in told], odd)


def _valid(rng: Random, member: Member, odd: float, names: Sequence[str]) -> str:
    match member.kind:
        case "measure":
            return rng.choice(MEASURES)
        case "flag":
            return rng.choice(["true", "false"])
        case "json":
            return rng.choice(["null", "1.5", '"x"', "[1]", '{"a":null}'])
        case "object":
            if rng.random() < 0.2:
                return rng.choice(["{}", '{"type":5}', *ODD_VALUES[6:8]])
            kind = rng.choice(REVERSIBLE_KINDS if rng.random() < 0.7 else KINDS)
            told = _data(rng, kind, odd, names)
            original = [("type", json.dumps(kind)), ("time", rng.choice(TIMES)), ("data", told)]
            return _object(rng, original, odd)
        case _:
            return json.dumps(rng.choice(member.choices)) if member.choices else rng.choice(names)


def _object(rng: Random, fields: list[tuple[str, str]], odd: float) -> str:
    fields = list(fields)
    if rng.random() < 0.3:
        rng.shuffle(fields)
    if rng.random() < odd:
        fields.insert(
            rng.randint(0, len(fields)), (rng.choice(["x", "ü", "payload"]), rng.choice(ODD))
        )
    if fields and rng.random() < odd:  # twice
        name, value = rng.choice(fields)
        again = rng.choice([value, rng.choice(ODD)])
        fields.insert(rng.randint(0, len(fields)), (name, again))
    if fields and rng.random() < odd:
        fields.pop(rng.randrange(len(fields)))
    if fields and rng.random() < odd:
        at = rng.randrange(len(fields))
        fields[at] = fields[at][0], rng.choice(ODD)
    space = (lambda: rng.choice(SPACES)) if rng.random() < odd else str
    told = (f"{space()}{json.dumps(name)}{space()}:{space()}{value}" for name, value in fields)
    return f"{{{','.join(told)}{space()}}}"


def same(fast: Decoded, plain: Decoded) -> bool:
    """Return whether two are equal: `original` by what it says, values that nobody reads aside."""
    if fast.__class__ is not plain.__class__:
        return False
    if isinstance(fast, Rejection | Tick):
        return fast == plain
    told = [
        {name: getattr(each, name) for name in each.__struct_fields__ if name != "data"}
        | {name: getattr(each.data, name) for name in each.data.__struct_fields__}
        for each in (fast, plain)
    ]
    for each in told:
        each["payload"] = each["payload"] is not UNSET
        if isinstance(fast, MachineTelemetry):
            del each["value"]
        elif isinstance(fast, TransactionReversed):
            each["original"] = read_original(each["original"])
    return told[0] == told[1] and [*map(type, told[0].values())] == [*map(type, told[1].values())]


# Laws.


@given(
    seeds, st.sampled_from([0.0, 0.03, 0.2]), st.sampled_from([None, MES_EVENTS, MACHINE_EVENTS])
)
def test_the_fast_way_agrees_with_the_plain_one(seed: int, odd: float, topic: str | None) -> None:
    rng = Random(seed)
    for _ in range(100):
        value = some_value(rng, odd)
        fast, plain = decode(value, (), topic), decode_plain(value, (), topic)
        assert same(fast, plain), (value, fast, plain)


@pytest.mark.parametrize("odd", [0.0, 0.05])
def test_the_comparison_sees_events_of_every_type_and_refusals_of_every_code(odd: float) -> None:
    """What the law above is worth: both ways give events, and odd ones rejections, of all kinds."""
    rng = Random(1)
    found = Counter(type(decode(some_value(rng, odd), (), None)) for _ in range(4_000))
    assert found.keys() >= {*TYPES.values(), Tick}
    assert (Rejection in found) == (odd > 0)
    codes = {
        each.code
        for each in (decode(some_value(rng, odd), (), MES_EVENTS) for _ in range(4_000))
        if isinstance(each, Rejection)
    }
    assert codes == ({"malformed", "invalid", "unknown_type"} if odd else {"unknown_type"})


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_any_bytes_become_an_event_or_a_rejection(value: bytes) -> None:
    fast = decode(value, (), MES_EVENTS)
    assert isinstance(fast, Rejection)
    assert fast == decode_plain(value, (), MES_EVENTS)
    assert fast.reason


@given(seeds)
def test_binary_mode_says_what_structured_mode_says(seed: int) -> None:
    """Numbers are spelt by Python, which is all the same to both."""
    rng = Random(seed)
    for _ in range(30):
        structured = json.dumps(json.loads(some_value(rng, 0))).encode()
        plain = decode_plain(structured, (), None)
        value, headers = _in_binary_mode(structured)
        assert same(decode(value, headers, None), plain)


def _in_binary_mode(value: bytes) -> tuple[bytes, Headers]:
    told = json.loads(value)
    data = told.pop("data")
    headers = [(f"ce_{name}", attribute.encode()) for name, attribute in told.items()]
    return json.dumps(data).encode(), [("content-type", b"application/json"), *headers]


@pytest.mark.parametrize("brackets", ["[", "{", "[{", "[]["])
def test_how_much_deeper_than_allowed_nobody_counts(brackets: str) -> None:
    # 64 KiB of brackets kept the event loop for 25 ms, and a batch has thousands of records.
    assert _nesting(brackets * 30_000) == NESTING_MAX + 1


def test_a_hundred_thousand_bad_lines_in_a_row_become_exceptions_and_slow_nothing() -> None:
    """Each ends as one thing; none takes long; the good ones between them all arrive."""
    rng = Random(7)
    good = [consumed(number, id=f"good {number}") for number in range(1_000)]
    # No tick from far ahead: it would rightly make all that follows too old.
    drawn = (line for _ in count() if not _is_far_ahead(line := some_value(rng, 0.3)))
    lines = [*islice(drawn, 100_000)]
    lines[::100] = good
    took: dict[bool, list[float]] = {True: [], False: []}
    outcomes: Counter[str] = Counter()
    tasks = {topic: new_task((topic, 0)) for topic in (MES_EVENTS, MACHINE_EVENTS)}
    for number, line in enumerate(lines):
        is_good = number % 100 == 0
        task = tasks[MACHINE_EVENTS if b"machine" in line else MES_EVENTS]
        record = Record(number, None, b"DE01/L1", line)
        begun = time.thread_time()  # other processes may have the core meanwhile
        step = task.step([record])
        took[is_good].append(time.thread_time() - begun)
        task.commit(step)
        outcomes["records"] += 1
        for output in step.outputs:
            if output.topic == "exceptions.v1":
                outcomes["exceptions"] += 1
                assert b64decode(value_of(output)["data"]["value"]) == line
    counts = [task.counts for task in tasks.values()]
    assert outcomes["records"] == sum(
        each.accepted + each.duplicate + each.exception + each.tick for each in counts
    )
    assert outcomes["exceptions"] == sum(each.exception for each in counts) > 50_000
    assert tasks[MES_EVENTS].lines[b"DE01/L1"].accepted_events >= len(good)
    assert statistics.median(took[False]) < 20 * statistics.median(took[True])
    assert sorted(took[False])[-100] < 200 * statistics.median(took[True])


def _is_far_ahead(line: bytes) -> bool:
    tick = decode(line, (), None)
    return isinstance(tick, Tick) and tick.time > instant.parse("2027-01-01T00:00:00Z")


HOSTILE = {
    "brackets": b"[" * VALUE_BYTES_MAX,
    "braces": b'{"a":' * (VALUE_BYTES_MAX // 5),
    "quotes": b'"' * VALUE_BYTES_MAX,
    "backslashes": b"\\" * VALUE_BYTES_MAX,
    "brackets, then an endless string of quotes": b"[" * 600 + b'"' + b'\\"' * 32_000,
    "brackets, then an endless string of backslashes": b"[" * 600 + b'"' + b"\\" * 60_000,
    "brackets in strings": b'{"a":' + b'["["],' * 10_000,
    "empty strings and brackets": b'[""' * (VALUE_BYTES_MAX // 3),
    "spaces": b" " * VALUE_BYTES_MAX,
    "a long number": b'{"a":' + b"9" * 65_000 + b"}",
    "a long exponent": b'{"a":1e' + b"9" * 65_000 + b"}",
    "a long fraction": b'{"a":0.' + b"0" * 65_000 + b"1}",
    "many numbers": b'{"a":[' + b"1," * 32_000 + b"1]}",
    "many members": b"{" + b",".join(b'"%d":1' % i for i in range(7_000)) + b"}",
    "surrogates": b'{"a":"' + b"\\ud800" * 10_900 + b'"}',
    "broken UTF-8": b'{"a":"' + b"\xc3" * 65_000 + b'"}',
    "a long time": consumed(0).replace(b"06:00:00Z", b"06:00:00." + b"1" * 60_000 + b"Z"),
    "a long quantity": consumed(0, "1" * 60_000),
    "a long quantity of few digits": consumed(0, "1." + "0" * 60_000),
    "a long bad quantity": consumed(0, "1." + "0" * 60_000 + "x"),
    "a long exponent of few digits": consumed(0, "1e-" + "0" * 60_000 + "1"),
    "a long name": consumed(0, order="x" * 60_000),
    "a long id": consumed(0, id="%" * 60_000),
    "a long key": event("downtime.started.v1", 0, **{"x" * 60_000: 1}),
    "a long type": event("x" * 60_000, 0, id="a"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_value_however_bad_takes_long(name: str) -> None:
    """Time grows with length, not with its square: at most some tens of plain reads."""
    value = HOSTILE[name]
    assert len(value) <= VALUE_BYTES_MAX
    benign = json.dumps([{"a": 1, "b": "text"}] * 2_000).encode()[:VALUE_BYTES_MAX]
    ordinary = min(_seconds(benign) for _ in range(3))
    took = _seconds(value)
    assert took < 100 * max(ordinary, 0.001)
    good = ("a long time", "a long quantity of few digits", "a long exponent of few digits")
    assert isinstance(decode(value, (), MES_EVENTS), Rejection) != (name in good)


def _seconds(value: bytes) -> float:
    begun = time.thread_time()
    decode(value, (), MES_EVENTS)
    return time.thread_time() - begun


# What a value may be.


def _refusal(
    value: bytes | None, headers: Headers = (), topic: str = MES_EVENTS
) -> tuple[str, str]:
    rejection = decode(value, headers, topic)
    assert isinstance(rejection, Rejection), rejection
    assert rejection == decode_plain(value, headers, topic)
    return rejection.code, rejection.reason


def test_a_value_may_have_64_kib_and_no_more() -> None:
    padding = VALUE_BYTES_MAX - len(consumed(0, x=""))
    assert not isinstance(decode(consumed(0, x="x" * padding), (), MES_EVENTS), Rejection)
    code, reason = _refusal(consumed(0, x="x" * (padding + 1)))
    assert (code, reason) == ("malformed", "the value has 65537 bytes: more than 65536")


def test_the_limit_holds_in_binary_mode_too() -> None:
    value, headers = _in_binary_mode(consumed(0, x="x" * VALUE_BYTES_MAX))
    assert _refusal(value, headers)[0] == "malformed"


@pytest.mark.parametrize("depth", [NESTING_MAX - 2, NESTING_MAX - 1])
def test_nesting_has_a_limit_that_is_a_refusal_not_an_error(depth: int) -> None:
    told = event("machine.telemetry.v1", 0, work_unit="U1", tag="t", value=0)
    value = told.replace(b'"value": 0', b'"value": ' + b"[" * depth + b"]" * depth)
    decoded = decode(value, (), MACHINE_EVENTS)
    assert isinstance(decoded, Rejection) == (depth + 2 > NESTING_MAX)
    assert same(decoded, decode_plain(value, (), MACHINE_EVENTS))


def test_brackets_in_a_string_are_no_nesting() -> None:
    decoded = decode(consumed(0, lot="[" * 250, x='\\"' + "[" * 1_000), (), MES_EVENTS)
    assert not isinstance(decoded, Rejection)


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "null"), (b"", "JSON"), (b"null", "not a JSON object"), (b"[]", "not a JSON object"),
     (b'"x"', "not a JSON object"), (b"{", "JSON"), (b"{}x", "JSON"), (b"\xff", "UTF-8"),
     (b'{"a":"\\ud800"}', "surrogate"), (b'{"\\udfff":1}', "surrogate"), (b'{"a":NaN}', "NaN"),
     (b"\xef\xbb\xbf\xef\xbb\xbf{}", "BOM"), (b'{"a":"\t"}', "JSON"),
     ("{}".encode("utf-16"), "UTF-8"), (b'{"a":{"b":"\\ud800","b":1}}', "surrogate")],
)  # fmt: skip
def test_what_is_no_json_object_in_utf_8_is_malformed(value: bytes | None, words: str) -> None:
    code, reason = _refusal(value)
    assert code == "malformed"
    assert words in reason


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [({"type": None}, "invalid", "type is missing"), ({"type": 5}, "invalid", "type is 5"),
     ({"type": "material.eaten.v1"}, "unknown_type", "'material.eaten.v1'"),
     ({"type": "machine.count.v1"}, "unknown_type", "machine.events.v1"),
     ({"type": "material.eaten.v1", "id": 5}, "unknown_type", "'material.eaten.v1'"),
     ({"specversion": "1.1"}, "invalid", "specversion is '1.1'"),
     ({"specversion": None}, "invalid", "specversion is missing"),
     ({"source": ""}, "invalid", "source is ''"), ({"id": 42}, "invalid", "id is 42"),
     ({"id": "x" * 257}, "invalid", "id is 'xxx"), ({"id": "a\x07"}, "invalid", "id is 'a\\x07'"),
     ({"source": "\x9f"}, "invalid", "source is"), ({"time": "now"}, "invalid", "time is 'now'"),
     ({"time": 1_795_240_800}, "invalid", "time is 1795240800"),
     ({"plant": "x" * 129}, "invalid", "plant is 'xxx"), ({"line": None}, "invalid", "line is"),
     ({"data": []}, "invalid", "data is []"), ({"data": None}, "invalid", "data is missing")],
)  # fmt: skip
def test_a_refusal_names_the_attribute_and_its_value(
    change: dict[str, Any], code: str, words: str
) -> None:
    given_, reason = _refusal(json.dumps(json.loads(consumed(0)) | change).encode())
    assert given_ == code
    assert words in reason


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [("order", None, "data.order is missing"), ("order", 5, "data.order is 5"),
     ("order", "", "data.order is ''"), ("lot", 7, "data.lot is 7"), ("lot", "", "data.lot is ''"),
     ("lot", "x" * 257, "data.lot is 'xxx"), ("quantity", True, "data.quantity is True"),
     ("quantity", "1,5", "data.quantity is '1,5'"), ("quantity", 10**15, "10^15"),
     ("quantity", [], "data.quantity is []"), ("quantity", None, "data.quantity is missing")],
)  # fmt: skip
def test_a_refusal_names_the_member_and_its_value(member: str, value: Any, words: str) -> None:
    code, reason = _refusal(consumed(0, **{member: value}))
    assert code == "invalid"
    assert words in reason


@pytest.mark.parametrize(
    ("kind", "data", "word"),
    [("scrap.declared.v1", {"order": "O", "operation": "1", "item": "I", "quantity": 1,
                            "uom": "pc", "reason": "r", "kind": "both"}, "kind"),
     ("quality.hold_placed.v1",
      {"hold": "H", "scope": "plant", "value": "v", "reason": "r"}, "scope"),
     ("quality.hold_released.v1", {"hold": "H", "disposition": "eat"}, "disposition"),
     ("inspection.completed.v1", {"inspection": "Q", "lot": "L", "result": "PASS"}, "result"),
     ("downtime.started.v1",
      {"episode": "E", "work_unit": "U", "reason": "r", "planned": 0}, "planned"),
     ("transaction.reversed.v1", {"reverses": "x", "original": "y"}, "original")],
)  # fmt: skip
def test_a_choice_is_one_of_its_values(kind: str, data: dict[str, Any], word: str) -> None:
    code, reason = _refusal(event(kind, 0, **data))
    assert code == "invalid"
    assert f"data.{word} is " in reason


def test_a_machine_state_is_one_of_packml() -> None:
    good = event("machine.state.v1", 0, work_unit="U1", state="Execute")
    assert not isinstance(decode(good, (), MACHINE_EVENTS), Rejection)
    code, reason = _refusal(good.replace(b"Execute", b"execute"), (), MACHINE_EVENTS)
    assert (code, "data.state is 'execute'" in reason) == ("invalid", True)


def test_telemetry_needs_a_value_and_null_is_one() -> None:
    for value, refused in ((b"null", False), (b'{"a":[1]}', False)):
        told = event("machine.telemetry.v1", 0, work_unit="U1", tag="t", value=0)
        decoded = decode(told.replace(b'"value": 0', b'"value": ' + value), (), MACHINE_EVENTS)
        assert isinstance(decoded, Rejection) == refused
    without = event("machine.telemetry.v1", 0, work_unit="U1", tag="t")
    assert _refusal(without, (), MACHINE_EVENTS) == ("invalid", "data.value is missing")


def test_telemetrys_value_may_be_any_text() -> None:
    told = event("machine.telemetry.v1", 0, work_unit="U1", tag="t", value="\x07" + "x" * 300)
    assert isinstance(decode(told, (), MACHINE_EVENTS), MachineTelemetry)


def test_null_and_absent_are_one_and_a_false_final_too() -> None:
    without = decode(confirmed(0), (), MES_EVENTS)
    assert decode(confirmed(0, lot=None, final=None), (), MES_EVENTS) == without
    assert decode(confirmed(0, final=False), (), MES_EVENTS) == without
    final = decode(confirmed(0, final=True), (), MES_EVENTS)
    assert isinstance(final, ProductionConfirmed)
    assert final.data.final is True


def test_unknown_attributes_and_members_and_ill_typed_optional_attributes_are_ignored() -> None:
    plain = decode(consumed(0), (), MES_EVENTS)
    odd = json.loads(consumed(0, unknown={"a": ["number"]}))
    for name in ("subject", "recordedtime", "traceparent", "correlationid", "other"):
        odd[name] = [5]
    value = json.dumps(odd).replace('"number"', "1e400").encode()
    assert decode(value, (), MES_EVENTS) == decode_plain(value, (), MES_EVENTS) == plain


@pytest.mark.parametrize(
    ("once", "twice", "words"),
    [('"id"', '"id": "x", "id"', "'id' is there twice in the envelope"),
     ('"id"', '"i\\u0064": "x", "id"', "'id' is there twice in the envelope"),
     ('"id"', '"unknown": 1, "unknown": 1, "id"', "'unknown' is there twice in the envelope"),
     ('"type"', '"type": "material.eaten.v1", "type"', "'type' is there twice in the envelope"),
     ('"data"', '"data": {}, "data"', "'data' is there twice in the envelope"),
     ('"uom"', '"uom": "kg", "uom"', "'uom' is there twice in data"),
     ('"uom"', '"ü": 1, "ü": 2, "uom"', "'ü' is there twice in data")],
)  # fmt: skip
def test_a_member_given_twice_in_what_is_read_is_malformed(
    once: str, twice: str, words: str
) -> None:
    value = consumed(0).decode()
    assert value.count(once) == 1
    given_ = value.replace(once, twice).encode()
    for topic in (MES_EVENTS, MACHINE_EVENTS):  # a known type, on whichever topic
        assert _refusal(given_, topic=topic) == ("malformed", words)


@pytest.mark.parametrize("space", [" ", "\n", "\t", "\r"])
def test_a_name_before_white_space_is_a_name(space: str) -> None:
    spaced = consumed(0).decode()
    for value in (spaced, json.dumps(json.loads(spaced), separators=(",", ":"))):
        twice = value.replace('"uom"', f'"uom"{space}:"kg","uom"')
        assert _refusal(twice.encode()) == ("malformed", "'uom' is there twice in data")
        once = value.replace('"uom"', f'"uom"{space}')
        assert same(decode(once.encode(), (), None), decode(consumed(0), (), None))


@pytest.mark.parametrize(
    ("once", "twice", "words"),
    [('"time"', '"time": 1, "time"', "'time' is there twice in data.original"),
     ('"uom"', '"x": 1, "x": 1, "uom"', "'x' is there twice in data.original.data")],
)  # fmt: skip
def test_so_is_one_in_an_original_whatever_its_type(once: str, twice: str, words: str) -> None:
    for kind in ("material.consumed.v1", "material.eaten.v1"):
        value = reversed_(consumed(0), 1).decode().replace("material.consumed.v1", kind)
        head, _, original = value.partition('"original"')
        value = f'{head}"original"{original.replace(once, twice, 1)}'
        assert _refusal(value.encode()) == ("malformed", words)


def test_a_header_given_twice_is_malformed() -> None:
    value, headers = _in_binary_mode(consumed(0))
    for more in (("ce_id", b"other"), ("ce_specversion", b"1.0"), ("ce_type", None)):
        code, reason = _refusal(value, [*headers, more])
        assert (code, reason) == ("malformed", f"{more[0][3:]!r} is there twice in the envelope")
    twice = value.replace(b'"uom"', b'"uom": "kg", "uom"')
    assert _refusal(twice, headers) == ("malformed", "'uom' is there twice in data")
    unread = [*headers, ("ce_x", b"1"), ("x", b"1"), ("x", b"1")]
    assert isinstance(decode(value, unread, MES_EVENTS), MaterialConsumed)


def test_members_of_what_isnt_read_may_be_there_twice() -> None:
    twice = b'{"a": 1, "a": {"b": 2, "b": 3}}'
    for value in (
        consumed(0, x="it").replace(b'"it"', twice),  # an unknown member of data
        consumed(0).replace(b'"specversion"', b'"x": %s, "specversion"' % twice),
    ):
        assert same(decode(value, (), MES_EVENTS), decode(consumed(0), (), MES_EVENTS))
    told = event("machine.telemetry.v1", 0, work_unit="U1", tag="t", value="it")
    value = told.replace(b'"it"', twice)
    assert isinstance(decode(value, (), MACHINE_EVENTS), MachineTelemetry)
    tick = b'{"type":"clock.tick.v1","time":"2026-11-21T06:00:00Z","data":%s}' % twice
    assert decode(tick, (), MES_EVENTS) == Tick(time=1_795_240_800_000_000)
    unknown = consumed(0).replace(b"consumed", b"eaten").replace(b'"uom"', b'"uom": 1, "uom"')
    assert _refusal(unknown)[0] == "unknown_type"


@pytest.mark.parametrize(
    ("text", "words"),
    [(" a", "white space at an end"), ("a ", "white space at an end"),
     ("\u00a0a", "white space at an end"), ("a\u3000", "white space at an end"),
     ("e\u0301", "form C"), ("\u212b", "form C"), ("\u1100\u1161", "form C"),
     ("a\u0307\u0323", "form C")],
)  # fmt: skip
def test_text_that_looks_like_another_is_invalid(text: str, words: str) -> None:
    for value in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
        for told, name in (
            (consumed(0, lot="it"), "data.lot"),
            (consumed(0, id="it"), "id"),
            (consumed(0, line="it"), "line"),
            (event("quality.hold_released.v1", 0, hold="h", disposition="it"), "data.disposition"),
        ):
            code, reason = _refusal(told.replace(b'"it"', value.encode()))
            assert code == "invalid"
            assert reason.startswith(f"{name} is {text!r}: "), reason
            assert words in reason
    unread = json.loads(consumed(0, **{f"x{text}": text})) | {"subject": text, f"x{text}": text}
    decoded = decode(json.dumps(unread).encode(), (), MES_EVENTS)
    assert same(decoded, decode(consumed(0), (), MES_EVENTS))


@pytest.mark.parametrize("text", ["a b", "é", "\u0323a", "\u200ba", "a\ufeff", "ｋｇ", "ﬁ", "ŉ"])
def test_text_that_is_what_it_looks_like_is_read(text: str) -> None:
    for ascii_ in (True, False):
        told = json.loads(consumed(0, lot=text)) | {"id": text}
        value = json.dumps(told, ensure_ascii=ascii_).encode()
        decoded = decode(value, (), MES_EVENTS)
        assert isinstance(decoded, MaterialConsumed)
        assert (decoded.id, decoded.data.lot) == (text, text)
        assert same(decoded, decode_plain(value, (), MES_EVENTS))


def test_a_byte_order_mark_before_the_value_is_ignored_but_counted() -> None:
    mark = b"\xef\xbb\xbf"
    assert same(decode(mark + consumed(0), (), MES_EVENTS), decode(consumed(0), (), MES_EVENTS))
    value, headers = _in_binary_mode(consumed(0))
    assert same(decode(mark + value, headers, MES_EVENTS), decode(consumed(0), (), MES_EVENTS))
    for wrong in (mark + mark + consumed(0), b" " + mark + consumed(0), consumed(0) + mark):
        assert _refusal(wrong)[0] == "malformed"
    padding = VALUE_BYTES_MAX - len(consumed(0, x=""))
    assert _refusal(mark + consumed(0, x="x" * padding))[0] == "malformed"
    fits = mark + consumed(0, x="x" * (padding - len(mark)))
    assert isinstance(decode(fits, (), MES_EVENTS), MaterialConsumed)


@pytest.mark.parametrize(
    ("time", "good"),
    [("2000-01-01T00:00:00Z", True), ("1999-12-31T23:59:59.999999Z", False),
     ("2000-01-01T00:00:00+00:01", False), ("1999-12-31T23:59:00-00:01", True),
     ("9998-12-31T23:59:59.999999Z", True), ("9999-01-01T00:00:00Z", False),
     ("9998-12-31T23:59:00-00:01", False), ("9999-01-01T00:00:00+00:01", True)],
)  # fmt: skip
def test_a_clock_that_was_never_set_is_invalid(time: str, good: bool) -> None:
    value = json.dumps(json.loads(consumed(0)) | {"time": time}).encode()
    tick = json.dumps({"type": "clock.tick.v1", "time": time}).encode()
    for each in (value, tick):
        if good:
            assert not isinstance(decode(each, (), MES_EVENTS), Rejection)
        else:
            code, reason = _refusal(each)
            assert (code, f"time is {time!r}: outside the years" in reason) == ("invalid", True)
    original = {"type": "material.consumed.v1", "time": time, "data": json.loads(value)["data"]}
    assert isinstance(read_original(original), str) != good


def test_a_receipt_without_a_product_is_of_the_main_one() -> None:
    told = {"order": "O", "item": "I", "quantity": 1, "uom": "pc"}
    for given_, read in (
        ({}, "main"), ({"product": None}, "main"), ({"product": "main"}, "main"),
        ({"product": "co_product"}, "co_product"), ({"product": "by_product"}, "by_product"),
    ):  # fmt: skip
        value = event("goods.received.v1", 0, "g", **told, **given_)
        decoded = decode(value, (), MES_EVENTS)
        assert isinstance(decoded, GoodsReceived)
        assert decoded.data.product == read
        assert same(decoded, decode_plain(value, (), MES_EVENTS))
    code, reason = _refusal(event("goods.received.v1", 0, "g", **told, product="waste"))
    assert (code, reason.partition(":")[0]) == ("invalid", "data.product is 'waste'")


def test_of_a_tick_only_the_time_is_looked_at() -> None:
    for topic in (MES_EVENTS, MACHINE_EVENTS, None):
        tick = decode(b'{"type":"clock.tick.v1","time":"2026-11-21T06:00:00Z","id":5}', (), topic)
        assert tick == Tick(time=1_795_240_800_000_000)
    assert _refusal(b'{"type":"clock.tick.v1"}')[0] == "invalid"


def test_a_refusal_says_plant_and_line_where_they_can_be_read() -> None:
    for plant, line, told in (
        ("DE01", "L1", ("DE01", "L1")),
        ("a/b", "L1", (None, "L1")),
        ("DE01", "*", ("DE01", None)),
        ("DE01 ", "e\u0301", (None, None)),
        (5, "x" * 129, (None, None)),
        ("", "\x07", (None, None)),
    ):
        rejection = decode(event("x", 0, plant=plant, line=line), (), MES_EVENTS)
        assert isinstance(rejection, Rejection)
        assert (rejection.plant, rejection.line) == told


def test_a_long_value_is_shown_short() -> None:
    _, reason = _refusal(consumed(0, order="x" * 5_000))
    assert len(reason) < 200


# Binary mode.


def test_binary_mode_needs_its_header_and_an_object() -> None:
    value, headers = _in_binary_mode(consumed(0))
    assert not isinstance(decode(value, headers, MES_EVENTS), Rejection)
    without = [header for header in headers if header[0] != "ce_specversion"]
    assert _refusal(value, without) == ("invalid", "type is missing")
    assert _refusal(b"[]", headers)[0] == "malformed"
    assert _refusal(None, headers)[0] == "malformed"


@pytest.mark.parametrize(
    ("name", "given_", "words"),
    [("ce_id", None, "id is missing"), ("ce_id", b"\xff", "id is b'\\xff'"),
     ("ce_specversion", b"0.3", "specversion is '0.3'"), ("ce_time", b"now", "time is 'now'"),
     ("ce_type", None, "type is missing"), ("ce_plant", b"", "plant is ''")],
)  # fmt: skip
def test_an_attribute_in_a_header_is_checked_like_any(
    name: str, given_: bytes | None, words: str
) -> None:
    value, headers = _in_binary_mode(consumed(0))
    changed = [(n, given_ if n == name else v) for n, v in headers]
    code, reason = _refusal(value, changed)
    assert code == "invalid"
    assert words in reason


def test_data_comes_from_the_value_and_no_header() -> None:
    value, headers = _in_binary_mode(consumed(0))
    more = [*headers, ("ce_data", b"{}"), ("ce_", b"x"), ("other", b"\xff"), ("x", None)]
    assert same(decode(value, more, MES_EVENTS), decode_plain(consumed(0), (), MES_EVENTS))


@pytest.mark.parametrize(
    ("kind", "binary"),
    [(b"application/cloudevents+json", False), (b"application/cloudevents", False),
     (b"Application/CloudEvents+JSON; charset=UTF-8", False), (b"application/json", True),
     (b"application/cloud", True), (b"", True), (None, True)],
)  # fmt: skip
def test_the_content_type_says_which_mode_it_is(kind: bytes | None, binary: bool) -> None:
    """A record in structured mode may have its attributes as headers, too."""
    value, headers = _in_binary_mode(consumed(0))
    event = decode_plain(consumed(0), (), MES_EVENTS)
    told = [("content-type", kind), *headers[1:]]
    for each in (told, told[::-1]):
        right, wrong = (value, consumed(0)) if binary else (consumed(0), value)
        assert same(decode(right, each, MES_EVENTS), event)
        assert isinstance(decode(wrong, each, MES_EVENTS), Rejection)


def test_a_tick_may_come_in_binary_mode() -> None:
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_type", b"clock.tick.v1"),
        ("ce_time", b"2026-11-21T06:00:00Z"),
    ]
    assert decode(b"{}", headers, MES_EVENTS) == Tick(time=1_795_240_800_000_000)


# Reversals carry any object: whatever it is, it never stops the partition.


@given(seeds)
def test_a_reversal_of_anything_ends_as_one_thing(seed: int) -> None:
    rng = Random(seed)
    bench = Bench()
    bench.send(consumed(0, id="a"))
    lines = []
    for number in range(20):
        original = some_value(rng, rng.choice([0, 0.1]))
        if rng.random() < 0.5:  # a reversal of a reversal
            original = b'{"type":"transaction.reversed.v1","time":"2026-11-21T06:00:00Z","data":{'
            original += b'"reverses":"x","original":%s}}' % some_value(rng, rng.choice([0, 0.1]))
        reversal = event("transaction.reversed.v1", 1, f"r{number}", reverses="a", original="it")
        lines.append(reversal.replace(b'"it"', original))
    records = [Record(number, None, b"DE01/L1", line) for number, line in enumerate(lines, 1)]
    outcomes = [taken.outcome for taken in watched(bench.task, records)]
    assert set(outcomes) == {"exception"}


def test_numbers_of_any_size_in_an_original_are_no_trouble() -> None:
    for number in (b"1.5", b"1e400", b"18446744073709551616", b"9" * 40, b"9" * 4_000, b"-0.0"):
        inner = b'{"type":"transaction.reversed.v1","time":"2026-11-21T06:00:00Z","data":{'
        inner += b'"reverses":"x","original":{"a":[' + number + b"]}}}"
        reversal = event("transaction.reversed.v1", 0, reverses="x", original=0)
        bench = Bench()
        (left,) = bench.send(reversal.replace(b'"original": 0', b'"original": ' + inner))
        assert left["data"]["code"] == "unknown_reversal"


def test_an_original_is_compared_decoded() -> None:
    bench = Bench()
    original = consumed(0, "12.50", lot=None, unknown=5)
    bench.send(original)
    reversal = json.loads(reversed_(original, 1))
    reversal["data"]["original"]["time"] = "2026-11-21T07:00:00.000+01:00"
    reversal["data"]["original"]["data"] |= {"quantity": 12.5, "other": 1}
    assert bench.send(json.dumps(reversal).encode()) == []
    assert bench.task.counts.accepted == 2


def test_random_logs_of_the_other_tests_have_good_and_bad_lines() -> None:
    decoded = [decode(line, (), None) for seed in range(20) for line in random_log(seed, 100)]
    refused = sum(isinstance(each, Rejection) for each in decoded)
    assert 20 < refused < len(decoded) / 2
