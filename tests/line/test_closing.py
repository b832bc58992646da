"""The compiled spelling of rows against the plain one: what leaves, and what the store keeps."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiled import needs_core
from draws import rngs
from logs import START
from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS
from streams.log.record import Outgoing
from tables.line.line import Line, close, close_plain, new_line
from tables.line.rules import Rules, rules_for
from tables.line.windows import PlainRow, Row
from tables.partition import stored
from tables.partition.stored import rows_bytes_plain

SECOND = 1_000_000

TEXTS = ["O1", "100%", "a|b:c", 'say "x"', "back\\slash", "Ünï", "😀", "x" * 256, "a\u2028b"]
MEASURES = [
    0,
    0,
    1,
    -1,
    10**9,
    -250_000_000,
    12_500_000_000,
    10**24 - 1,
    -(2**63),
    2**63,
    -(10**30),
]
STARTS = [START * SECOND // (300 * SECOND) * 300 * SECOND, 0, -300 * SECOND, 10**17 // 3 * 3]


@pytest.fixture(autouse=True, scope="module")
def core() -> None:
    needs_core()


def some_rows(rng: Random, width: int, members: int, starts: list[int], row: type) -> dict:  # type: ignore[type-arg]
    return {
        (
            rng.choice(starts),
            tuple(rng.choice([None, True, False, *TEXTS]) for _ in range(members)),
        ): row(
            [rng.choice(MEASURES) for _ in range(width)],
            rng.choice([0, 1, -3, 200]),
            rng.sample(TEXTS, rng.randrange(4)),
        )
        for _ in range(rng.randrange(1, 12))
    }


def lines_with(rng: Random, rules: Rules, index: int) -> tuple[Line, Line, int]:
    """Return two lines with the same rows of a kind, one of them plain, and what carries them."""
    kind = rules.kinds[index]
    carrier = rng.choice(STARTS)
    carrier -= carrier % kind.length
    starts = [carrier - back * kind.length for back in (0, 0, 1, 7)]
    zone = rng.choice(["DE01", "P|1:x%", 'Ü"3'])
    made = []
    seed = rng.randrange(2**32)
    for row in (Row, PlainRow):
        line = new_line(zone, "L\\1", carrier, rules)
        line.windows[index][carrier] = some_rows(
            Random(seed), len(kind.measures), len(kind.row), starts, row
        )
        made.append(line)
    return made[0], made[1], carrier


@given(rngs, st.sampled_from([MES_EVENTS, MACHINE_EVENTS]))
def test_rows_leave_as_plainly(rng: Random, topic: str) -> None:
    from zoneinfo import ZoneInfo

    rules = rules_for(topic, zones={"DE01": ZoneInfo("Australia/Lord_Howe")})
    for index, kind in enumerate(rules.kinds):
        one, plain, carrier = lines_with(rng, rules, index)
        found: list[Outgoing] = []
        wanted: list[Outgoing] = []
        close(one, kind, carrier, rules, found)
        close_plain(plain, kind, carrier, rules, wanted)
        assert found == wanted
        assert one.emitted == plain.emitted
        assert one.windows == plain.windows
        assert one.changed_pages.keys() == plain.changed_pages.keys()


@given(rngs)
def test_rows_are_stored_as_plainly(rng: Random) -> None:
    seed = rng.randrange(2**32)
    for width in (1, 3):
        one, plain = (
            some_rows(Random(seed), width, 7, [0, -(2**40), 2**60], row) for row in (Row, PlainRow)
        )
        assert stored.rows_bytes(one) == rows_bytes_plain(plain)


@given(st.lists(st.lists(st.integers() | st.sampled_from(MEASURES), max_size=20), max_size=20))
def test_sums_are_stored_as_plainly(sums: list[list[int]]) -> None:
    assert stored._encode(stored.numbers(sums)) == stored._encode(stored.numbers_plain(sums))


@given(
    st.lists(st.integers(-(10**24), 10**24), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(-(10**24), 10**24)), max_size=30),
)
def test_a_row_adds_exactly(measures: list[int], more: list[tuple[int, int]]) -> None:
    row, plain = Row(list(measures)), PlainRow(list(measures))
    for slot, amount in more:
        if slot < len(measures):
            row.add(slot, amount)
            plain.add(slot, amount)
    assert row.measures == plain.measures
    assert row == Row(plain.measures)
    assert row != Row([0] * len(measures), 1)


def test_a_row_has_a_limit_and_says_so() -> None:
    with pytest.raises(ValueError, match="a row has 5 measures: at most 4"):
        Row([0] * 5)
    with pytest.raises(IndexError, match="slot 1 of 1"):
        Row([0]).add(1, 1)
