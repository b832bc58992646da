"""What Hypothesis draws for whole-log tests: logs, timings, the randomness of cuts."""

import json
from random import Random

from hypothesis import strategies as st

from logs import random_log
from oracle_v2.worlds import World, machine
from tables.line.rules import Timing

seeds = st.integers(0, 2**32)
rngs = seeds.map(Random)


class Log(list[bytes]):
    """The lines of a log; its repr stays short enough for a report of Hypothesis."""

    def __repr__(self) -> str:
        shown = b"\n".join(self[:12]).decode("utf-8", "backslashreplace")
        return f"<{len(self)} lines>\n{shown}{'' if len(self) <= 12 else '...'}"


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """A log of random events, perhaps shuffled, perhaps with lines repeated anywhere later."""
    lines = Log(random_log(draw(seeds), draw(st.sampled_from([3, 20, 100, 400]))))
    rng = draw(rngs)
    if draw(st.booleans()):
        rng.shuffle(lines)
    for _ in range(draw(st.integers(0, 10))):
        first = rng.randrange(len(lines))
        lines.insert(rng.randint(first + 1, len(lines)), lines[first])
    return lines


@st.composite
def worlds(draw: st.DrawFn) -> Log:
    """A log in which master data, rules, holds and finals have something to do, or machine states.

    Perhaps with lines repeated anywhere later.
    """
    seed, size = draw(seeds), draw(st.sampled_from([3, 20, 100, 300]))
    events = machine(seed, size) if draw(st.booleans()) and seed % 4 == 0 else World(seed).log(size)
    lines = Log(json.dumps(event, ensure_ascii=False).encode() for event in events)
    rng = draw(rngs)
    for _ in range(draw(st.integers(0, 10))):
        first = rng.randrange(len(lines))
        lines.insert(rng.randint(first + 1, len(lines)), lines[first])
    return lines


timings = st.one_of(
    st.just(Timing()),
    st.builds(
        Timing,
        summary_window_seconds=st.sampled_from([60, 7, 300]),
        posting_window_seconds=st.sampled_from([300, 60, 900]),
        grace_seconds=st.sampled_from([30, 0, 45]),
        idle_grace_seconds=st.sampled_from([120, 0]),
        breakdown_seconds=st.sampled_from([600, 60]),
        episode_limit_seconds=st.sampled_from([86_400, 900]),
        state_limit_seconds=st.sampled_from([86_400, 900]),
        mes_retention_seconds=st.sampled_from([604_800, 1_000, 20_000]),
        machine_retention_seconds=st.sampled_from([345_600, 1_000, 20_000]),
        ledger_bucket_seconds=st.sampled_from([3_600, 60, 1]),
    ),
)
"""The contract's defaults, or lengths so short that a small log sees everything expire."""
