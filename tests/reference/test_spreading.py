"""Each partition gets all that is known of the plants whose lines it holds, whatever is cut off."""

import json
from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from streams.codec.decode import decode
from streams.contract.reference import Reference
from streams.contract.reference_key import key_of
from streams.contract.topics import MES_EVENTS
from streams.log.record import Record, partition_of
from tables.reference.spreading import Noted, Spreading, seen_record

PARTITIONS = 4


def record(offset: int, kind: str, plant: str, *parts: str) -> Record:
    """Return a record of `reference.v1`."""
    names = {"line": ("line",), "item": ("item",), "reason": ("reason",), "routing": ("id",)}[kind]
    data = dict(zip(names, parts, strict=True)) | ({"base_uom": "kg"} if kind == "item" else {})
    told = {
        "specversion": "1.0", "type": f"reference.{kind}.v1", "source": "/lineside",
        "id": f"rf:{offset}", "plant": plant, "data": data,
    }  # fmt: skip
    return Record(offset, None, key_of(kind, plant, parts), json.dumps(told).encode())


def home(plant: str, line: str) -> int:
    return partition_of(f"{plant}/{line}".encode(), PARTITIONS)


def seen(offset: int, plant: str, number: int) -> Record:
    return Record(offset, None, *seen_record(plant, number))


class Partitions:
    """The partitions that are copied to: what each was given, as (key, seq)."""

    def __init__(self) -> None:
        self.noted: dict[int, Noted] = {}
        self.got: dict[int, list[tuple[bytes, int]]] = {n: [] for n in range(PARTITIONS)}

    def round(
        self, spreading: Spreading, log: Sequence[Record], cut: int | None = None, step: int = 3
    ) -> None:
        """Copy a round; cut it off after so many steps."""
        end = len(log)
        spreading.learn(log[spreading.end :], end)
        at = spreading.begin()
        while at < end:
            if cut == 0:
                return
            cut = None if cut is None else cut - 1
            to = min(at + step, end)
            for number, copies in spreading.copy(log[at:to], to).items():
                for each in copies:
                    read = decode(each.value, (), MES_EVENTS)
                    assert isinstance(read, Reference)
                    assert read.seq is not None
                    self.got[number].append((each.key, read.seq))
            self.noted = spreading.noted()
            at = to
        spreading.finish()
        self.noted = spreading.noted()

    def known(self, number: int) -> dict[bytes, int]:
        """Return the highest seq of each key that a partition has."""
        found: dict[bytes, int] = {}
        for key, seq in self.got[number]:
            found[key] = max(seq, found.get(key, -1))
        return found


def wanted(log: Sequence[Record], number: int) -> dict[bytes, int]:
    """Return what a partition has to know in the end: worked out anew, from all of the log."""
    plants = set()
    for each in log:
        assert each.key is not None
        kind, plant, name = each.key.decode().split("|")
        if (kind == "line" and home(plant, name) == number) or (
            kind == "seen" and int(name) == number
        ):
            plants.add(plant)
    found = {}
    for each in log:
        assert each.key is not None
        kind, plant, _ = each.key.decode().split("|")
        if kind not in ("seen", "routing") and (plant == "*" or plant in plants):
            found[each.key] = each.offset
    return found


def test_a_record_goes_where_lines_of_its_plant_are_and_that_of_all_plants_everywhere() -> None:
    log = [
        record(0, "item", "P", "early"),
        record(1, "item", "*", "all"),
        record(2, "line", "P", "L1"),
        record(3, "routing", "P", "R"),
        record(4, "item", "Q", "of no line"),
        record(5, "item", "P", "late"),
    ]
    there = Partitions()
    there.round(Spreading(PARTITIONS, {}), log)
    own = home("P", "L1")
    assert [seq for _, seq in there.got[own]] == [0, 1, 2, 5]
    for other in set(range(PARTITIONS)) - {own}:
        assert [seq for _, seq in there.got[other]] == [1]


