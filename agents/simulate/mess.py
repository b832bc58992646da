"""The mess: what networks, producers and people do to the events on their way to the broker."""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import partial
from itertools import islice
from random import Random
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

SECOND = 1_000_000  # microseconds
NEVER = 1 << 62

Flaw = Literal["", "duplicate", "late", "replay", "conflict", "malformed", "backlog"]


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A record that reaches the broker at factory time `at` (epoch microseconds).

    `key` is None if the producer couldn't read plant and line. A `tick` is no event: it has neither
    topic nor key, and goes to every partition. `flaw` says what the mess did to the record, "" if
    nothing.
    """

    at: int
    value: bytes
    topic: str
    key: str | None
    tick: bool = False
    flaw: Flaw = ""


class Mess(msgspec.Struct, frozen=True, kw_only=True):
    """How much goes wrong; 0 turns a kind off. Rates are shares of the clean events.

    A duplicate is a producer's retry within seconds. An event out of order is delayed by less than
    the grace of a window, a late event by minutes, a very late one by one to three hours. A
    conflict reuses source and id of a transaction (so never of telemetry) with other content. A
    malformed event arrives broken, and never whole. A replay repeats `replay_length` records in a
    row, taken from the last `replay_reach` records, once in about `replay_every` events.
    """

    duplicates: float = 0.015
    out_of_order: float = 0.012
    late: float = 0.0075
    very_late: float = 0.0005
    conflicts: float = 0.0005
    malformed: float = 0.001
    replay_every: int = 20_000
    replay_length: int = 200
    replay_reach: int = 5_000
    silent_after_seconds: int = 1_200
    backlog_after_seconds: int = 1_800
    backlog_seconds: int = 3_600

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}: not 0 or more")
        total = sum(share for share, _ in _mishaps(self))
        if total > 1:
            raise ValueError(f"the rates of single mishaps add up to {total:g}: more than 1")


class Outages(msgspec.Struct, frozen=True, kw_only=True):
    """The lines whose records don't get through, by key and factory time (epoch microseconds).

    The records of the `silent` line never arrive. Those of the `held` line arrive all at once when
    the outage ends.
    """

    silent: str | None = None
    silent_from: int = NEVER
    held: str | None = None
    held_from: int = NEVER
    held_until: int = NEVER

    def through(self, key: str | None, at: int) -> int:
        """Return when a record that is sent at `at` arrives; `NEVER` if it doesn't."""
        if key == self.silent and at >= self.silent_from:
            return NEVER
        if key == self.held and self.held_from <= at < self.held_until:
            return self.held_until
        return at


def messed(
    clean: Iterable[Arrival], mess: Mess, outages: Outages, rng: Random
) -> Iterator[Arrival]:
    """Yield the `clean` arrivals with the mess, again in the order of `at`.

    The number of waiting arrivals is bounded by the rate of events times the longest delay.
    """
    mishaps = _mishaps(mess)
    rate = sum(share for share, _ in mishaps)
    cut_off = {outages.silent, outages.held} - {None}
    waiting: list[tuple[int, int, Arrival]] = []
    turn = 0  # breaks ties: first sent, first arrived
    recent: deque[Arrival] = deque(maxlen=mess.replay_reach)
    replay_in = _replay_gap(mess, rng)
    random = rng.random
    for arrival in clean:
        at = arrival.at
        while waiting and waiting[0][0] <= at:
            yield heapq.heappop(waiting)[2]
        draw = random()
        if draw >= rate and arrival.key not in cut_off:
            recent.append(arrival)
            yield arrival
        else:
            for sent in _sent(arrival, draw, mishaps, rng):
                due = outages.through(arrival.key, sent.at)
                if due == NEVER:
                    continue
                if due != sent.at:
                    sent = replace(sent, at=due, flaw=sent.flaw or "backlog")
                elif not sent.flaw:
                    recent.append(sent)
                turn += 1
                heapq.heappush(waiting, (due, turn, sent))
        replay_in -= 1
        if not replay_in:
            replay_in = _replay_gap(mess, rng)
            for again in _replayed(recent, mess, at, rng):
                turn += 1
                heapq.heappush(waiting, (again.at, turn, again))
    while waiting:
        yield heapq.heappop(waiting)[2]


Mishap = Callable[[Arrival, Random], list[Arrival]]


def _mishaps(mess: Mess) -> tuple[tuple[float, Mishap], ...]:
    return (
        (mess.duplicates, _duplicated),
        (mess.out_of_order, partial(_delayed, shortest=2 * SECOND, longest=25 * SECOND)),
        (mess.late, partial(_delayed, shortest=100 * SECOND, longest=900 * SECOND)),
        (mess.very_late, partial(_delayed, shortest=3_600 * SECOND, longest=10_800 * SECOND)),
        (mess.conflicts, _contradicted),
        (mess.malformed, _malformed),
    )


