"""A stored state held against its records: the right one passes, whatever is forged is named."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agents.audit.states import StateMismatch, state_mismatches
from logs import random_log
from runs import (
    At,
    confirmed,
    consumed,
    cut,
    ended,
    event,
    new_task,
    placed,
    run,
    started,
    stepped,
)
from streams.contract.topics import MES_EVENTS
from streams.log.record import Record
from tables.line.ledger import REVERSED, entry_bytes, entry_time
from tables.line.rules import Timing, rules_for
from tables.partition.partition import Bounds, Partition
from tables.store.store import HEAD, MemoryStore, Store

M = (MES_EVENTS, 0)

SHORT = Timing(
    mes_retention_seconds=900, machine_retention_seconds=900, ledger_bucket_seconds=60,
    episode_limit_seconds=300,
)  # fmt: skip
"""Ledger entries and episodes expire all the time."""

LOG = [
    consumed(0, "1.5", id="a"), consumed(1, "2", id="b"), started(2), ended(100),
    started(200, "EP2"), consumed(700, "3", id="c"),
]  # fmt: skip


def worked(at: At, records: list[Record], rng: Random, timing: Timing | None) -> Store:
    """Return the store of a worker that has taken the records in batches."""
    store = MemoryStore()
    task = new_task(at, timing, store=store)
    for batch in cut(records, rng):
        stepped(task, batch)
    return store


def reprocess(at: At, records: list[Record], rng: Random, timing: Timing | None) -> Partition:
    """Return a task that has taken the records in batches, and keeps its ledger only."""
    task = Partition(*at, rules_for(at[0], timing), MemoryStore(), lasting=False)
    for batch in cut(records, rng):
        stepped(task, batch)
    return task


def differing(
    stored: Store, right: Partition, at: At = M, timing: Timing | None = None
) -> list[StateMismatch]:
    return list(state_mismatches(at, rules_for(at[0], timing), stored, right))


@given(
    st.integers(0, 10**6), st.integers(1, 150), st.randoms(use_true_random=False),
    st.sampled_from([None, SHORT]),
)  # fmt: skip
def test_a_state_is_what_its_records_give_however_they_were_cut(
    seed: int, size: int, rng: Random, timing: Timing | None
) -> None:
    for at, records in placed(random_log(seed, size)).items():
        stored = worked(at, records, rng, timing)
        assert differing(stored, reprocess(at, records, rng, timing), at, timing) == []


@given(
    st.integers(0, 10**6), st.integers(20, 120), st.randoms(use_true_random=False),
    st.sampled_from(["erased", "another's"]),
)  # fmt: skip
def test_no_key_that_counts_is_erased_or_exchanged_unseen(
    seed: int, size: int, rng: Random, wrong: str
) -> None:
    at, records = rng.choice(sorted(placed(random_log(seed, size)).items()))
    stored, right = worked(at, records, rng, None), reprocess(at, records, rng, None)
    oldest = {key: line.watermark - right.rules.retention for key, line in right.lines.items()}
    counting = [
        (key, value)
        for prefix in (b"h", b"w", b"e", b"l")
        for key, value in stored.scan(prefix)
        if prefix != b"l" or entry_time(value) >= oldest[key[1:].partition(b"\0")[0]]
    ]
    assume(counting)
    key, value = rng.choice(counting)
    if wrong == "erased":
        stored.write([(key, None)])
    else:
        others = [other for one, other in counting if one[:1] == key[:1] and other != value]
        assume(others)
        stored.write([(key, rng.choice(others))])
    assert differing(stored, right, at)


@pytest.fixture
def right() -> Partition:
    return reprocess(M, placed(LOG)[M], Random(1), None)


@pytest.fixture
def stored() -> Store:
    return worked(M, placed(LOG)[M], Random(1), None)


def test_an_open_window_that_was_erased_is_named_with_its_row(
    stored: Store, right: Partition
) -> None:
    assert differing(stored, right) == []
    windows = list(stored.scan(b"w"))
    assert windows
    stored.write([(key, None) for key, _ in windows])
    first, *_ = differing(stored, right)
    assert (first.kind, first.key, first.found) == ("state", b"DE01/L1", None)
    assert first.member.startswith("row ")
    assert "window 2026-11-21T" in first.member
    assert first.expected is not None


def test_a_ledger_entry_too_many_or_too_few_is_named(stored: Store, right: Partition) -> None:
    (key, entry), *_ = stored.scan(b"l")
    stored.write([(key, None)])
    (first,) = differing(stored, right)
    assert (first.kind, first.key, first.found) == ("ledger", b"DE01/L1", None)
    name = key.split(b"\0")[-1].decode()
    assert first.member == f"ledger entry /mes {name}"
    stored.write([(key, entry), (key + b"9", entry)])
    (first,) = differing(stored, right)
    assert (first.member, first.expected) == (f"ledger entry /mes {name}9", None)
    ghost = b"lDE09/L9\0/mes\0x"
    stored.write([(key + b"9", None), (ghost, entry)])
    (first,) = differing(stored, right)
    assert (first.key, first.member) == (b"DE09/L9", "ledger entry /mes x")


def test_a_ledger_entry_that_was_reversed_by_nobody_is_named(
    stored: Store, right: Partition
) -> None:
    (key, entry), *_ = stored.scan(b"l")
    stored.write([(key, entry_bytes(entry_time(entry), entry[8:24], REVERSED))])
    (first,) = differing(stored, right)
    assert str(first.found).removesuffix(", reversed") == first.expected


def test_what_leaves_singly_and_what_is_of_a_unit_is_compared() -> None:
    log = [
        consumed(0, "1.5", uom="kg"), consumed(1, "2", uom="pc", id="b"),
        confirmed(2, final=True), consumed(3, "1", id="s", serial="S1"), consumed(700, id="c"),
    ]  # fmt: skip
    records = placed(log)[M]
    found, right = new_task(M, store=MemoryStore()), reprocess(M, records, Random(1), None)
    stepped(found, records)
    assert differing(found.store, right) == []
    line = found.lines[b"DE01/L1"]
    line.singles[0] += 1
    line.units["pc"].accepted[0] += 10**9
    line.units["kg"].accepted[0] -= 10**9
    found.unsealed[line.key] = line
    found.store.write(found.sealed().items())
    told = {each.member: (each.expected, each.found) for each in differing(found.store, right)}
    assert len(told) == 3
    assert all(one.startswith(("accepted ", "erp.")) for one in told)
    assert sum(one.endswith((" in pc", " in kg")) for one in told) == 2


def test_what_an_earlier_format_didnt_count_isnt_compared() -> None:
    told = json.loads((Path(__file__).parents[1] / "partition/states/mes-3.json").read_bytes())
    stored = MemoryStore()
    stored.write([(bytes.fromhex(k), bytes.fromhex(v)) for k, v in told["state"].items()])
    task = new_task(M, store=stored)
    stepped(task, ())
    assert task.begun == 3
    again = new_task(M, store=stored)
    assert again.begun == 3
    assert new_task(M).begun == 4


def test_a_state_written_during_a_release_goes_on_with_it() -> None:
    hold = {"hold": "H", "scope": "lot", "value": "A", "reason": "crack"}
    log = [
        event("quality.hold_placed.v1", 0, **hold),
        *(confirmed(n, id=f"e{n}", lot="A") for n in range(20)),
        event("quality.hold_released.v1", 30, hold="H", disposition="use"),
    ]
    records, store = placed(log)[M], MemoryStore()
    task = new_task(M, store=store, bounds=Bounds(output_bytes=1 << 20, rows=3, lines=10))
    while task.offset < records[-1].offset:
        task.commit(task.step(records))
    assert task.unfinished
    assert differing(store, reprocess(M, records, Random(1), None)) == []


@pytest.mark.parametrize(
    "change",
    [
        (b"hDE01/L1", b"\xc1"), (b"hDE01/L1", b"\x90"), (b"hDE01/L9", b"\x01"), (b"w", b"\x90"),
        (b"wDE09/L9\0gi\0" + bytes(8), b"\x90"), (b"eDE01/L1\0\xff", b"\x90"), (b"e", b""),
    ],
    ids=str,
)  # fmt: skip
def test_a_state_that_cant_be_read_or_is_of_lines_unseen_is_reported(
    stored: Store, right: Partition, change: tuple[bytes, bytes]
) -> None:
    stored.write([change])
    found = differing(stored, right)
    assert {each.kind for each in found} == {"state"}
    assert found[-1].member in ("form", "line")


def test_only_a_head_is_a_state_that_has_lost_the_rest(stored: Store, right: Partition) -> None:
    (head,) = stored.get_many([HEAD])
    bare = MemoryStore()
    bare.write([(HEAD, head)])
    found = differing(bare, right)
    assert {each.kind for each in found} == {"state", "ledger"}
    assert found[0].member == "plant"
    assert run(LOG).tasks[M].offset == right.offset
