"""The catalogue of the chaos suite: each kind of fault, and how much of it a long run has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import chaos_bombs
import chaos_broker
import chaos_floods
import chaos_hosts
import chaos_workers
from chaos_job import Chaos


@dataclass(frozen=True)
class Case:
    """A kind of fault, and how much of it."""

    name: str
    run: Callable[[Chaos], None]
    faults: int
    """In a long run."""
    fault_seconds: float
    """How long one takes, besides a session; for the rate of the load."""
    workers: int = 2
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of each worker."""
    in_order: bool = False
    """Nothing is repeated, whatever the guarantee."""

    @property
    def what(self) -> str:
        return (self.run.__doc__ or "").strip().partition("\n")[0]


STANDBY: Final = {"standbys": 1}

TICKING: Final = {"tick_seconds": chaos_hosts.TICK_SECONDS}

CASES: Final = {
    case.name: case
    for case in (
        Case("kill", chaos_workers.kill_workers, 50, 4),
        Case("rebalance", chaos_workers.rebalance, 30, 4, settings=STANDBY),
        Case("zombie", chaos_workers.wake_zombies, 8, 6),
        Case("broker-kill", chaos_broker.kill_broker, 5, 12),
        Case("broker-freeze", chaos_broker.freeze_broker, 3, 60),
        Case("wipe", chaos_workers.wipe, 8, 6),
        Case("compact", chaos_broker.compact, 5, 10),
        Case("full-disk", chaos_workers.fill_disk, 6, 12),
        Case("sigterm", chaos_workers.terminate, 10, 8, in_order=True),
        Case("rolling", chaos_workers.roll, 9, 8, workers=3, settings=STANDBY),
        Case("rows", chaos_floods.flood_rows, 2, 20),
        Case("backlog", chaos_floods.flood_backlog, 1, 90),
        Case("lines", chaos_floods.flood_lines, 1, 60),
        Case("exceptions", chaos_floods.flood_exceptions, 2, 20),
        Case("duplicates", chaos_floods.flood_duplicates, 2, 30),
        Case("bombs", chaos_bombs.drop_bombs, 5, 40),
        Case("idle-connections", chaos_hosts.hold_connections, 3, 20),
        Case("flipped-bytes", chaos_hosts.flip_bytes, 6, 10),
        Case("leaping-clock", chaos_hosts.leap, 3, 30, settings=TICKING),
    )
}
