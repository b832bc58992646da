"""What a run amounts to: counts, what is still open, and the conservation check."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Struct, field

from streams.contract.topics import OUTPUTS
from streams.values import instant, quantity
from tables.line import conservation, episodes, memory
from tables.line.conservation import Balance
from tables.line.line import Line
from tables.line.rules import Rules
from tables.partition.cold import Cold
from tables.partition.partition import Partition

LISTED_EPISODES_MAX: Final = 100
"""So many episodes are named; all are counted."""


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
    waiting_ends: int = 0
    overlong_episodes: int = 0
    episodes: list[dict[str, str]] = field(default_factory=list)
    conservation: dict[str, Any] = field(default_factory=dict)


def report(partitions: Iterable[Partition], passed_over: int = 0) -> Report:
    """Return the report on these partitions and on what has left them."""
    partitions = list(partitions)
    codes, transactions, summaries = left_of(partitions)
    totals = Totals()
    for partition in partitions:
        for line in partition.lines.values():
            totals.add(line, partition.rules)
        totals.add_cold(partition.cold)
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
    transactions = {kind: count for kind, count in kinds if kind not in OUTPUTS}
    summaries = {kind: count for kind, count in kinds if kind in OUTPUTS}
    return dict(sorted(codes.items())), transactions, summaries


class Totals:
    """Adds up lines, each as it is at one moment."""

    def __init__(self) -> None:
        self._late = self._open_windows = self._waiting = self._overlong = 0
        self._episodes: list[dict[str, str]] = []
        self._sums = Sums()

    def add(self, line: Line, rules: Rules) -> None:
        """Add a line."""
        self._late += line.late_events
        self._open_windows += conservation.open_windows(line)
        self._sums.add(line, rules)
        for name, problem in _odd_episodes(line, rules):
            self._waiting += problem == WAITING
            self._overlong += problem == OVERLONG
            if len(self._episodes) < LISTED_EPISODES_MAX:
                self._episodes.append(_listed(line, name, problem))

    def add_cold(self, cold: Cold) -> None:
        """Add the lines of a partition that are in its store only; their episodes aren't listed."""
        self._late += cold.late_events
        self._open_windows += cold.open_windows
        self._sums.add_cold(cold)

    def as_dict(self) -> dict[str, Any]:
        """Return the sums, by their names in a report."""
        return {
            "late": self._late,
            "open_windows": self._open_windows,
            "waiting_ends": self._waiting,
            "overlong_episodes": self._overlong,
            "episodes": self._episodes,
            "conservation": self._sums.as_dict(),
        }


def conservation_check(partitions: Iterable[Partition]) -> dict[str, Any]:
    """Return accepted, emitted, open, parked and error by record type and measure."""
    sums = Sums()
    for partition in partitions:
        for line in partition.lines.values():
            sums.add(line, partition.rules)
        sums.add_cold(partition.cold)
    return sums.as_dict()


class Sums:
    """Adds up the balances of lines.

    `error` is the sum over lines of the size of each error, so that two can't cancel out.
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], Balance] = {}
        self._errors: Counter[tuple[str, str]] = Counter()

    def add(self, line: Line, rules: Rules) -> None:
        """Add a line."""
        for name, balance in conservation.balances(line, rules).items():
            self._sums.setdefault(name, Balance()).add(balance)
            self._errors[name] += abs(balance.error)

    def add_cold(self, cold: Cold) -> None:
        """Add the lines of a partition that are in its store only."""
        for name, balance in cold.balances.items():
            self._sums.setdefault(name, Balance()).add(balance)
        self._errors.update(cold.errors)

    def as_dict(self) -> dict[str, Any]:
        """Return the sums as decimal strings, by record type and measure."""
        return {
            "error": quantity.text(self._errors.total()),
            "rows": [
                {
                    "type": kind,
                    "measure": measure,
                    "accepted": quantity.text(balance.accepted),
                    "emitted": quantity.text(balance.emitted),
                    "open": quantity.text(balance.open),
                    "parked": quantity.text(balance.parked),
                    "error": quantity.text(self._errors[kind, measure]),
                }
                for (kind, measure), balance in sorted(self._sums.items())
                if balance != Balance()
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
