"""The state of one line on one partition."""

from typing import Final
from zoneinfo import ZoneInfo

from streams.contract.policy import MEASURES_MAX
from streams.contract.transactions import place
from streams.values import cycles, lookup, sums
from tables.line.episodes import Episode
from tables.line.rules import SHARED_PAGES, Kind, Rules
from tables.line.standstill import Standstill
from tables.line.windows import FOREVER, Carried, RowKey, next_boundary

LONG_AGO: Final = -(2**63)

STATE: Final = (
    "plant", "line", "key", "place", "watermark", "due", "windows", "accepted", "emitted",
    "episodes", "forgotten_open", "closed_to", "sweep_due", "oldest_bucket", "live", "pending",
    "accepted_events", "late_events", "duplicate_events", "refused_events", "corrections",
    "state", "next_page", "leaving", "changed_pages", "changed_episodes", "expiring",
)  # fmt: skip
"""The members of a line that tell one from another."""


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
        self.watermark = watermark
        self.due = next_boundary(watermark, rules)
        self.windows: tuple[Carried, ...] = tuple([{} for _ in rules.kinds])
        self.accepted = sums.Sums(len(rules.kinds) * MEASURES_MAX)
        self.emitted = sums.Sums(len(rules.kinds) * MEASURES_MAX)
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
        self.next_page = SHARED_PAGES
        """The page of the next row that gets one of its own."""
        self.leaving: tuple[tuple[int, int], list[RowKey]] = ((-1, 0), [])
        """(kind, carrier) of a window whose rows leave in several steps, and those left, last
        first."""
        self.changed_pages: dict[tuple[int, int, int], RowKey] = {}
        """(kind, carrier, page) of what differs from the store, and a row that is or was on it."""
        self.changed_episodes: set[str] = set()
        self.expiring: dict[int, list[bytes]] = {}
        """Keys of new ledger entries by bucket of time, until the store has a note of them."""

        # What follows is no state: it is kept beside it, so that it needn't be worked out again.
        self.plant_bytes = plant.encode()
        self.line_bytes = line.encode()
        self.place_bytes = self.place.encode()
        self.zone: ZoneInfo | None = rules.zones.get(plant)
        self.standstills: dict[str, Standstill] = {}
        """The episodes that last, by their work unit."""
        self.cells = lookup.Lookup()
        """Where events of one type and with the same row members go: see `tables.line.adding`."""
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


def sum_of(kind: Kind, slot: int) -> int:
    """Return where a measure of a record type is in `Line.accepted` and `Line.emitted`."""
    return kind.index * MEASURES_MAX + slot
