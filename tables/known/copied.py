"""Copies of reference records that are learnt as they lie in their log, many at a time.

Compiled, nearly all copies of the kinds of which there are many are learnt without an object. All
others are learnt by `tables.partition.learning`, which leads to the same; uncompiled, all are.
"""

from collections.abc import Callable, Sequence

from streams.codec.scanning import Events
from tables.known.known import Known

GetMany = Callable[[Sequence[bytes]], list[bytes | None]]


class Copied:
    """What is known under the keys of a batch's copies, looked up at once."""

    def look_up(self, events: Events, get_many: GetMany) -> None:
        """Look up what the store has under the keys of copies that `learn` may be asked for."""

    def learn(self, known: Known, events: Events, number: int, parked: bool) -> bool:  # noqa: ARG002
        """Learn the record of a number; return False for one that is to be learnt another way.

        With events `parked` an order is, since it may free some.
        """
        return False
