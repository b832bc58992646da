"""The catalogue of the chaos suite: each kind of fault, and how much of it a long run has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import chaos_bombs
import chaos_broker
import chaos_cluster
import chaos_floods
import chaos_holds
import chaos_hosts
import chaos_topics
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
    brokers: Literal[1, 3] = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of each worker."""
    recent: bool = False
    """The load is of yesterday, so that workers' ticks make it late and not too old."""
    under_load: bool = True
    """The load lasts from the first fault to the last."""
    in_order: bool = False
    """Nothing is repeated, whatever the guarantee."""
    repeats: bool = False
    """With exactly_once, too: all of the input is processed anew."""

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
        Case("rows", chaos_floods.flood_rows, 2, 20, under_load=False),
        Case("backlog", chaos_floods.flood_backlog, 1, 90, under_load=False),
        Case("lines", chaos_floods.flood_lines, 1, 60, under_load=False),
        Case("exceptions", chaos_floods.flood_exceptions, 2, 20, under_load=False),
        Case("duplicates", chaos_floods.flood_duplicates, 2, 30, under_load=False),
        Case("parked", chaos_holds.free_parked, 2, 60, under_load=False),
        Case("copying", chaos_holds.kill_the_copying, 3, 40, under_load=False),
        Case("bombs", chaos_bombs.drop_bombs, 5, 40, under_load=False),
        Case("idle-connections", chaos_hosts.hold_connections, 3, 20),
        Case("flipped-bytes", chaos_hosts.flip_bytes, 6, 10),
        Case("inputs-anew", chaos_topics.renew_inputs, 2, 30),
        Case("changelogs-anew", chaos_topics.renew_changelogs, 3, 20, repeats=True),
        Case("leaping-clock", chaos_hosts.leap, 4, 30, settings=TICKING, recent=True),
        Case("cluster-kill", chaos_cluster.kill_one, 8, 30, brokers=3),
        Case("cluster-stop", chaos_cluster.stop_one, 8, 25, brokers=3),
        Case("cluster-freeze", chaos_cluster.freeze_one, 8, 50, brokers=3),
        Case("cluster-two", chaos_cluster.harm_two, 6, 45, brokers=3),
    )
}


def one_after_the_other(faults: Mapping[str, int]) -> Case:
    """Return a case of several kinds of faults under one load: their names, and how many of each.

    Nothing is compared between two kinds, so it takes less time than each by itself.
    """
    cases = [CASES[name] for name in faults]

    def run(chaos: Chaos) -> None:
        for number, case in enumerate(cases):
            chaos.fault_count, chaos.under_load = faults[case.name], case.under_load
            chaos.fault_seconds = case.fault_seconds + chaos.session_seconds
            chaos.later_seconds = sum(
                faults[later.name] * (later.fault_seconds + chaos.session_seconds)
                for later in cases[number + 1 :]
            )
            _fill_up(chaos, case.workers)
            chaos.tell(case.name)
            try:
                case.run(chaos)
            except AssertionError as failure:
                raise AssertionError(f"{case.name}: {failure}") from failure

    return Case(
        "+".join(faults),
        run,
        1,
        sum(faults[case.name] * case.fault_seconds for case in cases),
        workers=cases[0].workers,
        settings={name: given for case in cases for name, given in case.settings.items()},
        in_order=all(case.in_order for case in cases),
        repeats=any(case.repeats for case in cases),
    )


def _fill_up(chaos: Chaos, workers: int) -> None:
    """Start workers until there are so many: kinds of faults may leave fewer behind."""
    while len(chaos.workers) < workers:
        chaos.start(next(name for name in map("w{}".format, range(9)) if name not in chaos.workers))
        chaos.wait_until_settled()
