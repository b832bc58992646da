"""A trace goes through Kafka, as a header that instrumented consumers read."""

import pytest

from kafka_workers import KafkaJob
from runs import confirmed
from streams.contract.topics import ERP_TRANSACTIONS
from streams.log.headers import STRUCTURED
from test_tracing import GIVEN, with_trace


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_what_leaves_at_once_has_the_trace_of_its_event(job: KafkaJob, guarantee: str) -> None:
    job.write([with_trace(confirmed(1)), confirmed(2)])
    job.drain(guarantee=guarantee)
    found = job.read([ERP_TRANSACTIONS])
    headers = [record.headers for records in found.values() for record in records]
    assert headers == [(STRUCTURED, ("traceparent", GIVEN.encode())), (STRUCTURED,)]
