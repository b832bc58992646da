"""The master data of the chaos suite: told at first, and then changed, held and freed all the time."""

import asyncio
import contextlib
import itertools
import json
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, Self

from aiokafka.errors import KafkaError

from agents.simulate.masters import EVERYWHERE, REQUIRED, master_data
from broker import run_apart
from chaos_log import LINES, plan_of
from contents import write
from streams.contract.topics import ERP_MASTER
from streams.kafka.cluster import BrokerError, Cluster
from streams.log.record import Record

ORDERS: Final = 60
"""Of each line: those of a day."""

PAUSE_SECONDS: Final = 0.7
"""From one change to the next."""

WRITE_SECONDS_MAX: Final = 10.0
"""Then it is tried again: the broker may be away."""

WEST: Final = (
    ("Asia/Kathmandu", 345), ("Asia/Kolkata", 330), ("Asia/Karachi", 300), ("Asia/Kabul", 270),
    ("Asia/Dubai", 240), ("Asia/Tehran", 210), ("Europe/Moscow", 180), ("Europe/Athens", 120),
    ("Europe/Berlin", 60), ("UTC", 0), ("Atlantic/Azores", -60), ("America/Sao_Paulo", -180),
    ("America/St_Johns", -210), ("America/Halifax", -240), ("America/New_York", -300),
    ("America/Chicago", -360), ("America/Denver", -420),
)  # fmt: skip
"""Zones from east to west, and how many minutes each is ahead of UTC in January: a plant that is in
one after the other has a midnight, and so a boundary of rules, every quarter of an hour or so."""

FLYING: Final = ("DE01", "PL01")
STAYING: Final = {"DE02": "Europe/Berlin", "MX01": "America/Mexico_City"}
PLANTS: Final = (*FLYING, *STAYING)

MIDNIGHT: Final = datetime(2026, 1, 6, tzinfo=UTC)
"""The first one of the log, where its clock shows UTC."""

WHEN: Final[tuple[dict[str, Any], ...]] = (
    {"when": "hour"},
    {"when": "window", "window_seconds": 60},
    {"when": "at_once"},
    {"when": "window", "window_seconds": 900},
    {"when": "day"},
)
CHANGED: Final = (
    "erp.production_confirmation.v1", "erp.goods_receipt.v1", "erp.goods_issue.v1",
    "erp.scrap_posting.v1", "erp.labor_confirmation.v1",
)  # fmt: skip

ITEMS: Final = ("RM-COIL-DC04", "RM-PA66-GF30", "PK-BOTTLE-750", "RM-COOLANT")

BAD: Final = (
    ("item", {"item": "I-0", "base_uom": "kg", "conversions": {"g": 0}}),
    ("rules", {"valid_from": "2026-01-06T00:00:00Z", "time_zone": "Mars/Base"}),
    ("rules", {"valid_from": "2126-01-01T00:00:00Z"}),
    ("work_unit", {"line": "L99", "work_unit": "W"}),
    ("order", {"order": "O", "status": "open"}),
    ("calendar", {"id": "C"}),
)
"""What can't be kept, whatever is known: each becomes an exception."""

Said = tuple[str, str, dict[str, Any]]
"""A kind, a plant, and `data`."""


