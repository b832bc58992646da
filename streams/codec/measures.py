"""What the typed decoder leaves of an event's data: read in place, by what its struct says."""

from collections.abc import Callable
from functools import cache
from typing import Any

from msgspec import Struct

from streams.contract.members import members
from streams.values import quantity
from streams.values.quantity import PARSED, SCALE, WHOLE_MAX


@cache
def reader(struct: type[Struct]) -> Callable[[Any], None] | None:
    """Return what reads measures, optional flags and absent texts; None if a struct has none.

    It takes an object whose members are as JSON gave them. A measure becomes billionths. Of a flag
    that may be absent, absent and false mean the same: false becomes None. A text that is read as
    another where it is absent becomes that one. `ValueError` says that a measure isn't one.
    """
    told = members(struct)
    required = tuple(each.name for each in told if each.kind == "measure" and each.required)
    optional = tuple(each.name for each in told if each.kind == "measure" and not each.required)
    flags = tuple(each.name for each in told if each.kind == "flag" and not each.required)
    absent = tuple((each.name, each.absent) for each in told if each.absent)
    if not required and not optional and not flags and not absent:
        return None

    def read(data: Any) -> None:
        for name in required:
            given = getattr(data, name)
            if given.__class__ is str:  # what an MES sends
                scaled = PARSED.get(given)
                setattr(data, name, quantity.parse(given) if scaled is None else scaled)
            elif given.__class__ is int and -WHOLE_MAX < given < WHOLE_MAX:  # what machines send
                setattr(data, name, given * SCALE)
            else:
                setattr(data, name, quantity.parse(given))
        for name in optional:
            given = getattr(data, name)
            if given is not None:
                setattr(data, name, quantity.parse(given))
        for name in flags:
            if getattr(data, name) is False:
                setattr(data, name, None)
        for name, text in absent:
            if getattr(data, name) is None:
                setattr(data, name, text)

    return read
