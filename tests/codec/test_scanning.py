"""The compiled scanner: what it takes it reads as the plain decoder does, and it takes enough."""

import json
import re
from collections.abc import Sequence
from io import BytesIO
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.simulate.factory import Plan
from agents.simulate.plan import write_log
from compiled import needs_core
from draws import seeds
from streams.codec.decode import decode_plain
from streams.contract.events import NAMES as TYPE_NAMES
from streams.contract.events import MachineTelemetry
from streams.contract.rejection import Rejection
from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS
from test_codec import NAMES, some_value

PLAIN_NAMES = ['"DE01"', '"/DE01/mes"', '"a b"', '"100%|1:2"', '"' + "x" * 128 + '"', '"~"']
"""Texts in the form that the scanner takes."""

TOPICS = st.sampled_from([MES_EVENTS, MACHINE_EVENTS])


@pytest.fixture(autouse=True, scope="module")
def core() -> None:
    needs_core()


def scanned(value: bytes, topic: str) -> Any:
    from streams.codec import scanning

    return scanning.scanned(value, topic)


def plainly(value: bytes, topic: str) -> Any:
    """Return what `scanned` does, by the plain decoder; None for what isn't an event."""
    event: Any = decode_plain(value, (), topic)
    if event.__class__ not in TYPE_NAMES:
        return None
    told = {name: getattr(event.data, name) for name in event.data.__struct_fields__}
    data = {name: given for name, given in told.items() if given is not None}
    if isinstance(event, MachineTelemetry):
        data["value"] = None
    name = TYPE_NAMES[event.__class__]
    return name, event.source, event.id, event.time, event.plant, event.line, data


@given(seeds, st.sampled_from([0, 0.01, 0.05, 0.2]), st.sampled_from([NAMES, PLAIN_NAMES]), TOPICS)
def test_what_the_scanner_takes_the_plain_decoder_reads_alike(
    seed: int, odd: float, names: Sequence[str], topic: str
) -> None:
    rng = Random(seed)
    for _ in range(50):
        value = some_value(rng, odd, names)
        found = scanned(value, topic)
        assert found is None or found == plainly(value, topic), value


def test_each_character_is_left_or_taken_by_its_printability() -> None:
    for code in [*range(0x20, 0x3000), *range(0xD7FF, 0xD800), 0xFEFF, 0xFFFD, 0x1F3ED]:
        value = (
            '{"specversion":"1.0","type":"machine.state.v1","source":"/s","id":"1","time":'
            '"2026-11-21T06:00:00Z","plant":"P","line":"L","data":{"state":"Idle","work_unit":"'
            f'{chr(code)}"}}}}'
        ).encode()
        assert scanned(value, MACHINE_EVENTS) in (None, plainly(value, MACHINE_EVENTS)), hex(code)


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode), TOPICS)
def test_the_scanner_takes_no_bytes_that_the_plain_decoder_refuses(
    value: bytes, topic: str
) -> None:
    assert scanned(value, topic) is None or plainly(value, topic) is not None


def test_the_scanner_sees_every_cut_and_every_changed_byte_of_an_event() -> None:
    value = (
        b'{"specversion": "1.0", "type": "scrap.declared.v1", "source": "/DE01/mes", "id": "s-1", '
        b'"time": "2026-11-21T06:00:20.25+01:00", "plant": "DE01", "line": "L2", "x": [1, {"y": '
        b'null}], "data": {"order": "1", "operation": "0010", "item": "M", "quantity": -0.750, '
        b'"uom": "kg", "reason": "R1", "kind": "component", "lot": null, "z": true}}'
    )
    assert scanned(value, MES_EVENTS) == plainly(value, MES_EVENTS) != None  # noqa: E711
    for at in range(len(value)):
        assert scanned(value[:at], MES_EVENTS) is None
        for byte in b'"\\{}[],:0-.eZ9tfn \x00\x1f\x7f\xc3':
            changed = value[:at] + bytes([byte]) + value[at + 1 :]
            found = scanned(changed, MES_EVENTS)
            assert found is None or found == plainly(changed, MES_EVENTS), changed


WHOLE = (
    '{"specversion":"1.0","type":"goods.received.v1","source":"/mes","id":"g-1","time":'
    '"2026-11-21T06:00:00Z","plant":"P","line":"L","subject":"s","traceparent":"t","x":1,'
    '"correlationid":null,"data":{"order":"O","item":"I","quantity":"1","uom":"kg","lot":null,'
    '"storage":"S","product":"by_product","y":{"a":1},"z":[]}}'
)


@pytest.mark.parametrize("again", ["null", "1", '"kg"'])
def test_the_scanner_leaves_whatever_has_a_member_twice(again: str) -> None:
    assert scanned(WHOLE.encode(), MES_EVENTS) == plainly(WHOLE.encode(), MES_EVENTS) != None  # noqa: E711
    names = re.findall(r'(?<=[{,])"(\w+)":', WHOLE)
    assert len(names) == 22
    for name in names:
        twice = WHOLE.replace(f'"{name}":', f'"{name}":{again},"{name}":').encode()
        taken = name == "a"  # that object isn't read
        assert (plainly(twice, MES_EVENTS) is not None) == taken, name
        assert (scanned(twice, MES_EVENTS) is not None) == taken, name
    for one in names:  # at the end of its object
        if one not in ("a", "data"):
            last = "}}" if names.index(one) > names.index("data") else "}"
            twice = f'{WHOLE.removesuffix(last)},"{one}":{again}{last}'.encode()
            assert plainly(twice, MES_EVENTS) is scanned(twice, MES_EVENTS) is None, one


def test_the_scanner_takes_some_unknown_attributes_and_leaves_very_many() -> None:
    for many, taken in ((0, True), (10, True), (30, False)):
        more = "".join(f'"more{number}":1,' for number in range(many))
        value = WHOLE.replace('"x":1,', more).encode()
        assert plainly(value, MES_EVENTS) is not None
        assert scanned(value, MES_EVENTS) in (None, plainly(value, MES_EVENTS))
        assert (scanned(value, MES_EVENTS) is not None) == taken


def test_the_scanner_takes_what_a_factory_sends() -> None:
    log = BytesIO()
    write_log(Plan(seed=1, plants=2, lines=4), 4_000, log)
    values = [
        (value, topic)
        for value in log.getvalue().splitlines()
        for topic in (MES_EVENTS, MACHINE_EVENTS)
        if plainly(value, topic) is not None
    ]
    left = [value for value, topic in values if scanned(value, topic) is None]
    assert len(values) > 3_500
    assert len(left) < 0.02 * len(values)
    assert {json.loads(value)["type"] for value in left} <= {"transaction.reversed.v1"}


@pytest.mark.parametrize("words", ["a", "ÄÖÜ äöü ß é ø", "Łódź", "\U0001f3ed", "Ω", "日本"])
def test_an_event_that_the_scanner_leaves_isnt_refused(words: str) -> None:
    value = (
        '{"specversion":"1.0","type":"machine.state.v1","source":"/s","id":"1","time":'
        '"2026-11-21T06:00:00Z","plant":"P","line":"L","data":{"state":"Idle","work_unit":"'
        f'{words}"}}}}'
    ).encode()
    assert not isinstance(decode_plain(value, (), MACHINE_EVENTS), Rejection)
    assert (scanned(value, MACHINE_EVENTS) is not None) == (max(words) < "\u0180")
    assert scanned(value, MACHINE_EVENTS) in (None, plainly(value, MACHINE_EVENTS))
