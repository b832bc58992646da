"""How much memory a worker takes at most: given bombs, many lines, many partitions.

    python benchmarks/bench_memory.py [--cases bombs,lines,partitions] [--lines N] [--events N]

Each case has a broker of its own, empty topics and a worker with default settings, alone with all
partitions. `bombs` are RecordBatches of all four codecs with values of 1 MiB of zeros, as many as
fit into what an input topic takes; `lines` are N lines with one event each; `partitions` is the
workload of the other benchmarks on 50 partitions of both topics. Fails if a peak passes the bound
that docs/operating.md names.
"""

import argparse
import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Final

from measure import Failed, about, keep, machine, table
from options import add_stand_options
from rig import Rig, run_main, standing
from workload import Plan

from bombs import CODECS, LZ4, NAMES, SNAPPY, bomb, send  # of the tests
from contents import write
from streams.contract.topics import INPUTS, MES_EVENTS
from streams.log.record import Record, partition_of

PEAK_MB_MAX: Final = 1_024
"""What docs/operating.md says of a worker; lines come on top of it."""

LINE_KB_MAX: Final = 1.0
"""The same, of a line."""

GROUP: Final = "lineside"
GUARANTEE: Final = "at_least_once"

TRIES_MAX: Final = 5

VALUE_BYTES: Final = 1 << 20
RECORDS: Final = {LZ4: 200, SNAPPY: 20}
"""Of a bomb: what these codecs make of more doesn't fit an input topic."""

PARTITIONS: Final = {"bombs": 4, "lines": 4, "partitions": 50}
"""Of each of the two topics."""

EVENT: Final = (
    b'{"specversion":"1.0","type":"production.confirmed.v1","source":"/mes","id":"e",'
    b'"time":"2026-11-21T06:00:00Z","plant":"DE01","line":"ORDER-%07d",'
    b'"data":{"order":"1","operation":"10","item":"M","quantity":"1","uom":"kg"}}'
)


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_stand_options(parser, rounds=1)
    parser.add_argument("--cases", default=",".join(PARTITIONS))
    parser.add_argument("--bombs", type=int, default=800, help="records of a bomb")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=1_000_000, help="of the case `partitions`")
    options = parser.parse_args()
    cases = options.cases.split(",")
    if unknown := set(cases) - set(PARTITIONS):
        raise Failed(f"there's no case {', '.join(unknown)}: there are {', '.join(PARTITIONS)}")
    peaks: dict[str, dict[str, Any]] = {}
    for case in cases:
        options.partitions = PARTITIONS[case]
        with standing(options) as rig:
            make_topics(rig)
            total = fill(rig, case, options)
            worker = rig.worker(GROUP, rig.folder / GROUP, GUARANTEE, "--until-drained")
            asyncio.run(rig.follow(worker, GROUP, total))
        sample = worker.samples[-1]
        limit = PEAK_MB_MAX + (options.lines * LINE_KB_MAX / 1_000 if case == "lines" else 0)
        peaks[case] = {
            "records": total,
            "partitions": len(INPUTS) * PARTITIONS[case],
            "seconds": sample.seconds,
            "peak_mb": sample.mb,
            "bound_mb": limit,
        }
        print(f"{case}: {total:,} records, peak {sample.mb:.0f} MB of {limit:.0f} MB", flush=True)
    found = {"machine": machine(), "bomb_records": options.bombs, "cases": peaks}
    keep(options.results, "memory", found, page(found))
    over = [name for name, peak in peaks.items() if peak["peak_mb"] > peak["bound_mb"]]
    if over:
        raise Failed(f"the memory of a worker passed its bound: {', '.join(over)}")


def make_topics(rig: Rig) -> None:
    """Make the topics; a busy broker needs a while to lead so many partitions."""
    for left in range(TRIES_MAX, 0, -1):
        try:
            rig.create_topics(GROUP)
            return
        except Failed:
            if left == 1:
                raise


def fill(rig: Rig, case: str, options: argparse.Namespace) -> int:
    """Put a case's records on the input topics; return how many there are."""
    if case == "bombs":
        return asyncio.run(fill_bombs(rig, options.bombs))
    if case == "lines":
        return asyncio.run(fill_lines(rig, options.lines))
    return rig.fill(Plan(events=options.events)).total


async def fill_bombs(rig: Rig, records: int) -> int:
    """Put a bomb of each codec on each partition."""
    total = 0
    for codec in CODECS:
        count = min(records, RECORDS.get(codec, records))
        data = bomb(codec, count, VALUE_BYTES)
        for number in range(rig.partitions):
            await send(rig.cluster, data, MES_EVENTS, number)
            total += count
        print(f"{NAMES[codec]}: {len(data):,} bytes hold {count} MiB", flush=True)
    return total


async def fill_lines(rig: Rig, lines: int) -> int:
    """Put an event of each of so many lines on their partitions."""
    for some in blocks(lines):
        by_partition: dict[tuple[str, int], list[Record]] = {}
        for number in some:
            key = b"DE01/ORDER-%07d" % number
            at = MES_EVENTS, partition_of(key, rig.partitions)
            by_partition.setdefault(at, []).append(Record(0, None, key, EVENT % number))
        await write(rig.cluster, by_partition)
    return lines


def blocks(lines: int) -> Iterator[range]:
    """Yield the numbers of lines, some at a time."""
    for begin in range(0, lines, 50_000):
        yield range(begin, min(begin + 50_000, lines))


def page(found: Mapping[str, Any]) -> str:
    """Return the page of figures."""
    rows = [
        [
            name,
            f"{case['records']:,}",
            str(case["partitions"]),
            f"{case['peak_mb']:,.0f} MB",
            f"{case['bound_mb']:,.0f} MB",
        ]
        for name, case in found["cases"].items()
    ]
    return f"""# Memory

What a worker takes at most, alone with all partitions: `python benchmarks/bench_memory.py`.

{table(["case", "records", "partitions", "peak", "bound"], rows)}

Each bomb is a RecordBatch whose values are 1 MiB of zeros: {found["bomb_records"]} of them with
gzip and zstd, at most {RECORDS[LZ4]} with lz4 and {RECORDS[SNAPPY]} with snappy, which is what an
input topic takes. There's one of each codec on each partition of `mes.events.v1`. All of their
records are refused, and each exception carries its original.

{about(found)}
"""


if __name__ == "__main__":
    run_main(main)
