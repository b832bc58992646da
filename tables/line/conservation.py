"""The conservation law of a line: accepted = emitted + open + parked, exactly."""

from msgspec import Struct

from tables.line import states
from tables.line.line import Line, sum_of
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
    sums that are kept apart. What episodes add to rows is accepted when they add it.
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
    if rules.states is not None:
        learnt_late = states.untold(line, rules)
        seconds = found[rules.states.record, "seconds"]
        seconds.accepted += learnt_late
        seconds.open += learnt_late
    return found


def open_windows(line: Line) -> int:
    """Return how many windows of a line hold rows that haven't left."""
    return sum(len(carried) for carried in line.windows)
