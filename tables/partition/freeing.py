"""What was parked goes on: line by line, in the order in which its events were accepted.

There may be very many of them. So with bounds they go on over several steps, each of which ends at
a bound; steps without records go on with them, too. Records of other lines are taken meanwhile.
What could see that some have not gone on yet waits until all have: records of their line, ticks,
and what makes anything known.
"""

from typing import Any

from streams.contract.events import HoldPlaced, HoldReleased, Tick
from streams.contract.reference import Reference
from streams.contract.rejection import Rejection


def go_on(batch: Any) -> bool:
    """Post the events that nothing keeps from the ERP any more.

    Return whether all have gone on, or a bound came before: then the others are for later.
    """
    parking, room = batch.parking, batch.rows_max
    while parking.freeing:
        freed = parking.freeing[-1]
        line = batch.partition.line(freed.line)
        while (found := freed.next()) is not None:
            batch.go_on(line, parking.let_go(*found))
            room -= 1
            if batch.bounded and (room <= 0 or batch.is_full()):
                return False
        parking.freeing.pop()
    return True


def may_pass(batch: Any, number: int) -> bool:
    """Return whether a record may be taken before all has gone on: nothing tells the difference."""
    told = batch.events.decoded_at(number)
    if isinstance(told, Rejection):
        return True
    if not batch.bounded or isinstance(told, Tick | Reference | HoldPlaced | HoldReleased):
        return False
    key = f"{told.plant}/{told.line}".encode()
    return all(freed.line != key for freed in batch.parking.freeing)
