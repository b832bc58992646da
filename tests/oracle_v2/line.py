"""What is kept of one line (section 3: "All state is kept per line")."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .reading import Event
from .rules import Calendar
from .tables import M
from .values import component

if TYPE_CHECKING:
    from .episodes import Episode
    from .partition import Task
    from .states import Timeline
    from .windows import Close, Rows


@dataclass
class Entry:
    """What the ledger keeps of an accepted event."""

    fingerprint: tuple[str, int, dict[str, Any]]
    counts_from: int
    """The event's `time`; once it is freed or taken out the watermark of that moment."""
    reversed: bool = False
    parked: bool = False
    sent_nothing: bool = False


@dataclass
class Final:
    """A final confirmation that waits, and the start of what carries it if it is late."""

    event: Event
    carrier_start: int | None


@dataclass(eq=False)
class Parked:
    """An event that a hold keeps from the ERP."""

    event: Event
    entry: Entry


Row = tuple[str, tuple[Any, ...], str]
"""(short, members, measure)"""


@dataclass
class Tally:
    """The two sides of law 1: what was accepted, and what left; taken apart from each other."""

    accepted: Counter[Row] = field(default_factory=Counter)
    emitted: Counter[Row] = field(default_factory=Counter)
    singles: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(short, "accepted" or "left" or "taken_out")"""

    def accept(
        self, short: str, members: tuple[Any, ...], measures: dict[str, int], sign: int
    ) -> None:
        for name, size in measures.items():
            self.accepted[short, members, name] += sign * size

    def emit(self, short: str, members: tuple[Any, ...], measures: dict[str, int]) -> None:
        for name, size in measures.items():
            self.emitted[short, members, name] += size


@dataclass
class Line:
    """One line on one partition of one topic."""

    plant: str
    line: str
    task: "Task"
    calendar: Calendar
    watermark: int | None = None
    furthest: int | None = None
    """ "the furthest that watermark - grace has ever been when the watermark rose" """
    shared_upto: int | None = None
    """The summary windows that end here or before have been given episodes and states."""
    ledger: dict[tuple[str, str], Entry] = field(default_factory=dict)
    open: dict["Close", "Rows"] = field(default_factory=dict)
    finals: dict["Close", list[Final]] = field(default_factory=dict)
    parked: list[Parked] = field(default_factory=list)
    """In the order in which they were accepted."""
    episodes: dict[str, "Episode"] = field(default_factory=dict)
    running: list["Episode"] = field(default_factory=list)
    """Those that have windows which haven't closed."""
    pending: list["Episode"] = field(default_factory=list)
    """Those that may have to be notified when the watermark rises."""
    forgotten_open: int = 0
    """The time counted for episodes that were forgotten without an end."""
    timelines: dict[str, "Timeline"] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    @property
    def place(self) -> str:
        return f"{component(self.plant)}/{component(self.line)}"

    @property
    def retention(self) -> int:
        """Section 3: of its topic."""
        mes = self.task.topic == M
        return self.task.settings.length(
            "retention_seconds_mes" if mes else "retention_seconds_machine"
        )

    def timing(self, name: str) -> int:
        """Section 12: of its plant; on E nothing is known, and the settings hold."""
        return self.task.timing(self.plant, name)

    def remembers(self, time: int) -> bool:
        """Is a time at or past watermark - retention?"""
        return self.watermark is None or time >= self.watermark - self.retention
