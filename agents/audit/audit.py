"""An audit of a running or stopped system: reads its topics and proves or refutes the laws."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from agents.audit.content import is_of_master
from agents.audit.expected_outputs import ExpectedOutputs, Figures
from agents.audit.findings import Differences, Place
from agents.audit.outputs_alone import OutputsAlone
from agents.audit.reprocess import Head, ReprocessedPartition, read_head
from agents.audit.totals import check_totals
from agents.audit.verdict import EXIT_CODES, Audited, Evidence, judge
from agents.provision.topics import partitions_of
from streams.contract.topics import EXCEPTIONS, INPUTS, OUTPUTS, changelog
from streams.kafka.cluster import Cluster, bounds, read_to
from streams.kafka.fetched import record_of
from streams.trouble import Trouble
from tables.line.rules import Rules
from tables.store.rocksdb import RocksStore
from tables.store.store import HEAD, MemoryBudget, SpillingStore, Store

FETCH_WAIT_MS: Final = 20
"""The consumer has one open fetch per broker, so a fetch mustn't wait long for a partition that is
read to its end."""

STILL_SECONDS_MAX: Final = 120.0
"""After this long without a record a partition counts as held up. The broker ends an open
transaction after its timeout (60 s for a lineside worker), and looks for such every 10 s."""

Bounds = Mapping[TopicPartition, tuple[int, int]]
"""For each partition its first offset, and the offset after its last."""


class AuditError(Trouble):
    """The audit couldn't be made: nothing is proven or refuted."""

    exit_code = EXIT_CODES["not provable"]


class NoTopicError(Trouble):
    """A topic is missing: the audit looks at the wrong cluster or group."""

    exit_code = 2


class Progress(Protocol):
    """Receives the progress of the audit, in offsets."""

    length: int | None

    def update(self, n_steps: int) -> None:
        """Note that this many more offsets were read."""
        ...


async def audit(
    cluster: Cluster,
    group: str,
    rules: Mapping[str, Rules],
    exactly_once: bool = False,
    progress: Progress | None = None,
) -> Audited:
    """Return the verdict on the job of `group`; raises a `Trouble` if none is possible."""
    try:
        async with cluster.reader(fetch_max_wait_ms=FETCH_WAIT_MS) as consumer:
            return await _audit(cluster, consumer, group, rules, exactly_once, progress)
    except KafkaError as error:
        why = str(error) or type(error).__name__
        raise AuditError(f"the topics couldn't be read to their ends: {why}") from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise AuditError(f"{where}{error.strerror or error}") from error
    except Trouble as trouble:
        if trouble.exit_code != EXIT_CODES["refuted"]:
            raise
        raise AuditError(str(trouble)) from trouble


async def _audit(
    cluster: Cluster,
    consumer: AIOKafkaConsumer,
    group: str,
    rules: Mapping[str, Rules],
    exactly_once: bool,
    progress: Progress | None,
) -> Audited:
    counts = await _partition_counts(cluster, group)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lineside-audit-")))
        budget = MemoryBudget()

        def new_store(name: str) -> Store:
            store = SpillingStore(
                _rocks(folder / name, 2 * len(_partitions(INPUTS, counts))), budget
            )
            stack.callback(store.close)
            return store

        # States, then outputs, then inputs: the system may be running. Records that the states have
        # counted left before the outputs' ends are read, and their inputs were there before that.
        states = await _states(consumer, group, counts, new_store, progress)
        heads = _heads(states, rules)
        # Uncommitted records count too: a state and its outputs are committed together, but one
        # topic may show the commit a moment before the other.
        async with cluster.reader(isolation_level="read_uncommitted") as everything:
            outputs = await bounds(everything, _partitions(OUTPUTS, counts))
        inputs = await bounds(consumer, _partitions(INPUTS, counts))
        _expect(progress, [*inputs.values(), *outputs.values()])
        differences = Differences()
        removed = [tp for tp, (begin, _) in outputs.items() if begin > 0]
        spool = stack.enter_context((folder / "expected").open("w+b"))
        expected_outputs = ExpectedOutputs(
            spool, differences, _windowed(rules), exactly_once, removed
        )
        reprocessed_partitions = {}
        for tp, (begin, end) in inputs.items():
            store = new_store(f"{tp.topic}-{tp.partition}")
            reprocessed_partitions[tp] = ReprocessedPartition(
                tp, rules[tp.topic], store, heads.get(tp), begin, end, expected_outputs, states[tp]
            )
        async for tp, records in _read(consumer, inputs, progress):
            reprocessed_partitions[tp].take([record_of(record) for record in records])
        for reprocessed in reprocessed_partitions.values():
            reprocessed.finish()
        whole = {
            tp: reprocessed.compare(differences)
            for tp, reprocessed in reprocessed_partitions.items()
        }
        removed += [tp for tp, is_whole in whole.items() if not is_whole]
        by_input = all(whole.values())
        checker = expected_outputs if by_input else OutputsAlone(differences, exactly_once)
        async for tp, records in _read(consumer, outputs, progress):
            for record in records:
                if tp.topic == EXCEPTIONS and is_of_master(record.value):
                    continue
                place = Place(tp.topic, tp.partition, record.offset, record.key)
                checker.find(place, record.value, record.headers)
        measures = 0
        if by_input:
            to_come = expected_outputs.finish()
            if not removed:
                partitions = [
                    reprocessed.partition for reprocessed in reprocessed_partitions.values()
                ]
                measures = check_totals(partitions, expected_outputs.sums + to_come, differences)
    evidence = Evidence(
        reprocessed_partitions=list(reprocessed_partitions.values()),
        outputs={topic: checker.figures.get(topic, Figures()) for topic in OUTPUTS},
        keys=checker.keys,
        lanes=len(expected_outputs.lanes),
        measures=measures,
        differences=differences,
        removed=[f"{tp.topic}/{tp.partition}" for tp in sorted(removed)],
    )
    guarantee = "exactly_once" if exactly_once else "at_least_once"
    return judge(evidence, f"kafka://{','.join(cluster.servers)}", group, guarantee)


