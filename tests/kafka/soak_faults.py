"""The soak's faults: one each minute, as long as there is a load."""

import time
from collections.abc import Callable
from typing import Any, Final

from chaos_bombs import drop_bomb
from chaos_broker import freeze_broker, kill_broker
from chaos_floods import flood_exceptions
from chaos_hosts import hold_connections
from chaos_job import Chaos
from chaos_suite import tell
from chaos_workers import kill_workers, terminate, wake_zombies, wipe
from soak_samples import LASTING, Samples

MINUTE_SECONDS: Final = 60.0

Fault = Callable[[Chaos], None]


def come_and_go(chaos: Chaos) -> None:
    """A third worker comes, and goes again."""
    chaos.start("third")
    chaos.wait_until_settled()
    chaos.stop("third")
    chaos.wait_until_settled()


ENDING: Final[dict[str, Fault]] = {"kill": kill_workers, "sigterm": terminate, "wipe": wipe}
"""Faults that end a worker, and spare one that is to last."""

PASSING: Final[dict[str, Fault]] = {
    "zombie": wake_zombies,
    "broker-kill": kill_broker,
    "broker-freeze": freeze_broker,
    "third-worker": come_and_go,
    "bomb": lambda chaos: drop_bomb(chaos, len(chaos.resumed)),
    "exceptions": flood_exceptions,
    "idle-connections": hold_connections,
}
"""Those that all workers live through."""


def harm(chaos: Chaos, samples: Samples, faults: list[dict[str, Any]]) -> None:
    """Do harm each minute, as long as there is a load; note it in `faults`."""
    done: list[str] = []
    while True:
        minute = samples.seconds // MINUTE_SECONDS + 1
        while samples.seconds < minute * MINUTE_SECONDS and chaos.feeder.feeding:
            chaos.feeder.check()
            chaos.check()
            time.sleep(0.2)
        if not chaos.feeder.feeding:
            return
        names = [name for name in (*ENDING, *PASSING) if name not in done[-len(PASSING) :]]
        name = chaos.rng.choice(names)
        done.append(name)
        began, went_on = samples.seconds, len(chaos.resumed)
        chaos.spared = {LASTING} if name in ENDING else set()
        (ENDING | PASSING)[name](chaos)
        chaos.wait_until_settled()
        faults.append(
            {
                "name": name,
                "seconds": round(began, 1),
                "went_on": max(chaos.resumed[went_on:], default=None),
            }
        )
        tell(_line(chaos, samples, name))


def _line(chaos: Chaos, samples: Samples, name: str) -> str:
    last = samples.taken[-1] if samples.taken else None
    memory = ", ".join(
        f"{each} {mb:.0f} MB" for each, mb in (last.memory_mb if last else {}).items()
    )
    return (
        f"minute {samples.seconds / MINUTE_SECONDS:.0f}: {name}; "
        f"{chaos.heads.processed:,} records; {memory}; lag {last.lag if last else None}"
    )
