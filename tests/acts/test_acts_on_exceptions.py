"""What people do about refused events: sent once, written down, and moved on in the books."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from acts.acting_desks import ANNA, BEN, CARA, READER, acts_on, desk, opened, records
from acts.refusals import acts_in, add_exception, claims_in, encoded, event, row_of
from agents.desk.acts import Acting
from agents.desk.acts_forms import ActItem, ActRequest
from agents.desk.errors import DeskError
from agents.desk.people import Person
from streams.contract.topics import MES_EVENTS
from streams.embedded.transport import Broker
from streams.log.record import partition_of

HEADERS = [
    {"name": "traceparent", "value": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
    {"name": "lineside_resent_for", "value": "17"},
    {"name": "odd", "value_base64": "/w=="},
    {"name": "none", "value": None},
]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with opened(tmp_path / "log") as broker:
        yield broker


async def one(desk: Acting, who: Person, act: Any, *ids: str, **other: Any) -> ActItem:
    """Let somebody do something about exceptions, and return what became of the last of them."""
    answer = await desk.act(who, ActRequest(act=act, ids=ids, **other))
    return answer.items[-1]


async def test_a_fix_is_sent_under_the_same_headers_to_where_it_was(
    books: Engine, broker: Broker
) -> None:
    id = add_exception(books, 5, number=3, headers=HEADERS, key="DE01/L3")
    fixed = encoded(event(quantity="13")).decode()
    item = await one(desk(books, broker), ANNA, "fix", id, value=fixed, why="13 it was")
    assert (item.result, item.version) == ("done", 1)
    (sent,) = records(broker, MES_EVENTS, 3)
    (act,) = acts_on(broker)
    assert (sent.key, sent.value) == (b"DE01/L3", fixed.encode())
    assert sent.headers == [
        ("traceparent", HEADERS[0]["value"].encode()),  # type: ignore[union-attr]  # it is there
        ("odd", b"\xff"),
        ("none", None),
        ("lineside_resent_from", id.encode()),
        ("lineside_act", act.id.encode()),
    ]
    assert (act.who, act.act, act.subject, act.why) == ("anna", "fix", id, "13 it was")
    assert (act.plant, act.line, act.after.fixed) == ("DE01", "L3", fixed)
    assert (act.before.status, act.before.version, act.after.status) == ("open", 0, "resent")
    row = row_of(books, id)
    assert (row.status, row.version, row.fixed, row.changed_by) == ("resent", 1, fixed, "anna")
    assert [each.id for each in acts_in(books)] == [act.id]
    assert claims_in(books) == []


async def test_another_key_goes_to_its_own_partition(books: Engine, broker: Broker) -> None:
    id = add_exception(books, number=3, key="DE01/L9")
    item = await one(desk(books, broker), ANNA, "fix", id, key="DE01/L3")
    assert item.result == "done"
    (sent,) = records(broker, MES_EVENTS, partition_of(b"DE01/L3", 4))
    assert (sent.key, sent.value) == (b"DE01/L3", encoded(event()))
    assert row_of(books, id).fixed is None


async def test_what_would_be_refused_again_is_not_sent(books: Engine, broker: Broker) -> None:
    id = add_exception(books, key="DE01/L9")
    item = await one(desk(books, broker), ANNA, "resend", id)
    assert (item.result, item.code) == ("refused", "key_mismatch")
    assert item.reason == "key is 'DE01/L9', not 'DE01/L3'"
    assert records(broker, MES_EVENTS) == acts_on(broker) == []
    assert row_of(books, id).version == 0


async def test_a_dry_run_says_what_would_become_and_does_nothing(
    sqlite_books: Engine, broker: Broker
) -> None:
    good = add_exception(sqlite_books, 1)
    bad = add_exception(sqlite_books, 2, value=b"{")
    acting = desk(sqlite_books, broker)
    asked = ActRequest(act="resend", ids=(good, bad, "mes.events.v1/9/9"), dry_run=True)
    answer = await acting.act(ANNA, asked)
    assert [(each.result, each.code) for each in answer.items] == [
        ("would_be_accepted", None), ("would_be_refused", "malformed"), ("gone", None),
    ]  # fmt: skip
    assert (answer.done, answer.dry_run) == (0, True)
    assert (await one(acting, ANNA, "dismiss", good, why="no", dry_run=True)).result == "done"
    assert records(broker, MES_EVENTS) == acts_on(broker) == claims_in(sqlite_books) == []
    assert row_of(sqlite_books, good).version == 0


async def test_two_people_send_one_event_once(books: Engine, broker: Broker) -> None:
    ids = [
        add_exception(books, n, value=encoded(event(attributes={"id": f"c{n}"}))) for n in range(30)
    ]
    desks = [desk(books, broker, f"d{n}") for n in range(2)]
    answers = await asyncio.gather(
        *(
            each.act(who, ActRequest(act="resend", ids=tuple(order)))
            for each in desks
            for who, order in ((ANNA, ids), (BEN, ids[::-1]))
        )
    )
    for id in ids:
        results = [item.result for answer in answers for item in answer.items if item.id == id]
        assert results.count("done") == 1
        assert set(results) <= {"done", "conflict", "already"}
    assert len(records(broker, MES_EVENTS)) == len(acts_on(broker)) == len(ids)
    assert {row_of(books, id).version for id in ids} == {1}
    assert claims_in(books) == []


async def test_who_saw_an_earlier_version_is_told(sqlite_books: Engine, broker: Broker) -> None:
    id = add_exception(sqlite_books)
    acting = desk(sqlite_books, broker)
    await one(acting, BEN, "comment", id, why="wait for the shift leader")
    item = await one(acting, ANNA, "resend", id, versions={id: 0})
    assert (item.result, item.version) == ("conflict", 1)
    assert item.reason == "you saw version 0, and it has 1: look at it again"
    assert (await one(acting, ANNA, "resend", id, versions={id: 1})).result == "done"


async def test_the_same_request_is_done_once(books: Engine, broker: Broker) -> None:
    id = add_exception(books)
    acting = desk(books, broker)
    for _ in range(3):
        item = await one(acting, ANNA, "resend", id, batch="from the page")
        assert (item.result, item.version) == ("done", 1)
    assert len(records(broker, MES_EVENTS)) == len(acts_on(broker)) == 1
    assert (await one(acting, ANNA, "resend", id)).result == "already"


async def test_acts_that_send_nothing_are_written_down_too(books: Engine, broker: Broker) -> None:
    id = add_exception(books)
    acting = desk(books, broker)
    assert (await one(acting, ANNA, "assign", id, to="ben")).result == "done"
    assert row_of(books, id).assigned_to == "ben"
    assert (await one(acting, ANNA, "comment", id, why="twice this week")).result == "done"
    assert (await one(acting, ANNA, "dismiss", id, why="a test of the gateway")).result == "done"
    row = row_of(books, id)
    assert (row.status, row.version, row.assigned_to) == ("dismissed", 3, "ben")
    assert [act.act for act in acts_on(broker)] == ["assign", "comment", "dismiss"]
    assert (await one(acting, ANNA, "assign", id)).result == "done"
    assert row_of(books, id).assigned_to is None
    assert records(broker, MES_EVENTS) == []


async def test_what_was_dismissed_by_mistake_can_be_sent(books: Engine, broker: Broker) -> None:
    id = add_exception(books)
    acting = desk(books, broker)
    await one(acting, ANNA, "dismiss", id, why="a test")
    assert (await one(acting, ANNA, "dismiss", id, why="a test")).result == "already"
    assert (await one(acting, ANNA, "resend", id)).result == "done"


@pytest.mark.parametrize("plants", [["DE01"], ["*"]])
async def test_a_second_person_approves_what_is_of_class_business(
    plants: list[str], books: Engine, broker: Broker
) -> None:
    id = add_exception(books, **{"class": "business"})
    acting = desk(books, broker, approval=plants)
    fixed = encoded(event(quantity="1")).decode()
    said = await one(acting, ANNA, "fix", id, value=fixed, dry_run=True)
    assert said.result == "needs_approval"
    assert (await one(acting, BEN, "fix", id, value=fixed)).result == "needs_approval"
    assert records(broker, MES_EVENTS) == []
    row = row_of(books, id)
    assert (row.status, row.fixed, row.version) == ("asked", fixed, 1)
    item = await one(acting, BEN, "approve", id)
    assert (item.result, item.reason) == (
        "refused", "ben asked for it: somebody else has to approve it",
    )  # fmt: skip
    with pytest.raises(DeskError, match="anna may not approve exceptions"):
        await one(acting, ANNA, "approve", id)
    await one(acting, ANNA, "comment", id, why="is it right?")
    eve = Person("eve", BEN.grants)
    assert (await one(acting, eve, "approve", id)).result == "done"
    (sent,) = records(broker, MES_EVENTS)
    assert sent.value == fixed.encode()
    assert [(act.who, act.act, act.after.status) for act in acts_on(broker)] == [
        ("ben", "fix", "asked"), ("anna", "comment", "asked"), ("eve", "approve", "resent"),
    ]  # fmt: skip


async def test_what_is_rejected_is_open_again(books: Engine, broker: Broker) -> None:
    id = add_exception(books, **{"class": "business"})
    acting = desk(books, broker, approval=["DE01"])
    await one(acting, ANNA, "fix", id, key="DE01/L3")
    assert (await one(acting, BEN, "reject", id, why="not this order")).result == "done"
    row = row_of(books, id)
    assert (row.status, row.fixed, row.version) == ("open", None, 2)
    assert (await one(acting, BEN, "approve", id)).result == "already"
    assert (await one(acting, BEN, "resend", id)).result == "needs_approval"
    assert records(broker, MES_EVENTS) == []


@pytest.mark.parametrize("other", [{"class": "data"}, {"class": "business", "plant": "DE02"}])
async def test_all_else_goes_without_a_second_person(
    other: dict[str, Any], books: Engine, broker: Broker
) -> None:
    id = add_exception(books, **other)
    item = await one(desk(books, broker, approval=["DE01"]), ANNA, "resend", id)
    assert item.result == "done"


async def test_another_plants_exceptions_are_gone_for_who_may_not_work_there(
    sqlite_books: Engine, broker: Broker
) -> None:
    acting = desk(sqlite_books, broker)
    id, nameless = (
        add_exception(sqlite_books),
        add_exception(sqlite_books, 1, plant=None, line=None),
    )
    for each in (id, nameless):
        assert (await one(acting, CARA, "dismiss", each, why="mine")).result == "gone"
    assert (await one(acting, BEN, "dismiss", nameless, why="?")).result == "gone"
    assert (await one(acting, ANNA, "dismiss", nameless, why="?")).result == "done"
    with pytest.raises(DeskError, match="rita may not resend exceptions"):
        await one(acting, READER, "resend", id)


async def test_nobody_sends_an_event_into_another_plant(
    sqlite_books: Engine, broker: Broker
) -> None:
    id = add_exception(sqlite_books, plant="DE02")
    moved = encoded(event()).decode()
    item = await one(desk(sqlite_books, broker), CARA, "fix", id, value=moved, key="DE01/L3")
    assert (item.result, item.reason) == (
        "refused", "plant is 'DE01': cara may not work there",
    )  # fmt: skip
    assert records(broker, MES_EVENTS) == []


async def test_a_record_that_isnt_whole_is_not_sent(sqlite_books: Engine, broker: Broker) -> None:
    id = add_exception(sqlite_books, cut=True)
    acting = desk(sqlite_books, broker)
    for dry in (True, False):
        item = await one(acting, ANNA, "resend", id, dry_run=dry)
        assert item.result == "refused"
        assert item.reason == (
            "a part of the record isn't in the exception, since it was too large: its producer has "
            "to send it again"
        )
    assert (await one(acting, ANNA, "dismiss", id, why="too large")).result == "done"


async def test_refused_master_data_goes_back_to_its_topic(books: Engine, broker: Broker) -> None:
    said = event(attributes={"type": "reference.item.v1", "line": "*", "data": {"item": "M-100"}})
    id = add_exception(books, topic="erp.master.v1", value=encoded(said), key=None, line=None)
    acting = desk(books, broker)
    item = await one(acting, ANNA, "resend", id)
    assert item.result == "refused"
    said["data"]["base_uom"] = "kg"
    item = await one(acting, ANNA, "fix", id, value=encoded(said).decode())
    assert item.result == "done", item
    (sent,) = records(broker, "erp.master.v1")
    assert (sent.key, sent.value) == (None, encoded(said))
    assert sent.headers[0] == ("lineside_resent_from", id.encode())
