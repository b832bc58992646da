"""The conservation law of a line, exactly.

Of rows: accepted = emitted + open + parked. Of what leaves singly: accepted = left + waiting +
parked + taken out.
"""

from msgspec import Struct

from tables.line import states
from tables.line.line import SIDES, Line, Unit, sum_of
from tables.line.rules import Kind, Rules
from tables.line.singles import ACCEPTED, LEFT, PARKED, TAKEN_OUT

Measured = tuple[str, str, str]
"""(record type, measure, unit of measure)"""


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
    """Return the balance of each (record type, measure) of a line, over all units.

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


def balances_by_unit(line: Line, rules: Rules) -> dict[Measured, Balance]:
    """Return the balance of each (record type, measure, unit) of a line.

    The unit is "" of types whose rows name none, and of what isn't told apart by unit: see
    `tables.line.units`. What there is nothing of is left out.
    """
    found: dict[Measured, Balance] = {}
    totals = balances(line, rules)
    for kind, carried in zip(rules.kinds, line.windows, strict=True):
        if kind.uom < 0 or not line.units:
            continue
        of_kind = [(uom, _of_unit(kind, unit)) for uom, unit in line.units.items()]
        by_unit = dict(of_kind)
        for rows in carried.values():
            for (_, members), row in rows.items():
                for each, amount in zip(
                    by_unit.get(str(members[kind.uom]), ()), row.measures, strict=False
                ):
                    each.open += amount
        for uom, each_measure in of_kind:
            for measure, balance in zip(kind.measures, each_measure, strict=True):
                totals[kind.record, measure].add(balance, -1)
                found[kind.record, measure, uom] = balance
    found |= {(*name, ""): balance for name, balance in totals.items()}
    return {name: balance for name, balance in found.items() if balance != Balance()}


def _of_unit(kind: Kind, unit: Unit) -> list[Balance]:
    """Return what a unit has of each measure of a record type, but for open rows."""
    first = kind.first_unit_sum
    return [
        Balance(
            accepted=unit.accepted[place], emitted=unit.emitted[place], parked=unit.parked[place]
        )
        for place in range(first, first + len(kind.measures))
    ]


def open_windows(line: Line) -> int:
    """Return how many windows of a line hold rows that haven't left."""
    return sum(len(carried) for carried in line.windows)


class Single(Struct):
    """How many events leave singly as one record type, and what has become of them."""

    accepted: int = 0
    left: int = 0
    waiting: int = 0
    parked: int = 0
    taken_out: int = 0

    def add(self, other: "Single", sign: int = 1) -> None:
        """Add another, or take it away."""
        self.accepted += sign * other.accepted
        self.left += sign * other.left
        self.waiting += sign * other.waiting
        self.parked += sign * other.parked
        self.taken_out += sign * other.taken_out

    @property
    def error(self) -> int:
        """How many are missing on the right side: 0, or there is a bug."""
        return self.accepted - self.left - self.waiting - self.parked - self.taken_out


def singles(line: Line, rules: Rules) -> dict[str, Single]:
    """Return what leaves a line singly, by record type; those of which there is something.

    `waiting` is counted among the final confirmations that wait, the others as they happen.
    """
    found = {}
    waiting = [key.split(":", 1)[0] for each in line.finals.values() for key in each]
    for kind in rules.kinds:
        if not kind.erp:
            continue
        told = [line.singles[SIDES * kind.index + side] for side in range(SIDES)]
        one = Single(
            accepted=told[ACCEPTED],
            left=told[LEFT],
            waiting=waiting.count(kind.short),
            parked=told[PARKED],
            taken_out=told[TAKEN_OUT],
        )
        if one != Single():
            found[kind.record] = one
    return found


def waiting_finals(line: Line) -> int:
    """Return how many final confirmations of a line wait."""
    return sum(len(waiting) for waiting in line.finals.values())