class Steward:
    """Tells a job's master data in a thread of its own: all that there is, and then changes."""

    def __init__(
        self,
        cluster: Cluster,
        rng: Random,
        seed: int,
        later: timedelta = timedelta(),
        lasts_days: int = 1,
    ) -> None:
        """Events are so much `later` than in the factory's log, which lasts so many days."""
        self.rounds = 0
        self._cluster = cluster
        self._rng = rng
        self._seed = seed
        self._later = later
        self._lasts_days = lasts_days
        self._legs = legs(lasts_days)
        self._numbers = itertools.count()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._tell)
        self._failed: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def finish(self) -> None:
        """Tell no more; fail where that failed."""
        self._ending.set()
        self._thread.join()
        assert self._failed is None, f"no more master data: {self._failed!r}"

    def tell(self, said: Iterable[Said]) -> None:
        """Tell more, beside what the thread tells, while a broker is there."""
        run_apart(self._write([self.record(*each) for each in said]))

    def _tell(self) -> None:
        try:
            for said in itertools.chain([[*self.first()]], self.changes()):
                values = [self.record(*each) for each in said]
                while not self._ending.is_set():
                    with contextlib.suppress(KafkaError, BrokerError, OSError, TimeoutError):
                        run_apart(self._write(values))
                        self.rounds += 1
                        break
                if self._ending.wait(PAUSE_SECONDS):
                    return
        except BaseException as failure:
            self._failed = failure

    async def _write(self, values: Iterable[bytes]) -> None:
        records = [Record(0, None, None, value) for value in values]
        async with asyncio.timeout(WRITE_SECONDS_MAX):
            await write(self._cluster, {(ERP_MASTER, 0): records})

    def record(self, kind: str, plant: str, data: dict[str, Any]) -> bytes:
        """Return what is told as a record of `erp.master.v1`."""
        event = {
            "specversion": "1.0", "type": f"reference.{kind}.v1", "source": "/erp",
            "id": f"m-{next(self._numbers)}", "plant": plant, "data": data,
        }  # fmt: skip
        value = json.dumps(event, ensure_ascii=False).encode()
        return value[: len(value) // 2] if kind == HALF else value

    def first(self) -> Iterator[Said]:
        """Yield all that there is."""
        yield from master_data(plan_of(self._seed), ORDERS * self._lasts_days)
        for plant in FLYING:
            yield from (self._rules(plant, leg) for leg in range(len(self._legs)))
        for plant, zone in STAYING.items():
            valid_from = _text(MIDNIGHT + self._later - timedelta(days=7))
            yield "rules", plant, {"valid_from": valid_from, "time_zone": zone}

    def _rules(self, plant: str, leg: int) -> Said:
        """Return the rules that bring a plant into a zone, at midnight of the one before."""
        at, zone = self._legs[leg]
        data = {
            "valid_from": _text(at + self._later),
            "time_zone": zone,
            "transactions": {name: self._rng.choice(WHEN) for name in CHANGED},
        }
        return "rules", plant, data

    def changes(self) -> Iterator[list[Said]]:
        """Yield what is told together, without end: a change, and what takes earlier ones back."""
        changes = (
            self._other_rules, self._held_order, self._timing, self._bad, self._hold,
            self._other_item, self._required, self._center,
        )  # fmt: skip
        undone: list[tuple[int, Said]] = []
        for number in itertools.count():
            said, undo = changes[number % len(changes)](number)
            if undo is not None:
                undone.append((number + self._rng.randrange(2, 8), undo))
            due = [each for at, each in undone if at <= number]
            undone = [(at, each) for at, each in undone if at > number]
            yield [said, *due]

    def _plant(self) -> str:
        return self._rng.choice(PLANTS)

    def _other_rules(self, _: int) -> tuple[Said, Said | None]:
        kind, plant, data = self._rules(
            self._rng.choice(FLYING), self._rng.randrange(1, len(self._legs))
        )
        if self._rng.random() < 0.2:
            gone = {"valid_from": data["valid_from"], "deleted": True}
            return (kind, plant, gone), (kind, plant, data)
        return (kind, plant, data), None

    def _timing(self, _: int) -> tuple[Said, Said | None]:
        grace = self._rng.randrange(0, 240)
        data = {
            "grace_seconds": grace, "idle_grace_seconds": grace + self._rng.randrange(0, 240),
            "breakdown_seconds": self._rng.choice((60, 300, 600, 1_200)),
        }  # fmt: skip
        return ("timing", self._plant(), data), None

    def _hold(self, number: int) -> tuple[Said, Said | None]:
        hold, plant = f"H-{number}", self._plant()
        data = {"hold": hold, "scope": "item", "value": self._rng.choice(ITEMS), "reason": "test"}
        release = "hold_release", plant, {"hold": hold, "disposition": "use"}
        return ("hold", plant, data), release

    def _held_order(self, _: int) -> tuple[Said, Said | None]:
        index, line = self._rng.randrange(len(PLANTS)), self._rng.randrange(LINES)
        order = f"{index + 1:02d}{line + 1:02d}{self._rng.randrange(1, 6):05d}"
        plant = ("DE01", "DE02", "PL01", "MX01")[index]
        status = self._rng.choice(("held", "held", "held", "closed"))
        free = "order", plant, {"order": order, "status": "released"}
        return ("order", plant, {"order": order, "status": status}), free

    def _other_item(self, number: int) -> tuple[Said, Said | None]:
        item = self._rng.choice(ITEMS[:2])
        mode = {"item": item, "consumption": self._rng.choice(("mes", "erp"))}
        packed = {"item": item, "conversions": {"kg": "1000", "bag": str(number + 1)}}
        return ("item", EVERYWHERE, self._rng.choice((mode, packed))), None

    def _required(self, _: int) -> tuple[Said, Said | None]:
        plant = self._plant()
        few = ["item", "order"] if self._rng.random() < 0.5 else None
        return ("plant", plant, {"require": few}), ("plant", plant, {"require": list(REQUIRED)})

    def _center(self, number: int) -> tuple[Said, Said | None]:
        data = {"line": f"L{number % LINES + 1}", "cost_center": f"C-{number}"}
        return ("line", self._plant(), data), None

    def _bad(self, number: int) -> tuple[Said, Said | None]:
        bad = (*BAD, (HALF, {"item": "I"}))
        kind, data = bad[number % len(bad)]
        return (kind, self._plant(), data), None


HALF: Final = "half"
"""A record that its sender has written half of."""


def legs(days: int) -> list[tuple[datetime, str]]:
    """Return when a plant that flies west comes into a zone, and into which, in the factory's log.

    It is at midnight of the zone before. From the last zone it goes on to the first one, once a day.
    """
    midnights = [
        MIDNIGHT + timedelta(days=day, minutes=-ahead) for day in range(days) for _, ahead in WEST
    ]
    zones = itertools.cycle(zone for zone, _ in WEST)
    return list(zip((MIDNIGHT - timedelta(days=2), *midnights[:-1]), zones, strict=False))


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
