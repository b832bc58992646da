"""What was parked goes on: line by line, in the order in which its events were accepted."""

from typing import Any


def go_on(batch: Any) -> bool:
    """Post the events that nothing keeps from the ERP any more.

    Return whether all have gone on, or a bound came before: then the others are for the next step.
    """
    parking = batch.parking
    while parking.freeing:
        freed = parking.freeing[-1]
        line = batch.partition.line(freed.line)
        for group, number in freed.rest():
            batch.go_on(line, parking.let_go(group, number))
            if batch.bounded and batch.is_full():
                return False
        parking.freeing.pop()
    return True
