"""The desk's metrics in Prometheus's text format."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agents.desk.desk import Desk
from agents.desk.measures import METRICS
from agents.serve.metrics import PREFIX
from streams.version import VERSION


class Exposition:
    """The text of a desk's `/metrics`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Now(desk))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return it."""
        return generate_latest(self._registry)


class _Now(Collector):
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def collect(self) -> Iterable[Metric]:
        return families(self._desk)


def families(desk: Desk) -> Iterator[Metric]:
    """Yield all metrics with the values of now."""
    progress, measures = desk.progress, desk.measures
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
        "desk_requests_total": measures.requests.items(),
        "desk_request_seconds_total": [(at, each / 1e9) for at, each in measures.seconds.items()],
        "desk_acts_total": measures.acts.items(),
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
