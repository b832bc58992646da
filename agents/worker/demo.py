"""The demonstration: a simulated factory, the job, the desk and the pages in one process."""

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe
from time import monotonic
from typing import Final, TextIO

from msgspec import Struct, structs
from rich.console import Console
from rich.table import Table

from agents.settings.settings import Settings
from agents.simulate.factory import Plan
from agents.worker.feed import feed_factory
from agents.worker.run import Worker, run_worker
from streams.address import is_loopback
from tables.report import Report, report

DRAIN_SECONDS_MAX: Final = 8.0
DAYS_BACK: Final = 28
"""The factory's clock starts on a Monday this many days ago or up to six more."""

BEFORE_MIDNIGHT: Final = timedelta(minutes=20)
"""So early the clock starts, that the rule which holds from midnight on is seen soon."""

PROGRESS_SECONDS: Final = 1.0


class Outcome(Struct):
    """The result of a demonstration."""

    report: Report
    records: int
    seconds: float
    drained: bool


def run_demo(
    settings: Settings, plan: Plan, rate: float, seconds: float | None, out: TextIO
) -> bool:
    """Run the demonstration; return whether all was processed and the totals add up exactly.

    If the pages listen beyond this machine and no token is set, the printed links have a new token.
    A worker's page on a free port has the desk on a free port, too.
    """
    with tempfile.TemporaryDirectory(prefix="lineside-demo-") as folder:
        own = structs.replace(
            settings,
            broker="",
            database="",
            data_dir=folder,
            tick_seconds=0,
            desk_port=settings.desk_port if settings.port else 0,
        )
        mark = ""
        if not own.read_tokens and not own.desk_tokens and not is_loopback(own.host):
            token = token_urlsafe()
            files = Path(folder) / "token", Path(folder) / "desk-token"
            files[0].write_text(token)  # the folder is its owner's alone
            files[1].write_text(f"{token} demo admin *")
            own = structs.replace(
                own, read_tokens=f"file:{files[0]}", desk_tokens=f"file:{files[1]}"
            )
            mark = f"#token={token}"

        async def main(worker: Worker) -> Outcome:
            assert worker.desk is not None
            pages = f"{worker.desk.url}{mark} (the desk) - a worker's page at {worker.url}{mark}"
            return await _demonstrate(worker, pages, plan, rate, seconds, out)

        outcome: Outcome | None = run_worker(own, "demo", main, keeps_master=True, desk=True)
    if outcome is None:
        return False
    print_outcome(outcome, out)
    return outcome.drained and outcome.report.conservation["error"] == "0"


async def _demonstrate(
    worker: Worker, pages: str, plan: Plan, rate: float, seconds: float | None, out: TextIO
) -> Outcome:
    until = f"for {seconds:g} s" if seconds is not None else "until Ctrl-C"
    print(f"lineside demo: {pages} - {rate:g} events/s {until}", file=out, flush=True)
    begun = monotonic()
    progress = asyncio.ensure_future(_print_progress(worker, begun, out))
    try:
        produced = await feed_factory(worker, plan, rate, seconds)
        drained = await worker.drained(DRAIN_SECONDS_MAX)
    finally:
        progress.cancel()
    if out.isatty():
        print(file=out)
    result = report(worker.job.partitions.values())
    return Outcome(result, sum(result.counts.values()), produced, drained)


async def _print_progress(worker: Worker, begun: float, out: TextIO) -> None:
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        status = await worker.job_status.status()
        error = (status["conservation"] or {"error": "?"})["error"]
        counts = status["counts"]
        line = (
            f"{monotonic() - begun:5.0f} s  in {counts['in']:,}  accepted {counts['accepted']:,}  "
            f"duplicates {counts['duplicate']:,}  late {status['late'] or 0:,}  "
            f"exceptions {counts['exception']:,}  "
            f"ERP {sum(status['transactions'].values()):,}  "
            f"{status['rate']:,.0f} events/s  error {error}"
        )
        if out.isatty():
            print(f"\r\x1b[K{line}", end="", file=out, flush=True)
        else:
            print(line, file=out, flush=True)


def print_outcome(outcome: Outcome, out: TextIO) -> None:
    """Print the table at the end."""
    result = outcome.report
    table = Table(show_header=False, title="What came in, and what left", title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for name, count in (
        ("records in", outcome.records),
        ("accepted", result.counts["accepted"]),
        ("duplicates (dropped)", result.counts["duplicate"]),
        ("clock ticks", result.counts["tick"]),
        ("late (carried, not lost)", result.late),
    ):
        table.add_row(name, f"{count:,}")
    _add_section(table, "exceptions", result.counts["exception"], result.exceptions)
    _add_section(table, "ERP transactions", sum(result.transactions.values()), result.transactions)
    _add_section(table, "summaries", sum(result.summaries.values()), result.summaries)
    table.add_section()
    table.add_row("events/s", f"{outcome.records / max(outcome.seconds, 1e-3):,.0f}")
    table.add_row("open windows", f"{result.open_windows:,}")
    table.add_row("parked by a hold", f"{result.parked:,}")
    table.add_row("conservation error", result.conservation["error"])
    Console(file=out, highlight=False).print(table)
    if not outcome.drained:
        print("Not everything that came in was processed before the stop.", file=out)


def _add_section(table: Table, name: str, total: int, parts: dict[str, int]) -> None:
    table.add_section()
    table.add_row(name, f"{total:,}")
    for part, count in parts.items():
        table.add_row(f"  {part}", f"{count:,}")


def demo_start() -> int:
    """Return where the factory's clock starts, in microseconds: a Monday at 23:40 UTC."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    tuesday = today - timedelta(days=DAYS_BACK + today.weekday() - 1)
    return round((tuesday - BEFORE_MIDNIGHT).timestamp()) * 1_000_000
