"""How rows are spelt: as they leave, against the library's JSON, and as a store keeps them."""

from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from draws import rngs
from logs import START
from streams.contract.policy import MEASURES_MAX
from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS
from streams.contract.transactions import encode, row_text, windowed_key
from streams.log.record import Outgoing
from streams.values import instant, quantity
from streams.values.sums import Sums
from tables.line.closing import close
from tables.line.line import SIDES, Line, Unit, set_boundaries, sum_of
from tables.line.packed import rows_bytes
from tables.line.packed_line import line_bytes
from tables.line.periods import Boundary
from tables.line.rows import Row
from tables.line.rules import Kind, rules_for
from tables.line.windows import Cadence, RowKey, end_of, start_of

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
    10**27,
    -(10**36),
]
STARTS = [START * SECOND // (300 * SECOND) * 300 * SECOND, 0, -300 * SECOND, 10**17 // 3 * 3]
ZONE = ZoneInfo("Australia/Lord_Howe")
CADENCES = [("window", None), ("window", 60), ("hour", None), ("day", None)]


def some_rows(rng: Random, width: int, members: int, starts: list[int]) -> dict[RowKey, Row]:
    return {
        (
            rng.choice(starts),
            tuple(rng.choice([None, True, False, *TEXTS]) for _ in range(members)),
        ): Row(
            [rng.choice(MEASURES) for _ in range(width)],
            rng.choice([0, 1, -3, 200]),
            rng.sample(TEXTS, rng.randrange(4)),
        )
        for _ in range(rng.randrange(1, 12))
    }


def cadence_of(line: Line, kind: Kind) -> Cadence:
    cadence = line.periods[-1].cadences[kind.index]
    assert cadence is not None
    return cadence


def leaving(line: Line, kind: Kind, carrier: int) -> list[Outgoing]:
    """Return what leaves when the carrier that ends at an instant closes, spelt by msgspec."""
    cadence = cadence_of(line, kind)
    carrier_start = start_of(cadence, carrier - 1)
    unit = cadence.length or 60 * SECOND
    counted = not kind.erp and not kind.episodic
    made = []
    for (start, members), row in line.windows[kind.index][carrier].items():
        if not any(row.measures) and not (counted and row.count):
            continue
        revision = (carrier_start - start) // unit
        id = windowed_key(kind.short, line.place, start, row_text(members), revision)
        begin, end = instant.text(start), instant.text(end_of(cadence, start))
        about: tuple[Any, ...] = ()
        if kind.erp:
            dates = instant.date(start, ZONE), instant.date(carrier_start, ZONE)
            about = row.causes, row.count, *dates
        elif counted:
            about = (row.count,)
        data = kind.data(*members, *map(quantity.text, row.measures), begin, end, revision, *about)
        value = encode(kind.record, id, end, line.plant, line.line, data)
        made.append(Outgoing(kind.topic, line.key, id, kind.record, value))
    return sorted(made, key=lambda record: record.id.encode())


@given(rngs, st.sampled_from([MES_EVENTS, MACHINE_EVENTS]))
def test_rows_leave_as_the_library_spells_them(rng: Random, topic: str) -> None:
    rules = rules_for(topic)
    for kind in rules.kinds:
        line = Line(rng.choice(["DE01", "P|1:x%", 'Ü"3']), "L\\1", STARTS[0], rules)
        # By these rules all that may go by window does, from long ago on.
        ruled = {each.record: rng.choice(CADENCES) for each in rules.kinds if each.erp}
        set_boundaries(line, [Boundary(-(10**15), 0, ZONE.key, ruled)])
        cadence = cadence_of(line, kind)
        carrier_start = start_of(cadence, rng.choice(STARTS))
        carrier = end_of(cadence, carrier_start)
        length = carrier - carrier_start
        starts = [start_of(cadence, carrier_start - back * length) for back in (0, 0, 1, 7)]
        rows = some_rows(rng, len(kind.measures), len(kind.row), starts)
        line.windows[kind.index][carrier] = rows
        wanted = leaving(line, kind, carrier)
        found: list[Outgoing] = []
        close(line, kind, carrier, found)
        assert found == wanted
        assert line.windows[kind.index] == {}
        for slot in range(len(kind.measures)):
            sent = sum(row.measures[slot] for row in rows.values())
            assert line.emitted[sum_of(kind, slot)] == sent
        assert {page for _, _, page in line.changed_pages} == {row.page for row in rows.values()}
        said = [
            start
            for (start, _), row in rows.items()
            if any(row.measures) or (not kind.erp and not kind.episodic and row.count)
        ]
        assert line.corrections == sum(start < carrier_start for start in said)


def stored(measure: int) -> int | str:
    return measure if -(2**63) <= measure < 2**63 else str(measure)


@given(rngs)
def test_rows_are_stored_as_the_library_packs_them(rng: Random) -> None:
    for width in (1, 3):
        rows = some_rows(rng, width, 7, [0, -(2**40), 2**60])
        assert rows_bytes(rows) == msgspec.msgpack.encode(
            [
                (start, members, [*map(stored, row.measures)], row.count, row.causes)
                for (start, members), row in rows.items()
            ]
        )


def test_many_rows_are_stored_too() -> None:
    for count in (15, 16, 65_535, 65_536):
        rows = {(n, ("a",)): Row([n]) for n in range(count)}
        assert len(msgspec.msgpack.decode(rows_bytes(rows))) == count


def stored_sums(kind: Kind, *sums: Sums) -> list[list[int | str]]:
    where = [sum_of(kind, slot) for slot in range(len(kind.measures))]
    return [[stored(each[place]) for place in where] for each in sums]


def filled(count: int, rng: Random) -> Sums:
    sums = Sums(count)
    for place in rng.sample(range(count), rng.randrange(count + 1)):
        sums[place] = rng.choice(MEASURES)
    return sums


@given(rngs)
def test_a_line_is_stored_as_the_library_packs_it(rng: Random) -> None:
    rules = rules_for(MES_EVENTS)
    line = Line("DE01", "Lü", 1, rules)
    count = len(rules.kinds) * MEASURES_MAX
    for _ in range(3):
        line.accepted, line.emitted = filled(count, rng), filled(count, rng)
        line.singles[rng.randrange(len(line.singles))] = rng.randrange(2**62)
        line.units["kg"] = unit = Unit(rules.unit_sums)
        unit.accepted = filled(rules.unit_sums, rng)
        if rng.random() < 0.5:
            line.parked[sum_of(rules.kinds[0], 0)] = 10**24
            set_boundaries(line, [Boundary(5, 4, "Europe/Berlin", {})])
            line.freed_from, line.freed_at = 7, 8
        told = {kind.short: stored_sums(kind, line.accepted, line.emitted) for kind in rules.kinds}
        singles = [
            [kind.short, *[*line.singles][SIDES * kind.index : SIDES * (kind.index + 1)]]
            for kind in rules.kinds
            if kind.erp
        ]
        in_kg = {
            kind.short: [
                [stored(sums[kind.first_unit_sum + slot]) for slot in range(len(kind.measures))]
                for sums in (unit.accepted, unit.emitted, unit.parked)
            ]
            for kind in rules.kinds
            if kind.uom >= 0
        }
        members = [
            "DE01", "Lü", 1, 9,
            {short: each for short, each in told.items() if any(map(any, _zeros_out(each)))},
            0, 0, 0, "", line.closed_to, line.furthest, rules.retention, line.reach,
            [[5, 4, "Europe/Berlin", {}]] if line.boundaries else [],
            [[rules.kinds[0].short, 0, str(10**24)]] if line.parked else [],
            [each for each in singles if any(each[1:])],
            [["kg", in_kg]],
        ]  # fmt: skip
        freed = [7, 8] if line.parked else []
        assert line_bytes(line, 9, rules) == msgspec.msgpack.encode([*members, *freed])


def _zeros_out(sums: list[list[int | str]]) -> list[list[bool]]:
    return [[each not in (0, "0") for each in side] for side in sums]


@given(
    st.lists(st.integers(-(10**24), 10**24), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(-(10**24), 10**24)), max_size=30),
)
def test_a_row_adds_exactly(measures: list[int], more: list[tuple[int, int]]) -> None:
    row, sums = Row(list(measures)), list(measures)
    for slot, amount in more:
        if slot < len(measures):
            row.add(slot, amount)
            sums[slot] += amount
    assert row.measures == sums
    assert row == Row(sums)
    assert row != Row([0] * len(measures), 1)


def test_a_row_has_a_limit_and_says_so() -> None:
    with pytest.raises(ValueError, match="a row has 5 measures: at most 4"):
        Row([0] * 5)
    with pytest.raises(IndexError, match="slot 1 of 1"):
        Row([0]).add(1, 1)
