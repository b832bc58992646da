"""The desk's own metrics: what was asked of it, and how its books do."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from agents.serve.metrics import Described

OTHER: Final = "other"
"""The path of what isn't a route: paths that somebody makes up would be metrics without a bound."""

METRICS: Final = (
    Described("desk_requests_total", "counter", ("method", "path", "status"),
        "Requests that were answered, by route"),
    Described("desk_request_seconds_total", "counter", ("method", "path"),
        "How long the answers took in all"),
    Described("desk_acts_total", "counter", ("act", "result"),
        "Acts on exceptions by what became of them; dry runs aren't counted"),
    Described("desk_queries", "gauge", (), "Queries of the books that run or wait"),
    Described("desk_listeners", "gauge", (), "Who listens to /api/v1/live"),
    Described("desk_database_errors_total", "counter", (),
        "Queries that failed because the database was away or broke off"),
    Described("desk_ready", "gauge", (), "1 if the books can be asked; /readyz reports it"),
    Described("desk_books_timestamp_seconds", "gauge", (),
        "When the books last took something, in seconds since the epoch; absent before"),
    Described("desk_behind_records", "gauge", (),
        "Records that the job has processed or written and the books don't have; absent while that "
        "isn't known"),
    Described("desk_batches_total", "counter", (), "Batches that changed the books"),
    Described("desk_missed_records_total", "counter", (),
        "Records that were deleted from their topic before the books had them"),
    Described("desk_partitions", "gauge", (), "Partitions that this desk reads"),
    Described("desk_stopped_partitions", "gauge", (),
        "Partitions that aren't read any more; the log says why"),
    Described("desk_filling", "gauge", (),
        "1 if the books are being filled, 0 while something keeps them from it"),
    Described("desk_still_seconds", "gauge", (),
        "How long the books have stood still though they are behind; /livez checks it"),
    Described("desk_build_info", "gauge", ("version",), "Always 1"),
)  # fmt: skip
"""All metrics of the desk."""

LABELS_MAX: Final = 2_000
"""Counters of requests: routes by method by status are fewer."""


class Measures:
    """What was asked of a desk since it started."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self.seconds: Counter[tuple[str, str]] = Counter()
        self.acts: Counter[tuple[str, str]] = Counter()

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request by its route."""
        known = method if method in ("GET", "HEAD", "POST") else OTHER
        if len(self.requests) < LABELS_MAX:
            self.requests[known, path or OTHER, str(status)] += 1
            self.seconds[known, path or OTHER] += round(seconds * 1e9)

    def acted(self, act: str, results: Iterable[str]) -> None:
        """Count what acts did."""
        for result in results:
            self.acts[act, result] += 1
