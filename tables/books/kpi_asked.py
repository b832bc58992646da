"""What is asked of the key figures: a struct a question."""

from typing import Annotated, Final, Literal

from msgspec import Meta, field

from tables.books.asked import Moment, OneAsked, Text
from tables.kpi.buckets import By

Group = Literal["plant", "line", "work_unit", "order", "item"]
"""Of what a row tells."""

Day = Annotated[str, Meta(min_length=10, max_length=10)]

ROWS_MAX: Final = 20_000
"""Of one answer: a year of ten lines' shifts are 11,000, a week of 100 lines' hours 16,800."""


class FiguresAsked(OneAsked, frozen=True, kw_only=True):
    """Key figures of lines over time. A date in `from` or `to` is the start of the plant's day."""

    plant: Text | None = None
    line: Text | None = None
    work_unit: Text | None = None
    from_: Moment | None = field(default=None, name="from")
    to: Moment | None = None
    by: By = "total"
    group: Group = "line"


class ParetoAsked(OneAsked, frozen=True, kw_only=True):
    """Downtime by work unit and reason."""

    plant: Text | None = None
    line: Text | None = None
    from_: Moment | None = field(default=None, name="from")
    to: Moment | None = None


class ConsumptionAsked(OneAsked, frozen=True, kw_only=True):
    """What was consumed, by item, lot and unit."""

    plant: Text | None = None
    line: Text | None = None
    order: Text | None = None
    from_: Moment | None = field(default=None, name="from")
    to: Moment | None = None
    by: By = "total"


class WipAsked(OneAsked, frozen=True, kw_only=True):
    """What lies between two operations of an order."""

    plant: Text | None = None
    by: Literal["order", "operation", "line"] = "order"


class ScheduleAsked(OneAsked, frozen=True, kw_only=True):
    """Orders: attainment, ageing, throughput."""

    plant: Text | None = None


class IntegrationAsked(OneAsked, frozen=True, kw_only=True):
    """How well the data come, by plant and source."""

    plant: Text | None = None
    source: Text | None = None
    from_: Moment | None = field(default=None, name="from")
    to: Moment | None = None


class LateAsked(OneAsked, frozen=True, kw_only=True):
    """Why lines are late."""

    plant: Text | None = None


class TotalsAsked(OneAsked, frozen=True, kw_only=True):
    """What was accepted, and what of it has left."""

    plant: Text | None = None
    line: Text | None = None


class ReportAsked(OneAsked, frozen=True, kw_only=True):
    """A plant's day, or one of its shifts, of all lines or of one."""

    plant: Text | None = None
    line: Text | None = None
    date: Day | None = None
    """Of the plant's day, "2026-11-21"; None: the day that lasts now."""
    shift: Text | None = None
    """None: all shifts of the date."""
