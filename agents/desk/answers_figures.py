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
    date: str | None
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
    """Key figures over time; `zone` is null where the plants' zones differ.

    `problems` are sentences about shift calendars that can't be read.
    """

    fresh: Fresh
    zone: str | None
    period: Period
    problems: list[str]
    items: list[Figure]


class ParetoBar(Struct, frozen=True):
    """Downtime of one reason at one work unit; `seconds` is a decimal."""

    plant: str
    work_unit: str | None
    reason: str | None
    planned: bool | None
    seconds: str
    stops: int
    share: Kpi


class Pareto(Struct, frozen=True):
    """Downtime by reason, the longest first."""

    fresh: Fresh
    period: Period
    items: list[ParetoBar]


class ConsumptionRow(Consumed, frozen=True):
    """What was consumed of an item in a period."""

    from_: str = field(name="from")
    to: str
    shift: str | None
    plant: str
    lot: str | None


class Consumption(Struct, frozen=True):
    """What was consumed."""

    fresh: Fresh
    period: Period
    items: list[ConsumptionRow]


class WipRow(Struct, frozen=True):
    """What is between two operations of an order, or at a line; a decimal."""

    plant: str
    order: str | None
    operation: str | None
    line: str | None
    uom: str | None
    quantity: str


class Wip(Struct, frozen=True):
    """What is in work."""

    fresh: Fresh
    by: Literal["order", "operation", "line"]
    items: list[WipRow]


class Schedule(Struct, frozen=True):
    """Orders against their plan: docs/kpis.md tells the members of the rows."""

    fresh: Fresh
    attainment: list[dict[str, Any]]
    progress: list[dict[str, Any]]
    ageing: list[dict[str, Any]]
    throughput: list[dict[str, Any]]


class Latency(Struct, frozen=True):
    """How long records take, in milliseconds."""

    source_to_topic_ms: int | None
    source_to_topic_max_ms: int | None
    topic_to_posting_ms: int | None


class IntegrationRow(Struct, frozen=True):
    """How well the data of a plant's source come."""

    plant: str | None
    source: str | None
    records: int
    accepted: int
    duplicates: int
    exceptions: int
    conflicts: int
    duplicate_rate: Kpi
    exception_rate: Kpi
    conflict_rate: Kpi
    completeness: Kpi
    latency: Latency
    parked: int
    open_exceptions: int


class Integration(Struct, frozen=True):
    """How well the data come; the period is in whole quarters of an hour."""

    fresh: Fresh
    period: Period
    items: list[IntegrationRow]


class Evidence(Struct, frozen=True):
    """Something that made a line late."""

    why: str
    what: str
    seconds: str | None
    count: int | None


class LateLine(Struct, frozen=True):
    """Why a line is late, and by what that is seen."""

    plant: str
    line: str
    shift: str | None
    from_: str = field(name="from")
    to: str
    late_seconds: str
    why: Literal["machine", "material", "quality", "planned", "integration", "none"]
    evidence: list[Evidence]


class Late(Struct, frozen=True):
    """Why lines are late."""

    fresh: Fresh
    items: list[LateLine]


class Report(Struct, frozen=True):
    """A shift's or a day's report; docs/kpis.md tells the members of its rows."""

    title: str
    zone: str | None
    from_: str = field(name="from")
    to: str
    complete: bool
    problems: list[str]
    rows: list[dict[str, Any]]
    totals: dict[str, Any]
    pareto: list[ParetoBar]


class Total(Struct, frozen=True):
    """What was accepted of a measure, what of it has left, and what hasn't; decimals.

    Nothing leaves for some types: those have no `becomes`, and null.
    """

    type: str
    measure: str | None
    uom: str | None
    accepted: str
    left: str | None
    not_left: str | None
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
