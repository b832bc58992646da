"""One row of a window: sums in billionths, and what caused them."""

from collections.abc import Sequence

from streams.contract.policy import MEASURES_MAX
from streams.values import cycles
from streams.values import wide as wide_


class Row:
    """One row of a window: sums in billionths, and what caused them.

    `count` is what the record calls `count` (a summary: reversals are -1) or `cause_count`; `page`
    which page of its window it is written in.
    """

    def __init__(
        self, measures: Sequence[int], count: int = 0, causes: list[str] | None = None
    ) -> None:
        if len(measures) > MEASURES_MAX:
            raise ValueError(f"a row has {len(measures)} measures: at most {MEASURES_MAX}")
        self.width = len(measures)
        self.sums = [0, 0, 0, 0]
        for slot in range(self.width):
            self.sums[slot] = wide_.wide_of(measures[slot])
        self.count = count
        self.causes = [] if causes is None else causes
        self.page = 0
        cycles.in_no_cycle(self)

    @property
    def measures(self) -> list[int]:
        """The sums, in billionths."""
        return [wide_.number_of(self.sums[slot]) for slot in range(self.width)]

    def add(self, slot: int, amount: int) -> None:
        """Add billionths to a sum."""
        if not 0 <= slot < self.width:
            raise IndexError(f"slot {slot} of {self.width}")
        self.sums[slot] += wide_.wide_of(amount)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Row):
            return NotImplemented
        return (
            self.measures == other.measures
            and self.count == other.count
            and self.causes == other.causes
        )

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Row({self.measures}, {self.count}, {self.causes})"


def empty_row(width: int) -> Row:
    """Return a row of so many measures, all zero."""
    row = Row.__new__(Row)
    row.width = width
    row.sums = [0, 0, 0, 0]
    row.count = 0
    row.causes = []
    row.page = 0
    cycles.in_no_cycle(row)
    return row
