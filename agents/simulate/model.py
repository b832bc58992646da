"""The state of the simulated factory: orders, work units and lines, and how they report."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from heapq import heappush
from random import Random
from typing import TypeVar

import msgspec

from agents.simulate.cells import Cell, Station
from agents.simulate.mess import Arrival
from streams.contract.topics import MACHINE_EVENTS, MES_EVENTS

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONDAY = 1_767_589_200_000  # 2026-01-05T05:00:00Z in epoch milliseconds: 06:00 in Germany
SHIFT = 8 * 3_600_000  # milliseconds: early, late, night
SHIFTS_A_WEEK = 21
POSTINGS_MAX = 200  # postings that an operator can still reverse on the MES screen


class Order(msgspec.Struct):
    """A production order on a line, with the pieces taken and the good pieces of each station."""

    number: str
    item: str
    variant: str
    lot: str
    quantity: int  # pieces
    taken: list[int]
    good: list[int]
    done: list[bool]
    following: "Order | None" = None

    def supply(self, station: int) -> int:
        """Return the pieces ready for a station: the order's, or good ones of the one before."""
        made = self.good[station - 1] if station else self.quantity
        return made - self.taken[station]

    def complete_before(self, station: int) -> bool:
        """Return whether no more pieces will come to the station."""
        return not station or self.done[station - 1]


class Unit(msgspec.Struct):
    """A work unit; times are epoch milliseconds."""

    index: int
    station: Station
    name: str
    head: str  # the text of its events from the type to the serial number
    lots: list[tuple[str, int]]  # per component: the lot in use, and its remaining pieces
    order: Order | None = None
    state: str = "Idle"
    stated: int = 0  # when the unit entered its state
    running: bool = False
    worked_until: int = 0
    booked_until: int = 0
    serial: int = 0
    episode: str = ""  # the downtime whose end will be reported
    stopped_for: str = ""  # the reason of the last stop
    tool: str = ""  # the serial number of the tool in use
    good_uncounted: int = 0
    scrap_uncounted: int = 0
    good_unconfirmed: int = 0
    scrap_unconfirmed: int = 0
    pieces_unreceived: int = 0


Posting = tuple[int, int, str, str, str]
"""A posting that may be reversed: time, serial number, type, time as written, data as written."""

Action = Callable[["Line", Unit, int], None]


class Line(msgspec.Struct):
    """A line: its agenda, and the dialect of its MES. Times are epoch milliseconds."""

    key: str
    number: str  # two digits of the plant, two of the line: unique in its orders
    run: str  # part of all numbers of the line: no two runs share an event or an order
    cell: Cell
    rng: Random
    out: list[Arrival]
    works_nights: bool
    works_always: bool
    count_every: float
    confirm_every: float
    telemetry_every: float
    mes_reports: bool
    machines_report: bool
    quote: str  # what this MES puts around a number: a quotation mark or nothing
    null_lot: str  # what this MES writes for a missing lot
    zone: str
    hours_ahead: int  # the offset of that zone from UTC
    head: str  # the text of an MES event from the type to the serial number
    tail: str  # the text of any event of the line from the time to the data
    units: list[Unit] = []
    agenda: list[tuple[int, int, Action, Unit]] = []
    turn: int = 0  # breaks ties in the agenda: first planned, first done
    pauses: int = 0
    resumes: int = 0  # from `pauses` until then the line works no shift
    serial: int = 0
    orders: int = 0
    lots: int = 0
    episodes: int = 0
    inspections: int = 0
    tools: int = 0
    holds: deque[str] = msgspec.field(default_factory=deque)
    unclassified: deque[str] = msgspec.field(default_factory=deque)  # stops to be looked at
    postings: deque[Posting] = msgspec.field(default_factory=lambda: deque(maxlen=POSTINGS_MAX))
    minute: int = -1
    minute_utc: str = ""  # "2026-01-05T05:00:"
    minute_mes: str = ""  # the same in the zone of the MES

    def plan(self, due: float, action: Action, unit: Unit) -> None:
        self.turn += 1
        heappush(self.agenda, (int(due), self.turn, action, unit))

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def between(self, low: int, high: int) -> int:
        # Not randrange: Python promises the same numbers in all versions only for random().
        return low + int(self.rng.random() * (high - low))

    def choice(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.random() * len(choices))]

    def second(self, now: int) -> str:
        """Return the seconds of an instant, "12.345"; sets `minute_utc` and `minute_mes`."""
        minute, rest = divmod(now, 60_000)
        if minute != self.minute:
            self.minute = minute
            at = EPOCH + timedelta(minutes=minute)
            self.minute_utc = at.isoformat()[:17]
            self.minute_mes = (at + timedelta(hours=self.hours_ahead)).isoformat()[:17]
        return f"{rest // 1000:02d}.{rest % 1000:03d}"

    def mes(self, now: int, kind: str, members: str, reversible: bool = False) -> None:
        """Let the MES report an event of type `kind`; `members` of its data are JSON."""
        if not self.mes_reports:
            return
        self.serial += 1
        draw = self.rng.random()
        second = self.second(now)
        time = f"{self.minute_mes}{second}{self.zone}"
        value = (
            f'{{"specversion":"1.0","type":"{kind}{self.head}{self.serial:07d}'
            f'","time":"{time}{self.tail}{members}}}}}'
        )
        at = now * 1000 + 60_000 + int(draw * draw * draw * 2_500_000)
        self.out.append(Arrival(at, value.encode(), MES_EVENTS, self.key))
        if reversible:
            self.postings.append((now, self.serial, kind, time, members))

    def machine(self, unit: Unit, now: int, kind: str, members: str) -> None:
        """Let a work unit report an event of type `kind`; `members` follow its name in the data."""
        if not self.machines_report:
            return
        unit.serial += 1
        draw = self.rng.random()
        second = self.second(now)
        value = (
            f'{{"specversion":"1.0","type":"{kind}{unit.head}{unit.serial:07d}'
            f'","time":"{self.minute_utc}{second}Z{self.tail}'
            f'"work_unit":"{unit.name}",{members}}}}}'
        )
        at = now * 1000 + 20_000 + int(draw * draw * draw * 900_000)
        self.out.append(Arrival(at, value.encode(), MACHINE_EVENTS, self.key))

    def next_tool(self) -> str:
        """Return the serial number of a tool that no unit has had."""
        self.tools += 1
        return f"T{self.number}-{self.run}{self.tools:05d}"

    def pieces(self, number: int) -> str:
        return f"{self.quote}{number}{self.quote}"

    def quantity(self, thousandths: int) -> str:
        """Return a quantity as the MES of the line writes it: "12.500" or 12.5."""
        sign = "-" if thousandths < 0 else ""
        whole, part = divmod(abs(thousandths), 1000)
        if self.quote:
            return f'"{sign}{whole}.{part:03d}"'
        return f"{sign}{whole}.{part:03d}".rstrip("0").rstrip(".")

    def works(self, shift: int) -> bool:
        """Return whether the line works a shift; shift 0 is the early one of `MONDAY`."""
        if self.works_always:
            return True
        day, part = divmod(shift % SHIFTS_A_WEEK, 3)
        return day < 6 if self.works_nights else day < 5 and part < 2
