"""`lineside exceptions` against a running desk: list, show, mend, and what is said when it can't."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from acts.acting_desks import acts_on, opened, records
from acts.acting_desks import desk as acting_over
from acts.refusals import add_exception, encoded, event, row_of
from agents.cli.exceptions import exceptions, plain
from agents.desk.access import Access
from desk.desks import People, in_a_thread
from streams.contract.topics import MES_EVENTS
from streams.embedded.transport import Broker
from tables.books.opening import migrate, open_books


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Engine]:
    engine = open_books(f"sqlite:///{tmp_path}/desk.db")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with opened(tmp_path / "log") as broker:
        yield broker


@pytest.fixture
def url(books: Engine, broker: Broker) -> Iterator[str]:
    with in_a_thread(books, acting=acting_over(books, broker), unlimited=True) as url:
        yield url


def run(url: str, *arguments: str, stdin: str | None = None, **environment: str) -> Result:
    return CliRunner().invoke(
        exceptions, arguments, input=stdin, env={"LINESIDE_DESK": url, **environment}
    )


def test_open_exceptions_are_listed_in_columns(url: str, books: Engine) -> None:
    first = add_exception(books, 1, reason="key is '\x1b[2J'")
    add_exception(books, 2, status="resolved")
    done = run(url, "list")
    assert done.exit_code == 0, done.output
    head, row = done.stdout.splitlines()
    assert head.split() == ["id", "class", "code", "age", "where", "status", "for", "reason"]
    assert row.split()[:3] == [first, "data", "key_mismatch"]
    assert "DE01/L3" in row
    assert "\x1b" not in done.output
    assert "1 of 1" in done.stderr
    assert "0 of 0" in run(url, "list", "--plant", "DE02").stderr
    found = json.loads(run(url, "list", "--json", "--status", "resolved").stdout)
    assert [each["status"] for each in found["items"]] == ["resolved"]


def test_one_is_shown_with_its_record_and_what_was_done(url: str, books: Engine) -> None:
    headers = [{"name": "traceparent", "value": "00-x"}]
    id = add_exception(books, 1, key="DE01/L9", headers=headers)
    assert run(url, "comment", id, "--why", "seen").exit_code == 0
    done = run(url, "show", id)
    assert done.exit_code == 0, done.output
    for said in (
        "key_mismatch", "key is 'DE01/L9', not 'DE01/L3'", "Mend the producer's key", "traceparent",
        '"id":"c1"', ": seen", "open",
    ):  # fmt: skip
        assert said in done.stdout
    assert json.loads(run(url, "show", id, "--json").stdout)["text"] == encoded(event()).decode()


def test_a_fix_says_what_would_become_then_does_it(url: str, books: Engine, broker: Broker) -> None:
    id = add_exception(books, 1, key="DE01/L9")
    asked = run(url, "fix", id, "--key", "DE01/L3", "--why", "the gateway had it wrong")
    assert (asked.exit_code, asked.stdout) == (0, f"{id}\twould_be_accepted\n")
    assert "nothing was done: --write does it" in asked.stderr
    assert row_of(books, id).version == 0
    value = encoded(event(quantity="13")).decode()
    done = run(url, "fix", id, "--key", "DE01/L3", "--value", "-", "--write", stdin=value)
    assert (done.exit_code, done.stdout) == (0, f"{id}\tdone\n"), done.output
    (sent,) = records(broker, MES_EVENTS)
    assert (sent.key, sent.value) == (b"DE01/L3", value.encode())
    again = run(url, "fix", id, "--key", "DE01/L3", "--write")
    assert again.exit_code == 1
    assert f"{id}\talready: its status is resent: it was sent again already" in again.stdout


def test_many_are_sent_again_by_options(url: str, books: Engine, broker: Broker) -> None:
    for n in range(3):
        add_exception(books, n, value=encoded(event(attributes={"id": f"c{n}"})))
    bad = add_exception(books, 3, value=b"{")
    asked = run(url, "resubmit", "--plant", "DE01")
    assert asked.exit_code == 1
    assert asked.stdout.count("would_be_accepted") == 3
    assert f"{bad}\twould_be_refused malformed" in asked.stdout
    done = run(url, "resubmit", "--plant", "DE01", "--write", "--why", "the gateway is mended")
    assert done.stdout.count("\tdone") == len(records(broker, MES_EVENTS)) == 3
    assert f"{bad}\trefused malformed" in done.stdout
    assert {act.why for act in acts_on(broker)} == {"the gateway is mended"}
    assert len({act.batch for act in acts_on(broker)}) == 1


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["dismiss", "--why", "a test"], "dismissed"),
        (["assign", "--to", "ben"], "open"),
        (["comment", "--why", "?"], "open"),
    ],
)
def test_all_else_is_done_at_once(words: list[str], status: str, url: str, books: Engine) -> None:
    id = add_exception(books)
    done = run(url, words[0], id, *words[1:])
    assert (done.exit_code, done.stdout) == (0, f"{id}\tdone\n"), done.output
    assert (row_of(books, id).status, row_of(books, id).version) == (status, 1)


def test_what_was_asked_for_is_approved_or_rejected(url: str, books: Engine) -> None:
    id = add_exception(books)
    for words in (["approve", id], ["reject", id, "--why", "no"]):
        done = run(url, *words)
        assert (done.exit_code, "already" in done.stdout) == (1, True)


def test_a_token_comes_from_a_file_or_the_environment(
    books: Engine, broker: Broker, tmp_path: Path
) -> None:
    people, id = People(), add_exception(books)
    token = people.token("work", None)
    file = tmp_path / "token"
    file.write_text(token + "\n")
    desk: Any = {"acting": acting_over(books, broker), "unlimited": True}
    with in_a_thread(books, Access(people), **desk) as url:
        assert run(url, "list", LINESIDE_DESK_TOKEN=token).exit_code == 0
        assert run(url, "list", "--token-file", str(file)).exit_code == 0
        refused = run(url, "list")
        assert refused.exit_code == 1
        assert "name a token with --token-file or LINESIDE_DESK_TOKEN" in refused.stderr
        reader = people.token("read", None, "rita")
        refused = run(url, "comment", id, "--why", "?", LINESIDE_DESK_TOKEN=reader)
        assert refused.exit_code == 1
        assert refused.stderr.startswith("Error: the desk refuses: ")
    file.write_text("two tokens")
    refused = run(url, "list", "--token-file", str(file))
    assert "has no single token in it" in refused.stderr


@pytest.mark.parametrize(
    ("desk", "said"),
    [
        ("http://127.0.0.1:1", "no desk answers at http://127.0.0.1:1 (Connection refused)"),
        ("ftp://127.0.0.1", "it must be http://host:port or https://host"),
        ("http://anna:secret@127.0.0.1", "it must be http://host:port or https://host"),
    ],
)
def test_a_desk_that_cant_be_asked_is_named(desk: str, said: str) -> None:
    refused = CliRunner().invoke(exceptions, ["list", "--desk", desk])
    assert refused.exit_code == 1
    assert said in refused.stderr


def test_ids_or_options_choose_and_never_both(url: str) -> None:
    for words in (["resubmit"], ["resubmit", "x", "--plant", "DE01"]):
        refused = run(url, *words)
        assert refused.exit_code == 2
        assert "name exceptions by their ids, or choose them by options" in refused.stderr


def test_what_the_desk_refuses_is_a_sentence(url: str) -> None:
    refused = run(url, "show", "mes.events.v1/9/9")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: the desk refuses: ")


def test_nothing_that_is_printed_moves_the_cursor() -> None:
    assert plain("a\x1b[2J\x9b1m\n\u202eb") == "a\\x1b[2J\\x9b1m\\n\\u202eb"
