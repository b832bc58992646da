"""Faults of workers: killed, stopped, frozen, robbed of their disks, come and gone."""

import resource
import shutil
import signal
import time
from collections.abc import Iterable
from typing import Final

from chaos_job import RESUME_SECONDS_MAX, Chaos, now_ms

FULL_SECONDS_MAX: Final = 45.0
"""A worker on a full disk notices when a write buffer is flushed, at the latest when it stops."""

FULL_TRIES_MAX: Final = 5
"""A worker that had little to write ends in order; then another one is tried."""

SENTENCE_BYTES: Final = 9_000
"""What a worker may still say on a full disk, into a file: a sentence, and until then half a
kilobyte a second of refused events."""


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
                worker.wait_for("the new worker is ready", lambda status: status["ready"])
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
        worker.wait_for("the zombie has noticed", lambda status: status["ready"])


def wipe(chaos: Chaos) -> None:
    """A worker is killed, or all are, and has to start without its data directory."""
    for number in chaos.faults():
        names = sorted(chaos.workers) if number % 2 else [chaos.any()]
        owned = set().union(*map(chaos.owned, names))
        since = now_ms()
        kill_and_wipe(chaos, names)
        for name in names:
            chaos.start(name)
        chaos.resume(owned, since)
        chaos.pause(1.5)


def fill_disk(chaos: Chaos) -> None:
    """No file of a worker may grow any more: what a full disk does to a writer. Then there's room.

    The worker says so in a sentence and ends.
    """
    for _ in chaos.faults():
        since = next((at for at in map(_fill_disk, [chaos] * FULL_TRIES_MAX) if at), None)
        assert since is not None, "no worker had anything to write when its disk was full"
        chaos.resume(chaos.partitions, since)


def _fill_disk(chaos: Chaos) -> int | None:
    """Return when a worker ended for want of room; None if it ended in order, with room enough."""
    chaos.wait_until_settled()
    name = chaos.any()
    worker = chaos.workers[name]
    chaos.heads.wait_until_moved(
        "there is something to be written", chaos.owned(name), now_ms(), RESUME_SECONDS_MAX
    )
    limit = worker.log.stat().st_size + SENTENCE_BYTES
    resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    deadline = time.monotonic() + chaos.rng.uniform(2, 5)  # something is to be flushed by then
    while worker.running and time.monotonic() < deadline:
        time.sleep(0.05)
    del chaos.workers[name]
    since = now_ms()
    code = worker.end(signal.SIGTERM)
    assert "Traceback" not in worker.said, f"worker {name} on a full disk has a traceback"
    chaos.start(name)
    if code == 0:
        return None
    assert code == 1, f"worker {name} on a full disk ended with code {code}"
    assert "can't be written" in worker.said, f"worker {name} on a full disk doesn't say so"
    return since


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


def kill_and_wipe(chaos: Chaos, names: Iterable[str]) -> None:
    """Kill workers, and delete all in their folders but what they have said."""
    for name in names:
        chaos.workers[name].kill()
        for path in chaos.workers[name].folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
