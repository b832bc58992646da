"""What the simulated factory consists of: master data, shifts, and lines with their state."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from heapq import heappush
from random import Random
from typing import TypeVar

import msgspec

from streams.mess import Arrival
from streams.topics import MACHINE_EVENTS, MES_EVENTS

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONDAY = 1_767_589_200_000  # 2026-01-05T05:00:00Z in epoch milliseconds: 06:00 in Germany
SHIFT = 8 * 3_600_000  # milliseconds: early, late, night
SHIFTS_A_WEEK = 21
POSTINGS_MAX = 200  # what an operator still finds on the MES screen to reverse
PREFIXES = ("DE", "DE", "PL", "MX", "US", "CN")  # country of each further plant, in turn


class Component(msgspec.Struct, frozen=True):
    """A bill-of-material row; `thousandths` of the unit of measure go into one piece."""

    item: str
    thousandths: int
    uom: str
    storage: str
    lot_pieces: int  # pieces made of one lot of it
    per_variant: bool = False  # each product has its own


class Tag(msgspec.Struct, frozen=True):
    """A telemetry tag whose value lies in [low, high), in tenths."""

    name: str
    low: int
    high: int


class Station(msgspec.Struct, frozen=True):
    """A kind of work unit with the routing step done on it."""

    name: str
    operation: str
    scrap_reasons: tuple[str, ...]
    components: tuple[Component, ...]
    tags: tuple[Tag, ...]


class Cell(msgspec.Struct, frozen=True):
    """A kind of line; one piece takes `cycle` milliseconds on each station."""

    product: str
    variants: tuple[str, ...]
    cycle: int
    pallet: int  # pieces of one goods receipt
    stations: tuple[Station, ...]


class Stop(msgspec.Struct, frozen=True):
    """Why a work unit stands still, for `shortest` to `longest` seconds."""

    reason: str
    shortest: int
    longest: int
    planned: bool = False


CELLS = (
    Cell("FG-BRACKET", ("110", "120", "145"), cycle=1_400, pallet=200, stations=(
        Station("press", "0010", ("BURR", "CRACK", "DIMENSION"),
            (Component("RM-COIL-DC04", 412, "kg", "HALLE-1", 3_000),),
            (Tag("force_kn", 17_500, 19_200), Tag("oil_temp_c", 410, 560))),
        Station("weld", "0020", ("POROSITY", "SPATTER", "MISSING_NUT"),
            (Component("RM-NUT-M8", 2_000, "pcs", "HALLE-1", 2_500),
             Component("RM-WIRE-SG2", 8, "kg", "HALLE-1", 1_900)),
            (Tag("current_a", 1_650, 1_900), Tag("gas_flow_lpm", 118, 142))),
        Station("pack", "0030", ("DAMAGED", "WRONG_LABEL"),
            (Component("PK-BOX-A4", 20, "pcs", "SHIP", 10_000),
             Component("PK-LABEL", 1_000, "pcs", "SHIP", 5_000, per_variant=True)),
            (Tag("box_weight_kg", 203, 214),)),
    )),
    Cell("FG-HOUSING", ("A7", "A9", "B2", "C1"), cycle=2_100, pallet=96, stations=(
        Station("mould", "0010", ("SHORT_SHOT", "SINK_MARK", "BURN", "FLASH"),
            (Component("RM-PA66-GF30", 86, "kg", "SILO-2", 9_000),
             Component("RM-COLOUR", 2, "kg", "SILO-2", 4_000, per_variant=True)),
            (Tag("melt_temp_c", 2_780, 2_910), Tag("mould_temp_c", 790, 860))),
        Station("assembly", "0020", ("INSERT_SKEWED", "SEAL_MISSING"),
            (Component("RM-INSERT-M4", 4_000, "pcs", "KANBAN-3", 1_200),
             Component("RM-SEAL", 1_000, "pcs", "KANBAN-3", 2_400, per_variant=True)),
            (Tag("torque_nm", 22, 27), Tag("press_in_kn", 31, 44))),
        Station("test", "0030", ("LEAK", "ELECTRICAL"),
            (),
            (Tag("leak_rate_ccm", 1, 19), Tag("pressure_mbar", 24_800, 25_200))),
        Station("pack", "0040", ("DAMAGED",),
            (Component("PK-TRAY-12", 83, "pcs", "SHIP", 8_000),),
            (Tag("robot_speed_pct", 880, 1_000),)),
    )),
    Cell("FG-CLEANER", ("750-CITRUS", "750-PINE", "750-PLAIN"), cycle=700, pallet=480, stations=(
        Station("fill", "0010", ("UNDERFILL", "OVERFILL", "DEFORMED"),
            (Component("SF-BULK", 752, "L", "COLD-1", 12_000, per_variant=True),
             Component("PK-BOTTLE-750", 1_000, "pcs", "HALLE-4", 6_000)),
            (Tag("flow_lpm", 640, 690), Tag("bulk_temp_c", 62, 81))),
        Station("cap", "0020", ("CAP_LOOSE", "LABEL_CREASED"),
            (Component("PK-CAP-28", 1_000, "pcs", "HALLE-4", 15_000),
             Component("PK-LABEL-750", 1_000, "pcs", "HALLE-4", 10_000, per_variant=True)),
            (Tag("torque_nm", 14, 19), Tag("glue_temp_c", 1_510, 1_580))),
    )),
    Cell("FG-SHAFT", ("20X180", "25X220"), cycle=2_600, pallet=60, stations=(
        Station("saw", "0010", ("LENGTH", "SKEW"),
            (Component("RM-BAR-42CRMO4", 228, "m", "RACK-1", 800, per_variant=True),),
            (Tag("blade_current_a", 118, 164),)),
        # One reason isn't ASCII, as in every real plant.
        Station("mill", "0020", ("CHATTER", "GRAT_ÜBERMASS", "TOOL_MARK"),
            (Component("RM-INSERT-CNMG", 12, "pcs", "TOOLS-2", 800),
             Component("RM-COOLANT", 4, "L", "TOOLS-2", 6_000)),
            (Tag("spindle_load_pct", 310, 780), Tag("coolant_bar", 190, 230))),
        Station("gauge", "0030", ("RUNOUT", "DIAMETER"),
            (Component("PK-OIL-PAPER", 150, "m", "SHIP", 3_000),),
            (Tag("diameter_um", 199_750, 200_200), Tag("runout_um", 1, 60))),
    )),
)  # fmt: skip

# Listed as often as they happen.
STOPS = (
    *(Stop("MATERIAL_JAM", 25, 240),) * 6,
    *(Stop("SENSOR_FAULT", 20, 180),) * 4,
    *(Stop("NO_MATERIAL", 90, 500),) * 3,
    *(Stop("CLEANING", 180, 480, planned=True),) * 2,
    Stop("TOOL_BREAKAGE", 640, 2_100),
    Stop("DRIVE_FAULT", 600, 3_000),
)
CHANGEOVER = Stop("CHANGEOVER", 90, 400, planned=True)
CHARACTERISTICS = ("dimension", "appearance", "weight", "torque", "tightness")
DISPOSITIONS = ("use", "use", "rework", "scrap", "return")
SEVERITIES = ("minor", "minor", "major", "critical")


class Order(msgspec.Struct):
    """A production order on a line; pieces taken in and made good are kept per station."""

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
        """The pieces that the station could take now: of the order, or good from the one before."""
        made = self.good[station - 1] if station else self.quantity
        return made - self.taken[station]

    def complete_before(self, station: int) -> bool:
        """Whether no more pieces will come to the station."""
        return not station or self.done[station - 1]


class Unit(msgspec.Struct):
    """A work unit at work; times are epoch milliseconds."""

    index: int
    station: Station
    name: str
    head: str  # of its events, from the type to the serial number
    lots: list[tuple[str, int]]  # per component: the lot in use, pieces left of it
    order: Order | None = None
    state: str = "Idle"
    stated: int = 0  # when that state was entered
    running: bool = False
    worked_until: int = 0
    booked_until: int = 0
    serial: int = 0
    episode: str = ""  # of the downtime whose end will be reported
    good_uncounted: int = 0
    scrap_uncounted: int = 0
    good_unconfirmed: int = 0
    scrap_unconfirmed: int = 0
    pieces_unreceived: int = 0


Posting = tuple[int, int, str, str, str]
"""What may be reversed: time, serial number, type, time as written, data as written."""

Action = Callable[["Line", Unit, int], None]


class Line(msgspec.Struct):
    """A line at work: what is due on it, and how its MES writes. Times are epoch milliseconds."""

    key: str
    number: str  # two digits of plant, two of line: no two lines share an order
    run: str  # in all that the line numbers: no two runs share an event or an order
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
    null_lot: str  # what it writes for a lot that isn't there
    zone: str
    hours_ahead: int  # of UTC, by that zone
    head: str  # of an MES event, from the type to the serial number
    tail: str  # of any event of the line, from the time to the data
    units: list[Unit] = []
    agenda: list[tuple[int, int, Action, Unit]] = []
    turn: int = 0  # breaks ties in the agenda: first planned, first done
    pauses: int = 0
    resumes: int = 0  # no shift is worked from `pauses` until then
    serial: int = 0
    orders: int = 0
    lots: int = 0
    episodes: int = 0
    inspections: int = 0
    holds: deque[str] = msgspec.field(default_factory=deque)
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
        # Not randrange: only random() is promised to give the same numbers in every Python.
        return low + int(self.rng.random() * (high - low))

    def choice(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.random() * len(choices))]

    def second(self, now: int) -> str:
        """The seconds of an instant, "12.345"; its minute is in `minute_utc` and `minute_mes`."""
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

    def pieces(self, number: int) -> str:
        return f"{self.quote}{number}{self.quote}"

    def quantity(self, thousandths: int) -> str:
        """A quantity as the MES of the line writes it: "12.500" or 12.5."""
        sign = "-" if thousandths < 0 else ""
        whole, part = divmod(abs(thousandths), 1000)
        if self.quote:
            return f'"{sign}{whole}.{part:03d}"'
        return f"{sign}{whole}.{part:03d}".rstrip("0").rstrip(".")

    def works(self, shift: int) -> bool:
        """Whether the line works a shift, counted from the early one of `MONDAY`."""
        if self.works_always:
            return True
        day, part = divmod(shift % SHIFTS_A_WEEK, 3)
        return day < 6 if self.works_nights else day < 5 and part < 2
