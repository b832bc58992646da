"""What `lineside policy` prints for people: which rules hold, and what becomes of an event."""

from collections.abc import Iterator, Sequence
from typing import Final

from agents.policy.explaining import WHOLE, Explained, Leaving, RowTold
from agents.policy.showing import LINE, PlantRules
from agents.policy.stopping import Step

LEAVES: Final = {
    "at once": "leaves at once",
    "by window": "leaves by window",
    "waits": "waits, since it is final, and leaves",
    "parked": "is parked; if it were freed now",
}


def lines_of_rules(plants: Sequence[PlantRules]) -> Iterator[str]:
    """Yield what holds for each plant."""
    for plant in plants:
        yield plant.plant
        yield f"  requires  {', '.join(plant.require) or 'nothing to be known'}"
        told = ", ".join(
            f"{name} {seconds}{' (told)' if name in plant.timing_told else ''}"
            for name, seconds in plant.timing.items()
        )
        yield f"  timing    {told}"
        if plant.holds:
            yield f"  on hold   {'; '.join(plant.holds)}"
        before: dict[str, str] = {}
        for period in plant.periods:
            since = "from the beginning" if period.begin is None else f"from {period.begin}"
            by = "settings" if period.valid_from is None else f"rules of {period.valid_from}"
            now = ", holds now" if period.holds_now else ""
            yield f"  {since} ({by}, time zone {period.time_zone}{now})"
            for record, when in period.records.items():
                if before.get(record) != when:
                    yield f"    {record:<34} {when}"
            before = period.records
    if any(len(plant.periods) > 1 for plant in plants):
        yield f"The instants are those of {LINE}. One that was seen changes at the first local"
        yield "midnight that is also past what it had come to when the record reached it."


def lines_of_explained(explained: Explained) -> Iterator[str]:
    """Yield what would become of an event: outcome, checks, rules, rows, records."""
    code = "" if explained.code is None else f" {explained.code}"
    yield f"{explained.outcome}{code}: {explained.topic}, key {explained.key}"
    if explained.reason is not None:
        yield f"  {explained.reason}"
    if explained.remedy is not None:
        yield f"  What to do: {explained.remedy}"
    yield "checks"
    for step in explained.checks:
        yield _line_of_step(step)
    if explained.rules is not None:
        yield f"goes by {explained.rules}"
    if explained.nothing is not None:
        yield f"sends nothing to the ERP: {explained.nothing}"
    if explained.rows:
        yield "adds to rows"
    for row in explained.rows:
        yield from _lines_of_row(row)
    if explained.records:
        yield "records"
    for record in explained.records:
        yield from _lines_of_record(record)
    if explained.closes:
        yield "leaves before it, since the line's watermark rises"
        yield from [f"  {key}" for key in explained.closes]


def _line_of_step(step: Step) -> str:
    told = f": {step.told}" if step.told else ""
    return f"  {step.number:>3} {step.outcome:<18} {step.came}{told}"


def _lines_of_row(row: RowTold) -> Iterator[str]:
    members = ", ".join(f"{name} {_text(value)}" for name, value in row.row.items())
    adds = ", ".join(f"{name} {value}" for name, value in row.adds.items())
    yield f"  {row.record}: {members}: {adds}"
    late = f", carried by {row.carrier_start} to {row.carrier_end}" if row.revision else ""
    yield f"      window {row.window_start} to {row.window_end}{late}, revision {row.revision}"


def _lines_of_record(record: Leaving) -> Iterator[str]:
    until = "" if record.until is None else f" when the window to {record.until} closes"
    cadence = "" if record.cadence is None else f" ({record.cadence})"
    yield f"  {record.type} {LEAVES[record.leaves]}{cadence}{until}"
    yield f"      {record.id}"
    about = [f"{name} {record.data[name]}" for name in WHOLE if name in record.data]
    if about:
        yield f"      {', '.join(about)}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
