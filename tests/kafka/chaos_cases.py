"""What the chaos suite does to a running job, case by case."""

import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from broker import KafkaBroker, run_apart
from contents import stream
from feeding import Feeder
from heads import Heads
from kafka_workers import STOP_SECONDS_MAX, KafkaJob, WorkerProcess, wait_until
from runs import At
from streams.cluster import read_broker
from streams.topics import INPUTS, STATE, changelog
from tables.head import HEAD

RESUME_SECONDS_MAX: Final = 120.0
"""Longer, and the job is taken to stand still for good."""

FULL_SECONDS_MAX: Final = 45.0
"""A worker on a full disk notices when a write buffer is flushed, at the latest when it stops."""

SENTENCE_BYTES: Final = 9_000
"""What a worker may still say on a full disk, into a file: a sentence, and until then half a
kilobyte a second of refused events."""

FROZEN_SECONDS_MAX: Final = 30.0
FROZEN_SESSIONS: Final = 5
"""A broker answers nobody for so many sessions, but no longer than that."""

HARD: Final = {"segment.ms": "500", "min.cleanable.dirty.ratio": "0.001"}
"""Of a changelog that is compacted all the time."""

FORGETFUL: Final = {"delete.retention.ms": "0"}
"""Tombstones go at once; a worker refuses to start on such a changelog."""


@dataclass
class Chaos:
    """A job under load, its faults, and how quickly it went on after each."""

    broker: KafkaBroker
    job: KafkaJob
    heads: Heads
    feeder: Feeder
    rng: Random
    guarantee: str
    session_seconds: float
    fault_count: int
    fault_seconds: float
    """How long a fault may take; for the rate of the load."""
    standbys: int
    tell: Callable[[str], None]
    workers: dict[str, WorkerProcess] = field(default_factory=dict)
    """Those that should be running, by name."""
    resumed: list[float] = field(default_factory=list)
    """Seconds from a fault until all partitions that it hit went on."""

    def faults(self) -> Iterator[int]:
        """Yield a number for each fault; the log is being fed from the first to the last."""
        began = time.monotonic()
        for number in range(self.fault_count):
            mean = (time.monotonic() - began) / number if number else self.fault_seconds
            self.feeder.last((self.fault_count - number) * mean)
            self.feeder.check()
            self.check()
            yield number
            self.tell(f"{number + 1} of {self.fault_count} faults")
        self.feeder.check()
        self.check()

    def check(self) -> None:
        """Fail if a worker that should be running has ended."""
        for name, worker in self.workers.items():
            assert worker.running, f"worker {name} has ended with code {worker.process.poll()}"

    def start(self, name: str) -> WorkerProcess:
        """Start a worker; its data is where a worker of that name left it."""
        self.workers[name] = self.job.worker(
            name,
            guarantee=self.guarantee,
            session_timeout_seconds=self.session_seconds,
            standbys=self.standbys,
        )
        return self.workers[name]

    def any(self) -> str:
        """Return the name of one of the workers."""
        return self.rng.choice(sorted(self.workers))

    def pause(self, seconds_max: float) -> None:
        """Wait for a random time."""
        time.sleep(self.rng.uniform(0, seconds_max))

    def owned(self, name: str) -> set[At]:
        """Return the partitions that a worker has, none if it isn't up."""
        try:
            told = self.workers[name].status()["partitions"]
        except (AssertionError, OSError):
            return set()
        return {(one["topic"], one["partition"]) for one in told}

    @property
    def partitions(self) -> set[At]:
        return {(topic, number) for topic in INPUTS for number in range(self.job.partitions)}

    def wait_until_settled(self) -> None:
        """Wait until the workers have all partitions among them, with their states."""

        def settled() -> bool:
            self.check()
            try:
                told = [worker.owned() for worker in self.workers.values()]
            except OSError:
                return False
            return all(told) and sum(map(len, told)) == len(self.partitions)

        wait_until("the workers have all partitions among them", settled, RESUME_SECONDS_MAX)

    def stop(self, name: str) -> None:
        """SIGTERM: it has to stop within `STOP_SECONDS_MAX`, in order."""
        worker = self.workers.pop(name)
        assert worker.url  # until then a signal ends it as any program
        began = time.monotonic()
        code = worker.end(signal.SIGTERM)
        took = time.monotonic() - began
        assert code == 0, f"worker {name} was to stop in order, and ended with code {code}"
        assert took < STOP_SECONDS_MAX, f"worker {name} took {took:.1f} s to stop"
        assert "Traceback" not in worker.said, f"worker {name} has a traceback"

    def resume(self, partitions: Iterable[At], since_ms: int) -> None:
        """Wait until partitions have processed something since an instant; note how long it took.

        It counts until the last of them has a new head in its changelog.
        """
        wanted = set(partitions)
        if wanted:
            try:
                self.heads.wait_until_moved(
                    "processing again", wanted, since_ms, RESUME_SECONDS_MAX
                )
            except AssertionError as failure:
                self.feeder.check()  # where nothing comes in, nothing can be processed
                raise AssertionError(
                    f"{failure}; {self.feeder.still_seconds:.0f} s ago the log was fed last"
                ) from None
            self.resumed.append(max(now_ms() - since_ms, 0) / 1000)


