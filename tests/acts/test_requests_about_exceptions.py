"""Requests that can't be are refused in a sentence that names the member."""

import json
from typing import Any

import pytest

from agents.desk.acts_forms import ActRequest, read_request
from agents.desk.errors import DeskError

GOOD: dict[str, Any] = {"act": "dismiss", "ids": ["mes.events.v1/0/1"], "why": "a test"}


def test_a_request_reads_as_it_was_meant() -> None:
    given = GOOD | {"versions": {"mes.events.v1/0/1": 3}, "dry_run": True, "batch": "b"}
    request, chosen = read_request(json.dumps(given).encode())
    assert chosen is None
    assert request == ActRequest(
        act="dismiss", ids=("mes.events.v1/0/1",), why="a test",
        versions={"mes.events.v1/0/1": 3}, dry_run=True, batch="b",
    )  # fmt: skip


def test_a_filter_goes_in_place_of_ids() -> None:
    given = {"act": "resend", "filter": {"plant": "DE01"}}
    request, chosen = read_request(json.dumps(given).encode())
    assert (request.ids, chosen) == ((), {"plant": "DE01"})


@pytest.mark.parametrize(
    ("other", "code", "member", "said"),
    [
        ({"act": "shout"}, "invalid", "act", "act is 'shout': it must be one of resend, fix"),
        ({"ids": None}, "invalid", "ids", "either the exceptions by ids, or a filter"),
        ({"filter": {}}, "invalid", "ids", "either the exceptions by ids, or a filter"),
        ({"ids": ["x"] * 1_001}, "too_large", "ids", "at most 1,000"),
        ({"ids": [""]}, "invalid", "ids", "no id of an exception"),
        ({"ids": ["a\nb"]}, "invalid", "ids", "no id of an exception"),
        ({"ids": [1]}, "invalid", "ids", "Expected `str`, got `int`"),
        ({"why": None}, "invalid", "why", "why is missing: say the reason when you dismiss"),
        ({"why": "x" * 2_001}, "invalid", "why", "at most 2,000"),
        ({"why": "a\x00b"}, "invalid", "why", "control character"),
        ({"value": "{}"}, "invalid", "value", "value belongs to fix, not to dismiss"),
        ({"to": "ben"}, "invalid", "to", "to belongs to assign, not to dismiss"),
        ({"act": "fix"}, "invalid", "value", "a fix has at least one of them"),
        ({"act": "fix", "ids": ["a", "b"], "value": "{}"}, "invalid", "value", "one exception"),
        ({"act": "fix", "value": "a\x00"}, "invalid", "value", "no text has"),
        ({"act": "fix", "value": "x" * 65_537}, "too_large", "value", "at most 65,536"),
        ({"act": "fix", "key": "DE01/\x01"}, "invalid", "key", "control character"),
        ({"batch": "x" * 129}, "invalid", "batch", "at most 128"),
        ({"unknown": 1}, "invalid", "unknown", "unknown field `unknown`"),
        ({"dry_run": "yes"}, "invalid", "dry_run", "Expected `bool`"),
    ],
)
def test_what_is_wrong_is_named(other: dict[str, Any], code: str, member: str, said: str) -> None:
    given = {name: each for name, each in (GOOD | other).items() if each is not None}
    with pytest.raises(DeskError) as refused:
        read_request(json.dumps(given).encode())
    assert (refused.value.code, refused.value.member) == (code, member)
    assert said in str(refused.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"null"])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(DeskError):
        read_request(body)
