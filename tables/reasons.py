"""Why records of a log were refused: how often each reason occurred, and where it was met first."""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from streams.contract.topics import EXCEPTIONS
from streams.log.record import Outgoing
from streams.trouble import Trouble

SHOWN_MAX: Final = 10
"""So many reasons are told, the most frequent ones; all refused records are exceptions."""

KEPT_MAX: Final = 1_000
"""Reasons that are told apart: what comes after so many is only counted."""

WHAT_A_LOG_IS: Final = (
    "a log has an event in JSON or a record of `kcat -C -J` on each line, see docs/contract.md"
)

_VARYING: Final = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\d+""")
"""What differs from one record to the next: values, numbers of bytes and columns."""


class NothingAcceptedError(Trouble):
    """A log of which nothing is an event that can be accepted."""


class _Data(msgspec.Struct):
    code: str
    reason: str


class _Exception(msgspec.Struct):
    data: _Data


class _Met(msgspec.Struct):
    count: int
    where: str
    text: str


_decode = msgspec.json.Decoder(_Exception).decode


class Reasons:
    """Adds up reasons that differ in their values only; each is shown as it was met first."""

    def __init__(self) -> None:
        self.count = 0
        self._met: dict[tuple[str, str], _Met] = {}

    def add(self, where: str, code: str, reason: str) -> None:
        """Add a refused record: a place that a person can look up, and why."""
        self.count += 1
        form = code, _VARYING.sub("", reason)
        met = self._met.get(form)
        if met is not None:
            met.count += 1
        elif len(self._met) < KEPT_MAX:
            self._met[form] = _Met(1, where, f"{code}: {reason}")

    def add_exception(self, where: str, value: bytes) -> None:
        """Add a record of `exceptions.v1`."""
        data = _decode(value).data
        self.add(where, data.code, data.reason)

    def watch(self, outputs: Iterable[Outgoing]) -> None:
        """Add the exceptions among records that have left."""
        for record in outputs:
            if record.topic == EXCEPTIONS:
                self.add_exception(record.id, record.value)

    def lines(self) -> list[str]:
        """Return what to say of them, the most frequent first; nothing if nothing was refused."""
        if not self.count:
            return []
        often = sorted(self._met.values(), key=lambda met: -met.count)[:SHOWN_MAX]
        lines = [f"{self.count:,} refused:"]
        lines += [f"{met.count:>9,}  {met.text} (first: {met.where})" for met in often]
        rest = self.count - sum(met.count for met in often)
        return [*lines, f"{rest:>9,}  for other reasons"] if rest else lines


def check_accepted(log: object, accepted: int, refused: int, passed_over: int = 0) -> None:
    """Raise `NothingAcceptedError` where a log has records, and none of them was accepted."""
    if accepted or not (refused or passed_over):
        return
    counts = f"{refused:,} refused"
    if passed_over:
        counts += f", {passed_over:,} of other topics than mes.events.v1 and machine.events.v1"
    raise NothingAcceptedError(f"nothing of {log} was accepted ({counts}): {WHAT_A_LOG_IS}")
