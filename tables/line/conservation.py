"""The conservation law of a line: accepted = emitted + open + parked, exactly."""

from msgspec import Struct

from streams.values import quantity
from tables.line import episodes, states
from tables.line.downtime import BILLIONTHS_PER_MICRO
from tables.line.line import Line, counted_to, sum_of
from tables.line.rules import Rules


class Balance(Struct):
    """One measure of one windowed record type, in billionths."""

    accepted: int = 0
    emitted: int = 0
    open: int = 0
    parked: int = 0

    def add(self, other: "Balance", sign: int = 1) -> None:
        """Add another balance, or take it away."""
        self.accepted += sign * other.accepted
        self.emitted += sign * other.emitted
        self.open += sign * other.open
        self.parked += sign * other.parked

    @property
    def error(self) -> int:
        """What is missing on the right side: 0, or there is a bug."""
        return self.accepted - self.emitted - self.open - self.parked


def balances(line: Line, rules: Rules) -> dict[tuple[str, str], Balance]:
    """Return the balance of each (record type, measure) of a line.

    `accepted` comes from the events, `emitted` from the records, `open` from the windows: three
    sums that are kept apart. Downtime is accepted by the length of its episodes.
    """
    found = {}
    for kind, carried in zip(rules.kinds, line.windows, strict=True):
        for slot, measure in enumerate(kind.measures):
            found[kind.record, measure] = Balance(
                accepted=line.accepted[sum_of(kind, slot)],
                emitted=line.emitted[sum_of(kind, slot)],
                parked=line.parked.get(sum_of(kind, slot), 0),
                open=sum(row.measures[slot] for rows in carried.values() for row in rows.values()),
            )
    _add_downtime(found, line, rules)
    learnt_late = states.untold(line, rules)
    seconds = found[rules.states.record, "seconds"]
    seconds.accepted += learnt_late
    seconds.open += learnt_late
    return found


def open_windows(line: Line) -> int:
    """Return how many windows of a line hold rows that haven't left."""
    return sum(len(carried) for carried in line.windows)


def _add_downtime(found: dict[tuple[str, str], Balance], line: Line, rules: Rules) -> None:
    kind, limit = rules.downtime, rules.episode_limit
    closed = counted_to(line, kind)
    accepted = line.forgotten_micros
    to_come = starts_to_come = 0
    for episode in line.episodes.values():
        if episode.start is None:
            continue
        until = episodes.counted_until(episode, limit)
        if episode.end is None:  # no more is known of it than that it lasted to the last close
            until = max(episode.start, min(until, closed))
        accepted += until - episode.start
        to_come += max(0, until - max(episode.start, closed))
        starts_to_come += episode.start >= closed
    seconds = found[kind.record, "seconds"]
    seconds.accepted += accepted * BILLIONTHS_PER_MICRO
    seconds.open += to_come * BILLIONTHS_PER_MICRO
    found[kind.record, "stops"].open += starts_to_come * quantity.SCALE
