"""A job under load while harm is done to it, and how soon it goes on after each fault."""

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol, Self

from broker import KafkaBroker, run_apart
from clusters import delete_topics, fresh_topics
from contents import write
from heads import Heads
from kafka_cluster import KafkaCluster
from kafka_workers import STOP_SECONDS_MAX, KafkaJob, WorkerProcess, wait_until
from pod_limit import PodLimit
from runs import At, placed
from streams.contract.topics import INPUTS, changelog

RESUME_SECONDS_MAX: Final = 120.0
"""Longer, and the job is taken to stand still for good."""

STILL_SECONDS_MAX: Final = 120.0
"""A job that processes nothing for so long, though there is something, has failed."""

LINES_AT_ONCE: Final = 20_000
"""Of what is put on the topics beside the load: placed and produced, then the next."""

LAST_WORDS_CHARS: Final = 300
"""Of a worker that has ended though it should be running."""


class Load(Protocol):
    """Events on their way into the cluster meanwhile."""

    @property
    def still_seconds(self) -> float:
        """For how long nothing has been acknowledged."""
        ...

    def last(self, seconds: float) -> None:
        """Last a little longer than so many seconds from now."""
        ...

    @property
    def feeding(self) -> bool:
        """Whether there is more to come."""
        ...

    def check(self) -> None:
        """Fail if it failed."""
        ...


