"""What was made and how long it took, as sums that can be added up, and the key figures of them.

Names are those of ISO 22400-2: PBT planned busy time, APT actual production time, PRI planned run
time per item, PQ produced quantity, GQ good, SQ scrap and RQ rework quantity. Measures are
billionths of a unit, times billionths of a second, products of both units of 10^-18.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from streams.values import quantity
from tables.kpi.ratios import FINE, Ratio, of_billionths, plain


class Made(Struct):
    """Of one unit of measure."""

    good: int = 0
    scrap: int = 0
    rework: int = 0

    @property
    def produced(self) -> int:
        """Return PQ: what was made, whatever became of it."""
        return self.good + self.scrap + self.rework


class Facts(Struct):
    """Sums over some work units in some time."""

    made: dict[str | None, Made] = field(default_factory=dict)
    """By unit of measure; None: pieces as machines count them."""
    busy: int = 0
    """PBT: planned time less planned stops."""
    down: int = 0
    """Unplanned, within planned time."""
    planned_down: int = 0
    """Planned stops, within planned time."""
    ideal_busy: int = 0
    """PBT of work units whose PRI is known."""
    ideal_run: int = 0
    """APT of work units whose PRI is known."""
    ideal_produced: int = 0
    """PRI times PQ, in units of 10^-18 seconds."""
    ideal_good: int = 0
    """PRI times GQ, in units of 10^-18 seconds."""

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is known, and nothing was planned."""
        return not (self.made or self.busy or self.down or self.planned_down)

    def of(self, uom: str | None) -> Made:
        """Return what was made of a unit of measure, to add to."""
        return self.made.setdefault(uom, Made())

    def add_unit(self, planned: int, down: int, planned_down: int, ideal: "Ideal | None") -> None:
        """Add a work unit's time; `ideal` is what it made, where its PRI is known."""
        busy = planned - planned_down
        self.busy += busy
        self.down += down
        self.planned_down += planned_down
        if ideal is not None:
            self.ideal_busy += busy
            self.ideal_run += busy - down
            self.ideal_produced += ideal.seconds * ideal.made.produced
            self.ideal_good += ideal.seconds * ideal.made.good


class Ideal(Struct, frozen=True):
    """What a work unit made within planned time, and how long each may take."""

    seconds: int
    """PRI in billionths of a second."""
    made: Made


def added(all_of: Iterable[Facts]) -> Facts:
    """Return the sum of facts."""
    total = Facts()
    for each in all_of:
        for uom, made in each.made.items():
            of = total.of(uom)
            of.good += made.good
            of.scrap += made.scrap
            of.rework += made.rework
        total.busy += each.busy
        total.down += each.down
        total.planned_down += each.planned_down
        total.ideal_busy += each.ideal_busy
        total.ideal_run += each.ideal_run
        total.ideal_produced += each.ideal_produced
        total.ideal_good += each.ideal_good
    return total


def ratios(facts: Facts) -> dict[str, Ratio]:
    """Return the key figures: numerators and denominators, each of ISO 22400-2.

    availability = APT / PBT; effectiveness = PRI x PQ / APT; quality ratio = GQ / PQ;
    OEE = PRI x GQ / PBT, which is their product; scrap ratio = SQ / PQ; rework ratio = RQ / PQ.
    What is a ratio of pieces is of the only unit of measure: none where there are several.
    """
    only = next(iter(facts.made.values())) if len(facts.made) == 1 else Made()
    pieces = of_made(only)
    return {
        "availability": of_billionths(facts.busy - facts.down, facts.busy),
        "effectiveness": Ratio(facts.ideal_produced, facts.ideal_run * FINE),
        "quality_ratio": pieces["quality_ratio"],
        "oee": Ratio(facts.ideal_good, facts.ideal_busy * FINE),
        "scrap_ratio": pieces["scrap_ratio"],
        "rework_ratio": pieces["rework_ratio"],
    }


def of_made(made: Made) -> dict[str, Ratio]:
    """Return the ratios of pieces of one unit of measure."""
    produced = made.produced
    return {
        "quality_ratio": of_billionths(made.good, produced),
        "scrap_ratio": of_billionths(made.scrap, produced),
        "rework_ratio": of_billionths(made.rework, produced),
    }


def plain_kpis(facts: Facts) -> dict[str, Any]:
    """Return the key figures as the API gives them."""
    return {name: plain(ratio) for name, ratio in ratios(facts).items()}


def plain_made(facts: Facts) -> list[dict[str, Any]]:
    """Return what was made by unit of measure, each with its ratios."""
    ordered = sorted(facts.made.items(), key=lambda each: each[0] or "")
    return [
        {
            "uom": uom,
            "good": quantity.text(made.good),
            "scrap": quantity.text(made.scrap),
            "rework": quantity.text(made.rework),
            **{name: plain(ratio) for name, ratio in of_made(made).items()},
        }
        for uom, made in ordered
    ]
