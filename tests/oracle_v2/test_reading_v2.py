"""What is read and what is malformed: text, times, measures, JSON (section 2, checks 1 and 5)."""

import json
from typing import Any

import pytest

from . import values
from .builders import (
    at,
    changed,
    code,
    consumed,
    known,
    reversed_,
    run,
    tick,
)

EVENT = consumed("m", "06:00")

# ---------------------------------------------------------------- text, times, measures


@pytest.mark.parametrize(
    "text",
    [
        " a",
        "a ",
        "\u00a0a",
        "a\u3000",
        "",
        "x" * 257,
        "a\u0007b",
        "a\u0085b",
        "e\u0301",
        5,
        True,
        ["a"],
    ],
)
def test_text_that_is_refused(text: Any) -> None:
    assert code(consumed("m", "06:00", lot=text)) == "invalid"
    assert code(changed(EVENT, id=text)) == "invalid"


@pytest.mark.parametrize("text", ["a b", "\u00e9", "x" * 256, "\u200ba", "%|:/", "0"])
def test_text_that_is_read(text: str) -> None:
    assert code(consumed("m", "06:00", lot=text)) == "accepted"


@pytest.mark.parametrize("place", ["a/b", "*", "x" * 129, "", "a "])
def test_places_that_are_refused(place: str) -> None:
    assert code(changed(EVENT, plant=place)) == "invalid"
    assert code(changed(EVENT, line=place)) == "invalid"


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-11-21t06:00:00z", "accepted"),
        ("2026-11-21T06:00:00.1234567891+14:00", "accepted"),
        ("2000-01-01T00:00:00Z", "accepted"),
        ("2000-01-01T00:59:59.999999+01:00", "invalid"),  # an hour before 2000 in UTC
        ("1999-12-31T23:59:59-00:01", "accepted"),
        ("9998-12-31T23:59:59.999999Z", "accepted"),
        ("9999-01-01T00:00:00Z", "invalid"),
        ("2026-11-21 06:00:00Z", "invalid"),
        ("2026-11-21T06:00:60Z", "invalid"),
        ("2026-11-21T06:00:00", "invalid"),
        ("2026-02-29T06:00:00Z", "invalid"),
        ("2026-11-21T06:00:00+24:00", "invalid"),
    ],
)
def test_times(time: str, expected: str) -> None:
    assert code(changed(EVENT, time=time)) == expected


def test_a_time_is_cut_to_the_microsecond() -> None:
    first = changed(EVENT, time="2026-11-21T06:00:00.1234569Z")
    same = changed(EVENT, time="2026-11-21T07:00:00.123456+01:00")
    assert run(first, same).report["counts"]["duplicate"] == 1


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        ("1e2", "100"),
        (-0.25, "-0.25"),
        ("1.500", "1.5"),
        ("0.0000000010", "0.000000001"),
        ("999999999999999.999999999", "999999999999999.999999999"),
        ("1E-9", "0.000000001"),
    ],
)
def test_measures_that_are_read(quantity: Any, text: str) -> None:
    outcome = run(consumed("m", "06:00", quantity=quantity), close=True)
    assert outcome.rows("gi", "quantity") == [(text,)]


@pytest.mark.parametrize(
    "quantity",
    [
        "1e15",
        "0.0000000001",
        "+1",
        "01",
        "1.",
        ".5",
        "1,5",
        "NaN",
        "",
        " 1",
        True,
        [1],
        "1e99999999",
    ],
)
def test_measures_that_are_refused(quantity: Any) -> None:
    assert code(consumed("m", "06:00", quantity=quantity)) == "invalid"


def test_a_zero_with_any_exponent_is_a_measure() -> None:
    assert values.parse_measure("0e999999999") == 0


def test_null_and_unknown_members_are_as_absent() -> None:
    other = {
        **EVENT,
        "subject": 5,
        "traceparent": [],
        "data": {**EVENT["data"], "lot": None, "x": 1},
    }
    assert run(EVENT, other).report["counts"]["duplicate"] == 1
    assert code({**EVENT, "data": {**EVENT["data"], "order": None}}) == "invalid"


# ---------------------------------------------------------------- check 1


def line(event: dict[str, Any], old: str, new: str) -> bytes:
    text = json.dumps(event)
    assert old in text
    return text.replace(old, new, 1).encode()


TWICE = '"quantity": "1", "quantity": "5"'


@pytest.mark.parametrize(
    "value",
    [
        b"this is no JSON",
        b"[1]",
        b'"text"',
        b"\xff{}",
        b'{"a": NaN}',
        b"{" + b'"a":{' * 512 + b"}" * 513,
        line(EVENT, '"id"', '"id": "x", "id"'),
        line(EVENT, '"quantity": "1"', TWICE),
        line({**EVENT, "time": "no time"}, '"quantity": "1"', TWICE),  # before check 5
        line({**EVENT, "x": "-"}, '"-"', '"\\ud800"'),
        line({**EVENT, "-": 1}, '"-"', '"\\udc00\\ud800"'),
        line(reversed_("r", "06:01", EVENT), '"quantity": "1"', TWICE),
        line(reversed_("r", "06:01", EVENT, type="unknown"), '"quantity": "1"', TWICE),
        line(reversed_("r", "06:01", EVENT, x=1), '"x": 1', '"x": 1, "x": 1'),
        line(
            known("item", item="I", base_uom="kg", conversions={"g": 1}), '"g": 1', '"g": 1, "g": 1'
        ),
        line(
            known("rules", valid_from=at("06:00"), transactions={"a": {"when": "day"}}),
            '"when": "day"',
            '"when": "day", "when": "day"',
        ),
        line(tick("06:00"), '"type"', '"x": 1, "x": 1, "type"'),
        json.dumps({**EVENT, "x": "x" * 65_536}).encode(),
    ],
)
def test_what_is_malformed(value: bytes) -> None:
    assert code(value) == "malformed"


@pytest.mark.parametrize(
    "value",
    [
        b"\xef\xbb\xbf" + json.dumps(EVENT).encode(),
        # An unknown member's object isn't read.
        line({**EVENT, "x": {"a": 1}}, '"a": 1', '"a": 1, "a": 2'),
        line({**EVENT, "data": {**EVENT["data"], "x": {"a": 1}}}, '"a": 1', '"a": 1, "a": 2'),
        line({**EVENT, "x": 1}, '"x": 1', '"x": ' + "[" * 511 + "]" * 511),
        line({**EVENT, "x": "-"}, '"-"', '"\\ud83d\\ude00"'),
    ],
)
def test_what_is_not_malformed(value: bytes) -> None:
    assert code(value) == "accepted"


def test_of_a_tick_only_the_envelope_is_read_and_of_an_unknown_type_too() -> None:
    twice = line({**tick("06:00"), "data": {"a": 1}}, '"a": 1', '"a": 1, "a": 1')
    assert run(twice).report["counts"]["tick"] == 2
    unknown = line({**EVENT, "type": "material.eaten.v1"}, '"quantity": "1"', TWICE)
    assert code(unknown) == "unknown_type"