def _sent(
    arrival: Arrival, draw: float, mishaps: tuple[tuple[float, Mishap], ...], rng: Random
) -> list[Arrival]:
    for share, mishap in mishaps:
        if draw < share:
            return mishap(arrival, rng)
        draw -= share
    return [arrival]


def _duplicated(arrival: Arrival, rng: Random) -> list[Arrival]:
    at = arrival.at + _between(rng, SECOND // 5, 5 * SECOND)
    return [arrival, replace(arrival, at=at, flaw="duplicate")]


def _delayed(arrival: Arrival, rng: Random, shortest: int, longest: int) -> list[Arrival]:
    return [replace(arrival, at=arrival.at + _between(rng, shortest, longest), flaw="late")]


def _contradicted(arrival: Arrival, rng: Random) -> list[Arrival]:
    event = msgspec.json.decode(arrival.value)
    if event["type"] == "machine.telemetry.v1":
        return [arrival]
    name = _measure(event["data"])
    if name is not None:
        other = Decimal(str(event["data"][name])) + _between(rng, 1, 100)
        event["data"][name] = f"{other:f}"
    else:
        # The last digit of the milliseconds: still before it arrives.
        time = event["time"]
        event["time"] = f"{time[:22]}{(int(time[22]) + 1) % 10}{time[23:]}"
    at = arrival.at + _between(rng, SECOND // 5, 30 * SECOND)
    value = msgspec.json.encode(event)
    return [arrival, replace(arrival, at=at, value=value, flaw="conflict")]


def _malformed(arrival: Arrival, rng: Random) -> list[Arrival]:
    value, readable = BREAKAGES[_between(rng, 0, len(BREAKAGES))](arrival.value, rng)
    key = arrival.key if readable else None
    return [replace(arrival, value=value, key=key, flaw="malformed")]


def _replayed(recent: deque[Arrival], mess: Mess, at: int, rng: Random) -> Iterator[Arrival]:
    length = min(mess.replay_length, len(recent))
    first = _between(rng, 0, len(recent) - length + 1)
    for place, arrival in enumerate(islice(recent, first, first + length)):
        yield replace(arrival, at=at + place * 1_000, flaw="replay")


def _replay_gap(mess: Mess, rng: Random) -> int:
    """Return the number of events until the next replay; -1 for no replay."""
    every = mess.replay_every
    return _between(rng, every // 2 + 1, every + every // 2 + 1) if every else -1


def _between(rng: Random, low: int, high: int) -> int:
    # Not randrange: Python promises the same numbers in all versions only for random().
    return low + int(rng.random() * (high - low))


# Ways to break an event. Each returns the bytes, and whether the producer could still read
# plant and line.


def _truncated(value: bytes, rng: Random) -> tuple[bytes, bool]:
    return value[: _between(rng, 1, len(value) - 1)], False


def _not_utf8(value: bytes, _: Random) -> tuple[bytes, bool]:
    return value.replace(b'"source":"', b'"source":"W\xe4rme', 1), False


def _not_an_object(value: bytes, _: Random) -> tuple[bytes, bool]:
    return b"[" + value + b"]", False


def _unknown_type(value: bytes, rng: Random) -> tuple[bytes, bool]:
    event = msgspec.json.decode(value)
    event["type"] = _one_of(rng, "material.teleported.v1", "production.confirmed.v9", "MATCON")
    return msgspec.json.encode(event), True


def _wrong_type(value: bytes, rng: Random) -> tuple[bytes, bool]:
    event = msgspec.json.decode(value)
    name, wrong = _one_of(rng, ("time", 1_767_589_200), ("id", 42), ("data", []), ("source", True))
    event[name] = wrong
    return msgspec.json.encode(event), True


def _missing_member(value: bytes, rng: Random) -> tuple[bytes, bool]:
    event = msgspec.json.decode(value)
    name = _one_of(rng, "specversion", "type", "source", "id", "time", "line", "data", "")
    if name:
        del event[name]
    else:
        event["data"] = {}  # every type has a required member
    return msgspec.json.encode(event), True


def _bad_number(value: bytes, rng: Random) -> tuple[bytes, bool]:
    event = msgspec.json.decode(value)
    name = _measure(event["data"])
    if name is None:
        return _missing_member(value, rng)
    wrong = ("12,5", "NaN", "", "1e15", "0.0000000001", "+3", "0x1F", False)
    event["data"][name] = _one_of(rng, *wrong)
    return msgspec.json.encode(event), True


BREAKAGES: tuple[Callable[[bytes, Random], tuple[bytes, bool]], ...] = (
    _truncated,
    _not_utf8,
    _not_an_object,
    _unknown_type,
    _wrong_type,
    _missing_member,
    _bad_number,
)


def _measure(data: dict[str, Any]) -> str | None:
    return next((name for name in ("quantity", "seconds", "good") if name in data), None)


def _one_of(rng: Random, *choices: Any) -> Any:
    return choices[_between(rng, 0, len(choices))]
