"""The benchmark's job on Quix Streams: a dataframe for each topic, its state in RocksDB.

The rows of a window are kept together, under the message key (plant/line): windows are grouped by
that key, so a window for each row would need all records to be repartitioned through another topic.
"""

from collections.abc import Callable, Iterator
from typing import Any

import events
import outcomes
from contestant import Counts, Options, Progress, introduce, read_options, spare_the_collector
from outcomes import Movement
from quixstreams import Application, State
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.models import IgnoreMessage, Topic
from quixstreams.models.serializers import Deserializer

SETTINGS = {
    "auto_offset_reset": "earliest: the log is there before the job starts (default: latest)",
    "loglevel": "WARNING, as all contestants (default: INFO)",
    "value_deserializer": "msgspec, typed, as all Python contestants (default: orjson)",
    "gc": "frozen after start-up, thresholds 50,000/50/50, as lineside",
}

counts = Counts()
missed: list[dict[str, Any]] = []
"""What the event under way brought too late: `on_late` may not write, a branch after it does."""


def main() -> None:
    options = read_options("quix")
    introduce(("quixstreams", "confluent-kafka", "rocksdict", "msgspec"), SETTINGS)
    app = make_application(options)
    spare_the_collector()
    with Progress(counts, options.progress_seconds):
        app.run()


def make_application(options: Options) -> Application:
    """Return the application with both dataframes."""
    app = Application(
        broker_address=options.broker,
        consumer_group=options.group,
        auto_offset_reset="earliest",
        state_dir=options.state,
        loglevel="WARNING",
    )
    mes, machine = events.INPUTS
    mes_topic = app.topic(mes, value_deserializer=Typed(events.decode_mes))
    machine_topic = app.topic(machine, value_deserializer=Typed(events.decode_machine))
    process_mes(app.dataframe(mes_topic), app.topic(options.out))
    app.dataframe(machine_topic).filter(is_new_signal, stateful=True)
    return app


class Typed(Deserializer):
    """Bytes to an event; what isn't one is counted and passed over."""

    def __init__(self, decode: Callable[[bytes], events.Event]) -> None:
        super().__init__()
        self.decode = decode

    def __call__(self, value: bytes, **_: Any) -> events.Event:
        counts.records += 1
        try:
            return self.decode(value)
        except ValueError:
            counts.bad += 1
            raise IgnoreMessage from None


def process_mes(sdf: StreamingDataFrame, out: Topic) -> None:
    """Confirmations leave at once, the rest by window."""
    # Where a dataframe branches, each value is copied: what goes on is small, and what adds
    # nothing doesn't go on.
    sdf = sdf.apply(outcome, stateful=True).filter(is_something)
    sdf.filter(is_confirmation).to_topic(out)
    moved = sdf.filter(is_movement).set_timestamp(time_of)
    (
        moved.tumbling_window(
            outcomes.WINDOW_SECONDS * 1000, outcomes.GRACE_SECONDS * 1000, on_late=keep_late
        )
        .reduce(outcomes.add, first)
        .final()
        .apply(records, expand=True, metadata=True)
        .to_topic(out)
    )
    moved.apply(take_late, expand=True).to_topic(out)


def is_new(event: events.Event, state: State) -> bool:
    """Whether an event's identity wasn't seen before on its line; it is from now on."""
    key = f"id|{event.source}|{event.id}"
    if state.exists(key):
        counts.duplicates += 1
        return False
    state.set(key, 1)
    return True


def is_new_signal(event: events.Event, state: State) -> bool:
    """Like `is_new`; telemetry carries no transaction."""
    return event.__class__ is events.MachineTelemetry or is_new(event, state)


def outcome(event: events.Event, state: State) -> dict[str, Any] | Movement | None:
    """Return a record that leaves at once, or what goes into a window, or nothing."""
    # Not a filter before this one: each stateful step costs a look-up of its store.
    if not is_new(event, state):
        return None
    kind = event.__class__
    if kind is events.ProductionConfirmed:
        return outcomes.confirmation(event)
    if kind is events.MaterialConsumed or kind is events.ScrapDeclared:
        return outcomes.movement(event)
    if kind is events.OperationStarted:
        return outcomes.passing(event)
    if kind is events.DowntimeStarted or kind is events.DowntimeEnded:
        return paired(event, state)
    return None


def paired(event: events.DowntimeStarted | events.DowntimeEnded, state: State) -> Movement | None:
    """Return what an episode adds if this is its second half, else keep the first."""
    key = f"episode|{event.data.episode}"
    now = outcomes.half(event)
    before = state.get(key)
    if before is None:
        state.set(key, now)
        return None
    state.delete(key)
    return outcomes.stop(before, now)


def is_something(value: Any) -> bool:
    return value is not None


def is_confirmation(value: Any) -> bool:
    return value.__class__ is dict


def is_movement(value: Any) -> bool:
    return value.__class__ is Movement


def time_of(moved: Movement, *_: Any) -> int:
    """Return event time; of an episode the time of its end, whichever half came last."""
    return moved.at


def first(moved: Movement) -> dict[str, list[int]]:
    """Return a window that has got its first event."""
    return outcomes.add({}, moved)


def records(window: dict[str, Any], key: bytes, *_: Any) -> Iterator[dict[str, Any]]:
    """Yield a record for each row of a closed window."""
    return outcomes.closed(key.decode(), window["start"], window["value"])


def keep_late(moved: Movement, key: bytes, *_: Any) -> bool:
    """Keep what came too late for `take_late`; returns that it needn't be logged."""
    if moved.row:
        counts.late += 1
        missed.append(outcomes.late(key.decode(), moved))
    return False


def take_late(_: Movement) -> list[dict[str, Any]]:
    """Return what the window before this branch refused."""
    taken = missed.copy()
    missed.clear()
    return taken


if __name__ == "__main__":
    main()
