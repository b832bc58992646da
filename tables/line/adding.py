"""An event's quantities go to the rows of windows: its own, or where it is late a later one's."""

from typing import Final

from streams.codec import scanning
from streams.contract.transactions import CAUSES_MAX
from streams.values import cycles, lookup, spans, sums, writer
from tables.line import units, windows
from tables.line.line import Line, Unit, fall_due
from tables.line.periods import Period
from tables.line.plans import (
    FLAG,
    POSTINGS,
    SUMMARIES,
    TEXT,
    Condition,
    Contribution,
    Plan,
)
from tables.line.rows import Row, empty_row
from tables.line.rules import PAGE_ROWS, SHARED_PAGES, RowMembers
from tables.line.windows import RowKey

_PAGE_ROWS = PAGE_ROWS
_SHARED_ROWS = PAGE_ROWS * SHARED_PAGES
_CAUSES_MAX = CAUSES_MAX
_TEXT, _FLAG = TEXT, FLAG
_SUMMARIES, _POSTINGS = SUMMARIES, POSTINGS

NEVER: Final = -(2**63)

_to = writer.Writer()


class Place:
    """The row of one record type that events of one type, with the same members, go to by now."""

    def __init__(self, line: Line, contribution: Contribution, members: RowMembers) -> None:
        self.contribution = contribution
        self.members = members
        self.unit: Unit | None = None
        """The sums of the unit that its members name, None where none are kept."""
        if contribution.uom >= 0:
            self.unit = units.unit_of(line, members[contribution.uom])  # type: ignore[arg-type]
        self.row: Row | None = None
        self.start = NEVER
        self.carrier = NEVER
        self.kept_to = NEVER
        """Once the line has gone so far, one window further, the place is forgotten."""
        self.batch = 0
        """The number of the batch that has noted that the row's page changes."""
        self.full = False
        """The row has all the causes that it can have."""
        cycles.in_no_cycle(self)


class Cell:
    """The places of events of one type, with the same members."""

    def __init__(self, places: list[Place]) -> None:
        self.places = places
        cycles.in_no_cycle(self)


def contribute(
    line: Line, plan: Plan, period: Period, event: scanning.Event, sign: int, cause: str | None,
    parts: int, batch: int,
) -> None:  # fmt: skip
    """Add an accepted event to its rows, or take it back: with the sign -1, caused by `cause`.

    `parts` says to which: see `tables.line.plans.SUMMARIES`. Each event is added in its own window
    while that is open. A late one is carried by the window that holds the watermark: see
    `windows.carrier_of`.
    """
    at, late = event.time, False
    for place in _cell_of(line, plan, event, parts).places:
        part = place.contribution
        cadence = period.cadences[part.kind]
        start = windows.start_of(cadence, at)  # type: ignore[arg-type]  # it goes by window
        own = windows.end_of(cadence, start)  # type: ignore[arg-type]
        carrier = windows.carrier_of(cadence, own, line.watermark, line.furthest)  # type: ignore[arg-type]
        late = late or carrier != own
        if start != place.start or carrier != place.carrier:
            place.row = row_of(line, part.kind, carrier, (start, place.members), part.width)
            place.start, place.carrier, place.batch, place.full = start, carrier, batch, False
            place.kept_to = carrier + own - start
        elif place.batch != batch:
            place.batch = batch
            key = (start, place.members)
            line.changed_pages[part.kind, carrier, place.row.page] = key  # type: ignore[union-attr]
        row = place.row
        assert row is not None  # it has been found just now, or before
        for index in range(len(part.slots)):
            slot = part.slots[index]
            amount = sign * scanning.number_at(event, part.slot_fields[index])
            row.sums[slot] += amount
            sums.add_to(line.accepted, part.first_sum + slot, amount)
            if place.unit is not None:
                sums.add_to(place.unit.accepted, part.first_unit_sum + slot, amount)
        if not part.erp:
            row.count += sign
            continue
        row.count += 1
        if not place.full:
            causes = row.causes
            if len(causes) < _CAUSES_MAX:
                if cause is None:
                    cause = spans.text_of(event.id)
                causes.append(cause)
            else:
                place.full = True
    if late:
        line.late_events += 1


