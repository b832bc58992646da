"""Orders: what lies between two operations, how much is done, how old what is open is.

Operations follow each other in the order of their names, as ERPs number them: 0010, 0020.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from msgspec import Struct, field

from streams.values.instant import DAY

OPEN: Final = ("released", "held")
FINISHED: Final = ("completed", "closed")

AGES: Final[Mapping[str, int | None]] = {
    "1d": DAY,
    "3d": 3 * DAY,
    "7d": 7 * DAY,
    "30d": 30 * DAY,
    "older": None,
}


class Work(Struct):
    """What was made by one operation of an order on one line, of one unit of measure."""

    operation: str
    line: str
    uom: str | None
    good: int = 0
    """Billionths."""
    scrap: int = 0
    first: int | None = None
    """Quarters of an hour in which something was first and last reported."""
    last: int | None = None


class Order(Struct):
    """An order, as far as it is known: from the ERP, from work on it, or from both."""

    plant: str
    name: str
    status: str | None = None
    """None: the ERP hasn't said anything of it."""
    quantity: int | None = None
    uom: str | None = None
    item: str | None = None
    said_at: int | None = None
    work: list[Work] = field(default_factory=list)
    started: dict[str, str] = field(default_factory=dict)
    """The line on which an operation was started last, by operation."""

    @property
    def first_at(self) -> int | None:
        """Return when something was first made for it."""
        return min((each.first for each in self.work if each.first is not None), default=None)


class Waiting(Struct, frozen=True):
    """What lies before an operation, or is at it."""

    operation: str
    line: str
    uom: str | None
    quantity: int


def waiting_of(order: Order) -> list[Waiting]:
    """Return what the operation before has made, and the next one neither confirmed nor scrapped.

    It lies on the line that works on the operation last; if none does, on that which made it.
    """
    operations = sorted({each.operation for each in order.work} | set(order.started))
    found = []
    for before, operation in pairwise(operations):
        made = _by_uom(order.work, before)
        gone = _by_uom(order.work, operation)
        for uom, (good, _) in sorted(made.items(), key=lambda each: each[0] or ""):
            taken, scrapped = gone.get(uom, (0, 0))
            quantity = good - taken - scrapped
            if quantity > 0:
                line = _line_of(order, operation) or _line_of(order, before) or ""
                found.append(Waiting(operation, line, uom, quantity))
    return found


def done(order: Order) -> int:
    """Return how much of an order its last operation has made, in its own unit, in billionths."""
    if not order.work:
        return 0
    last = max(each.operation for each in order.work)
    uom = order.uom
    return sum(
        each.good for each in order.work if each.operation == last and uom in (None, each.uom)
    )


def attained(orders: Iterable[Order]) -> dict[str | None, tuple[int, int, int, int]]:
    """Return by unit: done (no order more than its quantity), planned, orders done, orders.

    What is made too much of one order makes up for nothing that lacks of another.
    """
    found: dict[str | None, tuple[int, int, int, int]] = {}
    for order in orders:
        if order.quantity is None or order.quantity <= 0:
            continue
        made = min(max(done(order), 0), order.quantity)
        before = found.get(order.uom, (0, 0, 0, 0))
        full = made == order.quantity
        found[order.uom] = (
            before[0] + made,
            before[1] + order.quantity,
            before[2] + full,
            before[3] + 1,
        )
    return found


def age_of(order: Order, now: int) -> int | None:
    """Return how long ago something was first made for an order, None if nothing was."""
    return None if order.first_at is None else max(0, now - order.first_at)


def ages(all_of: Iterable[int]) -> dict[str, int]:
    """Return how many ages are in each bucket of `AGES`."""
    counts = dict.fromkeys(AGES, 0)
    for age in all_of:
        name = next(name for name, most in AGES.items() if most is None or age < most)
        counts[name] += 1
    return counts


def _by_uom(work: Iterable[Work], operation: str) -> dict[str | None, tuple[int, int]]:
    found: dict[str | None, tuple[int, int]] = {}
    for each in work:
        if each.operation == operation:
            good, scrap = found.get(each.uom, (0, 0))
            found[each.uom] = good + each.good, scrap + each.scrap
    return found


def _line_of(order: Order, operation: str) -> str | None:
    worked = [each for each in order.work if each.operation == operation]
    if worked:
        return max(worked, key=lambda each: (each.last or 0, each.line)).line
    return order.started.get(operation)
