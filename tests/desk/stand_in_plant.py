"""A plant as the desk's API tells it, at one moment: what the stand-in answers."""

import base64
import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tables.books.sentences import of_event, say

Row = dict[str, Any]

NOW = datetime(2026, 11, 26, 9, 20, tzinfo=UTC)
"""A Thursday, 10:20 in Berlin: the early shift."""

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>"
FRESH = {"books_at": "2026-11-26T09:19:58Z", "behind": 12}
ORDER = "4711"


def at(minutes: float = 0) -> str:
    """Return the instant so many minutes before now."""
    return (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def made(good: str, scrap: str = "0", rework: str = "0", uom: str = "pc") -> Row:
    return {"uom": uom, "good": good, "scrap": scrap, "rework": rework}


def line(plant: str, name: str, state: str = "running", **more: Any) -> Row:
    since = more.get("since", at(74))
    lasted = None if since is None else round((NOW - datetime.fromisoformat(since)).total_seconds())
    return {
        "plant": plant, "line": name, "state": state, "since": at(74), "reason": None, "work_unit": None,
        "lasted_seconds": lasted, "last_arrival": more.get("last_event", at(0.4)), "last_event": at(0.4), "closed_to": at(2), "behind_seconds": 120,
        "shift": {"name": "early", "from": at(260), "to": at(-220)},
        "made": [made("1240", "12")], "planned": [{"uom": "pc", "quantity": "1500"}],
        "down_seconds": "540", "planned_down_seconds": "900", "orders": [ORDER], "exceptions_open": 0, "parked": 0,
    } | more  # fmt: skip


LINES = [
    line("DE01", "L3", exceptions_open=3, parked=2),
    line("DE01", "L1", made=[made("812", "4", "9")], orders=["4712", "4715"]),
    line("DE01", "L2", "unplanned_stop", since=at(23), reason="tool-broken", work_unit="press-07",
         down_seconds="1980", made=[made("655", "31")], exceptions_open=1),
    line("DE01", "L4", "planned_stop", since=at(41), reason="changeover", work_unit="mixer-1", last_event=at(40),
         made=[made("2140.5", "12.25", uom="kg")], planned=[{"uom": "kg", "quantity": "4800"}], orders=["4720"]),
    line("DE01", "L5", "silent", since=at(95), last_event=at(95), made=[], planned=None, orders=[], closed_to=at(95)),
    line("DE01", "L6", made=[made("310"), made("96.5", "1.5", uom="kg")],
         planned=[{"uom": "pc", "quantity": "280"}, {"uom": "kg", "quantity": "120"}], orders=["4730"]),
    line("DE01", HOSTILE, "unknown", since=None, last_event=None, made=[], planned=None, shift=None, orders=[]),
    line("US02", "A1", shift={"name": "night", "from": at(200), "to": at(-280)}, orders=["9001"]),
    line("US02", "A2", "planned_stop", reason="cleaning", orders=[]),
]  # fmt: skip


def overview() -> Row:
    """Return GET /overview."""
    plants = []
    for plant, zone in (("DE01", "Europe/Berlin"), ("US02", "America/Chicago")):
        own = [one for one in LINES if one["plant"] == plant]
        count = {name: sum(one["state"] == name for one in own)
                 for name in ("running", "planned_stop", "unplanned_stop", "silent")}  # fmt: skip
        plants.append({"plant": plant, "zone": zone, "lines": len(own), **count,
                       "exceptions_open": sum(one["exceptions_open"] for one in own),
                       "parked": sum(one["parked"] for one in own)})  # fmt: skip
    return {"fresh": FRESH, "plants": plants, "lines": LINES}


def totals() -> Row:
    """Return GET /totals; all of it adds up."""
    return {
        "fresh": FRESH,
        "items": [
            {"type": "production.confirmed.v1", "measure": "quantity", "uom": "pc", "accepted": "123456789012.000000001",
             "left": "123456789000.000000001", "not_left": "12", "becomes": "erp.production_confirmation.v1"},
            {"type": "material.consumed.v1", "measure": "quantity", "uom": "kg", "accepted": "2140.125", "left": "2100",
             "not_left": "40.125", "becomes": "erp.goods_issue.v1"},
        ],
        "records": [
            {"topic": "mes.events.v1", "in": 1204319, "accepted": 1203900, "duplicate": 210, "exception": 9, "tick": 200},
            {"topic": "machine.events.v1", "in": 8204319, "accepted": 8204000, "duplicate": 119, "exception": 0, "tick": 200},
        ],
    }  # fmt: skip


def event(offset: int, kind: str, id: str, outcome: str = "accepted", **more: Any) -> Row:
    return {
        "topic": "mes.events.v1", "partition": 3, "offset": offset, "arrived_at": at(31.9), "outcome": outcome,
        "type": kind, "plant": "DE01", "line": "L3", "source": "/DE01/mes", "id": id, "time": at(32),
        "order": ORDER, "operation": "0010", "item": "M-100", "lot": "LOT7", "serial": None, "work_unit": None,
        "trace": None, "resent_from": None, "data": {"quantity": "40", "uom": "pc"},
    } | more  # fmt: skip


def transaction(id: str, kind: str = "erp.production_confirmation.v1", **more: Any) -> Row:
    return {
        "id": id, "type": kind, "plant": "DE01", "line": "L3", "time": at(50), "written_at": at(49.9),
        "window_start": None, "window_end": None, "revision": None, "posting_date": "2026-11-26",
        "document_date": "2026-11-26", "order": ORDER, "operation": "0010", "item": "M-100", "lot": "LOT7",
        "serial": None, "work_unit": None, "measure": "quantity", "value": "40", "uom": "pc", "reverses": None,
        "reversed_by": None, "causes": ["p1"], "cause_count": 1, "state": "emitted",
    } | more  # fmt: skip


POSTED = transaction("pc:DE01/L3:/DE01/mes|p1")
CHECKS = [{"check": number, "code": code, "passed": True} for number, code in
          enumerate(("malformed", "invalid", "unknown_type", "tick", "invalid", "key_mismatch", "from_the_future", "too_old",
                     "key_conflict"), 1)]  # fmt: skip


def traced(one: Row, **more: Any) -> Row:
    return {"checks": CHECKS, "became": [], "waits_for": None, "duplicates": [], "reversed_by": None,
            "reverses": None, "summaries": [], **one} | more  # fmt: skip


EVENTS = [
    traced(event(103, "production.confirmed.v1", "p1", time=at(50), arrived_at=at(49.9)),
           became=[{"transaction": POSTED, "how": "at_once"}],
           duplicates=[{"topic": "mes.events.v1", "partition": 3, "offset": 109, "at": at(44)}],
           summaries=[{"type": "summary.production.v1", "window_start": at(50), "row": {"uom": "pc"},
                       "values": {"good": "40"}}]),
    traced(event(117, "production.confirmed.v1", "p2", "refused", item="M-999", data={"quantity": "60", "uom": "pc"}),
           checks=[*CHECKS, {"check": 16, "code": "unknown_master", "passed": False}]),
    traced(event(121, "material.consumed.v1", "c7", time=at(3), data={"quantity": "12.5", "uom": "kg"}),
           waits_for={"what": "window", "until": at(-2), "hold": None}),
]  # fmt: skip


def exception(offset: int, **more: Any) -> Row:
    age = more.pop("age", 32)
    return {
        "id": f"mes.events.v1/3/{offset}", "class": "data", "code": "unknown_master",
        "reason": "data.item is 'M-999': no such item is known", "raised_at": at(age), "age_seconds": age * 60,
        "due_at": at(age - 480), "overdue": age > 480, "plant": "DE01", "line": "L3", "type": "production.confirmed.v1",
        "source": "/DE01/mes", "event_id": f"p{offset}", "time": at(age), "order": ORDER, "item": "M-999",
        "lot": "LOT7", "serial": None, "status": "open", "assigned_to": None, "version": 0, "resent_from": None,
        "fixed": False,
    } | more  # fmt: skip


def exceptions() -> list[Row]:
    """Return the exceptions, anew, so that they can be worked."""
    known = [
        exception(117, event_id="p2"),
        exception(88, age=700, code="invalid", reason="data.quantity is '4O': not a decimal", order="4712", event_id="q-88"),
        exception(63, age=1900, code="order_closed", reason="order 4699 is closed since 2026-11-24", order="4699",
                  assigned_to="anna", version=1, **{"class": "business"}),
        exception(51, age=45, code="already_reversed", reason=HOSTILE, status="asked", event_id="r-51",
                  version=2, **{"class": "business"}),
        *(exception(200 + n, age=60 + n, order=f"48{n:02d}", event_id=f"p-{n}") for n in range(16)),
    ]  # fmt: skip
    return copy.deepcopy(known)


def original(one: Row) -> str:
    """Return an exception's bytes as text."""
    data = {
        "order": one["order"],
        "operation": "0010",
        "item": one["item"],
        "quantity": "60",
        "uom": "pc",
    }
    value = {"specversion": "1.0", "type": one["type"], "source": one["source"], "id": one["event_id"],
             "time": one["time"], "plant": "DE01", "line": "L3", "data": data}  # fmt: skip
    return json.dumps(value)


def exception_page(one: Row, acts: list[Row]) -> Row:
    """Return GET /exceptions/one."""
    text = original(one)
    number = int(one["id"].rpartition("/")[2])
    near = [{"offset": number + step, "outcome": "refused" if step == 0 else "accepted", "type": one["type"],
             "id": f"n{number + step}", "time": at(33 - step)} for step in range(-5, 6)]  # fmt: skip
    return one | {
        "fresh": FRESH, "topic": "mes.events.v1", "partition": 3, "offset": number, "key": "DE01/L3",
        "headers": [{"name": "content-type", "value": "application/cloudevents+json"}],
        "value": base64.b64encode(text.encode()).decode(), "text": text, "read_as": json.loads(text),
        "what_to_do": "Add the item to the master data: the event then goes again by itself. Or mend the name, and send it again.",
        "neighbours": near, "acts": [act for act in acts if act["subject"] == one["id"]], "later": [], "became": None,
    }  # fmt: skip


DOUBLE = {
    "source": "/DE01/mes", "id": "p-double", "same_data": True,
    "events": [event(140 + n, "production.confirmed.v1", "p-double", line=name) for n, name in enumerate(("L3", "L1"))],
    "suggested_reversal": {"specversion": "1.0", "type": "transaction.reversed.v1", "source": "/DE01/mes", "id": "rv-p-double",
                           "plant": "DE01", "line": "L1", "data": {"reverses": "p-double", "original": {}}},
}  # fmt: skip


def sentence(code: str, one: Row, /, **values: Any) -> Row:
    told = of_event(one) | values
    return say(code, **told)


SENTENCES = [
    sentence("refused", EVENTS[1], code="unknown_master", reason="data.item is 'M-999': no such item is known", exception="mes.events.v1/3/117"),
    say("status_open", id="mes.events.v1/3/117", due_at=at(-448), plant="DE01", status="open"),
    sentence("waits_for_window", EVENTS[2], until=at(-2), hold=None),
    sentence("left_at_once", EVENTS[0], key=POSTED["id"], record=POSTED["type"], written_at=POSTED["written_at"]),
    {"code": "not_known_to_the_page", "values": {}, "text": "A sentence of a newer desk."},
]  # fmt: skip


def hold(name: str = "H-17", **more: Any) -> Row:
    return {"plant": "DE01", "hold": name, "scope": "lot", "value": "LOT7", "item": None, "reason": "surface",
            "placed_at": at(120), "released_at": None, "disposition": None, "touched": 2, "oldest": at(110)} | more  # fmt: skip


def order_row(order: str = ORDER, **more: Any) -> Row:
    return {
        "plant": "DE01", "order": order, "status": "released", "item": "M-100", "quantity": "500", "uom": "pc",
        "made": [made("320", "6")], "progress": {"numerator": "320", "denominator": "500"}, "lines": ["L3"],
        "first_at": at(300), "last_at": at(3), "exceptions_open": 1, "parked": 2,
    } | more  # fmt: skip
