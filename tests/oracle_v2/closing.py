"""Closing: the watermark rises, windows close, notifications fall due (sections 5, 12, 14)."""

from . import episodes, maintenance, outgoing, postings, states
from .line import Line
from .tables import FINALS, ORDER, WINDOWED
from .values import LATEST, SECOND, component, time_text
from .windows import RowKey, Rows, Sums, add_to, summary_cadence

ENDLESS = 2 * LATEST


def raise_watermark(line: Line, time: int) -> None:
    """ "It never falls"; windows close that it has reached; "due maintenance notifications leave".

    Whether one has closed is decided "by the furthest that watermark - grace has ever been when the
    watermark rose".
    """
    if line.watermark is not None and time <= line.watermark:
        return
    line.watermark = time
    reached = time - line.timing("grace_seconds")
    if line.furthest is None or reached > line.furthest:
        line.furthest = reached
        close(line, reached, reached)
    maintenance.notify_due(line)


def close_everything(line: Line) -> None:
    """`--close` (section 14): "the windows up to the one that holds the line's watermark ...; open
    episodes and states count up to the end of that summary window ...; the watermark doesn't rise"."""
    assert line.watermark is not None
    close(line, ENDLESS, summary_cadence(line).window(line.watermark).end)


def close(line: Line, upto: int, episodes_upto: int) -> None:
    """Close every window whose end is `upto` or before; episodes and states count up to the summary
    windows that end at `episodes_upto` or before.

    "Windows close in the order of their ends, those of one end in the order of the table".
    """
    due = {key: line.open.pop(key) for key in list(line.open) if key[0] <= upto}
    cadence = summary_cadence(line)
    before, after = line.shared_upto, cadence.window(episodes_upto).start
    if before is None or before < after:
        for short, shares in (
            ("sd", episodes.downtime_shares(line, before, after)),
            ("sa", episodes.availability_shares(line, before, after)),
            ("sx", states.shares(line, before, after)),
        ):
            for (start, members), more in shares.items():
                window = cadence.window(start)
                rows = due.setdefault((window.end, ORDER.index(short)), {})
                key = RowKey(window, 0, start, members)
                sums = rows.setdefault(key, Sums([0] * len(WINDOWED[short].measures)))
                add_to(sums, line, short, members, more)
        line.shared_upto = after
        episodes.settle(line, after)
    for end, place in sorted(due.keys() | {key for key in line.finals if key[0] <= upto}):
        if ORDER[place] == FINALS:
            postings.send_finals(line, (end, place))
        else:
            _leave(line, ORDER[place], due[end, place])


def _leave(line: Line, short: str, rows: Rows) -> None:
    """ "the rows of one close leave sorted by `id` (as UTF-8 bytes)"; a row that is all zero doesn't
    leave, "a summary row not if its count (if it has one) is zero as well"."""
    windowed = WINDOWED[short]
    leaving = []
    for key, sums in rows.items():
        line.tally.emit(
            short, key.members, dict(zip(windowed.measures, sums.measures, strict=True))
        )
        if not any(sums.measures) and not (windowed.counted and sums.count):
            continue
        data = {n: v for n, v in zip(windowed.row, key.members, strict=True) if v is not None}
        data |= dict(zip(windowed.measures, sums.measures, strict=True))
        data["window_start"] = time_text(key.window.start)
        data["window_end"] = time_text(key.window.end)
        data["revision"] = key.revision
        if windowed.erp:
            # posting_date: "of a windowed record of another revision than 0 ... the carrier's start"
            late = key.carrier_start if key.revision else None
            data |= outgoing.common(line, sums.causes, sums.cause_count, key.window.start, late)
        elif windowed.counted:
            data["count"] = sums.count
        joined = "|".join(component(member) for member in key.members)
        id_ = f"{short}:{line.place}:{key.window.start // SECOND}:{joined}:{key.revision}"
        leaving.append((id_.encode(), id_, key.window.end, data))
    for _, id_, time, data in sorted(leaving, key=lambda one: one[0]):
        outgoing.send(line, windowed.type, id_, time, data)
