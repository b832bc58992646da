"""What a run amounts to: counts, what is still open, and the conservation check."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct, field

from streams import instant, quantity
from streams.topics import OUTPUTS
from tables import conservation, episodes
from tables.conservation import Balance
from tables.partition import Partition

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
    codes, left = Counter[str](), Counter[str]()
    for partition in partitions:
        codes.update(partition.counts.codes)
        left.update(partition.counts.left)
    summaries = {kind: count for kind, count in sorted(left.items()) if kind in OUTPUTS}
    lines = [line for partition in partitions for line in partition.lines.values()]
    listed = [entry for partition in partitions for entry in _odd_episodes(partition)]
    return Report(
        counts={
            name: sum(getattr(partition.counts, name) for partition in partitions)
            for name in ("accepted", "duplicate", "exception", "tick")
        },
        exceptions=dict(sorted(codes.items())),
        transactions={kind: count for kind, count in sorted(left.items()) if kind not in summaries},
        summaries=summaries,
        late=sum(line.late_events for line in lines)
        + sum(partition.cold.late_events for partition in partitions),
        passed_over=passed_over,
        lines=len({line.key for line in lines})
        + sum(partition.cold.count for partition in partitions),
        open_windows=sum(conservation.open_windows(line) for line in lines)
        + sum(partition.cold.open_windows for partition in partitions),
        waiting_ends=sum(entry["problem"] == WAITING for entry in listed),
        overlong_episodes=sum(entry["problem"] == OVERLONG for entry in listed),
        episodes=listed[:LISTED_EPISODES_MAX],
        conservation=conservation_check(partitions),
    )


def conservation_check(partitions: Iterable[Partition]) -> dict[str, Any]:
    """Return accepted, emitted, open, parked and error by record type and measure.

    `error` is the sum over lines of the size of each error, so that two can't cancel out.
    """
    sums: dict[tuple[str, str], Balance] = {}
    errors: Counter[tuple[str, str]] = Counter()
    for partition in partitions:
        for line in partition.lines.values():
            for name, balance in conservation.balances(line, partition.rules).items():
                sums.setdefault(name, Balance()).add(balance)
                errors[name] += abs(balance.error)
        for name, balance in partition.cold.balances.items():
            sums.setdefault(name, Balance()).add(balance)
        errors.update(partition.cold.errors)
    return {
        "error": quantity.text(errors.total()),
        "rows": [
            {
                "type": kind,
                "measure": measure,
                "accepted": quantity.text(balance.accepted),
                "emitted": quantity.text(balance.emitted),
                "open": quantity.text(balance.open),
                "parked": quantity.text(balance.parked),
                "error": quantity.text(errors[kind, measure]),
            }
            for (kind, measure), balance in sorted(sums.items())
            if balance != Balance()
        ],
    }


WAITING: Final = "its end waits for a start"
OVERLONG: Final = "open for longer than the limit"


def _odd_episodes(partition: Partition) -> Iterable[dict[str, str]]:
    limit = partition.rules.episode_limit
    for line in partition.lines.values():
        for name, episode in line.episodes.items():
            overlong = (
                episode.start is not None
                and episode.end is None
                and line.watermark - episode.start > limit
            )
            if episode.start is not None and not overlong:
                continue
            known = episodes.last_known(episode, 0)
            yield {
                "plant": line.plant,
                "line": line.line,
                "episode": name,
                "work_unit": episode.work_unit,
                "problem": OVERLONG if overlong else WAITING,
                "time": instant.text(known),
            }
