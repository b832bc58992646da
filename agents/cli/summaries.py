"""The command `summaries`: what lines made, and their key figures, from the desk's books."""

import json
import sys
from pathlib import Path
from time import time_ns
from typing import Any, Final

import click

from agents.cli.desk import DATA_DIR, DATABASE
from agents.cli.options import CONFIG, errors_as_sentences, settings_of

SHOWN: Final = (
    ("line", "line"),
    ("work_unit", "work unit"),
    ("order", "order"),
    ("item", "item"),
    ("date", "date"),
    ("shift", "shift"),
    ("from", "from"),
    ("to", "to"),
    ("uom", "unit"),
    ("good", "good"),
    ("scrap", "scrap"),
    ("rework", "rework"),
    ("quality_ratio", "quality %"),
    ("availability", "avail. %"),
    ("effectiveness", "effect. %"),
    ("oee", "OEE %"),
    ("down_seconds", "down s"),
    ("planned_down_seconds", "planned s"),
)
"""The columns of the table, and their headings; one that is empty in all rows isn't shown."""

NUMBERS: Final = frozenset(name for name, _ in SHOWN[9:])


@click.command()
@DATABASE
@DATA_DIR
@click.option("--plant", help="Needed where the books have several.")
@click.option("--line", help="Only of this line.")
@click.option(
    "--day", metavar="DATE",
    help="The report of a day, by shifts; default: of the shift that lasts now.",
)  # fmt: skip
@click.option("--shift", metavar="NAME", help="Only this shift of the day.")
@click.option(
    "--from", "from_", metavar="TIME",
    help="RFC 3339, or a date: the start of the plant's day. With --from, --to or --by there is no "
    "report of a day.",
)  # fmt: skip
@click.option("--to", metavar="TIME", help="RFC 3339, or a date; default: now.")
@click.option("--by", type=click.Choice(["minute", "hour", "shift", "day", "total"]))
@click.option(
    "--group", type=click.Choice(["plant", "line", "work_unit", "order", "item"]),
    default="line", show_default=True, help="Of what a row tells, with --from, --to or --by.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table",
    show_default=True,
)  # fmt: skip
@CONFIG
@errors_as_sentences
def summaries(
    database: str | None, data_dir: str | None, plant: str | None, line: str | None,
    day: str | None, shift: str | None, from_: str | None, to: str | None, by: str | None,
    group: str, form: str, config: Path | None,
) -> None:  # fmt: skip
    """Report a shift, a day, or any time: good, scrap, rework, availability, OEE.

    \b
    lineside summaries --plant DE01 --day 2026-11-21
    lineside summaries --plant DE01 --day 2026-11-21 --shift night --format csv
    lineside summaries --plant DE01 --line L3 --from 2026-11-01 --to 2026-12-01 --by day

    It reads the desk's books: --database, or desk.db in the data directory. What each figure means
    is in docs/kpis.md. A row that isn't complete yet has a * behind its end.
    """
    divided = (from_, to, by) != (None, None, None)
    if divided and (day or shift):
        raise click.UsageError("--day and --shift don't go with --from, --to and --by")
    settings = settings_of(config, database=database, data_dir=data_dir)
    report = _report(settings, divided, plant, line, day, shift, from_, to, by, group)
    click.echo(_written(report, form), nl=False)


def _report(
    settings: Any, divided: bool, plant: str | None, line: str | None, day: str | None,
    shift: str | None, from_: str | None, to: str | None, by: str | None, group: str,
) -> dict[str, Any]:  # fmt: skip
    import msgspec

    from agents.desk import reports
    from agents.desk.snapshot import reading
    from tables.books.asked import AskedError
    from tables.books.kpi_asked import FiguresAsked, ReportAsked

    given = {"plant": plant, "line": line}
    given |= (
        {"from": from_, "to": to, "by": by or "total", "group": group}
        if divided
        else {"date": day, "shift": shift}
    )
    query: FiguresAsked | ReportAsked
    try:
        if divided:
            query = msgspec.convert(given, FiguresAsked)
        else:
            query = msgspec.convert(given, ReportAsked)
    except msgspec.ValidationError as error:
        raise AskedError("", str(error).replace(" - at `$.", ": ").rstrip("`")) from None
    now = time_ns() // 1_000
    with reading(settings) as connection:
        if isinstance(query, FiguresAsked):
            return reports.figures_report(connection, None, query, now, zones=settings.time_zones)
        return reports.shift_report(connection, None, query, now, zones=settings.time_zones)


def _written(report: dict[str, Any], form: str) -> str:
    if form == "json":
        return json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    if form == "csv":
        from agents.desk.reports import csv_of

        return csv_of(report).replace("\r\n", "\n")
    for problem in report["problems"]:
        click.echo(problem, err=True)
    return _table(report)


def _table(report: dict[str, Any]) -> str:
    """Return a table for people, times by the plant's clock, and what is below it."""
    rows = [_row(report, row) for row in report["rows"]]
    columns = [(name, heading) for name, heading in SHOWN if any(row[name] for row in rows)]
    widths = {
        name: max(len(heading), *(len(row[name]) for row in rows)) for name, heading in columns
    }
    lines = [f"{report['title']} ({report['zone']})"]
    if not rows:
        lines.append("nothing is known of that time")
    for row in [dict(columns), *rows] if rows else []:
        cells = (_cell(row, name, widths[name]) for name, _ in columns)
        lines.append("  ".join(cells).rstrip())
    if not report["complete"] and rows:
        lines.append("* not complete yet: the summaries of that time haven't all come")
    for cause in report["pareto"]:
        planned = "planned" if cause["planned"] else "unplanned"
        where = cause["work_unit"] or ""
        lines.append(
            f"{cause['share']['value']} % of downtime: {cause['reason']} ({where}, {planned}), "
            f"{cause['seconds']} s in {cause['stops']} stops"
        )
    return "\n".join(lines) + "\n"


def _cell(row: dict[str, str], name: str, width: int) -> str:
    return row[name].rjust(width) if name in NUMBERS else row[name].ljust(width)


def _row(report: dict[str, Any], row: dict[str, Any]) -> dict[str, str]:
    from zoneinfo import ZoneInfo

    from streams.values import instant
    from tables.kpi.local_time import local

    zone = ZoneInfo(report["zone"])
    shown = {name: "" if row[name] is None else str(row[name]) for name, _ in SHOWN}
    for name in ("from", "to"):
        shown[name] = local(instant.parse(row[name]), zone).strftime("%m-%d %H:%M")
    if not row["complete"]:
        shown["to"] += "*"
    return {name: _shown(text) for name, text in shown.items()}


def _shown(text: str) -> str:
    """Return a text without what a terminal would obey."""
    encoding = sys.stdout.encoding or "utf-8"
    printable = "".join(each if each.isprintable() else "?" for each in text)
    return printable.encode(encoding, "replace").decode(encoding)
