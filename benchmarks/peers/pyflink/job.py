"""The benchmark's job on PyFlink: the DataStream API on a local cluster, its state in RocksDB.

A window closes by its line's own times, so windows are kept in the state of a keyed process
function. Flink's own windows close by a watermark of all partitions together, and in PyFlink that
can't be made for each partition of a source: a timestamp assigner in Python comes behind it.
"""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import events
import orjson
import outcomes
from cluster_job import ClusterJob
from contestant import Counts, Options, Progress, introduce, read_options
from outcomes import Movement
from pyflink.common import Configuration, Row, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import KafkaOffsetsInitializer, KafkaSource
from pyflink.datastream.functions import FlatMapFunction, KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor
from pyflink.table import Schema, StreamTableEnvironment, TableDescriptor
from pyflink.table.types import DataTypes

WINDOW_MS = outcomes.WINDOW_SECONDS * 1000
GRACE_MS = outcomes.GRACE_SECONDS * 1000

SETTINGS = {
    "parallelism.default": "1: one core's worth, as all contestants (default: all cores)",
    "python.execution-mode": "thread: Python in the JVM's process; by default (process) each "
    "look-up of a state goes from one process to another",
    "state.backend.type": "rocksdb, incremental checkpoints: durable and larger than memory "
    "(default: hashmap)",
    "execution.checkpointing": "every 10 s, at least once, kept when the job ends (default: none)",
    "restart-strategy.type": "disable: a job that fails has failed (default: it starts again)",
    "metrics.fetcher.update-interval": "as often as progress is printed (default: 10 s)",
    "loglevel": "WARN, as all contestants (default: INFO)",
}

ROW = Types.ROW_NAMED(["place", "record"], [Types.STRING(), Types.STRING()])


def main() -> None:
    options = read_options("pyflink")
    introduce(("apache-flink", "msgspec", "orjson"), SETTINGS)
    port = free_port()
    options.state.mkdir(parents=True, exist_ok=True)
    os.environ["FLINK_LOG_DIR"] = str(options.state)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    environment = make_environment(options, port)
    define_job(environment, options)
    client = environment.execute_async("bench")
    counts = Counts()
    job = ClusterJob(port, str(client.get_job_id()))
    with Progress(counts, options.progress_seconds):
        while not ended.wait(options.progress_seconds / 2):
            job.read(counts)
        job.read(counts)
        job.stop((options.state / "savepoints").absolute().as_uri())


def make_environment(options: Options, port: int) -> StreamExecutionEnvironment:
    """Return a local environment that goes on from the latest checkpoint, if there is one."""
    settings = Configuration()
    fetch_ms = int(options.progress_seconds * 500)
    for name, value in {
        "rest.address": "127.0.0.1",
        "rest.port": str(port),
        "rest.bind-port": str(port),
        "parallelism.default": "1",
        "python.execution-mode": "thread",
        "pipeline.jars": f"file://{os.environ['PYFLINK_JAR']}",
        "restart-strategy.type": "disable",
        "state.backend.type": "rocksdb",
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.interval": "10 s",
        "execution.checkpointing.mode": "AT_LEAST_ONCE",
        "execution.checkpointing.dir": (options.state / "checkpoints").absolute().as_uri(),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "metrics.fetcher.update-interval": f"{fetch_ms} ms",
    }.items():
        settings.set_string(name, value)
    latest = latest_checkpoint(options)
    if latest is not None:
        settings.set_string("execution.state-recovery.path", latest.absolute().as_uri())
    return StreamExecutionEnvironment.get_execution_environment(settings)


def latest_checkpoint(options: Options) -> Path | None:
    """Return the last complete checkpoint or savepoint in the state folder, if there is one."""
    done = options.state.rglob("_metadata")
    return max((path.parent for path in done), key=lambda path: path.stat().st_mtime, default=None)


def define_job(environment: StreamExecutionEnvironment, options: Options) -> None:
    """Read both topics, process them by line, write to the output topic."""
    mes, machine = (source(environment, options, name) for name in events.INPUTS)
    written = mes.union(machine).key_by(place_of, Types.STRING()).process(Lines(), ROW)
    tables = StreamTableEnvironment.create(environment)
    columns = Schema.new_builder()
    columns.column("place", DataTypes.STRING()).column("record", DataTypes.STRING())
    out = (
        TableDescriptor.for_connector("kafka")
        .schema(columns.build())
        .option("topic", options.out)
        .option("properties.bootstrap.servers", options.broker)
        .option("key.format", "raw")
        .option("key.fields", "place")
        .option("value.format", "raw")
        .option("value.fields-include", "EXCEPT_KEY")
        .build()
    )
    statements = tables.create_statement_set()
    statements.add_insert(out, tables.from_data_stream(written))
    statements.attach_as_datastream()


