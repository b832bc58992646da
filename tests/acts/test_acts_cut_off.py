"""Acts that were cut off anywhere: they are done in the end, and nothing is sent twice."""

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from sqlalchemy import Engine

from acts import killed_desk
from acts.acting_desks import ANNA, BEN, Clock, acts_on, desk, opened, records
from acts.refusals import NOW, acts_in, add_exception, claims_in, encoded, event, row_of
from acts.refusals import act as act_of_anna
from agents.desk.acts import Acting
from agents.desk.acts_finishing import (
    LEFT_SECONDS,
    MACHINE,
    TRIES_MAX,
    due_at,
    end_what_was_left,
    try_again,
)
from agents.desk.acts_forms import ActRequest
from streams.contract.acts import Standing, act_bytes
from streams.contract.topics import AUDIT, MES_EVENTS
from streams.log.desk import Again, Sending
from streams.log.lineage import with_act
from tables.books import claims
from tables.books.acting import take_acts
from tables.books.claims import Claim
from tables.books.opening import writing

MINUTE = 60_000_000

KILLS = 6


def claimed(books: Engine, acting: Acting, id: str, *, at: int = NOW) -> tuple[Sending, Again]:
    """Claim an exception for a resend, and send nothing."""
    act = act_of_anna("a" * 32, id, Standing("resent", 1), act="resend")
    again = Again(MES_EVENTS, 0, b"DE01/L3", encoded(event()), with_act([], id, act.id))
    with writing(books) as connection:
        assert claims.claim(connection, [Claim(act, again)], acting.log.sender, at) == {act.id}
    return Sending(act.id, id, act_bytes(act), again), again


@pytest.mark.parametrize("cut", ["before the event", "behind the event", "behind the act"])
async def test_a_desk_that_died_is_ended_by_the_next_one(
    cut: str, books: Engine, tmp_path: Path
) -> None:
    id = add_exception(books)
    with opened(tmp_path) as broker:
        acting = desk(books, broker, "first")
        sending, _ = claimed(books, acting, id)
        await acting.log.send([sending])
    if cut != "behind the act":
        os.truncate(tmp_path / AUDIT / "0" / f"{0:020d}.log", 5)
    if cut == "before the event":
        os.truncate(tmp_path / MES_EVENTS / "0" / f"{0:020d}.log", 5)
    with opened(tmp_path) as broker:
        acting = desk(books, broker, "second")
        assert await end_what_was_left(acting, at_once=True) == 1
        assert await end_what_was_left(acting, at_once=True) == 0
        (event_,), (act,) = records(broker, MES_EVENTS), acts_on(broker)
    assert dict(event_.headers)["lineside_act"] == act.id.encode()
    assert claims_in(books) == []
    assert [each.id for each in acts_in(books)] == [act.id]
    assert (row_of(books, id).status, row_of(books, id).version) == ("resent", 1)


async def test_nobody_acts_on_what_is_on_its_way(books: Engine, tmp_path: Path) -> None:
    id = add_exception(books)
    with opened(tmp_path) as broker:
        acting = desk(books, broker, "second")
        claimed(books, desk(books, broker, "first"), id)
        answer = await acting.act(BEN, ActRequest(act="comment", ids=(id,), why="?"))
        assert answer.items[0].result == "conflict"
        assert acts_on(broker) == []


async def test_a_living_desk_is_left_in_peace_for_a_while(books: Engine, tmp_path: Path) -> None:
    id, clock = add_exception(books), Clock()
    with opened(tmp_path) as broker:
        acting = desk(books, broker, "second", clock=clock)
        claimed(books, desk(books, broker, "first"), id)
        assert await end_what_was_left(acting) == 0
        clock.seconds += LEFT_SECONDS + 1
        assert await end_what_was_left(acting) == 1


async def test_what_the_books_have_read_is_not_sent_again(books: Engine, tmp_path: Path) -> None:
    id = add_exception(books)
    with opened(tmp_path) as broker:
        acting = desk(books, broker, "first")
        sending, _ = claimed(books, acting, id)
        await acting.log.send([sending])
        with writing(books) as connection:
            take_acts(connection, [record.value for record in records(broker, AUDIT)])
        assert claims_in(books) == []
        assert await end_what_was_left(acting, at_once=True) == 0


