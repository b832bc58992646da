"""How well data come: what became of the records of a source, as counts and as rates."""

from typing import Any, Final

from msgspec import Struct

from tables.kpi.ratios import Ratio, of_counts, plain

TICK: Final = "tick"
TELEMETRY: Final = "telemetry"
ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"

CONFLICT: Final = "_conflict"
"""The end of the codes of exceptions that contradict what was accepted."""

MILLISECOND: Final = 1_000
"""Microseconds."""


class Flow(Struct):
    """Records of one source. Telemetry counts as accepted; ticks aren't a source's."""

    accepted: int = 0
    duplicates: int = 0
    exceptions: int = 0
    conflicts: int = 0
    """Of the exceptions."""
    lag: int = 0
    """Arrival less event time, of what was accepted, added up; microseconds."""
    lag_max: int | None = None
    parked: int = 0
    open_exceptions: int = 0
    open_of_period: int = 0
    """Of the open exceptions, those that were raised in the period."""

    @property
    def records(self) -> int:
        """Return how many records came."""
        return self.accepted + self.duplicates + self.exceptions

    def add(self, outcome: str, records: int, lag: int, lag_max: int) -> None:
        """Add records with one outcome."""
        if outcome in (ACCEPTED, TELEMETRY):
            self.accepted += records
            self.lag += lag
            self.lag_max = lag_max if self.lag_max is None else max(lag_max, self.lag_max)
        elif outcome == DUPLICATE:
            self.duplicates += records
        elif outcome != TICK:
            self.exceptions += records
            if outcome.endswith(CONFLICT):
                self.conflicts += records


def plain_flow(flow: Flow, to_posting: int | None) -> dict[str, Any]:
    """Return counts and rates as the API gives them; `to_posting` is in microseconds."""
    mean = flow.lag // flow.accepted // MILLISECOND if flow.accepted else None
    return {
        "records": flow.records,
        "accepted": flow.accepted,
        "duplicates": flow.duplicates,
        "exceptions": flow.exceptions,
        "conflicts": flow.conflicts,
        "duplicate_rate": plain(of_counts(flow.duplicates, flow.records)),
        "exception_rate": plain(of_counts(flow.exceptions, flow.records)),
        "conflict_rate": plain(of_counts(flow.conflicts, flow.records)),
        "completeness": plain(completeness(flow)),
        "latency": {
            "source_to_topic_ms": mean,
            "source_to_topic_max_ms": None if flow.lag_max is None else flow.lag_max // MILLISECOND,
            "topic_to_posting_ms": None if to_posting is None else to_posting // MILLISECOND,
        },
        "parked": flow.parked,
        "open_exceptions": flow.open_exceptions,
    }


def completeness(flow: Flow) -> Ratio:
    """Return the share of events that count: accepted of these and those refused that are open.

    What was dismissed, or is settled by a later event, isn't missing.
    """
    return of_counts(flow.accepted, flow.accepted + flow.open_of_period)
