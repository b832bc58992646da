"""What would become of a record if it were sent now: what the job would make of it, for each check."""

from typing import Any

import pytest
from sqlalchemy import Engine, insert
from sqlalchemy.event import listens_for

from acts.acting_desks import RULES
from acts.refusals import NOW, encoded, event
from agents.desk.acts_judging import Judgement, judged, read
from streams.contract.reference_key import key_of
from streams.log.desk import Again
from streams.values import instant
from tables.books.acted_on import around, known
from tables.books.opening import writing
from tables.books.packed import pack
from tables.books.schema import INPUTS, LINES, REFERENCES
from tables.reference.keeping import Terms

KEY = b"DE01/L3"

STARTED = event(
    attributes={"type": "downtime.started.v1", "id": "s1"},
    episode="E1", work_unit="PRESS-1", reason="jam", planned=False,
)  # fmt: skip
REVERSAL = event(
    attributes={"type": "transaction.reversed.v1", "id": "r1", "data": {
        "reverses": "c1",
        "original": {"type": "material.consumed.v1", "time": event()["time"], "data": event()["data"]},
    }},
)  # fmt: skip
HOLD = event(
    attributes={"type": "quality.hold_placed.v1", "id": "h1", "data": {
        "hold": "H1", "scope": "lot", "value": "LOT8", "reason": "cracks",
    }},
)  # fmt: skip


def accept(books: Engine, position: int, given: dict[str, Any]) -> None:
    """Let the books have an accepted event."""
    data = given["data"]
    row = {
        "topic": "mes.events.v1", "number": 0, "position": position, "day": 0, "outcome": "accepted",
        "type": given["type"], "plant": given["plant"], "line": given["line"],
        "source": given["source"], "event_id": given["id"],
        "happened_at": instant.parse(given["time"]), "value": pack(encoded(given)),
        "subject": data.get("episode") or data.get("reverses") or data.get("hold"),
    }  # fmt: skip
    with writing(books) as connection:
        connection.execute(insert(INPUTS).values(row))


def know(books: Engine, kind: str, plant: str, *parts: str, **data: Any) -> None:
    """Let the books have a record of `reference.v1`."""
    key = key_of(kind, plant, parts)
    told = event(
        attributes={
            "type": f"reference.{kind}.v1",
            "source": "/lineside",
            "plant": plant,
            "line": "*",
        }
    ) | {"data": data}
    row = {
        "key": key.decode(), "kind": kind, "plant": plant, "name": "/".join(parts),
        "deleted": False, "position": 1, "value": pack(encoded(told)),
    }  # fmt: skip
    with writing(books) as connection:
        connection.execute(insert(REFERENCES).values(row))


def line_at(books: Engine, time: str, plant: str = "DE01") -> None:
    with writing(books) as connection:
        row = {"plant": plant, "line": "L3", "mes_at": instant.parse(time)}
        connection.execute(insert(LINES).values(row))


def judge(books: Engine, given: dict[str, Any] | bytes, **other: Any) -> Judgement:
    """Return what would become of a record on `mes.events.v1`, under its line's key."""
    value = given if isinstance(given, bytes) else encoded(given)
    again = Again(
        topic=other.get("topic", "mes.events.v1"),
        partition=0,
        key=other.get("key", KEY),
        value=value,
    )
    it = read(again)
    with books.connect() as connection:
        found: Any = ()
        if it.asked is not None:
            found = around(connection, it.asked)
        elif it.keys:
            found = known(connection, it.keys)
    return judged(it, found, RULES, Terms(), NOW)


def code_of(books: Engine, given: dict[str, Any] | bytes, **other: Any) -> str | None:
    judgement = judge(books, given, **other)
    assert (judgement.became == "would_be_refused") == (judgement.code is not None)
    return judgement.code or judgement.became


@pytest.mark.parametrize(
    ("given", "other", "code"),
    [
        (b"", {}, "malformed"),
        (b"{", {}, "malformed"),
        ({"type": 7}, {}, "invalid"),
        (event(attributes={"type": "material.consumed.v9"}), {}, "unknown_type"),
        (event(), {"topic": "machine.events.v1"}, "unknown_type"),
        (event(attributes={"type": "clock.tick.v1"}), {}, "invalid"),
        (event(quantity="12,5"), {}, "invalid"),
        (event(attributes={"plant": "*"}), {"key": b"*/L3"}, "invalid"),
        (event(), {"key": None}, "key_mismatch"),
        (event(attributes={"time": "2026-11-21T06:10:01Z"}), {}, "from_the_future"),
        (event(attributes={"time": "2026-11-21T06:10:00Z"}), {}, "would_be_accepted"),
        (event(), {}, "would_be_accepted"),
        (REVERSAL, {}, "unknown_reversal"),
    ],
)
def test_where_nothing_is_known_an_event_is_judged_by_itself(
    given: Any, other: dict[str, Any], code: str, sqlite_books: Engine
) -> None:
    assert code_of(sqlite_books, given, **other) == code


