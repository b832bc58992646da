"""What a run amounts to: counts, what is still open, and the conservation check."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import asdict

from streams.contract.reference import TYPES as REFERENCE_TYPES
from streams.contract.topics import OUTPUTS
from streams.values import instant, quantity
from tables.known.known import Known
from tables.line import conservation, episodes, memory
from tables.line.conservation import Balance, Measured, Single
from tables.line.line import Line
from tables.line.rules import Rules
from tables.partition.cold import Cold
from tables.partition.partition import Partition

LISTED_EPISODES_MAX: Final = 100
"""So many episodes are named; all are counted."""

LISTED_HOLDS_MAX: Final = 100
"""So many holds are named; all are counted."""


class Report(Struct, kw_only=True):
    """What became of a log, over all its partitions; measures as decimal strings."""

    counts: dict[str, int]
    exceptions: dict[str, int]
    transactions: dict[str, int]
    summaries: dict[str, int]
    late: int
    passed_over: int = 0
    lines: int = 0
    open_windows: int = 0
    waiting_finals: int = 0
    parked: int = 0
    parked_since: str | None = None
    """The earliest time of the parked events."""
    waiting_ends: int = 0
    overlong_episodes: int = 0
    forgotten_open_seconds: str = "0"
    episodes: list[dict[str, str]] = field(default_factory=list)
    idle_holds: int = 0
    releases_without_hold: int = 0
    holds: list[dict[str, str]] = field(default_factory=list)
    conservation: dict[str, Any] = field(default_factory=dict)


def report(partitions: Iterable[Partition], passed_over: int = 0) -> Report:
    """Return the report on these partitions and on what has left them."""
    partitions = list(partitions)
    codes, transactions, summaries = left_of(partitions)
    totals = Totals()
    for partition in partitions:
        for line in partition.lines.values():
            totals.add(line, partition.rules)
        totals.add_partition(partition)
    return Report(
        counts=counts_of(partitions),
        exceptions=codes,
        transactions=transactions,
        summaries=summaries,
        passed_over=passed_over,
        lines=len({key for partition in partitions for key in partition.lines})
        + sum(partition.cold.count for partition in partitions),
        **totals.as_dict(),
    )


def counts_of(partitions: Iterable[Partition]) -> dict[str, int]:
    """Return what became of the records of partitions."""
    names = ("accepted", "duplicate", "exception", "tick")
    counts = [partition.counts for partition in partitions]
    return {name: sum(getattr(one, name) for one in counts) for name in names}


def left_of(
    partitions: Iterable[Partition],
) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Return what has left partitions: exceptions by code, transactions and summaries by type."""
    codes, left = Counter[str](), Counter[str]()
    for partition in partitions:
        codes.update(partition.counts.codes)
        left.update(partition.counts.left)
    kinds = sorted(left.items())
    transactions = {  # holds go to `reference.v1`, and are no transactions
        kind: count for kind, count in kinds if kind not in OUTPUTS and kind not in REFERENCE_TYPES
    }
    summaries = {kind: count for kind, count in kinds if kind in OUTPUTS}
    return dict(sorted(codes.items())), transactions, summaries


