from streams.record import Outgoing
from tables.line import Line
from tables.rules import Kind, Rules

def close(line: Line, kind: Kind, carrier: int, rules: Rules, out: list[Outgoing]) -> None: ...
