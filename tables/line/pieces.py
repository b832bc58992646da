"""Windows that close in pieces, or all at once: where more leaves than one step may hold."""

from collections import deque
from itertools import islice

from streams.contract.transactions import row_text, windowed_key
from streams.log.record import Outgoing
from tables.line import episodes, states, windows
from tables.line.closing import close
from tables.line.downtime import count_live_episodes
from tables.line.finals import send_finals, send_first_finals
from tables.line.line import Line, counted_to
from tables.line.periods import period_at
from tables.line.rules import Kind, Rules
from tables.line.windows import RowKey


def crowded(line: Line, watermark: int, rules: Rules, rows_max: int) -> bool:
    """Return whether more rows than `rows_max` would leave if the watermark rose so far."""
    furthest = _furthest(line, watermark)
    rows = 0
    for carried in line.windows:
        for end, each in carried.items():
            if end <= furthest:
                rows += len(each)
    rows += sum(len(each) for end, each in line.finals.items() if end <= furthest)
    if line.live or line.timelines is not None:
        opened, closed = _downtime_between(line, furthest, rules)
        rows += states.rows_late(line, rules)
        rows += states.rows_to_come(line, opened, closed, rules, rows_max)
        rows += 2 * episodes.windows_to_come(line.episodes, line.live, opened, closed, rules)
    return rows > rows_max


def _furthest(line: Line, watermark: int) -> int:
    return max(line.furthest, watermark - line.timings.grace)


def close_some(
    line: Line, watermark: int, rules: Rules, out: list[Outgoing], rows_max: int
) -> None:
    """Send the first rows of the windows that a watermark will close, `rows_max` of them at most.

    The watermark itself stays where it is. What has left is gone from its windows: so whoever goes
    on from here, after a crash too, sends the others, and none twice.
    """
    kind = rules.downtime
    if states.settle(line, rules, rows_max) >= rows_max:
        return
    furthest = _furthest(line, watermark)
    opened, closed = _downtime_between(line, furthest, rules)
    ends = {end for end, _ in windows.closable(line.windows, rules.kinds, furthest)}
    ends |= {end for end in line.finals if end <= furthest}
    to_come = deque(sorted(ends))
    while rows_max > 0:
        next_ends = [*islice(to_come, 1)]
        next_ends += episodes.next_end(line.episodes, line.live, opened, closed, rules)
        next_ends.append(states.next_end(line, opened, closed, rules))
        end = min(next_ends)
        if end == windows.FOREVER:
            return
        if to_come and to_come[0] == end:
            to_come.popleft()
        if (line.live or line.timelines is not None) and opened < end:
            upto = min(end - end % kind.length, closed)
            count_live_episodes(line, opened, upto)
            states.count(line, opened, upto)
            line.closed_to = opened = max(opened, upto)
        for each in rules.kinds:
            if each.place > rules.finals_place and end in line.finals:
                rows_max -= send_first_finals(line, end, out, rows_max)
                if rows_max <= 0:
                    return
            if end in line.windows[each.index]:
                rows_max -= _close_first(line, each, end, out, rows_max)
                if rows_max <= 0:
                    return


def _close_first(line: Line, kind: Kind, carrier: int, out: list[Outgoing], rows_max: int) -> int:
    """Send the first `rows_max` rows of a carrier by id; return how many they were."""
    carried = line.windows[kind.index]
    rows = carried[carrier]
    if len(rows) <= rows_max:
        close(line, kind, carrier, out)
        return len(rows)
    where, last_first = line.leaving
    if where != (kind.index, carrier) or len(last_first) != len(rows):

        def id_of(key: RowKey) -> str:
            start, members = key
            cadence = period_at(line.periods, line.period, start).cadences[kind.index]
            assert cadence is not None  # it goes by window
            revision = windows.revision_of(cadence, start, carrier)
            return windowed_key(kind.short, line.place, start, row_text(members), revision)

        last_first = sorted(rows, key=id_of, reverse=True)
        line.leaving = (kind.index, carrier), last_first
    first = [last_first.pop() for _ in range(rows_max)]
    carried[carrier] = {key: rows.pop(key) for key in first}
    close(line, kind, carrier, out)
    carried[carrier] = rows
    return rows_max


def _downtime_between(line: Line, furthest: int, rules: Rules) -> tuple[int, int]:
    """Return the ends of the downtime windows between which more of them close."""
    opened = counted_to(line)
    return opened, max(furthest - furthest % rules.downtime.length, opened)


def close_all(line: Line, rules: Rules, out: list[Outgoing]) -> None:
    """Close every window that is open, as at the end of a replay; nothing else becomes due.

    Nothing lies past the windows that hold the watermark; an episode or a machine state that still
    lasts counts up to the end of that window.
    """
    states.settle(line, rules)
    length = rules.downtime.length
    opened = counted_to(line)
    closed = line.closed_to = line.watermark - line.watermark % length + length
    count_live_episodes(line, opened, closed)
    states.count(line, opened, closed)
    closing: list[tuple[int, int, Kind | None]] = [
        (end, kind.place, kind)
        for kind, carried in zip(rules.kinds, line.windows, strict=True)
        for end in carried
    ]
    closing += [(end, rules.finals_place, None) for end in line.finals]
    for end, _, kind in sorted(closing, key=lambda each: each[:2]):
        if kind is None:
            send_finals(line, end, out)
        else:
            close(line, kind, end, out)