class Totals:
    """Adds up lines, each as it is at one moment."""

    def __init__(self) -> None:
        self._late = self._open_windows = self._waiting = self._overlong = 0
        self._waiting_finals = self._parked = self._forgotten_open = 0
        self._since: list[int] = []
        self._episodes: list[dict[str, str]] = []
        self._holds = Holds()
        self._sums = Sums()

    def add(self, line: Line, rules: Rules) -> None:
        """Add a line."""
        self._late += line.late_events
        self._open_windows += conservation.open_windows(line)
        self._waiting_finals += conservation.waiting_finals(line)
        self._forgotten_open += memory.forgotten_open(line, rules)
        self._sums.add(line, rules)
        for name, problem in _odd_episodes(line, rules):
            self._waiting += problem == WAITING
            self._overlong += problem == OVERLONG
            if len(self._episodes) < LISTED_EPISODES_MAX:
                self._episodes.append(_listed(line, name, problem))

    def add_partition(self, partition: Partition, closed: bool = False) -> None:
        """Add what a partition has beside the lines in memory.

        Of the lines that are in its store only the episodes aren't listed. Of one that is `closed`
        nothing is added that its store would have to be read for.
        """
        cold = partition.cold
        self._late += cold.late_events
        self._open_windows += cold.open_windows
        self._waiting_finals += cold.waiting_finals
        self._forgotten_open += cold.forgotten_open
        self._sums.add_cold(cold)
        self._parked += partition.parking.count
        if closed:
            return
        since = partition.parking.since()
        if since is not None:
            self._since.append(since)
        self._holds.add(partition.known)

    def as_dict(self) -> dict[str, Any]:
        """Return the sums, by their names in a report."""
        return {
            "late": self._late,
            "open_windows": self._open_windows,
            "waiting_finals": self._waiting_finals,
            "parked": self._parked,
            "parked_since": instant.text(min(self._since)) if self._since else None,
            "waiting_ends": self._waiting,
            "overlong_episodes": self._overlong,
            "forgotten_open_seconds": quantity.text(
                self._forgotten_open * (quantity.SCALE // instant.SECOND)
            ),
            "episodes": self._episodes,
            **self._holds.as_dict(),
            "conservation": self._sums.as_dict(),
        }


IDLE: Final = "has touched nothing"
UNPLACED: Final = "released, but its placing isn't known"


class Holds:
    """Holds that have touched nothing on any of the partitions, and releases without a hold."""

    def __init__(self) -> None:
        self._idle: set[tuple[str, str]] = set()
        self._unplaced: set[tuple[str, str]] = set()
        self._others: list[Known] = []

    def add(self, known: Known) -> None:
        """Add what is known on a partition: a hold that is known on several may touch on one."""
        self._others.append(known)
        for plant, own in known.plants.items():
            self._idle.update((plant, name) for name in own.idle)
            self._unplaced.update((plant, name) for name in own.unplaced)

    def as_dict(self) -> dict[str, Any]:
        """Return how many there are, and a list of the first."""
        idle = sorted(each for each in self._idle if not self._any(each, touched=True))
        unplaced = sorted(each for each in self._unplaced if not self._any(each, touched=False))
        named = [(*each, UNPLACED) for each in unplaced] + [(*each, IDLE) for each in idle]
        return {
            "idle_holds": len(idle),
            "releases_without_hold": len(unplaced),
            "holds": [
                {"plant": plant, "hold": hold, "problem": problem}
                for plant, hold, problem in named[:LISTED_HOLDS_MAX]
            ],
        }

    def _any(self, each: tuple[str, str], touched: bool) -> bool:
        """Return whether a hold is known on any partition, or has touched something there."""
        facts = [known.fact("hold", each[0], (each[1],)) for known in self._others]
        return any(fact.touched if touched else fact.data is not None for fact in facts)


def conservation_check(partitions: Iterable[Partition]) -> dict[str, Any]:
    """Return accepted, emitted, open, parked and error by record type, measure and unit."""
    sums = Sums()
    for partition in partitions:
        for line in partition.lines.values():
            sums.add(line, partition.rules)
        sums.add_cold(partition.cold)
    return sums.as_dict()


class Sums:
    """Adds up the balances of lines.

    `error` is the sum over lines of the size of each error, so that two can't cancel out. An event
    too many or too few among what leaves singly counts as 1.
    """

    def __init__(self) -> None:
        self._sums: dict[Measured, Balance] = {}
        self._errors: Counter[Measured] = Counter()
        self._singles: dict[str, Single] = {}
        self._single_errors: Counter[str] = Counter()

    def add(self, line: Line, rules: Rules) -> None:
        """Add a line."""
        for name, balance in conservation.balances_by_unit(line, rules).items():
            self._sums.setdefault(name, Balance()).add(balance)
            self._errors[name] += abs(balance.error)
        for record, single in conservation.singles(line, rules).items():
            self._singles.setdefault(record, Single()).add(single)
            self._single_errors[record] += abs(single.error)

    def add_cold(self, cold: Cold) -> None:
        """Add the lines of a partition that are in its store only."""
        for name, balance in cold.balances.items():
            self._sums.setdefault(name, Balance()).add(balance)
        self._errors.update(cold.errors)
        for record, single in cold.singles.items():
            self._singles.setdefault(record, Single()).add(single)
        self._single_errors.update(cold.single_errors)

    def as_dict(self) -> dict[str, Any]:
        """Return sums in decimals by record type, measure and unit; and counts of singles."""
        error = self._errors.total() + self._single_errors.total() * quantity.SCALE
        return {
            "error": quantity.text(error),
            "rows": [
                {
                    "type": kind,
                    "measure": measure,
                    **({"uom": uom} if uom else {}),
                    "accepted": quantity.text(balance.accepted),
                    "emitted": quantity.text(balance.emitted),
                    "open": quantity.text(balance.open),
                    "parked": quantity.text(balance.parked),
                    "error": quantity.text(self._errors[kind, measure, uom]),
                }
                for (kind, measure, uom), balance in sorted(self._sums.items())
                if balance != Balance()
            ],
            "singles": [
                {"type": record, **asdict(single), "error": self._single_errors[record]}
                for record, single in sorted(self._singles.items())
                if single != Single()
            ],
        }


WAITING: Final = "its end waits for a start"
OVERLONG: Final = "open for longer than the limit"


def _odd_episodes(line: Line, rules: Rules) -> Iterator[tuple[str, str]]:
    for name in memory.waiting_ends(line, rules):
        yield name, WAITING
    for name in memory.overlong(line, rules):
        yield name, OVERLONG


def _listed(line: Line, name: str, problem: str) -> dict[str, str]:
    episode = line.episodes[name]
    return {
        "plant": line.plant,
        "line": line.line,
        "episode": name,
        "work_unit": episode.work_unit,
        "problem": problem,
        "time": instant.text(episodes.last_known(episode, 0)),
    }
