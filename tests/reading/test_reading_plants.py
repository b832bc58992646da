"""Another plant's data stay hidden, whatever is asked; and whoever sees the plant sees them."""

import json
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from reading.questions import QUESTIONS, Question
from reading.worlds import ALL, DE01, DE02, RULES, at, happened, known, master
from runs import confirmed, consumed, event, started
from tables.books import exceptions_list
from tables.books.inserting import insert
from tables.books.opening import writing
from tables.books.packed import pack
from tables.books.schema import ACTS

NOW = at(1_000)

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

NOTHING_OF_PLANTS = {"health"}
"""What is told of topics and the database alone."""


def _traced(value: bytes) -> bytes:
    return json.dumps(json.loads(value) | {"traceparent": TRACE}).encode()


@pytest.fixture
def two_plants(books: Engine) -> Engine:
    """Books of two plants, all of whose names in DE02 have X2 in them."""
    x2: dict[str, Any] = {"plant": "DE02", "line": "X2"}
    of_x2: dict[str, Any] = x2 | {"order": "OX2", "item": "IX2"}
    happened(
        books,
        confirmed(10, "40", id="pX2", **of_x2),
        _traced(consumed(20, "2", id="cX2", lot="LX2", **of_x2)),
        consumed(30, "1", id="sX2", serial="SX2", **of_x2),
        consumed(40, "wrong", id="wX2", **of_x2),
        event("quality.hold_placed.v1", 50, id="hX2", hold="HX2", scope="lot", value="LX2",
              reason="bad X2", **x2),
        consumed(60, "3", id="kX2", lot="LX2", **of_x2),
        started(70, episode="EX2", work_unit="UX2", reason="jam X2", **x2),
        confirmed(10, "40", id="pX2", **(of_x2 | {"line": "X2b"})),
        event("machine.state.v1", 80, id="mX2", work_unit="UX2", state="Execute", **x2),
        confirmed(700, "1", id="late X2", **of_x2),
        consumed(710, "wrong, too", id="w2X2", **of_x2),
        confirmed(15, "7", id="p1"),
        confirmed(20, "x", id="p2"),
        confirmed(700, "7", id="p3"),
    )  # fmt: skip
    known(
        books,
        ("order|DE02|OX2", master("order", "DE02", order="OX2", status="released")),
        ("hold|DE02|HX2", master("hold", "DE02", hold="HX2", scope="lot", value="LX2", reason="r")),
        ("order|DE01|O1", master("order", order="O1", status="released")),
        ("reason|*|any", master("reason", "*", reason="any")),
    )
    with writing(books) as connection:
        act = ("a1", at(100), "anna", "comment", "mes.events.v1/0/3", "DE02", "X2", "why X2", None)
        insert(connection, ACTS, [(*act, pack(b"{}"), pack(b"{}"))])
    return books


def test_nothing_of_another_plant_is_told(two_plants: Engine) -> None:
    with two_plants.connect() as connection:
        for question in QUESTIONS:
            _hides(question, connection)


def _hides(question: Question, connection: Connection) -> None:
    told = question.answered(connection, DE01, NOW)
    nobody = question.answered(connection, frozenset(), NOW)
    own = question.answered(connection, DE02, NOW)
    json.dumps(question.answered(connection, ALL, NOW))
    for answer in (told, nobody):
        if isinstance(answer, dict):
            answer.pop("query", None)  # what was asked for is told as it was asked
            codes = {each["code"] for each in answer.pop("sentence", [])}
            assert codes <= {"nothing_found", "unprocessed"}, question.name
        assert "X2" not in json.dumps(answer), question.name
        assert "DE02" not in json.dumps(answer), question.name
    if question.name not in NOTHING_OF_PLANTS:
        assert own != told, question.name
        assert own is not None, question.name
        assert own != {"items": [], "next": None}, question.name


def test_what_has_no_plant_is_for_those_who_see_all(books: Engine) -> None:
    happened(books, confirmed(10, "1", id="p1"), event("production.confirmed.v1", 20, plant=5))
    query = exceptions_list.ExceptionsAsked()
    with books.connect() as connection:
        whole = exceptions_list.exceptions(connection, ALL, query, NOW, RULES)
        of_plant = exceptions_list.exceptions(connection, DE01, query, NOW, RULES)
    assert [each["plant"] for each in whole["items"]] == [None]
    assert of_plant == {"items": [], "next": None, "total": 0}