async def test_a_full_disk_undoes_what_was_claimed(
    books: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = add_exception(books)
    with opened(tmp_path) as broker:
        acting = desk(books, broker)

        def full(*_: Any) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("streams.embedded.log.os.write", full)
        answer = await acting.act(ANNA, ActRequest(act="resend", ids=(id,)))
        monkeypatch.undo()
        assert answer.items[0].result == "refused"
        assert "No space left on device" in str(answer.items[0].reason)
        assert (row_of(books, id).status, claims_in(books)) == ("open", [])
        answer = await acting.act(ANNA, ActRequest(act="resend", ids=(id,)))
        assert answer.items[0].result == "done"
        assert len(records(broker, MES_EVENTS)) == len(acts_on(broker)) == 1


async def test_a_disk_that_is_full_behind_the_event_delays_the_act(
    books: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = add_exception(books)
    with opened(tmp_path) as broker:
        acting = desk(books, broker)
        written, real = [], os.write

        def fills(descriptor: int, data: bytes) -> int:
            written.append(descriptor)
            if len(written) > 2:  # the plan, and the event
                raise OSError(28, "No space left on device")
            return real(descriptor, data)

        monkeypatch.setattr("streams.embedded.log.os.write", fills)
        answer = await acting.act(ANNA, ActRequest(act="resend", ids=(id,)))
        assert answer.items[0].result == "done"
        assert "it is on its way" in str(answer.items[0].reason)
        monkeypatch.undo()
        assert (len(records(broker, MES_EVENTS)), acts_on(broker)) == (1, [])
        assert await end_what_was_left(acting) == 1
        assert len(records(broker, MES_EVENTS)) == len(acts_on(broker)) == 1
        assert claims_in(books) == []


@pytest.mark.slow
def test_a_desk_that_is_killed_again_and_again_sends_each_event_once(
    sqlite_books: Engine, tmp_path: Path
) -> None:
    for n in range(killed_desk.EVENTS):
        value = encoded(event(attributes={"id": f"c{n}"}))
        add_exception(sqlite_books, n, number=n % 4, value=value)
    lucky = random.Random(4711)
    for attempt in range(KILLS + 1):
        process = subprocess.Popen(
            [sys.executable, killed_desk.__file__, tmp_path, f"d{attempt}"],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        if attempt < KILLS:
            sleep(lucky.uniform(0, 0.15))
            process.kill()
        ended = process.communicate()[0]
    assert ended == "done\n"
    with opened(tmp_path / "log") as broker:
        sent = Counter(
            dict(each.headers)["lineside_resent_from"].decode()  # type: ignore[union-attr]
            for each in records(broker, MES_EVENTS)
        )
        subjects = Counter(act.subject for act in acts_on(broker))
    assert len(sent) == killed_desk.EVENTS
    assert set(sent.values()) == set(subjects.values()) == {1}
    assert claims_in(sqlite_books) == []
    assert {row_of(sqlite_books, id).status for id in sent} == {"resent"}


async def test_class_technical_goes_again_by_itself_after_longer_and_longer_pauses(
    books: Engine, tmp_path: Path
) -> None:
    clock = Clock()
    technical = {"class": "technical", "code": "away", "raised_at": NOW}
    first = add_exception(books, 0, **technical)
    add_exception(books, 1, raised_at=NOW)
    with opened(tmp_path) as broker:
        acting = desk(books, broker, clock=clock)
        assert await try_again(acting) == 0
        clock.seconds += 61
        assert await try_again(acting) == 1
        assert await try_again(acting) == 0
        (act,) = acts_on(broker)
        assert (act.who, act.subject, act.why) == (MACHINE.name, first, "try 1 of 5")
        later = technical | {"raised_at": acting.now(), "resent_from": first}
        second = add_exception(books, 2, **later)
        clock.seconds += 61
        assert await try_again(acting) == 0
        clock.seconds += 180
        assert await try_again(acting) == 1
        assert row_of(books, second).status == "resent"


async def test_what_failed_too_often_is_left_to_people(books: Engine, tmp_path: Path) -> None:
    before = None
    for n in range(TRIES_MAX + 1):
        status = "open" if n == TRIES_MAX else "refused_again"
        technical = {"class": "technical", "status": status, "resent_from": before}
        before = add_exception(books, n, raised_at=NOW, **technical)
    clock = Clock()
    with opened(tmp_path) as broker:
        acting = desk(books, broker, clock=clock)
        for _ in range(10):
            clock.seconds += 3_600
            assert await try_again(acting) == 0


def test_each_pause_is_four_times_the_one_before() -> None:
    pauses = [(due_at(0, tries) // MINUTE) for tries in range(TRIES_MAX)]
    assert pauses == [1, 4, 16, 64, 256]
