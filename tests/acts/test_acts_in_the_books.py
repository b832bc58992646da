"""Acts applied to exceptions: the last one counts, in whatever order and how often they are read."""

from itertools import permutations

import pytest
from sqlalchemy import Engine, insert

from acts.refusals import NOW, act, acts_in, add_exception, claims_in, row_of
from streams.contract.acts import Standing, act_bytes, act_of
from tables.books.acting import recall_acts, take_acts
from tables.books.opening import writing
from tables.books.schema import CLAIMS

SUBJECT = "mes.events.v1/0/7"

THREE = [
    act("a1", SUBJECT, Standing("open", 1, assigned_to="ben"), act="assign"),
    act("a2", SUBJECT, Standing("resent", 2, assigned_to="ben", fixed="{}"), act="fix"),
    act(
        "a3", SUBJECT, Standing("resent", 3, assigned_to="ben", fixed="{}"), why="done", at=NOW + 1
    ),
]


def test_an_act_reads_as_it_was_written() -> None:
    for each in THREE:
        assert act_of(act_bytes(each)) == each


@pytest.mark.parametrize(
    "value",
    [
        None, b"", b"{}", b"[" * 100_000, b'{"specversion":"1.0"}',
        act_bytes(THREE[0]).replace(b"lineside.act.v1", b"lineside.act.v2"),
        act_bytes(THREE[0]).replace(b'"assign"', b'"shout"'),
        act_bytes(THREE[0]).replace(b'"version":1', b'"version":4294967296'),
        act_bytes(THREE[0]).replace(b'"version":1', b'"version":-1'),
    ],
)  # fmt: skip
def test_what_is_no_act_is_passed_over(value: bytes | None, sqlite_books: Engine) -> None:
    assert act_of(value) is None
    with writing(sqlite_books) as connection:
        assert take_acts(connection, [value]) == 0


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_last_act_counts_in_whatever_order_acts_come(
    order: tuple[int, ...], sqlite_books: Engine
) -> None:
    add_exception(sqlite_books, 7)
    for number in order:
        with writing(sqlite_books) as connection:
            assert take_acts(connection, [act_bytes(THREE[number])]) == 1
    row = row_of(sqlite_books, SUBJECT)
    assert (row.status, row.version, row.assigned_to, row.fixed) == ("resent", 3, "ben", "{}")
    assert (row.changed_by, row.changed_at) == ("anna", NOW + 1)


def test_acts_that_are_read_again_change_nothing(books: Engine) -> None:
    add_exception(books, 7)
    values = list(map(act_bytes, THREE))
    with writing(books) as connection:
        assert take_acts(connection, values) == 3
    before = row_of(books, SUBJECT), acts_in(books)
    with writing(books) as connection:
        assert take_acts(connection, [*values, *values]) == 0
    assert (row_of(books, SUBJECT), acts_in(books)) == before


def test_acts_that_came_before_their_exception_are_recalled(books: Engine) -> None:
    with writing(books) as connection:
        take_acts(connection, map(act_bytes, THREE))
    add_exception(books, 7)
    add_exception(books, 8)
    with writing(books) as connection:
        recall_acts(connection, [SUBJECT, "mes.events.v1/0/8"])
    row = row_of(books, SUBJECT)
    assert (row.status, row.version) == ("resent", 3)
    assert row_of(books, "mes.events.v1/0/8").version == 0


@pytest.mark.parametrize("status", ["resolved", "refused_again"])
def test_no_act_changes_what_the_log_has_said(status: str, books: Engine) -> None:
    add_exception(books, 7, status=status)
    with writing(books) as connection:
        take_acts(connection, map(act_bytes, THREE))
    row = row_of(books, SUBJECT)
    assert (row.status, row.version, row.assigned_to) == (status, 3, "ben")


def test_an_act_on_the_topic_is_no_claim_any_more(books: Engine) -> None:
    claim = {"subject": SUBJECT, "id": "a1", "sender": "s", "at": NOW, "act": b""}
    with writing(books) as connection:
        connection.execute(insert(CLAIMS).values(claim))
        take_acts(connection, [act_bytes(THREE[0])])
    assert claims_in(books) == []


def test_texts_that_no_database_takes_end_nothing(books: Engine) -> None:
    odd = act(
        "x\0" * 3_000, "s" * 9_000, Standing("open", 1, fixed="a\0b"), why="\0", who="w" * 9_000
    )
    with writing(books) as connection:
        assert take_acts(connection, [act_bytes(odd)]) == 1
        assert take_acts(connection, [act_bytes(odd)]) == 0