def kill_workers(chaos: Chaos) -> None:
    """`kill -9` of a worker at a random moment; it's started again at once.

    Three in ten hit while the job is still recovering from the one before.
    """
    for number in chaos.faults():
        name = chaos.any()
        owned = chaos.owned(name)
        since = now_ms()
        chaos.workers[name].kill()
        chaos.start(name)
        if chaos.rng.random() < 0.7 or number + 1 == chaos.fault_count:
            chaos.resume(owned, since)
            chaos.pause(1.5)
        else:
            chaos.pause(chaos.session_seconds)


def rebalance(chaos: Chaos) -> None:
    """A third worker comes, one of three goes, again and again; some before the last has settled."""
    names = {f"w{number}" for number in range(5)}
    for _ in chaos.faults():
        if len(chaos.workers) < 3:
            worker = chaos.start(chaos.rng.choice(sorted(names - chaos.workers.keys())))
            if chaos.rng.random() < 0.7:
                worker.wait_for("the new worker is ready", lambda told: told["ready"])
        else:
            name = chaos.any()
            owned, since = chaos.owned(name), now_ms()
            chaos.stop(name)
            if chaos.rng.random() < 0.7:
                chaos.resume(owned, since)
        chaos.pause(1.0)


def wake_zombies(chaos: Chaos) -> None:
    """A worker stands still (SIGSTOP) until its partitions are another's, and wakes up again."""
    for _ in chaos.faults():
        chaos.wait_until_settled()
        chaos.pause(1.0)
        name = chaos.any()
        worker, owned, since = chaos.workers[name], chaos.owned(name), now_ms()
        worker.process.send_signal(signal.SIGSTOP)
        try:
            chaos.resume(owned, since)
            chaos.pause(2.0)
        finally:
            worker.process.send_signal(signal.SIGCONT)
        worker.wait_for("the zombie has noticed", lambda told: told["ready"])


def kill_broker(chaos: Chaos) -> None:
    """The broker is killed, and started again."""
    for _ in chaos.faults():
        chaos.pause(2.0)
        chaos.broker.kill()
        chaos.pause(2.0)
        chaos.broker.restart()
        chaos.resume(chaos.partitions, now_ms())


def freeze_broker(chaos: Chaos) -> None:
    """The broker answers nobody for a while."""
    for _ in chaos.faults():
        chaos.pause(2.0)
        chaos.broker.freeze()
        time.sleep(min(FROZEN_SECONDS_MAX, FROZEN_SESSIONS * chaos.session_seconds))
        chaos.broker.thaw()
        chaos.resume(chaos.partitions, now_ms())


def wipe(chaos: Chaos) -> None:
    """A worker is killed, or all are, and has to start without its data directory."""
    for number in chaos.faults():
        names = sorted(chaos.workers) if number % 2 else [chaos.any()]
        owned = set().union(*map(chaos.owned, names))
        since = now_ms()
        _kill_and_wipe(chaos, names)
        for name in names:
            chaos.start(name)
        chaos.resume(owned, since)
        chaos.pause(1.5)