async def _partition_counts(cluster: Cluster, group: str) -> dict[str, int]:
    """Return the partition count of each topic of the job; raises `NoTopicError`."""
    changelogs = {changelog(group, topic): topic for topic in INPUTS}
    counts = await partitions_of(cluster)
    for topic in (*INPUTS, *OUTPUTS):
        if topic not in counts:
            raise NoTopicError(f"there is no topic {topic}: is this the right cluster?")
    for name, topic in changelogs.items():
        if name not in counts:
            raise NoTopicError(f"there is no topic {name}: is {group!r} the job's group?")
        if counts[name] != counts[topic]:
            raise AuditError(
                f"{topic} has {counts[topic]} partitions, and its changelog {counts[name]}: "
                "partitions were added, so that keys have moved away from their states"
            )
    return counts


def _partitions(topics: Iterable[str], counts: Mapping[str, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for topic in topics for number in range(counts[topic])]


async def _states(
    consumer: AIOKafkaConsumer,
    group: str,
    counts: Mapping[str, int],
    new_store: Callable[[str], Store],
    progress: Progress | None,
) -> dict[TopicPartition, Store]:
    """Return the states as read from the changelogs, by input partition."""
    sources = {
        TopicPartition(changelog(group, tp.topic), tp.partition): tp
        for tp in _partitions(INPUTS, counts)
    }
    spans = await bounds(consumer, sources)
    _expect(progress, spans.values())
    states = {source: new_store(f"{tp.topic}-{tp.partition}") for tp, source in sources.items()}
    async for tp, records in _read(consumer, spans, progress):
        states[sources[tp]].write([(each.key, each.value) for each in records if each.key])
    return states


def _heads(
    states: Mapping[TopicPartition, Store], rules: Mapping[str, Rules]
) -> dict[TopicPartition, Head]:
    """Return the heads of the states; a partition without a state has none."""
    heads = {tp: store.get_many([HEAD])[0] for tp, store in states.items()}
    return {
        tp: read_head(head, tp, rules[tp.topic]) for tp, head in heads.items() if head is not None
    }


def _expect(progress: Progress | None, spans: Iterable[tuple[int, int]]) -> None:
    if progress is not None:
        more = sum(end - begin for begin, end in spans)
        progress.length = (progress.length or 0) + more


async def _read(
    consumer: AIOKafkaConsumer, spans: Bounds, progress: Progress | None = None
) -> AsyncIterator[tuple[TopicPartition, list[ConsumerRecord]]]:
    """Yield the records within the bounds, in batches of one partition each, in offset order.

    Raises `AuditError` if a partition gives nothing for `STILL_SECONDS_MAX`.
    """
    spans = {tp: (begin, end) for tp, (begin, end) in spans.items() if begin < end}
    consumer.assign(list(spans))
    reached = {tp: begin for tp, (begin, _) in spans.items()}
    for tp, begin in reached.items():
        consumer.seek(tp, begin)
    batches = read_to(consumer, {tp: end for tp, (_, end) in spans.items()})
    while True:
        try:
            async with asyncio.timeout(STILL_SECONDS_MAX):
                tp, records = await anext(batches)
        except StopAsyncIteration:
            return
        except TimeoutError:
            behind = next(tp for tp, (_, end) in spans.items() if reached[tp] < end)
            raise AuditError(
                f"{behind.topic}/{behind.partition} gives nothing past offset {reached[behind]}: "
                "is there a transaction that was left open, or a broker away? Try again later"
            ) from None
        if progress is not None:
            progress.update(records[-1].offset + 1 - reached[tp])
        reached[tp] = records[-1].offset + 1
        yield tp, records


def _windowed(rules: Mapping[str, Rules]) -> dict[str, tuple[str, ...]]:
    return {kind.record: kind.measures for each in rules.values() for kind in each.kinds}


def _rocks(path: Path, states: int) -> Callable[[], Store]:
    return lambda: RocksStore(path, wal=False, states=states)
