"""Faults while master data takes effect: events that are freed, and records that are copied."""

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from chaos_floods import APART, event
from chaos_job import Chaos, now_ms
from chaos_reference import parked, settle, settle_with
from feeding import Feeder
from kafka_workers import wait_until
from runs import At
from streams.contract.reference_key import key_of
from streams.contract.topics import MES_EVENTS
from streams.log.record import partition_of

PARKED: Final = 20_000

AFTER: Final = datetime(2026, 6, 1, tzinfo=UTC)
"""Later than the load's last event: a tick of the load makes none of these too old."""

SPACED: Final = timedelta(milliseconds=50)
"""From one parked event to the next: all are in one ledger, and in some windows."""

IMPORTED: Final = 30_000
"""Items of all plants: each is copied into every partition."""

FREED_SECONDS_MAX: Final = 120.0

KILLS: Final = 2
"""While events are freed, or records copied."""

PLANT: Final = "FLOOD"

LEADING: Final[At] = (MES_EVENTS, 0)
"""Who has this partition keeps master data, and copies it."""


def free_parked(chaos: Chaos) -> None:
    """A hold on 20,000 events is released on another line; meanwhile their worker is killed twice.

    Every second time nothing else comes in: what is freed has to leave by itself.
    """
    assert isinstance(chaos.feeder, Feeder), "this case needs the whole load at once"
    for number in chaos.faults():
        alone = number % 2 == 1
        if alone:
            chaos.feeder.finish()
            chaos.steward.finish()
        line, other, at = _lines(chaos, number)
        chaos.steward.tell([("line", PLANT, {"line": each}) for each in (line, other)])
        order = f"HELD-{number}"
        hold = {"hold": order, "scope": "order", "value": order, "reason": "SUSPECT"}
        chaos.put([_told("quality.hold_placed.v1", number, 0, other, hold)])
        settle_with(chaos, key_of("hold", PLANT, [order]))
        before = _parked_at_rest(chaos) if alone else parked(chaos)
        count = chaos.scaled(PARKED)
        chaos.put(_held(number, count, line, order))
        chaos.wait_until_processed()
        there = parked(chaos) - before
        assert there == count or not alone, f"{there} of {count} events are parked"
        release = {"hold": order, "disposition": "use"}
        since = now_ms()
        chaos.put([_told("quality.hold_released.v1", number, 1, other, release)])
        for _ in range(KILLS):
            time.sleep(chaos.rng.uniform(0.5, 1.5))  # it takes about one until the copy is there
            name = chaos.owner(at)
            chaos.workers[name].kill()
            chaos.start(name)
            chaos.wait_until_settled()
        if alone:
            _wait_until_freed(chaos, before)
        chaos.get_through(since)
        settle_with(chaos, key_of("hold_release", PLANT, [order]))


def _parked_at_rest(chaos: Chaos) -> int:
    """Return how many events are parked once no more of them leave: nothing else comes in."""
    last = parked(chaos)
    while True:
        chaos.check()
        if (now := parked(chaos)) == last:
            return now
        last = now


def _wait_until_freed(chaos: Chaos, before: int) -> None:
    wait_until(
        "all is freed, and nothing else has come",
        lambda: parked(chaos) <= before,
        FREED_SECONDS_MAX,
    )


def kill_the_copying(chaos: Chaos) -> None:
    """30,000 items are imported; the worker that keeps and copies master data is killed meanwhile."""
    for number in chaos.faults():
        count = chaos.scaled(IMPORTED)
        items = iter(range(count))
        since = now_ms()
        for each in range(KILLS):
            part = itertools.islice(items, count // KILLS if each + 1 < KILLS else count)
            chaos.steward.tell(
                ("item", "*", {"item": f"I-{number}-{one}", "base_uom": "kg"}) for one in part
            )
            time.sleep(chaos.rng.uniform(0.5, 3.0))
            name = chaos.owner(LEADING)
            chaos.workers[name].kill()
            chaos.start(name)
            chaos.wait_until_settled()
        settle(chaos)
        chaos.resumed.append((now_ms() - since) / 1000)


def _lines(chaos: Chaos, number: int) -> tuple[str, str, At]:
    """Return a line whose events are to be parked, one of another partition, and the first's."""
    partitions = chaos.job.partitions
    line = f"HELD-{number}"
    own = partition_of(f"{PLANT}/{line}".encode(), partitions)
    names = (f"QMS-{number}-{each}" for each in itertools.count())
    other = next(
        name for name in names if partition_of(f"{PLANT}/{name}".encode(), partitions) != own
    )
    return line, other, (MES_EVENTS, own)


def _held(number: int, count: int, line: str, order: str) -> Iterator[bytes]:
    """Yield events of which each is held: to be posted at once, and by window."""
    for each in range(count):
        data = {
            "order": order, "operation": "0010", "item": f"M-{each % 50}", "quantity": "1.5",
            "uom": "kg",
        }  # fmt: skip
        kind = ("material.consumed.v1", "production.confirmed.v1")[each % 2]
        at = _at(number) + SPACED * each
        yield event(kind, f"{number}-h{each}", at.replace(microsecond=0), line, data)


def _told(kind: str, number: int, minutes: int, line: str, data: dict[str, str]) -> bytes:
    at = _at(number) + timedelta(minutes=minutes)
    return event(kind, f"{number}-{kind}", at, line, data)


def _at(number: int) -> datetime:
    return AFTER + APART * number