def compact(chaos: Chaos) -> None:
    """Changelogs are compacted all the time, their tombstones go, and then the disks are lost."""
    _configure_changelogs(chaos, HARD)
    for _ in chaos.faults():
        chaos.pause(2.0)
        names, since = sorted(chaos.workers), now_ms()
        _kill_and_wipe(chaos, names)
        _configure_changelogs(chaos, HARD | FORGETFUL)
        chaos.pause(3.0)
        _configure_changelogs(chaos, HARD)
        for name in names:
            chaos.start(name)
        chaos.resume(chaos.partitions, since)
    # What is being written isn't compacted yet: it takes some heads until most of them are.
    wait_until(
        "three in four heads aren't in the changelogs any more",
        lambda: _heads_kept(chaos) < chaos.heads.written / 4,
        RESUME_SECONDS_MAX,
    )


def fill_disk(chaos: Chaos) -> None:
    """No file of a worker may grow any more: what a full disk does to a writer. Then there's room.

    The worker says so in a sentence and ends.
    """
    for _ in chaos.faults():
        chaos.wait_until_settled()
        name = chaos.any()
        worker = chaos.workers[name]
        chaos.heads.wait_until_moved(
            "there is something to be written", chaos.owned(name), now_ms(), RESUME_SECONDS_MAX
        )
        limit = worker.log.stat().st_size + SENTENCE_BYTES
        resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        deadline = time.monotonic() + chaos.rng.uniform(0, min(FULL_SECONDS_MAX, 5))
        while worker.running and time.monotonic() < deadline:
            time.sleep(0.05)
        del chaos.workers[name]
        since = now_ms()
        code = worker.end(signal.SIGTERM)
        assert "Traceback" not in worker.said, f"worker {name} on a full disk has a traceback"
        assert code == 1, f"worker {name} on a full disk ended with code {code}"
        assert "can't be written" in worker.said, f"worker {name} on a full disk doesn't say so"
        chaos.start(name)
        chaos.resume(chaos.partitions, since)


def terminate(chaos: Chaos) -> None:
    """SIGTERM under load, of one worker or of all, and a start."""
    for number in chaos.faults():
        chaos.wait_until_settled()
        chaos.pause(1.0)
        names = sorted(chaos.workers) if number % 2 else [chaos.any()]
        owned = set().union(*map(chaos.owned, names))
        since = now_ms()
        for name in names:
            chaos.stop(name)
        for name in names:
            chaos.start(name)
        chaos.resume(owned, since)


def roll(chaos: Chaos) -> None:
    """Three workers are restarted one after the other, each when the one before is ready again."""
    for number in chaos.faults():
        name = sorted(chaos.workers)[number % len(chaos.workers)]
        owned, since = chaos.owned(name), now_ms()
        chaos.stop(name)
        chaos.start(name)
        chaos.resume(owned, since)
        chaos.wait_until_settled()


def now_ms() -> int:
    return round(time.time() * 1000)


def _kill_and_wipe(chaos: Chaos, names: Iterable[str]) -> None:
    for name in names:
        chaos.workers[name].kill()
        for path in chaos.workers[name].folder.iterdir():
            if path.is_dir():  # all but what it has said
                shutil.rmtree(path)


def _configure_changelogs(chaos: Chaos, changes: dict[str, str]) -> None:
    """Give the changelogs the catalogue's settings, and these."""

    async def configure() -> None:
        async with read_broker(chaos.broker.url).admin() as admin:
            answers = await admin.alter_configs(
                [
                    ConfigResource(
                        ConfigResourceType.TOPIC,
                        changelog(chaos.job.group, topic),
                        configs=STATE | changes,
                    )
                    for topic in INPUTS
                ]
            )
            for code, message, *_ in [one for answer in answers for one in answer.resources]:
                assert code == 0, message

    run_apart(configure())


def _heads_kept(chaos: Chaos) -> int:
    """Return how many records of the changelogs are heads; without compaction all are there."""
    names = [changelog(chaos.job.group, topic) for topic in INPUTS]

    async def count() -> int:
        kept = 0
        async for _, records in stream(
            chaos.job.cluster, dict.fromkeys(names, chaos.job.partitions)
        ):
            kept += sum(record.key == HEAD for record in records)
        return kept

    return run_apart(count())