def park(line: Line, plan: Plan, event: scanning.Event, sign: int) -> None:
    """Count what an event would add to rows that go to the ERP as accepted, and as parked.

    With the sign -1 it is taken back.
    """
    for part in plan.contributions:
        if not part.erp or not applies(part.where, event):
            continue
        unit = None
        if part.uom >= 0:
            unit = units.unit_of(line, spans.text_of(scanning.span_at(event, plan.uom_field)))
        for index in range(len(part.slots)):
            amount = sign * scanning.number_at(event, part.slot_fields[index])
            where = part.first_sum + part.slots[index]
            sums.add_to(line.accepted, where, amount)
            parked = line.parked.get(where, 0) + amount
            if parked:
                line.parked[where] = parked
            else:
                line.parked.pop(where, None)
            if unit is not None:
                where = part.first_unit_sum + part.slots[index]
                sums.add_to(unit.accepted, where, amount)
                sums.add_to(unit.parked, where, amount)


def row_of(line: Line, index: int, carrier: int, key: RowKey, width: int) -> Row:
    """Return the row to add to, made anew if need be; its page is noted as changed."""
    carried = line.windows[index]
    rows = carried.get(carrier)
    if rows is None:
        rows = carried[carrier] = {}
        fall_due(line, carrier + line.timings.grace)
    row = rows.get(key)
    if row is None:
        row = empty_row(width)
        if len(rows) < _SHARED_ROWS:
            row.page = len(rows) // _PAGE_ROWS
        else:
            row.page, line.next_page = line.next_page, line.next_page + 1
        rows[key] = row
    line.changed_pages[index, carrier, row.page] = key
    return row


def applies(where: list[Condition], event: scanning.Event) -> bool:
    """Return whether an event has the values that a policy asks for."""
    for condition in where:
        if not scanning.has(event, condition.field) or not spans.is_same(
            scanning.span_at(event, condition.field), condition.value
        ):
            return False
    return True


def drop_closed(line: Line) -> None:
    """Forget the places whose window has closed a while ago."""
    kept = {}
    for key, cell in line.cells.items.items():
        for place in cell.places:
            if place.kept_to > line.furthest:
                kept[key] = cell
                break
    if len(kept) < len(line.cells.items):
        line.cells = lookup.Lookup()
        for key, cell in kept.items():
            lookup.keep(line.cells, key, cell)


def _cell_of(line: Line, plan: Plan, event: scanning.Event, parts: int) -> Cell:
    to = _to
    writer.begin(to)
    writer.pack_number(to, plan.cell_number + parts)
    for index in plan.key_fields:
        kind = plan.field_kinds[index]
        if not scanning.has(event, index):
            writer.pack_constant(to, None)
        elif kind == _TEXT:
            spans.pack_span(to, scanning.span_at(event, index))
        else:
            writer.pack_constant(to, bool(scanning.flag_at(event, index)))
    found: Cell | None = lookup.found_written(line.cells, to)
    if found is None:
        found = _new_cell(line, plan, event, parts)
        lookup.keep(line.cells, writer.taken(to), found)
    return found


def _new_cell(line: Line, plan: Plan, event: scanning.Event, parts: int) -> Cell:
    return Cell(
        [
            Place(line, part, tuple([_member_of(plan, event, index) for index in part.row_fields]))
            for part in plan.contributions
            if parts & (_POSTINGS if part.erp else _SUMMARIES) and applies(part.where, event)
        ]
    )


def _member_of(plan: Plan, event: scanning.Event, index: int) -> str | bool | None:
    if not scanning.has(event, index):
        return None
    if plan.field_kinds[index] == _FLAG:
        return bool(scanning.flag_at(event, index))
    return spans.text_of(scanning.span_at(event, index))
