"""The catalogue of topics: the only place where a topic's name and settings are spelt."""

from collections.abc import Mapping
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
SUMMARY_AVAILABILITY: Final = "summary.availability.v1"
SUMMARY_MACHINE: Final = "summary.machine.v1"
SUMMARY_MACHINE_STATE: Final = "summary.machine_state.v1"
ERP_MASTER: Final = "erp.master.v1"
REFERENCE: Final = "reference.v1"
AUDIT: Final = "audit.v1"


DAY_MS: Final = 86_400_000

INPUT_BATCH_BYTES: Final = 1_048_588
"""`max.message.bytes` of inputs: Kafka's default, which producers' own defaults are made for.

It limits a RecordBatch, as compressed. A batch of 64 KiB events fits, and so does a single value
that is too large: it is refused by lineside, in an exception that somebody sees, and not by the
broker, in a producer's log.
"""

INPUT_BATCH_BYTES_MIN: Final = 128 << 10
"""An event of 64 KiB with its key and headers has to get in."""

OUTPUT_BATCH_BYTES_MIN: Final = 1_000_000
"""Outputs leave in batches of 900,000 bytes at most; only an exception can be larger by itself.

The first figure is `OUTPUT_BATCH_BYTES` of streams/kafka/writer.py.
"""

CHANGELOG_BATCH_BYTES_MIN: Final = 16 << 20
"""The largest RecordBatch that a changelog may have: `BATCH_BYTES_MAX` of streams/kafka/cluster.py.

Earlier versions wrote all changes of a step as one batch. A segment must be as large, since a batch
lies in one.
"""

EXCEPTION_BYTES_PER_BYTE: Final = 13
"""So much an exception grows for each byte of the record that it carries.

A value takes 4/3 of its size (base64), a key 7 (escaped in JSON, and as the exception's own key); a
header without name and value is 2 bytes in a record and 25 in JSON, and that is the worst.
"""

EXCEPTION_ENVELOPE_BYTES: Final = 4 << 10
"""What is in an exception besides the record's bytes: attributes, reason, plant and line."""

TOMBSTONE_MS: Final = 7 * DAY_MS
"""A changelog keeps a tombstone for so long after it has been compacted.

A local state that was away for longer could miss that a key is gone. So one that is older than half
of what the changelog has is thrown away, and restored in full.
"""

TOMBSTONE_MS_MIN: Final = DAY_MS // 24
"""A restore that takes longer than tombstones are kept for could itself miss one.

An hour is some hundred million keys.
"""

CHANGELOG_SEGMENT_BYTES: Final = 64 << 20
"""Only closed segments are compacted; a restore reads all of the open one.

It holds four of the largest batches.
"""

CHANGELOG_SEGMENT_MS: Final = DAY_MS
"""A quiet partition, too, closes a segment a day, so that what is forgotten goes."""

CHANGELOG_DIRTY_RATIO: Final = 0.3
"""Compaction begins when so much of a changelog is new.

A restore reads at most 1 / (1 - 0.3) = 1.4 times what compaction leaves (2 times with Kafka's
default of 0.5), and the broker writes 1 / 0.3 = 3.3 bytes for each new one (2 by default).
"""

INPUT_SPARE_MS: Final = 7 * DAY_MS
"""Inputs are kept for what the ledger reaches back, and so much more.

Workers can stand still for that long and lose nothing, and the ledger can be made anew from the
input at any time.
"""

OUTPUT_RETENTION_MS: Final = 30 * DAY_MS
"""A consumer can stand still over the end of a month.

It is longer than inputs are kept: for each event that is still there, so is what came of it.
"""

AUDIT_RETENTION_MS: Final = 400 * DAY_MS
"""Who did what, and why, is asked for after a year's end; people write little.

`books_days` of the desk has the same default: acts on exceptions that the books have are there.
"""

OUTPUT_RETENTION_MS_MIN: Final = 7 * DAY_MS
"""Kafka's default: shorter, and a consumer that is down over a long weekend loses postings."""

EVENTS: Final = {
    "cleanup.policy": "delete",
    "max.message.bytes": str(INPUT_BATCH_BYTES),
    "message.timestamp.type": "LogAppendTime",
    "compression.type": "producer",
}
"""Inputs: never compacted, since only the last event of each line would stay.

The record timestamp is the broker's. It is what `from_the_future` compares an event's time with,
and an MES whose clock is wrong would be wrong in both. And what arrives late is kept as long as
all else, since retention counts from its arrival.
"""

RECORDS: Final = {
    "cleanup.policy": "delete",
    "retention.ms": str(OUTPUT_RETENTION_MS),
    "max.message.bytes": str(INPUT_BATCH_BYTES),
    "compression.type": "producer",
}
"""Outputs; `compression.type` is producer everywhere: brokers keep lineside's lz4 as it is."""

EXCEPTION_RECORDS: Final = RECORDS | {"max.message.bytes": str(CHANGELOG_BATCH_BYTES_MIN)}
"""Exceptions carry the record that was refused, and are larger than it: 13 times 1 MiB fits."""

STATE: Final = {
    "cleanup.policy": "compact",
    "max.message.bytes": str(CHANGELOG_BATCH_BYTES_MIN),
    "delete.retention.ms": str(TOMBSTONE_MS),
    "segment.bytes": str(CHANGELOG_SEGMENT_BYTES),
    "segment.ms": str(CHANGELOG_SEGMENT_MS),
    "min.cleanable.dirty.ratio": str(CHANGELOG_DIRTY_RATIO),
    "compression.type": "producer",
}
"""Changelogs: never deleted by age, since a ledger entry or an open window isn't written again."""

