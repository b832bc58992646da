"""The benchmark's job on Bytewax: one dataflow, its state in SQLite recovery partitions.

Identities and rows are kept together by line: what Bytewax keeps by key it saves by key, and a
window closes by the times of its own key only, so it has to be the line's.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import bytewax.operators as op
import bytewax.operators.windowing as win
import events
import orjson
import outcomes
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main
from contestant import Counts, Options, Progress, introduce, read_options, spare_the_collector
from outcomes import Movement

SNAPSHOT_EVERY = timedelta(seconds=10)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SETTINGS = {
    "epoch_interval": "10 s: recovery asks for one; this is the default without recovery",
    "backup_interval": "0 s: recovery asks for one; nothing copies the partitions elsewhere",
    "recovery partitions": "1: as many as workers, as the documentation recommends",
    "KafkaSource.tail": "False: it ends at the end of the topics (default: True)",
    "fold_window.ordered": "False: sums need no order (default: True, which queues each event)",
    "gc": "frozen after start-up, thresholds 50,000/50/50, as lineside",
}

counts = Counts()


def main() -> None:
    options = read_options("bytewax")
    introduce(("bytewax", "confluent-kafka", "msgspec", "orjson"), SETTINGS)
    options.state.mkdir(parents=True, exist_ok=True)
    if not list(options.state.iterdir()):
        init_db_dir(options.state, 1)
    flow = make_dataflow(options)
    spare_the_collector()
    with Progress(counts, options.progress_seconds):
        cli_main(
            flow,
            epoch_interval=SNAPSHOT_EVERY,
            recovery_config=RecoveryConfig(options.state, timedelta(0)),
        )


def make_dataflow(options: Options) -> Dataflow:
    """Return the dataflow: read, tell duplicates, pair, sum, write."""
    flow = Dataflow("bench")
    source = KafkaSource([options.broker], events.INPUTS, tail=False)
    received = op.filter_map("decode", op.input("read", flow, source), decoded)
    # One step for identities and episodes: by a way of its own an episode would come to its window
    # behind what came after it, and so too late.
    results = op.stateful_flat_map("deduplicate and pair", received, outcome)
    moved = op.filter_value("movements", results, is_movement)
    windows = win.fold_window(
        "windows",
        moved,
        win.EventClock(time_of, timedelta(seconds=outcomes.GRACE_SECONDS)),
        win.TumblingWindower(timedelta(seconds=outcomes.WINDOW_SECONDS), align_to=EPOCH),
        builder=dict,
        folder=outcomes.add,
        merger=unmerged,
        ordered=False,
    )
    written = op.merge(
        "written",
        op.filter_map("confirmations", results, confirmation),
        op.flat_map("rows", windows.down, rows),
        op.filter_map("late", windows.late, late),
    )
    op.output("write", written, KafkaSink([options.broker], options.out))
    return flow


def decoded(message: KafkaSourceMessage) -> tuple[str, events.Event] | None:
    """Return an event by its line; nothing of a bad value, nor of telemetry."""
    counts.records += 1
    decode = events.decode_mes if message.topic == events.INPUTS[0] else events.decode_machine
    try:
        event = decode(message.value)
    except ValueError:
        counts.bad += 1
        return None
    if event.__class__ is events.MachineTelemetry:
        return None
    return f"{event.plant}/{event.line}", event


class Line:
    """What is kept of a line: identities, and the halves of episodes that wait for the other."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.halves: dict[str, list[Any]] = {}


def outcome(
    line: Line | None, event: events.Event
) -> tuple[Line, Iterable[dict[str, Any] | Movement]]:
    """Return a record that leaves at once, or what goes into a window, or nothing."""
    if line is None:
        line = Line()
    identity = f"{event.source}|{event.id}"
    if identity in line.seen:
        counts.duplicates += 1
        return line, ()
    line.seen.add(identity)
    kind = event.__class__
    if kind is events.ProductionConfirmed:
        return line, (outcomes.confirmation(event),)
    if kind is events.MaterialConsumed or kind is events.ScrapDeclared:
        return line, (outcomes.movement(event),)
    if kind is events.OperationStarted:
        return line, (outcomes.passing(event),)
    if kind is events.DowntimeStarted or kind is events.DowntimeEnded:
        return line, paired(line, event)
    return line, ()


def paired(line: Line, event: events.DowntimeStarted | events.DowntimeEnded) -> Iterable[Movement]:
    """Return what an episode adds if this is its second half, else keep the first."""
    now = outcomes.half(event)
    before = line.halves.pop(event.data.episode, None)
    if before is None:
        line.halves[event.data.episode] = now
        return ()
    return (outcomes.stop(before, now),)


def is_movement(value: dict[str, Any] | Movement) -> bool:
    return value.__class__ is Movement


def confirmation(value: tuple[str, dict[str, Any] | Movement]) -> KafkaSinkMessage | None:
    """Return the message of a confirmation."""
    place, record = value
    return None if record.__class__ is Movement else message(place, record)


def time_of(moved: Movement) -> datetime:
    """Return event time; of an episode the time of its end, whichever half came last."""
    return datetime.fromtimestamp(moved.at / 1000, UTC)


def unmerged(one: Any, other: Any) -> Any:
    """Refuse: only sessions merge."""
    raise AssertionError(one, other)


def rows(closed: tuple[str, tuple[int, dict[str, list[int]]]]) -> Iterator[KafkaSinkMessage]:
    """Yield a record for each row of a closed window."""
    place, (number, sums) = closed
    for record in outcomes.closed(place, number * outcomes.WINDOW_SECONDS * 1000, sums):
        yield message(place, record)


def late(refused: tuple[str, tuple[int, Movement]]) -> KafkaSinkMessage | None:
    """Return the record of what came too late for its window."""
    place, (_, moved) = refused
    if not moved.row:
        return None
    counts.late += 1
    return message(place, outcomes.late(place, moved))


def message(place: str, record: dict[str, Any]) -> KafkaSinkMessage:
    return KafkaSinkMessage(place.encode(), orjson.dumps(record))


if __name__ == "__main__":
    main()
