"""A log line is an object that machines read, and says of an event only where it is."""

import json
import logging
import sys

import pytest

from agents.worker import logs
from agents.worker.logs import DETAILS, JsonFormatter, Refusals
from runs import Bench, event
from streams.contract.topics import ERP_TRANSACTIONS
from streams.log.record import Outgoing, Record

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "lineside")
    return caplog


def formatted(record: logging.LogRecord) -> dict[str, object]:
    line = JsonFormatter().format(record)
    assert "\n" not in line
    members: dict[str, object] = json.loads(line)
    return members


def test_a_line_says_when_how_grave_who_and_what() -> None:
    record = logging.LogRecord("lineside.x", logging.WARNING, "x.py", 1, "a\n%s", ('"b"',), None)
    record.created = 1_795_240_800.25
    assert formatted(record) == {
        "time": "2026-11-21T06:00:00.250Z",
        "level": "warning",
        "logger": "lineside.x",
        "message": 'a\n"b"',
    }


def test_an_error_has_its_traceback_in_the_same_line() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        info = sys.exc_info()
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "failed", (), info)
    assert "ValueError: no" in str(formatted(record)["exception"])


def refused(value: bytes, *headers: tuple[str, bytes | None]) -> list[Outgoing]:
    """Return what a record leads to, the first of its partition."""
    return Bench().task.step([Record(0, None, b"DE01/L1", value, headers)]).outputs


@pytest.mark.parametrize("where", ["attribute", "header", "binary"])
def test_a_refused_event_is_told_with_the_id_of_its_trace(
    said: pytest.LogCaptureFixture, where: str
) -> None:
    members = json.loads(event("material.consumed.v1", 1, quantity="secret"))
    if where == "attribute":
        outputs = refused(json.dumps(members | {"traceparent": TRACEPARENT}).encode())
    elif where == "header":
        outputs = refused(json.dumps(members).encode(), ("traceparent", TRACEPARENT.encode()))
    else:
        attributes = {**members, "traceparent": TRACEPARENT}
        data = json.dumps(attributes.pop("data")).encode()
        headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
        outputs = refused(data, *headers)
    Refusals().log_exceptions(outputs)
    (line,) = said.records
    assert formatted(line) | {"time": ""} == {
        "time": "",
        "level": "info",
        "logger": "lineside.refused",
        "message": f"mes.events.v1/0/0: invalid (trace {TRACE})",
        "code": "invalid",
        "record": "mes.events.v1/0/0",
        "plant": "DE01",
        "line": "L1",
        "trace_id": TRACE,
    }
    assert "secret" not in JsonFormatter().format(line)


def test_what_was_accepted_is_not_told_and_neither_is_a_broken_traceparent(
    said: pytest.LogCaptureFixture,
) -> None:
    refusals = Refusals()
    refusals.log_exceptions([Outgoing(ERP_TRANSACTIONS, b"k", "id", "erp.x.v1", b"{}")])
    assert not said.records
    for traceparent in (b"00-1", None, b"\xff", f"ff{TRACEPARENT[2:]}".encode()):
        refusals.log_exceptions(refused(b"{", ("traceparent", traceparent)))
    assert len(said.records) == 4
    assert all("trace_id" not in getattr(line, DETAILS) for line in said.records)


def test_a_flood_of_refusals_is_a_few_lines_and_a_count(
    said: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(logs, "monotonic", lambda: now)
    refusals = Refusals()
    for _ in range(50):
        refusals.log_exceptions(refused(b"{"))
    assert len(said.records) == logs.REFUSALS_PER_SECOND_MAX
    now += 1
    refusals.log_exceptions(refused(b"{"))
    untold = 50 - logs.REFUSALS_PER_SECOND_MAX
    assert said.records[-2].getMessage() == f"{untold} more were refused within a second"


def test_what_was_not_told_is_counted_though_nothing_comes_after_it(
    said: pytest.LogCaptureFixture,
) -> None:
    refusals = Refusals()
    refusals.log_exceptions(refused(b"{") * 50)
    refusals.log_rest()
    untold = 50 - logs.REFUSALS_PER_SECOND_MAX
    assert said.records[-1].getMessage() == f"{untold} more were refused within a second"
    refusals.log_rest()
    assert len(said.records) == logs.REFUSALS_PER_SECOND_MAX + 1
