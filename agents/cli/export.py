"""The command `export`: summaries as Parquet files, from the desk's books."""

from pathlib import Path
from time import time_ns

import click

from agents.cli.desk import DATA_DIR, DATABASE
from agents.cli.options import CONFIG, errors_as_sentences, settings_of, writing


@click.command()
@click.option(
    "--parquet", "folder", type=click.Path(path_type=Path), required=True,
    help="The folder to write: a folder of files in it for each type of summary.",
)  # fmt: skip
@click.option("--plant", help="Only of this plant.")
@click.option(
    "--from", "from_", metavar="TIME",
    help="Only windows that begin then or later: RFC 3339, or a date (the plant's day).",
)  # fmt: skip
@click.option("--to", metavar="TIME", help="Only windows that begin before then.")
@DATABASE
@DATA_DIR
@CONFIG
@errors_as_sentences
def export(
    folder: Path, plant: str | None, from_: str | None, to: str | None, database: str | None,
    data_dir: str | None, config: Path | None,
) -> None:  # fmt: skip
    """Write summaries as Parquet, their revisions added up, for DuckDB, Spark and pandas.

    \b
    lineside export --parquet out
    lineside export --parquet out --plant DE01 --from 2026-11-01 --to 2026-12-01

    Each type of summary is a data set of its own, with decimals of 38 digits. The data set
    `completeness` says of each minute and line whether it is complete, but for late events. Data
    sets that are there are replaced. docs/analytics.md has queries for them.
    """
    from agents.desk import exporting
    from agents.desk.snapshot import reading
    from agents.settings.settings import policy_of

    settings = settings_of(config, database=database, data_dir=data_dir)
    policy = policy_of(settings)
    with writing(folder), reading(settings) as connection:
        now = time_ns() // 1_000
        written = exporting.export(
            connection, folder, policy, settings.time_zones, now, plant, from_, to
        )
    for name, rows in written.items():
        click.echo(f"{rows:>12,} rows  {folder / name}")
