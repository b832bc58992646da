"""Lists: each item once over all pages, filters, and questions that can't be answered."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine

from reading.worlds import ALL, DE01, RULES, asked, at, happened, known, master, text
from runs import confirmed, consumed, event, started
from tables.books import (
    cursors,
    events_list,
    exception_page,
    exceptions_ageing,
    exceptions_list,
    holds_list,
    newest,
    orders,
    reference_list,
    transactions_list,
)
from tables.books.asked import AskedError

NOW = at(10 * 3_600)

LISTS: list[tuple[Any, Any, str]] = [
    (events_list.events, events_list.EventsAsked, "offset"),
    (transactions_list.transactions, transactions_list.TransactionsAsked, "id"),
    (exceptions_list.exceptions, exceptions_list.ExceptionsAsked, "id"),
    (orders.orders, orders.OrdersAsked, "order"),
    (holds_list.parked, holds_list.ParkedAsked, "offset"),
]


@pytest.fixture
def world(books: Engine) -> Engine:
    """Some of everything, of several lines and times."""
    happened(
        books,
        event(
            "quality.hold_placed.v1", 0, id="h1", hold="H1", scope="item", value="HELD",
            reason="bad",
        ),
        *(
            confirmed(n * 350, str(n), id=f"p{n}", order=f"O{n}", line=f"L{n % 3}")
            for n in range(1, 8)
        ),
        *(consumed(2_500, "1", id=f"k{n}", item="HELD", lot=f"LOT{n}") for n in range(3)),
        *(consumed(2_600 + n, "wrong", id=f"w{n}", order="O1") for n in range(3)),
        confirmed(2_700, "1", id="100%_\\", order="O_1", line="L9"),
        started(2_800, line="L9"),
        event("production.confirmed.v1", 2_900, id="odd", plant="DE02", order="O1"),
        confirmed(9_000, "1", id="last", line="L1"),
    )  # fmt: skip
    return books


def _paged(engine: Engine, ask: Any, form: Any, limit: int, **more: Any) -> list[Any]:
    found: list[Any] = []
    cursor = {}
    with engine.connect() as connection:
        for _ in range(100):
            query = asked(form, limit=limit, **more, **cursor)
            rules = () if ask is reference_list.references else (RULES,)
            answer = ask(connection, ALL, query, NOW, *rules)
            assert len(answer["items"]) <= limit
            found += answer["items"]
            if answer["next"] is None:
                return found
            cursor = {"cursor": answer["next"]}
    raise AssertionError("the pages have no end")


def test_each_item_is_on_one_page_whatever_its_size(world: Engine) -> None:
    for ask, form, name in LISTS:
        whole = _paged(world, ask, form, 500)
        assert len({each[name] for each in whole}) == len(whole) > 2, ask
        for limit in (1, 2, 3):
            assert _paged(world, ask, form, limit) == whole, (ask, limit)


def test_the_newest_come_first(world: Engine) -> None:
    listed = _paged(world, events_list.events, events_list.EventsAsked, 500)
    times = [each["time"] for each in listed]
    assert times == sorted(times, reverse=True)
    oldest = _paged(
        world, exceptions_list.exceptions, exceptions_list.ExceptionsAsked, 1, sort="oldest"
    )
    assert [each["event_id"] for each in oldest] == ["w0", "w1", "w2", "odd"]


def test_a_page_ends_early_where_little_fits_and_the_next_goes_on(
    world: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = transactions_list.TransactionsAsked
    whole = _paged(world, transactions_list.transactions, form, 10, text="p1")
    monkeypatch.setattr(newest, "LOOKED_AT_MAX", 1)
    assert _paged(world, transactions_list.transactions, form, 10, text="p1") == whole
    assert len(whole) == 1


def test_filters_of_events_and_records(world: Engine) -> None:
    def ids(**given: Any) -> list[str]:
        found = _paged(world, events_list.events, events_list.EventsAsked, 50, **given)
        return [each["id"] for each in found]

    assert ids(order="O_1") == ["100%_\\"]
    assert ids(lot="LOT1") == ["k1"]
    assert ids(outcome="refused") == ["w2", "w1", "w0"]  # no line of DE02 has had any
    assert ids(order="O1", outcome="refused") == ["odd", "w2", "w1", "w0"]
    assert (
        ids(plant="DE01", line="L9") == ["L9 started", "100%_\\"]
        or len(ids(plant="DE01", line="L9")) == 2
    )
    assert ids(from_=text(2_000), to=text(2_400)) == ["p6"]
    assert ids(plant="DE01", from_="2026-11-21", to="2026-11-22")[-1] == "h1"
    assert ids(type="quality.hold_placed.v1") == ["h1"]

    def keys(**given: Any) -> list[str]:
        form = transactions_list.TransactionsAsked
        found = _paged(world, transactions_list.transactions, form, 50, **given)
        return [each["id"] for each in found]

    assert keys(text="%25_\\") == ["pc:DE01/L9:/mes|100%25_\\"]
    assert keys(text="_") == ["pc:DE01/L9:/mes|100%25_\\"]
    assert keys(order="O3") == ["pc:DE01/L0:/mes|p3"]


def test_filters_of_exceptions(world: Engine) -> None:
    def ids(**given: Any) -> list[str]:
        form = exceptions_list.ExceptionsAsked
        found = _paged(world, exceptions_list.exceptions, form, 50, **given)
        return [each["event_id"] for each in found]

    assert ids(code="invalid", plant="DE01") == ["w2", "w1", "w0"]
    assert ids(text="W1") == ["w1"]
    assert ids(text="%") == []
    assert ids(status="resolved,dismissed") == []
    assert ids(class_="business") == []
    assert ids(order="O1", source="/mes", assigned_to="") == ["odd", "w2", "w1", "w0"]
    assert ids(age_min=10 * 3_600 - 2_602, age_max=10 * 3_600) == ["w1", "w0"]
    assert ids(from_=text(2_602), to=text(2_603)) == ["w1"]


def test_frequent_reasons_are_folded_and_ages_counted(world: Engine) -> None:
    with world.connect() as connection:
        query = exceptions_list.ExceptionsAsked(plant="DE01")
        (often,) = exceptions_list.reasons(connection, ALL, query, NOW, RULES)["items"]
        of_plant = exceptions_ageing.AgeingAsked(plant="DE01")
        ages = exceptions_ageing.ageing(connection, ALL, of_plant, NOW)["items"]
        total = exceptions_list.exceptions(connection, DE01, query, NOW, RULES)["total"]
    assert often == {
        "code": "invalid",
        "reason": "data.quantity is …: not in the grammar of a JSON number",
        "count": 3,
        "oldest": text(2_601),
    }
    assert total == 3
    assert [each["class"] for each in ages] == ["technical", "data", "business"]
    assert ages[1] == {
        "class": "data",
        "open": 3,
        "overdue": 3,
        "oldest": text(2_601),
        "buckets": {"1h": 0, "8h": 0, "1d": 3, "7d": 0, "older": 0},
    }


def test_one_exception_is_told_whole(world: Engine) -> None:
    with world.connect() as connection:
        (found,) = exceptions_list.exceptions(
            connection, ALL, asked(exceptions_list.ExceptionsAsked, text="w1"), NOW, RULES
        )["items"]
        query = exception_page.ExceptionAsked(id=found["id"])
        told: Any = exception_page.exception(connection, ALL, query, NOW, RULES)
    assert told["read_as"]["data"]["quantity"] == "wrong"
    assert json.loads(told["text"])["id"] == "w1"
    assert told["key"] == "DE01/L1"
    assert told["what_to_do"].startswith("Mend the mapping.")
    offsets = [each["offset"] for each in told["neighbours"]]
    assert offsets == sorted(offsets)
    assert len(offsets) == 10
    assert told["became"] is None
    assert (told["due_at"], told["overdue"]) == (text(2_602 + 8 * 3_600), True)


def test_master_data_are_listed_and_counted(world: Engine) -> None:
    known(
        world,
        *((f"item|DE01|I{n}", master("item", item=f"I{n}", base_uom="kg")) for n in range(5)),
        ("item|*|ANY", master("item", "*", item="ANY", base_uom="pc")),
    )
    form = reference_list.ReferencesAsked
    items = _paged(world, reference_list.references, form, 2, kind="item")
    assert [each["id"] for each in items] == ["ANY", "I0", "I1", "I2", "I3", "I4"]
    assert items[1]["data"] == {"item": "I0", "base_uom": "kg"}
    named = _paged(world, reference_list.references, form, 2, kind="item", text="i3")
    assert [each["id"] for each in named] == ["I3"]
    with world.connect() as connection:
        kinds = reference_list.kinds(connection, ALL, reference_list.KindsAsked(), NOW)["items"]
    assert kinds == [{"kind": "hold", "count": 1}, {"kind": "item", "count": 6}]


@pytest.mark.parametrize(
    ("given", "member"),
    [
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": cursors.written((1, "a"))}, "cursor"),
        ({"cursor": cursors.written((1 << 70, "a", 1, 1))}, "cursor"),
        ({"cursor": cursors.written((1, "\x00", 1, 1))}, "cursor"),
        ({"from_": "yesterday!"}, "from"),
        ({"from_": "2026-02-30"}, "from"),
        ({"from_": "2026-11-22", "to": "2026-11-21"}, "to"),
        ({"outcome": "lost"}, "outcome"),
    ],
)
def test_what_is_wrong_with_a_question_names_its_member(
    sqlite_books: Engine, given: dict[str, Any], member: str
) -> None:
    query = asked(events_list.EventsAsked, **given)
    with sqlite_books.connect() as connection, pytest.raises(AskedError) as raised:
        events_list.events(connection, ALL, query, NOW, RULES)
    assert raised.value.member == member
    assert str(raised.value).startswith(member)
