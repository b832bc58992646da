"""The command `desk`: find, explain and correct what became of events, for the whole job."""

import logging
import sys
from pathlib import Path

import click

from agents.cli.options import (
    BROKER,
    CONFIG,
    EXIT_FAILED,
    GROUP,
    HOST,
    errors_as_sentences,
    settings_of,
)

DESK_PORT = click.option(
    "--port",
    "desk_port",
    type=click.IntRange(0, 65_535),
    help="The desk's port; default: LINESIDE_DESK_PORT, or 8081; 0 takes a free one.",
)
DATABASE = click.option(
    "--database",
    metavar="URL",
    help="sqlite:///PATH or postgresql://USER@HOST/NAME; or LINESIDE_DATABASE; default: desk.db in "
    "the data directory.",
)
DATA_DIR = click.option(
    "--data-dir", help="The folder of desk.db; default: LINESIDE_DATA_DIR, or lineside-data."
)


@click.group(invoke_without_command=True)
@BROKER
@GROUP
@HOST
@DESK_PORT
@DATABASE
@DATA_DIR
@CONFIG
@click.pass_context
@errors_as_sentences
def desk(
    context: click.Context, broker: str | None, group: str | None, host: str | None,
    desk_port: int | None, database: str | None, data_dir: str | None, config: Path | None,
) -> None:  # fmt: skip
    """Run the desk of a job on Kafka: its books, its API and its page.

    \b
    lineside desk --broker kafka://localhost:9092
    lineside desk --database postgresql://lineside@db/lineside

    The desk reads the job's topics into its books, which are a database: SQLite in the data
    directory, unless the settings name a PostgreSQL. Several desks with one PostgreSQL share the
    partitions, and each answers for the whole job. No worker waits for a desk.

    On the embedded log the desk is part of the worker: `lineside worker --desk`, `lineside demo`.
    """
    if context.invoked_subcommand is not None:
        return
    from agents.settings.settings import SettingsError

    settings = settings_of(
        config, broker=broker, group=group, host=host, desk_port=desk_port, database=database,
        data_dir=data_dir,
    )  # fmt: skip
    if not settings.broker:
        raise SettingsError(
            "broker is empty: give --broker kafka://host:9092 or LINESIDE_BROKER; on the embedded "
            "log the desk is part of the worker: `lineside worker --desk`"
        )
    from agents.desk.process import run_desk
    from agents.worker.descriptors import allow_all
    from agents.worker.logs import set_up_logs

    set_up_logs(settings.log_format)
    allow_all()
    run_desk(settings, _say_in_log if settings.log_format == "json" else _say)


@desk.command()
@DATABASE
@DATA_DIR
@click.option("--wait", is_flag=True, help="Show the progress until the books are full again.")
@CONFIG
@errors_as_sentences
def rebuild(database: str | None, data_dir: str | None, wait: bool, config: Path | None) -> None:
    """Empty the books, so that the running desks read them anew from the topics.

    Acts of people come back, too: they are on audit.v1. What its topic has deleted by age doesn't.
    With --wait the exit code is 1 if no desk reads.
    """
    settings = settings_of(config, database=database, data_dir=data_dir)
    from agents.desk import rebuilding
    from agents.desk.running import books_of

    engine = books_of(settings)
    try:
        rebuilding.rebuild(engine)
        _say("the books are empty: the desks that run read them anew")
        if wait and not rebuilding.wait_rebuilt(engine, _say):
            sys.exit(EXIT_FAILED)
    finally:
        engine.dispose()


def _say(text: str) -> None:
    click.echo(text, err=True)


def _say_in_log(text: str) -> None:
    logging.getLogger("lineside.desk").info("%s", text)
