"""What a unit of the factory tells of itself: its states, its standstills, the labour on it."""

from agents.simulate.cells import Stop
from agents.simulate.model import MONDAY, SHIFT, Action, Line, Order, Unit

START_UP = 5_000  # milliseconds from Starting to Execute
LOST_END_SHARE = 0.03  # of the unplanned stops


def enter(line: Line, unit: Unit, now: int, state: str, reason: str = "") -> None:
    """Enter a machine state, some time after the last one."""
    # No two states of a unit at one time, nor a later one before one that is still to come.
    now = unit.stated = max(now, unit.stated + 200)
    unit.state = state
    members = f'"state":"{state}"' + (f',"reason":"{reason}"' if reason else "")
    if unit.order is not None:
        members += f',"order":"{unit.order.number}","item":"{unit.order.item}"'
    line.machine(unit, now, "machine.state.v1", members)


def go_down(line: Line, unit: Unit, now: int, stop: Stop, then: Action) -> None:
    """Stand still for as long as such a stop takes, then do `then`."""
    unit.running = False
    line.episodes += 1
    unit.episode = f"D{line.number}-{line.run}{line.episodes:06d}"
    line.mes(
        now,
        "downtime.started.v1",
        f'"episode":"{unit.episode}","work_unit":"{unit.name}","reason":"{stop.reason}"'
        f',"planned":{"true" if stop.planned else "false"}',
    )
    if not stop.planned and line.chance(LOST_END_SHARE):
        unit.episode = ""
    line.plan(now + 1000 * line.between(stop.shortest, stop.longest), then, unit)


def come_up(line: Line, unit: Unit, now: int) -> None:
    """Tell the end of a standstill, unless it gets lost."""
    if unit.episode:
        data = f'"episode":"{unit.episode}","work_unit":"{unit.name}"'
        line.mes(now, "downtime.ended.v1", data)


def book(line: Line, unit: Unit, now: int, activity: str) -> None:
    """Book the time since the last booking for the order that the unit has, if any."""
    seconds = (now - unit.booked_until) // 1000
    if unit.order is not None and seconds > 0:
        crew = (now - 1 - MONDAY) // SHIFT % 3  # at the end of a shift, those who go
        data = (
            f'{step_of(unit, unit.order)},"person":"P{line.number}{crew}{unit.index}"'
            f',"seconds":{line.pieces(seconds)},"activity":"{activity}"'
        )
        line.mes(now, "labor.booked.v1", data, reversible=True)
    unit.booked_until = now


def step_of(unit: Unit, order: Order) -> str:
    """Return what names an order's step on a unit, as members of an event's data."""
    return f'"order":"{order.number}","operation":"{unit.station.operation}"'
