"""The command `simulate`: its options, and which of them can be combined."""

import sys
from pathlib import Path
from typing import Any

import click

from agents.cli.options import (
    BROKER,
    CONFIG,
    errors_as_sentences,
    kafka_settings_of,
    say_reasons,
    settings_of,
    writing,
)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="A file, or - for the terminal.")
@BROKER
@click.option(
    "--log",
    type=click.Path(path_type=Path),
    help="To a broker: send this log instead of a factory's events.",
)
@click.option(
    "--events", type=click.IntRange(min=0), help="The number of events, not counting ticks."
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="To a broker: end after this time.",
)
@click.option(
    "--rate", type=click.FloatRange(1, 100_000),
    help="Events/s to a broker; default: about 500, or for a log as fast as possible.",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same bytes.")
@click.option("--plants", type=click.IntRange(1, 99), help="Default: 8, or as --rate requires.")
@click.option(
    "--lines", type=click.IntRange(1, 99), help="Per plant; default: 8, or as --rate requires."
)
@click.option(
    "--tick-seconds", type=click.IntRange(min=0),
    help="Factory time between clock ticks; default: 10, or none to a broker: workers write them.",
)  # fmt: skip
@click.option(
    "--clean", is_flag=True, help="Without the mess: no duplicate, late or broken events."
)
@click.option(
    "--mess", "rates", multiple=True, metavar="NAME=VALUE",
    help="A rate of the mess, e.g. late=0.2 or duplicates=0 (see docs/simulator.md).",
)  # fmt: skip
@click.option(
    "--master-data", is_flag=True,
    help="To a file: the factory's master data instead of events, for `reference import`.",
)  # fmt: skip
@CONFIG
@errors_as_sentences
def simulate(
    out: Path | None, broker: str | None, log: Path | None, events: int | None,
    seconds: float | None, rate: float | None, seed: int, plants: int | None, lines: int | None,
    tick_seconds: int | None, clean: bool, rates: tuple[str, ...], master_data: bool,
    config: Path | None,
) -> None:  # fmt: skip
    """Write the log of a realistic factory to a file, or produce to Kafka as an MES would.

    The factory has orders with routings and components, shifts, scrap, breakdowns and telemetry.
    The mess has duplicates, late and out-of-order events, replayed blocks, conflicts, broken
    events, a line that goes silent, and a line whose backlog arrives an hour late.

    \b
    A file, an event per line: lineside simulate --events 100000 --out LOG.ndjson
    To Kafka, in real time:    lineside simulate --broker kafka://localhost:9092 --rate 500
    A log to Kafka:            lineside simulate --broker kafka://localhost:9092 --log LOG.ndjson
    What its ERP tells:        lineside simulate --master-data --out MASTER.ndjson

    A factory at a broker works around the clock, until --events, --seconds or Ctrl-C ends it.
    """
    from agents.simulate.factory import Plan
    from agents.simulate.plan import mess_of, plan_of_now

    to_broker = {"--broker": broker, "--log": log, "--seconds": seconds, "--rate": rate}
    of_factory = {
        "--events": events, "--seconds": seconds, "--plants": plants, "--lines": lines,
        "--tick-seconds": tick_seconds, "--clean": clean or None, "--mess": rates or None,
    }  # fmt: skip
    if out is None and not settings_of(config, broker=broker).broker:
        raise click.UsageError("give --out FILE, or --broker kafka://host:port")
    if master_data:
        if out is None:
            raise click.UsageError("give --out FILE: where the master data is to be")
        given = {"--events", "--tick-seconds", "--clean", "--mess"}
        _refuse("--master-data", to_broker | {name: of_factory[name] for name in sorted(given)})
        _write_master_data(Plan(seed=seed, plants=plants or 8, lines=lines or 8), out)
    elif out is not None:
        _refuse("--out", to_broker)
        if events is None:
            raise click.UsageError("give --events: how many are to be in the file")
        plan = Plan(
            seed=seed, plants=plants or 8, lines=lines or 8,
            tick_seconds=10 if tick_seconds is None else tick_seconds, mess=mess_of(rates, clean),
        )  # fmt: skip
        _write_log(plan, events, out)
    elif log is not None:
        _refuse("--log", of_factory)
        _produce_log(config, broker, log, rate)
    else:
        rate = 500 if (rate, plants, lines) == (None, None, None) else rate
        mess = mess_of(rates, clean)
        plan = plan_of_now(seed, rate, plants, lines, tick_seconds or 0, mess)
        _produce_factory(config, broker, plan, rate, seconds, events)


def _refuse(option: str, others: dict[str, Any]) -> None:
    for name, value in others.items():
        if value is not None:
            raise click.UsageError(f"{name} doesn't go together with {option}")


def _write_log(plan: Any, events: int, out: Path) -> None:
    from agents.simulate.plan import write_log

    if str(out) == "-":
        write_log(plan, events, sys.stdout.buffer)
        return
    with writing(out), click.progressbar(length=events, label="simulating", file=sys.stderr) as bar:
        write_log(plan, events, out, bar.update)


def _write_master_data(plan: Any, out: Path) -> None:
    from agents.simulate.masters import master_data
    from agents.simulate.plan import write_rows

    if str(out) == "-":
        write_rows(master_data(plan), sys.stdout.buffer)
        return
    with writing(out):
        write_rows(master_data(plan), out)


def _produce_log(config: Path | None, broker: str | None, path: Path, rate: float | None) -> None:
    from agents.simulate.produce import log
    from tables.reasons import WHAT_A_LOG_IS, NothingAcceptedError, Reasons

    reasons = Reasons()
    with path.open("rb"):  # fails before the broker is asked if the file can't be read
        what = f"{path}{f', {rate:g} lines/s' if rate else ''}"
        sent = _produce(config, broker, log(path, rate, reasons), what)
    say_reasons(reasons)
    if reasons.count and reasons.count == sent:
        raise NothingAcceptedError(
            f"{path} was sent as it is, and nothing of it is an event: {WHAT_A_LOG_IS}"
        )


def _produce_factory(
    config: Path | None, broker: str | None, plan: Any, rate: float | None, seconds: float | None,
    events: int | None,
) -> None:  # fmt: skip
    from agents.simulate.plan import rate_of
    from agents.simulate.produce import factory

    rate = rate or rate_of(plan)
    what = f"{plan.plants} x {plan.lines} lines, about {rate:,.0f} events/s"
    _produce(config, broker, factory(plan, rate, seconds, events), what)


def _produce(config: Path | None, broker: str | None, work: Any, what: str) -> int:
    """Produce; return the number of events sent."""
    settings = kafka_settings_of(config, broker, None)

    import asyncio

    from agents.settings.cluster import cluster_of
    from agents.simulate.producer import produce

    click.echo(f"lineside simulate: {what} - to {settings.broker}", err=True)
    sent = asyncio.run(produce(cluster_of(settings), work))
    ticks = f" and {sent.ticks:,} ticks" if sent.ticks else ""
    click.echo(f"sent {sent.events:,} events{ticks} in {sent.seconds:.1f} s", err=True)
    return int(sent.events)
