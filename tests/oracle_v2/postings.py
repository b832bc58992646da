"""What goes to the ERP: at once, by window, as a final that waits; and what is taken back (4, 12)."""

from dataclasses import dataclass
from typing import Any

from . import outgoing, windows
from .line import Entry, Final, Line, Parked
from .reading import Event
from .rules import AT_ONCE, Cadence, final_cadence
from .tables import FINALS, ORDER, OTHERS_AT_ONCE, POSTED, RECORD_TYPES, UNSAID, WINDOWED
from .values import component
from .windows import Close


@dataclass(frozen=True)
class Way:
    """How an event leaves: singly at once, singly as a final, or by a row of a window."""

    short: str
    final: bool = False
    cadence: Cadence | None = None

    @property
    def single(self) -> bool:
        return self.cadence is None


def way_of(line: Line, event: Event) -> Way:
    """ "The rules of an event, and of a reversal's original, are those of its `time`"; "Events with
    a serial, and finals, stay as they are in section 4"."""
    short = POSTED[event.type]
    if "final" in event.data:
        return Way(short, final=True)
    cadence = line.calendar.at(event.time).cadence(short, line.task.settings.posting)
    if "serial" in event.data or cadence.when == AT_ONCE:
        return Way(short)
    return Way(short, cadence=cadence)


def accept(line: Line, event: Event, sign: int = 1) -> None:
    """Count an accepted event for law 1."""
    way = way_of(line, event)
    if way.single:
        line.tally.singles[way.short, "accepted"] += sign > 0
    else:
        members, measures = row_of(way, event)
        line.tally.accept(way.short, members, measures, sign)


def row_of(way: Way, event: Event) -> tuple[tuple[Any, ...], dict[str, int]]:
    windowed = WINDOWED[way.short]
    members = tuple(event.data.get(name) for name in windowed.row)
    return members, {name: event.data[name] for name in windowed.measures}


def post(line: Line, event: Event) -> None:
    """Send what an event sends at once, or fold it into its posting rows; a final waits."""
    way = way_of(line, event)
    if way.final:
        _wait(line, event)
    elif way.cadence is None:
        _leave_singly(line, event, way.short, outgoing.carried_at_once(line, event.time))
    else:
        _, measures = row_of(way, event)
        windows.fold(line, way.short, way.cadence, event.time, event.data, measures, event.id)


def take_back(line: Line, reversal: Event, original: Event, entry: Entry) -> None:
    """Section 4: "of what left at once: `erp.reversal.v1`, at once; of what goes by window a negative
    row, at the original's time; of what sent nothing, nothing"; "the reversal of a final that still
    waits, or of what is parked, takes it out; neither of the two goes to the ERP"."""
    if original.type not in POSTED or entry.sent_nothing:
        return
    accept(line, original, -1)
    way = way_of(line, original)
    parked = next((one for one in line.parked if one.entry is entry), None)
    if parked is not None:
        _take_out(line, parked, way)
    elif way.final and _stop_waiting(line, original):
        line.tally.singles[way.short, "taken_out"] += 1
    elif way.single:
        members = _input_members(original)
        key = key_at_once(line, way.short, original)
        send_reversal(line, reversal, key, RECORD_TYPES[way.short], members, reversal.time)
    else:
        assert way.cadence is not None
        _, measures = row_of(way, original)
        time, data = original.time, original.data
        windows.fold(line, way.short, way.cadence, time, data, measures, reversal.id, -1)


def _take_out(line: Line, parked: Parked, way: Way) -> None:
    """Section 11: its ledger entry counts from then on "as if its `time` were the watermark of that
    moment"."""
    assert line.watermark is not None
    line.parked.remove(parked)
    parked.entry.parked = False
    parked.entry.counts_from = line.watermark
    line.tally.singles[way.short, "taken_out"] += way.single


# ---------------------------------------------------------------- singly


def key_at_once(line: Line, short: str, event: Event) -> str:
    return f"{short}:{line.place}:{component(event.source)}|{component(event.id)}"


def _input_members(event: Event) -> dict[str, Any]:
    """ "the input's members (known ones, present ones ...)", without person and operator."""
    return {name: value for name, value in event.data.items() if name not in UNSAID}


def _leave_singly(line: Line, event: Event, short: str, carried_by: int | None) -> None:
    data = _input_members(event)
    if short in ("os", "qn", "st"):
        data["event"] = event.type
    data |= outgoing.common(line, [event.id], 1, event.time, carried_by)
    if short in POSTED.values():
        line.tally.singles[short, "left"] += 1
    key = key_at_once(line, short, event)
    outgoing.send(line, RECORD_TYPES[short], key, event.time, data)


def send_others(line: Line, event: Event) -> None:
    """Operations, quality: always at once; of inspections only `fail`."""
    if event.data.get("result") == "pass":
        return
    for short in OTHERS_AT_ONCE.get(event.type, ()):
        _leave_singly(line, event, short, outgoing.carried_at_once(line, event.time))


def send_reversal(
    line: Line, event: Event, key: str, type_: str, members: dict[str, Any], time: int
) -> None:
    """ "`rv:` + the posting key of what it reverses"; its dates go "by its own event's `time`"."""
    data = {"reverses": key, "reversed_type": type_} | members
    carried_by = outgoing.carried_at_once(line, event.time)
    data |= outgoing.common(line, [event.id], 1, event.time, carried_by)
    outgoing.send(line, outgoing.REVERSAL_TYPE, f"rv:{key}", time, data)


# ---------------------------------------------------------------- finals


def _wait(line: Line, event: Event) -> None:
    """ "A final confirmation waits for what belongs to it"; "late: when the carrier of that one
    does" close."""
    settings = line.task.settings
    cadence = final_cadence(line.calendar.at(event.time), settings, event.time)
    window = cadence.window(event.time)
    carrier = windows.carrier(line, cadence, window)
    late = carrier.start if windows.is_closed(line, window.end) else None
    close: Close = (carrier.end, ORDER.index(FINALS))
    line.finals.setdefault(close, []).append(Final(event, late))


def _stop_waiting(line: Line, original: Event) -> bool:
    for close, finals in line.finals.items():
        for final in finals:
            if (final.event.source, final.event.id) == (original.source, original.id):
                finals.remove(final)
                if not finals:
                    del line.finals[close]
                return True
    return False


def send_finals(line: Line, close: Close) -> None:
    """ "several by `id`"; "Its record is the same"; of a late one the posting date is that of "the
    carrier's start"."""
    finals = line.finals.pop(close)
    for final in sorted(finals, key=lambda one: key_at_once(line, "pc", one.event).encode()):
        _leave_singly(line, final.event, "pc", final.carrier_start)
