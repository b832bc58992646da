"""The desk's own metrics: what was asked of it, and how its books do."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agents.serve.metrics import PREFIX, Described
from streams.version import VERSION

if TYPE_CHECKING:
    from agents.desk.desk import Desk

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
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._seconds: Counter[tuple[str, str]] = Counter()
        self._acts: Counter[tuple[str, str]] = Counter()

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request by its route."""
        known = method if method in ("GET", "HEAD", "POST") else OTHER
        if len(self._requests) < LABELS_MAX:
            self._requests[known, path or OTHER, str(status)] += 1
            self._seconds[known, path or OTHER] += round(seconds * 1e9)

    def acted(self, act: str, results: Iterable[str]) -> None:
        """Count what acts did."""
        for result in results:
            self._acts[act, result] += 1

    def families(self, desk: "Desk") -> Iterator[Metric]:
        """Yield all metrics with the values of now."""
        progress = desk.progress
        books_at = progress.books_at
        values: dict[str, float | None] = {
            "desk_queries": desk.pool.asked,
            "desk_listeners": desk.live.listeners,
            "desk_database_errors_total": desk.pool.errors,
            "desk_ready": desk.ready,
            "desk_books_timestamp_seconds": None if books_at is None else books_at / 1e6,
            "desk_behind_records": progress.behind,
            "desk_batches_total": progress.changes,
            "desk_missed_records_total": progress.missed,
            "desk_partitions": len(progress.own),
            "desk_stopped_partitions": len(progress.stopped),
            "desk_filling": progress.trouble is None,
            "desk_still_seconds": desk.still_seconds(),
        }
        labelled: dict[str, Iterable[tuple[tuple[str, ...], float]]] = {
            "desk_requests_total": self._requests.items(),
            "desk_request_seconds_total": [(at, each / 1e9) for at, each in self._seconds.items()],
            "desk_acts_total": self._acts.items(),
            "desk_build_info": [((VERSION,), 1)],
        }
        for metric in METRICS:
            make = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
            family = make(PREFIX + metric.name, metric.text, labels=metric.labels)
            if metric.name in labelled:
                for labels, value in labelled[metric.name]:
                    family.add_metric(labels, value)
            elif (one := values[metric.name]) is not None:
                family.add_metric((), float(one))
            yield family


class Exposition:
    """The text of a desk's `/metrics`."""

    def __init__(self, desk: "Desk") -> None:
        self._desk = desk
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Now(desk))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return it."""
        return generate_latest(self._registry)


class _Now(Collector):
    def __init__(self, desk: "Desk") -> None:
        self._desk = desk

    def collect(self) -> Iterable[Metric]:
        return self._desk.measures.families(self._desk)