def test_partitions_that_need_the_same_share_what_is_copied() -> None:
    log = [seen(0, "P", 0), seen(1, "P", 1), seen(2, "P", 2), seen(3, "Q", 2)]
    log += [record(4, "item", "*", "a"), record(5, "item", "P", "b")]
    spreading = Spreading(PARTITIONS, {})
    spreading.learn(log, 6)
    assert spreading.begin() == 0
    copies = spreading.copy(log, 6)
    assert copies[0] is copies[1] is copies[2]
    assert [len(copies[number]) for number in range(PARTITIONS)] == [2, 2, 2, 1]
    more = spreading.copy([record(6, "item", "Q", "c"), record(7, "item", "P", "d")], 8)
    assert {number: [each.key for each in those] for number, those in more.items()} == {
        0: [b"item|P|d"], 1: [b"item|P|d"], 2: [b"item|Q|c", b"item|P|d"],
    }  # fmt: skip
    assert more[0] is more[1]


def test_a_partition_that_gets_its_first_line_of_a_plant_gets_all_of_the_plants_first() -> None:
    log = [record(0, "item", "P", "a"), record(1, "item", "P", "b"), record(2, "item", "*", "c")]
    there, spreading = Partitions(), Spreading(PARTITIONS, {})
    there.round(spreading, log)
    log.append(seen(3, "P", 2))
    log.append(record(4, "item", "P", "d"))
    there.round(spreading, log)
    assert [seq for _, seq in there.got[2]] == [2, 0, 1, 4]
    assert [seq for _, seq in there.got[1]] == [2]
    log.append(record(5, "item", "*", "e"))
    assert spreading.begin() == 5
    there.round(spreading, log)
    assert [seq for _, seq in there.got[2]] == [2, 0, 1, 4, 5]


def test_a_worker_that_takes_over_goes_on_where_the_last_one_was() -> None:
    log = [record(0, "line", "P", "L1"), record(1, "item", "P", "a")]
    there = Partitions()
    there.round(Spreading(PARTITIONS, {}), log)
    log.append(record(2, "item", "P", "b"))
    other = Spreading(PARTITIONS, there.noted)
    assert other.seen == 2
    there.round(other, log)
    assert [seq for _, seq in there.got[home("P", "L1")]] == [0, 1, 2]


def test_a_copy_that_was_made_anew_is_another() -> None:
    noted = {1: Noted(7, frozenset("P"), "id")}
    assert Spreading(PARTITIONS, noted, "id").is_another(6)
    assert not Spreading(PARTITIONS, noted, "id").is_another(7)
    assert Spreading(PARTITIONS, noted, "other").is_another(100)
    assert not Spreading(PARTITIONS, {}, "other").is_another(0)


@given(st.integers(0, 2**32))
def test_whatever_is_cut_off_nothing_is_missed_and_the_order_of_a_key_stays(seed: int) -> None:
    rng = Random(seed)
    log: list[Record] = []
    there, spreading = Partitions(), Spreading(PARTITIONS, {})
    for _ in range(rng.randrange(1, 8)):
        for offset in range(len(log), len(log) + rng.randrange(12)):
            plant = rng.choice(["P", "Q", "R"])
            kind = rng.choice(["line", "item", "item", "routing", "*", "seen"])
            if kind == "seen":
                log.append(seen(offset, plant, rng.randrange(PARTITIONS)))
            elif kind == "*":
                log.append(record(offset, "item", "*", rng.choice("ab")))
            else:
                log.append(record(offset, kind, plant, rng.choice("abc")))
        cut = rng.choice([None, 0, 1, 2, 5])
        there.round(spreading, log, cut, step=rng.choice([1, 3, 50]))
        if cut is not None or rng.random() < 0.3:  # another worker goes on
            spreading = Spreading(PARTITIONS, there.noted)
    there.round(spreading, log)
    for number in range(PARTITIONS):
        assert there.known(number) == wanted(log, number)
