"""The books over the examples of docs/contract.md: what is parked, traced, and summed for orders."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from books.filled import fill
from reading.worlds import ALL, RULES, asked, at, happened, job_of, known, master, text
from runs import confirmed, consumed, event
from streams.contract.reference import KINDS
from streams.contract.reference import TYPES as REFERENCES
from streams.contract.reference_key import key_of
from tables.books import holds_list, order_page, tracing
from tables.books.schema import INPUTS

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

NOW = at(3_600)


def _traced(engine: Engine, q: str) -> dict[str, Any]:
    with engine.connect() as connection:
        query = tracing.TraceAsked(q=q, kind="event")
        return tracing.trace(connection, ALL, query, NOW, RULES)


def _waits(engine: Engine, id: str) -> str | None:
    found = [each for each in _traced(engine, id)["events"] if each["outcome"] == "accepted"]
    assert len(found) == 1
    waits: dict[str, str] | None = found[0]["waits_for"]
    return None if waits is None else waits["what"]


def _keys(engine: Engine, id: str) -> list[str]:
    return [
        one["transaction"]["id"] for each in _traced(engine, id)["events"] for one in each["became"]
    ]


def _learn(engine: Engine, lines: Iterable[bytes]) -> None:
    """Put the reference records of an example into `reference.v1`, whose copies they are."""
    records = []
    for line in lines:
        told = json.loads(line)
        kind = REFERENCES.get(told["type"])
        if kind is not None and told["source"] == "/lineside":
            parts = [str(told["data"][name]) for name in KINDS[kind].ID]
            records.append((key_of(kind, told["plant"], parts).decode(), line))
    known(engine, *records)


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.ndjson")))
def test_each_event_of_an_example_is_traced(sqlite_books: Engine, name: str) -> None:
    lines = (EXAMPLES / f"{name}.ndjson").read_bytes().splitlines()
    fill(sqlite_books, job_of(lines, close=True))
    _learn(sqlite_books, lines)
    with sqlite_books.connect() as connection:
        ids = connection.execute(select(INPUTS.c.event_id).where(INPUTS.c.event_id.is_not(None)))
        for id in set(ids.scalars()):
            answer = _traced(sqlite_books, id)
            assert answer["sentence"], id
            assert "waits_for_books" not in {each["code"] for each in answer["sentence"]}, id


def test_the_example_of_holds(sqlite_books: Engine) -> None:
    lines = (EXAMPLES / "holds.ndjson").read_bytes().splitlines()
    fill(sqlite_books, job_of(lines[:7]))  # before the release
    assert _waits(sqlite_books, "c2") == "hold"
    assert _waits(sqlite_books, "c4") is None  # it was taken out
    assert _waits(sqlite_books, "r1") is None
    assert _keys(sqlite_books, "c3") == ["gi:DE01/L3:1795240800:1000123|0010|M-100|LOT8||kg:0"]
    fill(sqlite_books, job_of(lines[:8]))
    assert _waits(sqlite_books, "c2") == "window"
    fill(sqlite_books, job_of(lines))
    assert _waits(sqlite_books, "c2") is None
    assert _keys(sqlite_books, "c2") == ["gi:DE01/L3:1795240800:1000123|0010|M-100|LOT7||kg:1"]


def test_the_example_of_finals(sqlite_books: Engine) -> None:
    lines = (EXAMPLES / "finals.ndjson").read_bytes().splitlines()
    fill(sqlite_books, job_of(lines[:-1]))
    assert _waits(sqlite_books, "f3") == "final"
    assert _traced(sqlite_books, "f3")["events"][0]["waits_for"]["until"] == text(630)
    fill(sqlite_books, job_of(lines))
    assert _keys(sqlite_books, "f3") == ["pc:DE01/L3:/DE01/mes|f3"]
    assert _waits(sqlite_books, "f2") is None


def test_the_example_of_rules_that_change(sqlite_books: Engine) -> None:
    lines = (EXAMPLES / "rules.ndjson").read_bytes().splitlines()
    fill(sqlite_books, job_of(lines))
    _learn(sqlite_books, lines)
    hour = "gi:DE01/L3:1795996800:1000123|0010|M-100|LOT7||kg:0"
    assert _keys(sqlite_books, "c3") == [hour]
    assert _keys(sqlite_books, "c4") == [hour]
    assert _keys(sqlite_books, "c5") == ["gi:DE01/L3:1795996500:1000123|0010|M-100|LOT7||kg:11"]


def test_a_held_order_parks_its_events_until_it_is_released(books: Engine) -> None:
    def order(seq: int, status: str) -> bytes:
        return master("order", seq=seq, order="O1", status=status)

    values = [
        confirmed(10, "1", id="before"),
        order(1, "held"),
        confirmed(20, "1", id="held"),
        consumed(21, "1", id="other", order="O2"),
    ]
    happened(books, *values)
    with books.connect() as connection:
        query = asked(holds_list.ParkedAsked)
        (parked,) = holds_list.parked(connection, ALL, query, NOW, RULES)["items"]
    assert (parked["id"], parked["hold"]) == ("held", "order O1 is held")
    assert _traced(books, "held")["sentence"][0]["text"].endswith("order O1 is held.")
    happened(books, *values, order(2, "released"), confirmed(30, "1", id="after"))
    with books.connect() as connection:
        assert holds_list.parked(connection, ALL, query, NOW, RULES)["items"] == []
    assert _keys(books, "held") == ["pc:DE01/L1:/mes|held"]


def test_what_a_hold_keeps_is_counted_and_a_released_one_keeps_nothing(books: Engine) -> None:
    def placed(hold: str, lot: str, seconds: float) -> bytes:
        members = {"hold": hold, "scope": "lot", "value": lot, "reason": "bad"}
        return event("quality.hold_placed.v1", seconds, **members)

    happened(
        books,
        placed("H1", "LOT1", 1),
        placed("H2", "LOT2", 2),
        consumed(10, id="c1", lot="LOT1"),
        consumed(11, id="c2", lot="LOT1"),
        consumed(12, id="c3", lot="LOT2"),
        event("quality.hold_released.v1", 20, hold="H2", disposition="use"),
    )
    with books.connect() as connection:
        query = asked(holds_list.HoldsAsked)
        first, second = holds_list.holds(connection, ALL, query, NOW, RULES)["items"]
        active = asked(holds_list.HoldsAsked, active="true")
        assert holds_list.holds(connection, ALL, active, NOW, RULES)["items"] == [first]
    assert (first["hold"], first["touched"], first["oldest"]) == ("H1", 2, text(10))
    assert (second["hold"], second["touched"], second["disposition"]) == ("H2", 0, "use")
    assert second["released_at"] == text(20)


def test_an_order_is_told_whole(books: Engine) -> None:
    happened(
        books,
        event("operation.started.v1", 1, order="O1", operation="0010"),
        confirmed(10, "40", id="p1"),
        confirmed(70, "30", id="p2", operation="0020"),
        consumed(75, "2.5", id="c1", lot="LOT1"),
        consumed(76, "x", id="c2"),
        event("operation.completed.v1", 80, order="O1", operation="0010"),
        confirmed(90, "5", id="f1", operation="0020", final=True),
        confirmed(700, "1", id="next", order="O2"),
    )
    known(
        books,
        (
            "order|DE01|O1",
            master("order", order="O1", status="released", item="I1", quantity="500", uom="pc"),
        ),
    )
    query = order_page.OrderAsked(plant="DE01", order="O1")
    with books.connect() as connection:
        told: Any = order_page.order_page(connection, ALL, query, NOW, RULES)
        other = order_page.OrderAsked(plant="DE01", order="O9")
        assert order_page.order_page(connection, ALL, other, NOW, RULES) is None
    assert told["progress"] == {"numerator": "35", "denominator": "500"}
    assert [(each["operation"], each["made"][0]["good"]) for each in told["operations"]] == [
        ("0010", "40"),
        ("0020", "35"),
    ]
    assert told["operations"][0]["started_at"] == text(1)
    assert told["operations"][0]["completed_at"] == text(80)
    assert told["operations"][1]["final_at"] == text(90)
    assert told["consumption"] == [{"item": "I1", "uom": "kg", "quantity": "2.5"}]
    assert told["exceptions_open"] == 1
    assert told["reference"]["quantity"] == "500"
    assert (told["first_at"], told["last_at"]) == (text(1), text(90))
