"""What waits for master data goes once when it has come, whatever is cut off in between."""

from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masters import lacking
from runs import consumed
from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS
from streams.log.lineage import with_lineage
from streams.log.record import Record
from tables.reference import waiting as module
from tables.reference.known import Known
from tables.reference.spreading import Noted
from tables.reference.standing import Standing
from tables.reference.waiting import Due, Waiting, Watched


def exception(
    offset: int, at: int, item: str = "I", partition: int = 0, topic: str = MES_EVENTS,
    tried: int | None = None, time: int = 1_795_240_800_000_000,
) -> Record:  # fmt: skip
    """Return the exception at `offset` of a consumption at `at` whose item isn't known."""
    headers = [] if tried is None else with_lineage([], "x", tried)
    original = Record(at, time, b"DE01/L1", consumed(at, item=item), headers)
    return Record(offset, None, b"DE01/L1", lacking(original, item, partition, topic))


def item(known: Known, offset: int, name: str = "I") -> None:
    value = msgspec.json.encode({"data": {"item": name, "base_uom": "kg"}})
    known.learn(f"item|DE01|{name}".encode(), value, offset)


def standing(copied: int = 100, **items: int) -> Standing:
    """Return what is known: items by their offsets, copied to all before `copied`."""
    found = Standing()
    for name, offset in items.items():
        item(found.known, offset, name)
    found.copied = dict.fromkeys(range(4), Noted(copied, frozenset({"DE01"})))
    return found


def took(
    *exceptions: Record, number: int = 0, watched: Mapping[int, Watched] | None = None
) -> Waiting:
    found = Waiting(watched or {})
    found.take(number, exceptions, max(each.offset for each in exceptions) + 1)
    return found


def told(due: Iterable[Due]) -> list[tuple[str, int]]:
    return [(each.waiter.exception.removeprefix("mes.events.v1/"), each.offset) for each in due]


def test_what_waits_goes_when_its_record_is_in_its_own_partition() -> None:
    waiting = took(exception(0, 5), exception(1, 6, "J"), exception(2, 7, partition=1))
    assert waiting.due(standing()) == []
    assert waiting.due(standing(copied=9, I=9)) == []
    assert told(waiting.due(standing(copied=10, I=9))) == [("0/5", 9), ("1/7", 9)]
    assert told(waiting.due(standing(I=9, J=3))) == [("0/5", 9), ("0/6", 3), ("1/7", 9)]
    behind = standing(I=9)
    behind.copied = {0: Noted(10, frozenset({"DE01"})), 1: Noted(10, frozenset({"PL01"}))}
    assert told(waiting.due(behind)) == [("0/5", 9)]


def test_what_was_sent_for_a_record_and_refused_again_waits_for_another() -> None:
    waiting = took(exception(0, 5, tried=9))
    assert waiting.due(standing(I=9)) == []
    assert told(waiting.due(standing(I=10))) == [("0/5", 10)]


def test_an_exception_that_was_written_twice_is_one() -> None:
    waiting = took(*(exception(n, at) for n, at in enumerate([5, 6, 5, 6, 7])))
    assert told(waiting.due(standing(I=1))) == [("0/5", 1), ("0/6", 1), ("0/7", 1)]
    waiting.go(waiting.due(standing(I=1)))
    waiting.take(0, [exception(5, 5), exception(6, 7), exception(7, 8)], 8)
    assert told(waiting.due(standing(I=1))) == [("0/8", 1)]
    waiting.take(0, [exception(8, 0, time=1_795_240_800_000_001)], 9)  # its topic was made anew
    assert told(waiting.due(standing(I=1)))[1:] == [("0/0", 1)]


def test_other_exceptions_and_what_cant_be_read_dont_wait() -> None:
    waiting = took(
        exception(0, 1, topic=MACHINE_EVENTS),
        Record(1, None, b"k", b'"unknown_master"'),
        Record(2, None, None, None),
    )
    assert len(waiting) == 0
    assert dict(waiting.noted()) == {0: Watched(3)}


