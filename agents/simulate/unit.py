"""What a work unit reports: its states, its downtime, and its labour."""

from agents.simulate.cells import CLASSES, Stop
from agents.simulate.model import MONDAY, SHIFT, Action, Line, Order, Unit

START_UP = 5_000  # milliseconds from Starting to Execute
LOST_END_SHARE = 0.03  # of the unplanned stops
CLASSIFIED_SHARE = 0.15  # of the unplanned stops
MACHINE_TIME_SHARE = 0.2  # of the bookings in the middle of an order


def enter(line: Line, unit: Unit, now: int, state: str, reason: str = "") -> None:
    """Enter a machine state, at least 200 ms after the last one."""
    # A unit has no two states at the same time, and the next state can't precede a planned one.
    now = unit.stated = max(now, unit.stated + 200)
    unit.state = state
    members = f'"state":"{state}"' + (f',"reason":"{reason}"' if reason else "")
    if unit.order is not None:
        members += f',"order":"{unit.order.number}","item":"{unit.order.item}"'
    line.machine(unit, now, "machine.state.v1", members)


def go_down(line: Line, unit: Unit, now: int, stop: Stop, then: Action) -> None:
    """Stand still for the length of a stop, then run `then`."""
    unit.running = False
    unit.stopped_for = stop.reason
    line.episodes += 1
    unit.episode = f"D{line.number}-{line.run}{line.episodes:06d}"
    line.mes(
        now,
        "downtime.started.v1",
        f'"episode":"{unit.episode}","work_unit":"{unit.name}","reason":"{stop.reason}"'
        f',"planned":{"true" if stop.planned else "false"}',
    )
    if not stop.planned and line.chance(CLASSIFIED_SHARE):
        line.unclassified.append(unit.episode)
        line.plan(now + line.between(900_000, 5_400_000), _classify, unit)
    if not stop.planned and line.chance(LOST_END_SHARE):
        unit.episode = ""
    line.plan(now + 1000 * line.between(stop.shortest, stop.longest), then, unit)


def come_up(line: Line, unit: Unit, now: int) -> None:
    """Report the end of a downtime, unless its end is lost."""
    if unit.episode:
        data = f'"episode":"{unit.episode}","work_unit":"{unit.name}"'
        line.mes(now, "downtime.ended.v1", data)


def _classify(line: Line, _: Unit, now: int) -> None:
    """Say what a stop really was, long after it."""
    reason, planned = line.choice(CLASSES)
    data = f'"episode":"{line.unclassified.popleft()}","reason":"{reason}"'
    told = f'{data},"planned":{"true" if planned else "false"}'
    line.mes(now, "downtime.classified.v1", told)


def book(line: Line, unit: Unit, now: int, activity: str) -> None:
    """Book the time since the last booking on the unit's order, if it has one.

    The activity `machine` is that of no person.
    """
    seconds = (now - unit.booked_until) // 1000
    if unit.order is not None and seconds > 0:
        crew = (now - 1 - MONDAY) // SHIFT % 3  # at the end of a shift: the crew that leaves
        person = f',"person":"P{line.number}{crew}{unit.index}"' if activity != "machine" else ""
        data = (
            f'{step_of(unit, unit.order)}{person},"work_unit":"{unit.name}"'
            f',"seconds":{line.pieces(seconds)},"activity":"{activity}"'
        )
        line.mes(now, "labor.booked.v1", data, reversible=True)
    unit.booked_until = now


def step_of(unit: Unit, order: Order) -> str:
    """Return order and operation of a unit, as members of an event's data."""
    return f'"order":"{order.number}","operation":"{unit.station.operation}"'