def source(environment: StreamExecutionEnvironment, options: Options, name: str) -> DataStream:
    """Return the decoded events of an input topic, each with its line."""
    topic = (
        KafkaSource.builder()
        .set_bootstrap_servers(options.broker)
        .set_topics(name)
        .set_group_id(options.group)
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )
    values = environment.from_source(topic, WatermarkStrategy.no_watermarks(), name)
    return values.flat_map(Decode(name), Types.PICKLED_BYTE_ARRAY())


class Decode(FlatMapFunction):
    """Text to (line, identity, what it gives); what isn't an event is counted.

    What it gives is a record that leaves at once, in JSON, or a `Movement`, or (episode, half), or
    None: small things, since they are pickled on their way to `Lines`. Telemetry goes no further.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic

    def open(self, runtime_context: RuntimeContext) -> None:
        group = runtime_context.get_metrics_group()
        self.records, self.bad = group.counter("records"), group.counter("bad")
        mes = self.topic == events.INPUTS[0]
        self.decode = events.decode_mes if mes else events.decode_machine

    def flat_map(self, value: str) -> Iterator[tuple[str, str, Any]]:
        self.records.inc()
        try:
            event = self.decode(value)
        except ValueError:
            self.bad.inc()
            return
        if event.__class__ is not events.MachineTelemetry:
            yield f"{event.plant}/{event.line}", f"{event.source}|{event.id}", given(event)


def given(event: events.Event) -> Any:
    """Return what an event gives, as `Decode` says."""
    kind = event.__class__
    if kind is events.ProductionConfirmed:
        return text(outcomes.confirmation(event))
    if kind is events.MaterialConsumed or kind is events.ScrapDeclared:
        return outcomes.movement(event)
    if kind is events.OperationStarted:
        return outcomes.passing(event)
    if kind is events.DowntimeStarted or kind is events.DowntimeEnded:
        return event.data.episode, outcomes.half(event)
    return None


def place_of(placed: tuple[str, str, Any]) -> str:
    """Return the line: plant/line."""
    return placed[0]


class Lines(KeyedProcessFunction):
    """What is done with a line's events: identities, episodes and windows are its state."""

    def open(self, runtime_context: RuntimeContext) -> None:
        group = runtime_context.get_metrics_group()
        self.duplicates, self.late = group.counter("duplicates"), group.counter("late")
        self.seen = runtime_context.get_map_state(
            MapStateDescriptor("seen", Types.STRING(), Types.BOOLEAN())
        )
        self.halves = runtime_context.get_map_state(
            MapStateDescriptor("halves", Types.STRING(), Types.PICKLED_BYTE_ARRAY())
        )
        self.windows = runtime_context.get_state(
            ValueStateDescriptor("windows", Types.PICKLED_BYTE_ARRAY())
        )

    def process_element(self, value: tuple[str, str, Any], _: Any) -> Iterator[Row]:
        place, identity, what = value
        if self.seen.contains(identity):
            self.duplicates.inc()
            return
        self.seen.put(identity, True)
        if what is None:
            return
        if what.__class__ is str:
            yield Row(place, what)
            return
        moved = what if what.__class__ is Movement else self.paired(*what)
        if moved is not None:
            for record in self.into_window(place, moved):
                yield Row(place, text(record))

    def paired(self, episode: str, now: list[Any]) -> Movement | None:
        """Return what an episode adds if this is its second half, else keep the first."""
        before = self.halves.get(episode)
        if before is None:
            self.halves.put(episode, now)
            return None
        self.halves.remove(episode)
        return outcomes.stop(before, now)

    def into_window(self, place: str, moved: Movement) -> Iterator[dict[str, Any]]:
        """Add to a window that is open, and yield the records of those that this closes."""
        latest, rows = self.windows.value() or (0, {})
        start = moved.at - moved.at % WINDOW_MS
        if is_over(start, latest):
            if moved.row:
                self.late.inc()
                yield outcomes.late(place, moved)
            return
        if moved.row:
            outcomes.add(rows.setdefault(start, {}), moved)
        latest = max(moved.at, latest)
        for begun in sorted(rows):
            if is_over(begun, latest):
                yield from outcomes.closed(place, begun, rows.pop(begun))
        self.windows.update((latest, rows))


def is_over(start: int, latest: int) -> bool:
    """Whether the window that starts there is closed."""
    return start + WINDOW_MS + GRACE_MS <= latest


def text(record: dict[str, Any]) -> str:
    return orjson.dumps(record).decode()


def free_port() -> int:
    """Return a port that nobody listens on, for the cluster's own use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