def test_a_new_one_reads_what_waits_and_what_is_new_and_nothing_else() -> None:
    first = took(exception(0, 1), exception(1, 2, "J"), exception(4, 3, "J"), exception(5, 4))
    first.go(first.due(standing(I=1)))
    (note,) = dict(first.noted()).items()
    assert note[1].offsets() == [1, 4]
    assert list(first.noted()) == []
    second = Waiting({note[0]: msgspec.json.decode(msgspec.json.encode(note[1]), type=Watched)})
    assert second.begin(0, 0, 7) == 1
    again = [exception(1, 2, "J"), exception(4, 3, "J"), exception(5, 4), exception(6, 9, "J")]
    second.take(0, again, 7)
    assert told(second.due(standing(I=1, J=2))) == [("0/2", 2), ("0/3", 2), ("0/9", 2)]
    third = Waiting({0: note[1]}, sent=[(0, 4)])
    third.take(0, again, 7)
    assert told(third.due(standing(J=2))) == [("0/2", 2), ("0/9", 2)]


def test_exceptions_that_are_gone_or_made_anew_are_said() -> None:
    waiting = Waiting({0: Watched(9, (2, 3)), 1: Watched(9, (2,))})
    assert waiting.begin(0, 4, 20) == 5
    assert waiting.forgotten == 1
    assert waiting.begin(1, 0, 3) == 0
    assert dict(waiting.noted())[1] == Watched()


@pytest.mark.parametrize("bound", ["WAITING_MAX", "WAITING_BYTES_MAX"])
def test_of_too_many_the_oldest_are_given_up(monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(module, bound, 3 if bound == "WAITING_MAX" else 2_700)
    waiting = took(*(exception(n, n) for n in range(5)))
    assert (len(waiting), waiting.forgotten) == (3, 2)
    assert told(waiting.due(standing(I=1))) == [("0/2", 1), ("0/3", 1), ("0/4", 1)]


def test_the_note_of_as_many_as_may_wait_fits_a_record() -> None:
    far = Watched(
        10**15,
        (10**14, *[10**9] * (module.WAITING_MAX - 1)),
        dict.fromkeys(range(1024), (10**12, 10**16)),
    )
    assert len(msgspec.json.encode(far)) < 900_000


@given(st.randoms(use_true_random=False), st.integers(10, 120))
def test_each_goes_once_for_its_record_whatever_is_cut_off(rng: Random, steps: int) -> None:
    logs: list[list[Record]] = [[], []]
    notes: dict[int, Watched] = {}
    at, offset, now = 0, 0, standing(copied=0)
    sent: Counter[str] = Counter()
    written: dict[str, str] = {}
    waiting, read = Waiting(notes), [0, 0]
    for step in range(steps + 2):
        last = step >= steps
        action = "copy" if step == steps else "work" if last else rng.choice(
            ["refuse", "refuse", "repeat", "learn", "copy", "work", "crash"]
        )  # fmt: skip
        number = rng.randrange(2)
        log = logs[number]
        if action == "refuse":
            name = rng.choice("IJKL")
            log.append(exception(len(log), at, name, partition=number))
            written[f"{number}/{at}"] = name
            at += 1
        elif action == "repeat" and log:  # the partition went on from before
            begin = rng.randrange(len(log))
            log += [
                Record(len(log) + n, None, one.key, one.value) for n, one in enumerate(log[begin:])
            ]
        elif action == "learn":
            item(now.known, offset, rng.choice("IJK"))
            offset += 1
        elif action == "copy":
            now.copied = dict.fromkeys(range(2), Noted(offset, frozenset({"DE01"})))
        elif action == "crash":
            waiting = Waiting(notes)
            read = [waiting.begin(n, 0, len(logs[n])) for n in range(2)]
        elif action == "work":
            for n in range(2):
                waiting.take(n, logs[n][read[n] :], len(logs[n]))
                read[n] = len(logs[n])
            due = waiting.due(now)[: 1000 if last else 2]
            waiting.go(due)
            if last or rng.random() < 0.7:  # else it was cut off before it was written
                sent.update(name for name, _ in told(due))
                notes = {**notes, **_through_json(waiting.noted())}
            else:
                waiting = Waiting(notes)
                read = [waiting.begin(n, 0, len(logs[n])) for n in range(2)]
    there = {name for name in "IJK" if now.known.has("item", "DE01", name)}
    assert sent == Counter({each: 1 for each, name in written.items() if name in there})


def _through_json(notes: Iterable[tuple[int, Watched]]) -> dict[int, Watched]:
    decode: Any = msgspec.json.Decoder(Watched).decode
    return {number: decode(msgspec.json.encode(one)) for number, one in notes}