def test_an_event_that_was_accepted_is_a_duplicate_or_in_conflict(books: Engine) -> None:
    accept(books, 1, event())
    assert code_of(books, event()) == "would_be_duplicate"
    assert code_of(books, event(quantity="12.500", more=1)) == "would_be_duplicate"
    conflict = judge(books, event(quantity="13"))
    assert conflict.code == "key_conflict"
    assert conflict.reason == "id 'c1' of '/DE01/mes' was accepted with other content"
    assert code_of(books, event(attributes={"source": "/DE01/other"})) == "would_be_accepted"
    elsewhere = event(attributes={"line": "L4"})
    assert code_of(books, elsewhere, key=b"DE01/L4") == "would_be_accepted"


def test_what_the_ledger_doesnt_reach_back_to_is_too_old(books: Engine) -> None:
    line_at(books, "2026-11-28T05:59:09Z")
    assert code_of(books, event()) == "would_be_accepted"
    later = "2026-11-28T05:59:11Z"
    line_at(books, later, "DE02")
    there = event(attributes={"plant": "DE02"})
    assert code_of(books, there, key=b"DE02/L3") == "too_old"


def test_a_reversal_is_held_against_its_original(books: Engine) -> None:
    accept(books, 1, event())
    assert code_of(books, REVERSAL) == "would_be_accepted"
    other = REVERSAL | {"data": {**REVERSAL["data"], "original": {
        **REVERSAL["data"]["original"], "time": "2026-11-21T05:59:11Z"}}}  # fmt: skip
    assert code_of(books, other) == "reversal_mismatch"
    accept(books, 2, REVERSAL)
    assert code_of(books, REVERSAL) == "would_be_duplicate"
    assert code_of(books, REVERSAL | {"id": "r2"}) == "already_reversed"


def test_a_stop_is_held_against_its_episode(books: Engine) -> None:
    accept(books, 1, STARTED)
    assert code_of(books, STARTED | {"id": "s2"}) == "episode_conflict"
    ended = STARTED | {"type": "downtime.ended.v1", "id": "e1", "time": "2026-11-21T05:59:50Z"}
    assert code_of(books, ended) == "would_be_accepted"


def test_what_a_plant_requires_has_to_be_known(books: Engine) -> None:
    know(books, "plant", "DE01", require=["item", "uom", "order"])
    lacks = judge(books, event())
    assert (lacks.code, lacks.reason) == (
        "unknown_master", "data.item is 'M-100': no such item is known",
    )  # fmt: skip
    know(books, "item", "*", "M-100", item="M-100", base_uom="g")
    assert code_of(books, event()) == "unknown_master"
    know(books, "item", "DE01", "M-100", item="M-100", base_uom="kg")
    know(books, "order", "DE01", "1000123", order="1000123", status="closed")
    assert code_of(books, event()) == "order_closed"
    assert code_of(books, event(order="1000124")) == "unknown_master"
    there = event(attributes={"plant": "DE02"})
    assert code_of(books, there, key=b"DE02/L3") == "would_be_accepted"


def test_a_hold_is_held_against_the_one_of_its_name(books: Engine) -> None:
    assert code_of(books, HOLD) == "would_be_accepted"
    know(books, "hold", "DE01", "H1", hold="H1", scope="lot", value="LOT7", reason="cracks")
    assert code_of(books, HOLD) == "hold_conflict"


def test_master_data_is_judged_by_who_keeps_it(books: Engine) -> None:
    def said(**data: Any) -> Judgement:
        told = event(attributes={"type": "reference.order.v1", "line": "*"}) | {"data": data}
        return judge(books, told, topic="erp.master.v1", key=None)

    order = {"order": "1000123", "status": "released", "item": "M-100"}
    lacks = said(**order)
    assert (lacks.became, lacks.code) == ("would_be_refused", "invalid")
    know(books, "item", "*", "M-100", item="M-100", base_uom="g")
    assert said(**order).became == "would_be_accepted"
    know(books, "order", "DE01", "1000123", **order)
    assert said(**order).became == "would_be_duplicate"
    assert said(**order | {"status": "no"}).became == "would_be_refused"


def test_what_is_looked_up_is_found_by_its_name_and_not_among_all_of_its_line(
    sqlite_books: Engine,
) -> None:
    it = read(Again("mes.events.v1", 0, KEY, encoded(STARTED)))
    assert it.asked is not None
    told: list[str] = []

    @listens_for(sqlite_books, "before_cursor_execute")
    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM inputs" in statement and not statement.startswith("EXPLAIN"):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            told.extend(row[-1] for row in cursor.fetchall())

    with sqlite_books.connect() as connection:
        around(connection, it.asked)
    plans = " ".join(told)
    assert "USING INDEX inputs_event" in plans
    assert "USING INDEX inputs_subject" in plans
    assert "inputs_line" not in plans
    assert "SCAN" not in plans
