"""The state of one line on one partition."""

from typing import Final

from streams.contract.policy import MEASURES_MAX
from streams.contract.transactions import place
from streams.values import cycles, lookup, sums
from tables.known.known import Known
from tables.line.episodes import Episode
from tables.line.kept import Kept
from tables.line.lasting import Lasting, lasting_of
from tables.line.periods import Boundary, Period, Timings, base_period, base_timings, periods_of
from tables.line.rules import SHARED_PAGES, Kind, Rules
from tables.line.standstill import Standstill
from tables.line.timeline import Timelines
from tables.line.windows import FOREVER, LONG_AGO, Carried, RowKey

STATE: Final = (
    "plant", "line", "key", "place", "watermark", "furthest", "freed_from", "freed_at",
    "windows", "finals", "accepted",
    "emitted", "singles", "units",
    "episodes", "forgotten_open", "closed_to", "sweep_due", "oldest_bucket", "live", "pending",
    "accepted_events", "late_events", "duplicate_events", "refused_events", "corrections",
    "state", "timelines", "next_page", "leaving", "changed_pages", "changed_episodes", "expiring",
)  # fmt: skip
"""The members of a line that tell one from another."""

SIDES: Final = 4
"""Of the conservation law of what leaves singly that a line counts: see `tables.line.singles`."""


class Unit:
    """The sums of a line's rows in one unit of measure: see `tables.line.units`.

    Those of a record type begin at `Kind.first_unit_sum`.
    """

    def __init__(self, count: int) -> None:
        self.accepted = sums.Sums(count)
        self.emitted = sums.Sums(count)
        self.parked = sums.Sums(count)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Unit):
            return NotImplemented
        return (
            self.accepted == other.accepted
            and self.emitted == other.emitted
            and self.parked == other.parked
        )

    __hash__ = None  # type: ignore[assignment]  # it changes


class Line:
    """What a partition knows of one line; `place` is `plant/line` as posting keys spell it.

    `accepted` and `emitted` are the two sides of the conservation law, in billionths; `sum_of`
    says where that of a measure is. `changed_*` name what differs from the store.
    """

    def __init__(self, plant: str, line: str, watermark: int, rules: Rules) -> None:
        self.plant = plant
        self.line = line
        self.key = f"{plant}/{line}".encode()
        self.place = place(plant, line)
        self.timings: Timings = base_timings(rules)
        """What the settings say, or the `timing` of its plant."""
        self.known: Known | None = None
        """What is known on its partition; None: nothing."""
        self.watermark = watermark
        self.furthest = watermark - self.timings.grace
        """How far watermark - grace has ever been: windows that end here or before have closed."""
        self.reach = LONG_AGO
        """The ledger reaches back so far only, as the line was written with a shorter retention."""
        self.freed_from = FOREVER
        self.freed_at = LONG_AGO
        """The earliest time of events that holds kept and that went on, or were taken out; and the
        watermark when the last one was."""
        self.due = FOREVER
        """The watermark at which something leaves."""
        self.windows: tuple[Carried, ...] = tuple([{} for _ in rules.kinds])
        self.accepted = sums.Sums(len(rules.kinds) * MEASURES_MAX)
        self.emitted = sums.Sums(len(rules.kinds) * MEASURES_MAX)
        self.singles = sums.Sums(SIDES * sum(kind.erp for kind in rules.kinds))
        """What leaves singly, `SIDES` counts of each record type for the ERP by its index."""
        self.finals: dict[int, dict[str, Kept]] = {}
        """Final confirmations that wait, by the end of the window they wait for, and by key."""
        self.parked: dict[int, int] = {}
        """What is parked, in billionths, by where a sum is: see `sum_of`."""
        self.units: dict[str, Unit] = {}
        """What of all that is in which unit of measure."""
        self.boundaries: list[Boundary] = []
        """From which instants on other rules of the plant hold; see `set_boundaries`."""
        self.episodes: dict[str, Episode] = {}
        self.forgotten_open = 0
        """Downtime that was counted for episodes which were forgotten without an end."""
        self.closed_to = LONG_AGO
        """Downtime of windows up to here is counted, though the watermark may be lower."""
        self.sweep_due = 0
        """The watermark at which expired ledger entries and episodes go next."""
        self.oldest_bucket = FOREVER
        """No ledger entry of the line is older than this; FOREVER where it has none."""
        self.live: set[str] = set()
        """Episodes that still add to windows that aren't closed."""
        self.pending: set[str] = set()
        """Unplanned episodes without an end that haven't been notified."""
        self.accepted_events = 0
        self.late_events = 0
        self.duplicate_events = 0
        self.refused_events = 0
        self.corrections = 0
        """Records for windows that had left. This and the two before count since the state was
        opened: they are for people to look at, and aren't stored."""
        self.state = ""
        """The last machine state heard, for people to look at; no total depends on it."""
        self.timelines: Timelines | None = None
        """The machine states of its work units; None: none is known."""
        self.next_page = SHARED_PAGES
        """The page of the next row that gets one of its own."""
        self.leaving: tuple[tuple[int, int], list[RowKey]] = ((-1, 0), [])
        """(kind, carrier) of a window whose rows leave in several steps, and those left, last
        first."""
        self.changed_pages: dict[tuple[int, int, int], RowKey] = {}
        """(kind, carrier, page) of what differs from the store, and a row that is or was on it."""
        self.changed_episodes: set[str] = set()
        self.changed_finals: set[tuple[int, str]] = set()
        self.expiring: dict[int, list[bytes]] = {}
        """Keys of new ledger entries by bucket of time, until the store has a note of them."""

        # What follows is no state: it is kept beside it, so that it needn't be worked out again.
        self.plant_bytes = plant.encode()
        self.line_bytes = line.encode()
        self.place_bytes = self.place.encode()
        self.rules = rules
        self.lasting: Lasting = lasting_of(rules)
        self.periods: list[Period] = [base_period(rules, plant)]
        self.period: Period = self.periods[0]
        """The one that was used last."""
        self.standstills: dict[str, Standstill] = {}
        """The episodes that last, by their work unit."""
        self.cells = lookup.Lookup()
        """Where events of one type and with the same row members go: see `tables.line.adding`."""
        self.old_layout = False
        """The store has its windows as formats before 4 had them: by their starts."""
        self.batch = 0
        """The number of the batch that has touched the line last."""
        self.bucket = 0
        self.bucket_keys: list[bytes] | None = None
        """The bucket of time that was used last, and its keys in `expiring`; None: look there."""
        cycles.in_no_cycle(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Line):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in STATE)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Line({', '.join([f'{name}={getattr(self, name)!r}' for name in STATE])})"


def set_boundaries(line: Line, boundaries: list[Boundary]) -> None:
    """Let rules of the plant hold on a line from these instants on."""
    line.boundaries = boundaries
    line.periods = periods_of(line.rules, line.plant, boundaries)
    line.period = line.periods[0]


def counted_to(line: Line) -> int:
    """Return the end of the last window that has been given its episodes and machine states."""
    closed = line.furthest - line.furthest % line.lasting.length
    return max(line.closed_to, closed)


def fall_due(line: Line, at: int) -> None:
    """Note that something leaves when the watermark reaches an instant."""
    if at < line.due:
        line.due = at


def sum_of(kind: Kind, slot: int) -> int:
    """Return where a measure of a record type is in `Line.accepted` and `Line.emitted`."""
    return kind.index * MEASURES_MAX + slot