class Stewardship(Protocol):
    """Master data on its way into the cluster meanwhile."""

    def finish(self) -> None:
        """Tell no more."""
        ...

    def tell(self, said: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        """Tell kinds, plants and `data` beside the rest."""
        ...


class NoSteward:
    """Nobody tells master data."""

    def finish(self) -> None:
        pass

    def tell(self, said: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        raise AssertionError(f"nobody could tell {list(said)[:1]}")


@dataclass
class Chaos:
    """A job under load, its faults, and how quickly it went on after each."""

    broker: KafkaBroker | KafkaCluster
    job: KafkaJob
    heads: Heads
    feeder: Load
    rng: Random
    guarantee: str
    session_seconds: float
    fault_count: int
    fault_seconds: float
    """How long a fault may take; for the rate of the load."""
    settings: Mapping[str, Any]
    """Of each worker, besides its guarantee and its session."""
    scale: float
    """Of floods: 1 is the size that the docs name."""
    limit: PodLimit
    under_load: bool
    """The log has to last from the first fault to the last: a flood is load enough."""
    tell: Callable[[str], None]
    steward: Stewardship = field(default_factory=NoSteward)
    workers: dict[str, WorkerProcess] = field(default_factory=dict)
    """Those that should be running, by name."""
    resumed: list[float] = field(default_factory=list)
    """Seconds from a fault until all partitions that it hit went on."""
    aside: list[Path] = field(default_factory=list)
    """Dumps of inputs that are there no more, and what left of them is."""
    spared: set[str] = field(default_factory=set)
    """Workers that no fault of a single one chooses."""
    later_seconds: float = 0.0
    """How long faults of other kinds may take, that come behind these; for the rate of the load."""

    def __enter__(self) -> Self:
        self.heads.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.heads.__exit__()

    def faults(self) -> Iterator[int]:
        """Yield a number for each fault; the log is being fed from the first to the last."""
        began = time.monotonic()
        for number in range(self.fault_count):
            mean = (time.monotonic() - began) / number if number else self.fault_seconds
            self.feeder.last((self.fault_count - number) * mean + self.later_seconds)
            self._check_all()
            yield number
            self.tell(f"{number + 1} of {self.fault_count} faults")
        self._check_all()

    def _check_all(self) -> None:
        self.feeder.check()
        fed = self.feeder.feeding or not self.under_load
        assert fed, "the log has ended too early: give it more events"
        self.check()

    def check(self) -> None:
        """Fail if a worker that should be running has ended."""
        for name, worker in self.workers.items():
            if worker.running:
                continue
            *_, last = worker.said.splitlines() or ["it has said nothing"]
            code = worker.process.poll()
            end = self.limit.killed.get(worker.process.pid) or f"with code {code}: {last}"
            raise AssertionError(f"worker {name} has ended {end[:LAST_WORDS_CHARS]}")

    def start(self, name: str, **settings: Any) -> WorkerProcess:
        """Start a worker; its data is where a worker of that name left it."""
        self.workers[name] = self.job.worker(
            name,
            guarantee=self.guarantee,
            session_timeout_seconds=self.session_seconds,
            **{**self.settings, **settings},
        )
        self.limit.watch(self.workers[name].process)
        return self.workers[name]

    def scaled(self, size: int) -> int:
        """Return how large a flood of so many records is in this run."""
        return max(round(size * self.scale), 1)

    def put(self, lines: Iterable[bytes]) -> None:
        """Put lines of a log on the input topics, beside the load and as fast as it goes."""
        rest = iter(lines)
        while part := list(islice(rest, LINES_AT_ONCE)):
            run_apart(write(self.job.cluster, placed(part, self.job.partitions)))

    def owner(self, at: At) -> str:
        """Return the name of the worker that has a partition's state."""
        for name in self.workers:
            if at in self.owned(name):
                return name
        raise AssertionError(f"no worker has {at}")

    def any(self) -> str:
        """Return the name of one of the workers that aren't spared."""
        return self.rng.choice(sorted(self.workers.keys() - self.spared))

    def pause(self, seconds_max: float) -> None:
        """Wait for a random time."""
        time.sleep(self.rng.uniform(0, seconds_max))

    def owned(self, name: str) -> set[At]:
        """Return the partitions that a worker has, none if it isn't up."""
        try:
            partitions = self.workers[name].status()["partitions"]
        except (AssertionError, OSError):
            return set()
        return {(one["topic"], one["partition"]) for one in partitions}

    @property
    def partitions(self) -> set[At]:
        return {(topic, number) for topic in INPUTS for number in range(self.job.partitions)}

    def wait_until_settled(self) -> None:
        """Wait until the workers have all partitions among them, with their states."""

        def settled() -> bool:
            self.check()
            try:
                owned = [worker.owned() for worker in self.workers.values()]
            except (AssertionError, OSError):  # it isn't up yet, or has ended: the check says so
                self.check()
                return False
            return all(owned) and sum(map(len, owned)) == len(self.partitions)

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

    def take_group(self, group: str) -> None:
        """Go on as another group, whose states are empty; the workers of this one have ended."""
        self.heads.__exit__()
        names = [changelog(self.job.group, topic) for topic in INPUTS]
        delete_topics(self.broker, names)
        self.job.group = group
        names = [changelog(group, topic) for topic in INPUTS]
        fresh_topics(self.broker, self.job.partitions, group, names=names)
        self.heads = Heads(self.job.cluster, group, self.job.partitions)
        self.heads.__enter__()

    def resume(
        self, partitions: Iterable[At], since_ms: int, seconds_max: float = RESUME_SECONDS_MAX
    ) -> None:
        """Wait until partitions have processed something since an instant; note how long it took.

        It counts until the last of them has a new head in its changelog.
        """
        wanted = set(partitions)
        if wanted:
            try:
                self.heads.wait_until_moved("processing again", wanted, since_ms, seconds_max)
            except AssertionError as failure:
                self.feeder.check()  # where nothing comes in, nothing can be processed
                raise AssertionError(
                    f"{failure}; {self.feeder.still_seconds:.0f} s ago the log was fed last"
                ) from None
            self.resumed.append(max(now_ms() - since_ms, 0) / 1000)

    def get_through(self, since_ms: int) -> None:
        """Wait until all that is on the input topics now is in the states; note how long it took.

        It counts from an instant, that of a flood for instance.
        """
        self.wait_until_processed()
        self.resumed.append(max(now_ms() - since_ms, 0) / 1000)

    def wait_until_processed(self) -> None:
        """Wait until all that is on the input topics now is in the states."""
        ends = {(tp.topic, tp.partition): end for tp, end in self.job.ends(INPUTS).items()}
        self.heads.wait_until_at(ends, STILL_SECONDS_MAX, self.check)


def now_ms() -> int:
    return round(time.time() * 1000)
