"""Answers of the desk that are figures: key figures, reports, totals, health."""

from typing import Any, Literal

from msgspec import Struct, field

from agents.desk.answers_lines import Consumed, Made
from agents.desk.answers_trace import Fresh


class Kpi(Struct, frozen=True):
    """A ratio: two decimals, and their quotient in percent, null where the denominator is 0."""

    numerator: str | None
    denominator: str | None
    value: str | None
    unit: str


class Period(Struct, frozen=True):
    """From a moment to before another."""

    from_: str = field(name="from")
    to: str


class Rated(Made, frozen=True):
    """Quantities of one unit, and their ratios."""

    quality_ratio: Kpi
    scrap_ratio: Kpi
    rework_ratio: Kpi


class Figure(Struct, frozen=True):
    """Key figures by ISO 22400-2; `complete`: all of its windows have left."""

    from_: str = field(name="from")
    to: str
    shift: str | None
    plant: str | None
    line: str | None
    work_unit: str | None
    order: str | None
    item: str | None
    complete: bool
    kpis: dict[str, Kpi]
    made: list[Rated]
    down_seconds: str
    planned_down_seconds: str
    busy_seconds: str | None


class Figures(Struct, frozen=True):
    """Key figures over time; `zone` is null where the plants' zones differ."""

    fresh: Fresh
    zone: str | None
    period: Period
    items: list[Figure]


class Share(Struct, frozen=True):
    """A part of a whole."""

    numerator: int | str
    denominator: int | str


class ParetoBar(Struct, frozen=True):
    """Downtime of one reason at one work unit."""

    work_unit: str | None
    reason: str | None
    planned: bool | None
    seconds: str
    stops: int
    share: Share


class Pareto(Struct, frozen=True):
    """Downtime by reason, the longest first."""

    fresh: Fresh
    items: list[ParetoBar]


class ConsumptionRow(Consumed, frozen=True):
    """What was consumed of an item in a period."""

    from_: str | None = field(name="from")
    to: str | None
    lot: str | None


class Consumption(Struct, frozen=True):
    """What was consumed."""

    fresh: Fresh
    items: list[ConsumptionRow]


class Listed(Struct, frozen=True):
    """Rows whose members docs/kpis.md tells."""

    fresh: Fresh
    items: list[dict[str, Any]]


class Report(Struct, frozen=True):
    """A shift's or a day's report."""

    title: str
    zone: str | None
    from_: str = field(name="from")
    to: str
    complete: bool
    rows: list[dict[str, Any]]
    totals: dict[str, Any]


class Total(Struct, frozen=True):
    """What was accepted of a measure, what of it has left, and what hasn't; decimals."""

    type: str
    measure: str | None
    uom: str | None
    accepted: str
    left: str
    not_left: str
    becomes: str | None


class Records(Struct, frozen=True, rename={"in_": "in"}):
    """Records of an input: in = accepted + duplicate + exception + tick."""

    topic: str
    in_: int
    accepted: int
    duplicate: int
    exception: int
    tick: int


class Totals(Struct, frozen=True):
    """Whether the totals add up."""

    fresh: Fresh
    items: list[Total]
    records: list[Records]


class Database(Struct, frozen=True):
    """The database of the books."""

    kind: str
    version: str | None
    bytes: int | None
    reachable: bool


class TopicHealth(Struct, frozen=True):
    """How far the books have read a partition of a topic."""

    topic: str
    partition: int
    next_offset: int
    end: int | None
    processed: int | None
    behind: int | None


class WorkerHealth(Struct, frozen=True):
    """What a worker says of itself."""

    url: str
    reachable: bool
    name: str | None
    partitions: int | None
    of: int | None
    lag: int | None
    rate: float | None
    open_windows: int | None
    conservation_error: str | None


class DeskHealth(Struct, frozen=True):
    """A desk, and how many partitions it reads."""

    name: str
    partitions: int


class Health(Struct, frozen=True):
    """Whether the books, their database, the topics and the workers are well."""

    status: Literal["ok", "behind", "broken"]
    database: Database
    topics: list[TopicHealth]
    workers: list[WorkerHealth]
    desks: list[DeskHealth]
    at: str
