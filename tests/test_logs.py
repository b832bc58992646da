"""Random logs have all that the contract knows: no type, member or choice is forgotten."""

import json
from collections import Counter, defaultdict
from typing import Any

import pytest

from logs import M_TYPES, random_log
from oracle_v2 import tables
from streams.codec.decode import decode
from streams.contract.events import NAMES, REVERSIBLE, TYPES
from streams.contract.members import Member, members
from streams.contract.rejection import Rejection

KINDS = {"flag": "bool", "json": "any", "object": "original"}
"""What the oracle calls the kinds of members; a text with choices has the name of the member."""


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[dict[str, Any]]]:
    """Return the data of the events of some random logs, by type, as far as they are events."""
    found = defaultdict(list)
    for seed in range(60):
        for line in random_log(seed, 100):
            event: Any = decode(line, (), None)
            if not isinstance(event, Rejection) and event.__class__ in NAMES:
                found[NAMES[event.__class__]].append(json.loads(line)["data"])
    return found


def test_every_type_of_the_contract_is_drawn_and_is_an_event(
    drawn: dict[str, list[dict[str, Any]]],
) -> None:
    assert drawn.keys() == TYPES.keys()
    assert min(map(len, drawn.values())) > 20


def test_every_member_is_there_and_an_optional_one_is_absent_and_null_too(
    drawn: dict[str, list[dict[str, Any]]],
) -> None:
    for kind, struct in TYPES.items():
        for member in members(struct.__annotations__["data"]):
            states = Counter(_state(data, member) for data in drawn[kind])
            assert states["there"], (kind, member)
            if not member.required:
                assert states["absent"], (kind, member)
                assert states["null"], (kind, member)


def test_every_choice_is_drawn(drawn: dict[str, list[dict[str, Any]]]) -> None:
    for kind, struct in TYPES.items():
        for member in members(struct.__annotations__["data"]):
            if member.choices and kind in M_TYPES:
                found = {data.get(member.name) for data in drawn[kind]} - {None}
                assert found == set(member.choices), (kind, member)


def _state(data: dict[str, Any], member: Member) -> str:
    if member.name not in data:
        return "absent"
    return "there" if data[member.name] is not None or member.kind == "json" else "null"


def test_the_oracle_knows_the_same_types_and_members() -> None:
    assert {
        kind: (struct.TOPIC, {member.name: _told(member) for member in _members(kind)})
        for kind, struct in TYPES.items()
    } == tables.TYPES
    for kind in TYPES:
        for member in _members(kind):
            assert set(member.choices) == tables.CHOICES.get(_told(member)[0], frozenset())


def test_the_oracle_takes_back_the_same_types() -> None:
    assert REVERSIBLE == tables.REVERSIBLE


def _members(kind: str) -> tuple[Member, ...]:
    return members(TYPES[kind].__annotations__["data"])


def _told(member: Member) -> tuple[str, bool]:
    return member.name if member.choices else KINDS.get(member.kind, member.kind), member.required
