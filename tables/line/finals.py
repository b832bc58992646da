"""Final confirmations wait for what belongs to them: an ERP refuses what comes after one."""

from streams.codec import scanning
from streams.log.record import Outgoing
from tables.line import adding, kept, sending, singles, windows
from tables.line.kept import Kept
from tables.line.line import Line, fall_due
from tables.line.periods import Period, period_at
from tables.line.plans import AtOnce, Plan
from tables.line.singles import LEFT
from tables.line.windows import Cadence

_LEFT = LEFT


def wait(line: Line, plan: Plan, period: Period, event: scanning.Event, told: Kept) -> None:
    """Let a final confirmation wait until the last posting window that holds its time closes.

    A late one waits for what carries that window.
    """
    cadence = _last_of(period, event.time)
    start = windows.start_of(cadence, event.time)
    end = windows.end_of(cadence, start)
    carrier = windows.carrier_of(cadence, end, line.watermark, line.furthest)
    told.carrier = windows.start_of(cadence, carrier - 1) if carrier != end else None
    for each in _records_of(plan, event):
        key = sending.id_of(line, each, event)
        line.finals.setdefault(carrier, {})[key] = told
        line.changed_finals.add((carrier, key))
    fall_due(line, carrier + line.timings.grace)


def _last_of(period: Period, at: int) -> Cadence:
    """Return whose window ends last; of several with the same end the one with longer windows."""
    best: Cadence | None = None
    last = 0
    for cadence in period.waits:
        end = windows.end_of(cadence, at)
        if best is None or end > last or (end == last and cadence.rank > best.rank):
            best, last = cadence, end
    assert best is not None  # the posting window of the settings is one
    return best


def _records_of(plan: Plan, event: scanning.Event) -> list[AtOnce]:
    return [each for each in plan.singly if adding.applies(each.where, event)]


def stop_waiting(line: Line, keys: list[str]) -> bool:
    """Take out what waits under these posting keys; return whether it was there."""
    for end, waiting in line.finals.items():
        if keys and keys[0] in waiting:
            for key in keys:
                del waiting[key]
                line.changed_finals.add((end, key))
            if not waiting:
                del line.finals[end]
            return True
    return False


def send_finals(line: Line, end: int, out: list[Outgoing]) -> None:
    """Send the final confirmations that have waited for the window that ends at an instant."""
    send_first_finals(line, end, out, len(line.finals[end]))


def send_first_finals(line: Line, end: int, out: list[Outgoing], count: int) -> int:
    """Send the first `count` of them by posting key; return how many they were."""
    waiting = line.finals[end]
    first = sorted(waiting)[:count]  # code points sort as their UTF-8 bytes do
    for key in first:
        line.changed_finals.add((end, key))
        _send(line, key, waiting.pop(key), out)
    if not waiting:
        del line.finals[end]
    return len(first)


def _send(line: Line, key: str, waiting: Kept, out: list[Outgoing]) -> None:
    event = kept.event_of(waiting)
    period = period_at(line.periods, line.period, event.time)
    plan = period.plans[event.kind]
    posted = event.time if waiting.carrier is None else waiting.carrier
    for each in _records_of(plan, event):
        if sending.id_of(line, each, event) == key:
            sending.send_singly(
                line, plan, each, event, period.zone, posted, kept.trace_of(waiting), out
            )
            if each.number >= 0:
                singles.count(line, each, _LEFT, 1)
