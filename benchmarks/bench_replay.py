"""What a replay costs: CPU against decoding alone, memory, and equal output from any partitions.

    python benchmarks/bench_replay.py [--events N] [--rounds R] [--skip-memory]

Makes a simulated log (default mess), then measures in turns, each time in a process of its own: the
CPU time that `msgspec.json.Decoder(union).decode` takes on its lines, and the CPU time of the whole
process `lineside replay`. Prints medians and their ratio; then peak memory for N and 4 N events,
with the bytes of ledger that an event adds; then whether 1, 4 and 16 partitions give the same
posting keys, and the conservation error. Results go to benchmarks/results/replay.json.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

LINESIDE = str(Path(sys.executable).with_name("lineside"))
RESULTS = Path(__file__).parent / "results" / "replay.json"
RATIO_MAX = 10
MEMORY_MB_MAX = 300


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--skip-memory", action="store_true")
    parser.add_argument("--decode", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.decode:
        print(decode_alone(options.decode))
        return
    with tempfile.TemporaryDirectory(prefix="lineside-bench-") as folder:
        found = measure(Path(folder), options.events, options.rounds, not options.skip_memory)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(f"kept in {os.path.relpath(RESULTS)}")


def measure(folder: Path, events: int, rounds: int, memory: bool) -> dict[str, Any]:
    """Return all figures."""
    log = simulate(folder, events)
    lines = count_lines(log)
    decoding, replaying = [], []
    peak = 0
    for number in range(rounds):
        decoding.append(decode_in_process(log) / lines * 1e6)
        seconds, peak_mb, _ = replay(log, folder / "out")
        replaying.append(seconds / lines * 1e6)
        peak = max(peak, peak_mb)
        print(
            f"round {number + 1}: decode {decoding[-1]:.2f}, replay {replaying[-1]:.2f} "
            f"microseconds of CPU a line",
            flush=True,
        )
    ratio = statistics.median(replaying) / statistics.median(decoding)
    print(f"ratio of medians: {ratio:.1f} (wanted: at most {RATIO_MAX})")
    print(f"peak memory of {events:,} events: {peak} MB (wanted: under {MEMORY_MB_MAX})")
    found: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "events": events,
        "decode_microseconds": decoding,
        "replay_microseconds": replaying,
        "ratio_of_medians": round(ratio, 2),
        "peak_mb": peak,
    }
    keys = {}
    for partitions in (1, 4, 16):
        _, _, report = replay(log, folder / "out", "--partitions", str(partitions))
        keys[partitions] = posting_keys(folder / "out")
        found[f"conservation_error_{partitions}"] = report["conservation"]["error"]
    same = keys[1] == keys[4] == keys[16]
    errors = [found[f"conservation_error_{partitions}"] for partitions in keys]
    print(f"posting keys of 1, 4 and 16 partitions: {len(keys[1]):,}, equal: {same}")
    print(f"conservation errors: {', '.join(errors)}")
    found |= {"posting_keys": len(keys[1]), "posting_keys_equal": same}
    if memory:
        log = simulate(folder, 4 * events)
        _, peak_more, _ = replay(log, folder / "out")
        print(f"peak memory of {4 * events:,} events: {peak_more} MB")
        found["peak_mb_of_4_times_the_events"] = peak_more
    return found


def simulate(folder: Path, events: int) -> Path:
    """Return a new simulated log of 64 lines in 8 plants."""
    log = folder / "log.ndjson"
    began = time.monotonic()
    subprocess.run(
        [LINESIDE, "simulate", "--events", str(events), "--out", log],
        check=True,
        capture_output=True,
    )
    size = log.stat().st_size / 1e6
    print(f"simulated {events:,} events, {size:,.0f} MB, in {time.monotonic() - began:.0f} s")
    return log


def decode_in_process(log: Path) -> float:
    """Return the seconds of CPU that decoding takes, measured in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--decode", log], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def decode_alone(log: Path) -> float:
    """Return the seconds of CPU that the decoder takes on the lines of a log, and nothing else."""
    from streams.contract.events import AnyEvent, Tick
    from streams.values.quantity import Number

    decode = msgspec.json.Decoder(AnyEvent | Tick, float_hook=Number).decode
    seconds = 0.0
    with log.open("rb") as file:
        while lines := file.readlines(1 << 18):
            began = time.process_time()
            for line in lines:
                try:
                    decode(line)
                except ValueError:  # msgspec's errors are ValueErrors
                    pass
            seconds += time.process_time() - began
    return seconds


def replay(log: Path, out: Path, *arguments: str) -> tuple[float, int, dict[str, Any]]:
    """Return (seconds of CPU, peak MB, report) of `lineside replay` as a whole process."""
    process = subprocess.Popen(
        [LINESIDE, "replay", log, "--out", out, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"lineside replay ended with {process.returncode}")
    report: dict[str, Any] = json.loads((out / "report.json").read_bytes())
    return cpu_seconds(usage), usage.ru_maxrss // 1024, report


def cpu_seconds(usage: resource.struct_rusage) -> float:
    """Return user and system time."""
    return usage.ru_utime + usage.ru_stime


def posting_keys(out: Path) -> set[str]:
    """Return the ids of what left, exceptions aside (theirs name the partition)."""
    decode = msgspec.json.Decoder(Keyed).decode
    return {
        decode(line).id
        for path in out.glob("*.ndjson")
        if not path.name.startswith("exceptions.")
        for line in path.read_bytes().splitlines()
    }


class Keyed(msgspec.Struct):
    """A record, of which only the id is looked at."""

    id: str


def count_lines(log: Path) -> int:
    """Return the number of lines of a log."""
    with log.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


if __name__ == "__main__":
    main()
