"""Windows that close in pieces, or all at once: where more leaves than one step may hold."""

from collections import deque
from itertools import islice

from streams.contract.transactions import row_text, windowed_key
from streams.log.record import Outgoing
from tables.line import episodes, windows
from tables.line.closing import close
from tables.line.downtime import count_live_episodes
from tables.line.line import Line
from tables.line.rules import Kind, Rules
from tables.line.windows import RowKey


def crowded(line: Line, watermark: int, rules: Rules, rows_max: int) -> bool:
    """Return whether more rows than `rows_max` would leave if the watermark rose so far."""
    rows = 0
    for kind, carried in zip(rules.kinds, line.windows, strict=True):
        closed = windows.horizon(watermark, kind.length, rules.grace)
        for carrier, each in carried.items():
            if carrier + kind.length <= closed:
                rows += len(each)
    if line.live:
        opened, closed = _downtime_between(line, watermark, rules)
        rows += 2 * episodes.windows_to_come(line.episodes, line.live, opened, closed, rules)
    return rows > rows_max


def close_some(
    line: Line, watermark: int, rules: Rules, out: list[Outgoing], rows_max: int
) -> None:
    """Send the first rows of the windows that a watermark will close, `rows_max` of them at most.

    The watermark itself stays where it is. What has left is gone from its windows: so whoever goes
    on from here, after a crash too, sends the others, and none twice.
    """
    kind = rules.downtime
    opened, closed = _downtime_between(line, watermark, rules)
    there = sorted({end for end, _, _ in windows.closable(line.windows, rules, watermark)})
    to_come = deque(there)
    while rows_max > 0:
        ends = [*islice(to_come, 1)]
        ends += episodes.next_end(line.episodes, line.live, opened, closed, rules)
        if not ends:
            return
        end = min(ends)
        if to_come and to_come[0] == end:
            to_come.popleft()
        if line.live and opened < end:
            upto = min(windows.horizon(end, kind.length, 0), closed)
            count_live_episodes(line, opened, upto, rules)
            line.closed_to = opened = max(opened, upto)
        for each in rules.kinds:
            if end - each.length in line.windows[each.index]:
                rows_max -= _close_first(line, each, end - each.length, out, rows_max)
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
            revision = (carrier - start) // kind.length
            return windowed_key(kind.short, line.place, start, row_text(members), revision)

        last_first = sorted(rows, key=id_of, reverse=True)
        line.leaving = (kind.index, carrier), last_first
    first = [last_first.pop() for _ in range(rows_max)]
    carried[carrier] = {key: rows.pop(key) for key in first}
    close(line, kind, carrier, out)
    carried[carrier] = rows
    return rows_max


def _downtime_between(line: Line, watermark: int, rules: Rules) -> tuple[int, int]:
    """Return the ends of the downtime windows between which a watermark closes more of them."""
    length = rules.downtime.length
    opened = max(windows.horizon(line.watermark, length, rules.grace), line.closed_to)
    return opened, max(windows.horizon(watermark, length, rules.grace), opened)


def close_all(line: Line, rules: Rules, out: list[Outgoing]) -> None:
    """Close every window that is open, as at the end of a replay; nothing else becomes due.

    Nothing lies past the windows that hold the watermark; an episode that is still open counts up
    to the end of that window.
    """
    length = rules.downtime.length
    opened = windows.horizon(line.watermark, length, rules.grace)
    closed = line.closed_to = line.watermark - line.watermark % length + length
    count_live_episodes(line, opened, closed, rules)
    closing = [
        (carrier + kind.length, kind.index, kind, carrier)
        for kind, carried in zip(rules.kinds, line.windows, strict=True)
        for carrier in carried
    ]
    for _, _, kind, carrier in sorted(closing, key=lambda item: item[:2]):
        close(line, kind, carrier, out)
