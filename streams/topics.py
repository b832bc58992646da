"""The catalogue of topics: the only place where a topic's name is spelt."""

from typing import Final, Literal

from msgspec import Struct

MES_EVENTS: Final = "mes.events.v1"
MACHINE_EVENTS: Final = "machine.events.v1"
ERP_TRANSACTIONS: Final = "erp.transactions.v1"
EXCEPTIONS: Final = "exceptions.v1"
SUMMARY_CONSUMPTION: Final = "summary.consumption.v1"
SUMMARY_SCRAP: Final = "summary.scrap.v1"
SUMMARY_PRODUCTION: Final = "summary.production.v1"
SUMMARY_DOWNTIME: Final = "summary.downtime.v1"
SUMMARY_MACHINE: Final = "summary.machine.v1"


class Topic(Struct, frozen=True, kw_only=True):
    """A topic: every value is one CloudEvent 1.0 in JSON, every key `plant/line` in UTF-8."""

    name: str
    direction: Literal["in", "out"]
    carries: str


CATALOGUE: Final[tuple[Topic, ...]] = (
    Topic(name=MES_EVENTS, direction="in", carries="what the MES reports of orders and lines"),
    Topic(name=MACHINE_EVENTS, direction="in", carries="what machines report of themselves"),
    Topic(name=ERP_TRANSACTIONS, direction="out", carries="transactions for the ERP"),
    Topic(name=SUMMARY_CONSUMPTION, direction="out", carries="material consumed, by window"),
    Topic(name=SUMMARY_SCRAP, direction="out", carries="scrap declared, by window"),
    Topic(name=SUMMARY_PRODUCTION, direction="out", carries="good, scrap, rework, by window"),
    Topic(name=SUMMARY_DOWNTIME, direction="out", carries="downtime and stops, by window"),
    Topic(name=SUMMARY_MACHINE, direction="out", carries="machine counts, by window"),
    Topic(name=EXCEPTIONS, direction="out", carries="records that couldn't be accepted, and why"),
)

CLOCK: Final = "lineside.clock.v1"
"""lineside's own: which tick was written last. One partition, compacted."""

INPUTS: Final = tuple(topic.name for topic in CATALOGUE if topic.direction == "in")
OUTPUTS: Final = tuple(topic.name for topic in CATALOGUE if topic.direction == "out")


def changelog(group: str, topic: str) -> str:
    """Return the name of the changelog of an input topic's states, one partition for each of its.

    The form is that of Kafka Streams; `group` is the consumer group of the job.
    """
    return f"{group}-{topic}-changelog"
