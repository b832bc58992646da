from collections.abc import Callable

from streams.log.record import Outgoing
from tables.line.line import Line
from tables.line.rules import Kind, Rules

def close(line: Line, kind: Kind, carrier: int, rules: Rules, out: list[Outgoing]) -> None: ...
def advance(
    count_live_episodes: Callable[[Line, int, int, Rules], None],
    notify_overdue: Callable[[Line, int, Rules, list[Outgoing]], None],
    line: Line,
    watermark: int,
    rules: Rules,
    out: list[Outgoing],
) -> None: ...
