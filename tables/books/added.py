"""What a batch adds to the sums of the books, before it is written."""

from typing import Any, Final

from msgspec import Struct, field

from streams.values import instant
from tables.books.rows_event import MEASURED

QUARTER: Final = 900 * instant.SECOND
"""A quarter of an hour: every time zone and every shift begins with one."""


def quarter_of(at: int | None) -> int:
    """Return the start of the quarter of an hour of an instant, 0 where there's none."""
    return 0 if at is None else at - at % QUARTER


class Stop(Struct):
    """What a batch tells of an episode; `told`: a classification, which replaces what was."""

    work_unit: str | None = None
    reason: str | None = None
    planned: bool | None = None
    told: bool = False
    started_at: int | None = None
    ended_at: int | None = None


class Added(Struct):
    """Sums by the keys of their tables; amounts in billionths, as Python's integers."""

    flows: dict[tuple[int, str, str, str, str, str], list[int]] = field(default_factory=dict)
    """(records, lag, greatest lag)"""
    accepted: dict[tuple[str, str, int, str, str, str], list[int]] = field(default_factory=dict)
    """(records, billionths)"""
    posted: dict[tuple[str, str, str, str, str, str], list[int]] = field(default_factory=dict)
    """(records, billionths)"""
    sums: dict[tuple[str, str, str, int, str, str], list[Any]] = field(default_factory=dict)
    """(billionths, the members of the row)"""
    lines: dict[tuple[str, str], list[int | None]] = field(default_factory=dict)
    """(MES, machine, arrival, closed to): the greatest of each"""
    units: dict[tuple[str, str, str], list[tuple[Any, ...]]] = field(default_factory=dict)
    """Machine states in the order of the log: (state, since, reason, order, item)."""
    stops: dict[tuple[str, str, str], Stop] = field(default_factory=dict)

    def flow(
        self, at: int | None, where: tuple[str, str, str, str], outcome: str, lag: int
    ) -> None:
        """Count a record that came in; `where`: topic, plant, line and source."""
        key = quarter_of(at), *where, outcome
        found = self.flows.get(key)
        if found is None:
            self.flows[key] = [1, lag, lag]
            return
        found[0] += 1
        found[1] += lag
        if lag > found[2]:
            found[2] = lag

    def event(self, kind: str, place: tuple[str, str], data: Any, at: int, sign: int = 1) -> None:
        """Add an accepted event's data, or with -1 take it back; one without measures is counted.

        `place`: plant and line; `at`: when it counts.
        """
        (measures, has_uom), (plant, line) = MEASURED[data.__class__], place
        quarter = at - at % QUARTER
        uom = (data.uom or "") if has_uom else ""
        for measure in measures or ("",):
            amount = sign * (getattr(data, measure) or 0) if measure else 0
            key = plant, line, quarter, kind, measure, uom
            found = self.accepted.get(key)
            if found is None:
                self.accepted[key] = [sign, amount]
            else:
                found[0] += sign
                found[1] += amount

    def line(self, plant: str, line: str, place: int, at: int | None) -> None:
        """Note an instant of a line, by its place in `lines`."""
        if at is None:
            return
        found = self.lines.setdefault((plant, line), [None, None, None, None])
        before = found[place]
        if before is None or at > before:
            found[place] = at

    def post(self, key: tuple[str, str, str, str, str, str], sign: int, amount: int) -> None:
        """Add a transaction, or take back one."""
        found = self.posted.get(key)
        if found is None:
            self.posted[key] = [sign, amount]
        else:
            found[0] += sign
            found[1] += amount

    def sum(
        self, key: tuple[str, str, str, int, str, str], row: tuple[Any, ...], amount: int
    ) -> None:
        """Add a summary's measure."""
        found = self.sums.get(key)
        if found is None:
            self.sums[key] = [amount, row]
        else:
            found[0] += amount