MASTER: Final = EVENTS | {"retention.ms": str(OUTPUT_RETENTION_MS)}
"""Master data as it comes: kept over the end of a month, for whoever wants to see who said what."""

COPY: Final = STATE | {"max.message.bytes": str(INPUT_BATCH_BYTES)}
"""The system's own copy of master data: one record for each key counts, the last, for ever."""

TRAIL: Final = RECORDS | {"retention.ms": str(AUDIT_RETENTION_MS)}
"""What people did at the desk: never compacted, each act counts."""

LAST_TICK: Final = {
    "cleanup.policy": "compact",
    "message.timestamp.type": "LogAppendTime",
    "segment.bytes": str(CHANGELOG_SEGMENT_BYTES),
    "segment.ms": str(CHANGELOG_SEGMENT_MS),
    "compression.type": "producer",
}
"""The clock: one record for each group counts, the last. Its timestamp is the broker's: what a
worker's clock is held against."""


class Topic(Struct, frozen=True, kw_only=True):
    """A topic; on those of the catalogue every value is one CloudEvent 1.0 in JSON.

    Every key is `plant/line` in UTF-8, but for master data and acts: there it is what they are of.

    `config` are Kafka's settings; what isn't named is as the cluster has it.
    """

    name: str
    direction: Literal["in", "out", "master", "reference", "audit", "changelog", "clock"]
    carries: str
    config: Mapping[str, str]
    single: bool = False
    """Whether it has one partition, always; else as many as were chosen."""


CATALOGUE: Final[tuple[Topic, ...]] = (
    Topic(
        name=MES_EVENTS,
        direction="in",
        carries="what the MES reports of orders and lines",
        config=EVENTS,
    ),
    Topic(
        name=MACHINE_EVENTS,
        direction="in",
        carries="what machines report of themselves",
        config=EVENTS,
    ),
    *(
        Topic(name=name, direction="out", carries=carries, config=RECORDS)
        for name, carries in (
            (ERP_TRANSACTIONS, "transactions for the ERP"),
            (SUMMARY_CONSUMPTION, "material consumed, by window"),
            (SUMMARY_SCRAP, "scrap declared, by window"),
            (SUMMARY_PRODUCTION, "good, scrap, rework, by window"),
            (SUMMARY_DOWNTIME, "downtime and stops, by window"),
            (SUMMARY_AVAILABILITY, "how long work units stood still, by window"),
            (SUMMARY_MACHINE, "machine counts, by window"),
            (SUMMARY_MACHINE_STATE, "how long machines were in each state, by window"),
        )
    ),
    Topic(
        name=EXCEPTIONS,
        direction="out",
        carries="records that couldn't be accepted, and why",
        config=EXCEPTION_RECORDS,
    ),
    Topic(
        name=ERP_MASTER,
        direction="master",
        carries="what ERP, QMS and stewards say of master data, orders, holds and rules",
        config=MASTER,
        single=True,
    ),
    Topic(
        name=REFERENCE,
        direction="reference",
        carries="what is known of them: checked, merged, the last record of each key",
        config=COPY,
        single=True,
    ),
    Topic(
        name=AUDIT,
        direction="audit",
        carries="what people did at the desk about exceptions, and why",
        config=TRAIL,
        single=True,
    ),
)

CLOCK: Final = "lineside.clock.v1"
"""lineside's own: which tick was written last. One partition, compacted."""

SINGLE: Final = frozenset({topic.name for topic in CATALOGUE if topic.single} | {CLOCK})
"""The topics that have one partition."""

INPUTS: Final = tuple(topic.name for topic in CATALOGUE if topic.direction == "in")
OUTPUTS: Final = tuple(topic.name for topic in CATALOGUE if topic.direction == "out")
DESKS: Final = frozenset(topic.name for topic in CATALOGUE if topic.direction == "audit")
"""The topics that only the desk needs: a worker does without, and doesn't look at them."""


def changelog(group: str, topic: str) -> str:
    """Return the name of the changelog of an input topic's states, one partition for each of its.

    The form is that of Kafka Streams; `group` is the consumer group of the job.
    """
    return f"{group}-{topic}-changelog"


def topics_of(group: str) -> tuple[Topic, ...]:
    """Return all topics that the job of a group needs: the catalogue, and lineside's own."""
    own = (
        Topic(
            name=changelog(group, topic),
            direction="changelog",
            carries=f"the state of each partition of {topic}",
            config=STATE,
        )
        for topic in INPUTS
    )
    clock = Topic(
        name=CLOCK, direction="clock", carries="the last tick", config=LAST_TICK, single=True
    )
    return (*CATALOGUE, *own, clock)


def settings_of(topic: Topic, replication: int, ledger_seconds: int) -> dict[str, str]:
    """Return the settings of a new topic with so many replicas.

    `ledger_seconds` is what the ledger of an input topic reaches back.
    """
    settings = {**topic.config, "min.insync.replicas": str(min_insync_replicas(replication))}
    if topic.direction == "in":
        settings["retention.ms"] = str(ledger_seconds * 1000 + INPUT_SPARE_MS)
    return settings


def min_insync_replicas(replication: int) -> int:
    """Return how many replicas have to have a record before it is acknowledged.

    Two, so that it survives the loss of a broker; one where a second one couldn't be spared, since
    with both of two required, nothing could be written while one is away.
    """
    return 2 if replication >= 3 else 1
