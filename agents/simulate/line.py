"""One line of the factory: what its work units do, and the events that follow."""

from heapq import heappop
from random import Random

from agents.simulate.cells import (
    CELLS,
    CHARACTERISTICS,
    DISPOSITIONS,
    PREFIXES,
    SEVERITIES,
    STOPS,
    TOOL_BREAKAGE,
)
from agents.simulate.mess import Arrival
from agents.simulate.model import MONDAY, SHIFT, Line, Unit
from agents.simulate.orders import begin_order, change_tool, confirm, count, work
from agents.simulate.unit import MACHINE_TIME_SHARE, START_UP, book, come_up, enter, go_down

EVENT_EVERY = 840  # milliseconds while all units run: with stops and changeovers a second
TRICKLE = 300_000  # milliseconds between two telemetry values outside the shifts
REVERSAL_AGE_MIN = 30_000  # milliseconds: by then the original has arrived


def plant_name(index: int) -> str:
    rounds, place = divmod(index, len(PREFIXES))
    prefix = PREFIXES[place]
    number = rounds * PREFIXES.count(prefix) + PREFIXES[: place + 1].count(prefix)
    return f"{prefix}{number:02d}"


def new_line(
    seed: int, machine_share: float, plant: int, line: int, begin: int, out: list[Arrival],
    run: str = "", works_always: bool = False,
) -> Line:  # fmt: skip
    """Return a line before its first order; its events go to `out`.

    Lines are independent: adding lines changes none of the others.
    """
    site, name = plant_name(plant), f"L{line + 1}"
    cell = CELLS[(plant + line) % len(CELLS)]
    rng = Random(f"{seed}/{site}/{name}")  # nosec B311  # a simulation isn't cryptography
    # Of 10 machine events, 9 are counts and 1 is telemetry; states are rare. A confirmation sends
    # one more event per component.
    share = min(max(machine_share, 0.02), 0.98)
    confirmed = sum(1 + len(station.components) for station in cell.stations)
    local_time = plant == 1  # the MES of one plant doesn't write UTC
    made = Line(
        key=f"{site}/{name}",
        number=f"{plant + 1:02d}{line + 1:02d}",
        run=run,
        cell=cell,
        rng=rng,
        out=out,
        works_nights=(plant + line) % 3 != 2,
        works_always=works_always,
        count_every=EVENT_EVERY * len(cell.stations) / (share * 0.9),
        telemetry_every=EVENT_EVERY * len(cell.stations) / (share * 0.1),
        confirm_every=EVENT_EVERY * confirmed / (1 - share),
        mes_reports=machine_share < 1,
        machines_report=machine_share > 0,
        quote="" if plant % 2 else '"',
        null_lot=',"lot":null' if plant % 2 else "",
        zone="+01:00" if local_time else "Z",
        hours_ahead=1 if local_time else 0,
        head=f'","source":"/{site}/mes","id":"{site}-{name}-{run}',
        tail=f'","plant":"{site}","line":"{name}","data":{{',
    )
    for index, station in enumerate(cell.stations):
        unit_name = f"{station.name}-{line + 1:02d}"
        unit = Unit(
            index=index,
            station=station,
            name=unit_name,
            head=f'","source":"/{site}/{name}/{unit_name}","id":"{unit_name}-{run}',
            lots=[("", 0)] * len(station.components),
            tool=made.next_tool(),
        )
        made.units.append(unit)
        ready = begin + made.between(1_000, 40_000)
        made.plan(ready, begin_order, unit)
        made.plan(ready + made.count_every, count, unit)
        made.plan(ready + made.confirm_every, confirm, unit)
        made.plan(ready + made.between(0, 30_000), _telemetry, unit)
        made.plan(ready + made.between(120_000, 1_800_000), _stop, unit)
        made.plan(ready + made.between(600_000, 900_000), _book_labor, unit)
    made.plan(begin, _shift, made.units[0])
    made.plan(begin + made.between(300_000, 600_000), _inspect, made.units[-1])
    made.plan(begin + made.between(200_000, 400_000), _reverse, made.units[-1])
    return made


def work_until(line: Line, end: int) -> None:
    """Run the actions of a line that are due before `end`, in epoch milliseconds."""
    agenda = line.agenda
    while agenda[0][0] < end:
        due, _, action, unit = heappop(agenda)
        if due < line.resumes and action is not _telemetry:
            # Between shifts all actions are postponed by the length of the pause.
            line.plan(due + line.resumes - line.pauses, action, unit)
        else:
            action(line, unit, due)


# Actions besides the orders. Each plans the next action itself.


def _stop(line: Line, unit: Unit, now: int) -> None:
    if unit.running and unit.state == "Execute":
        work(line, unit, now)
        stop = line.choice(STOPS)
        enter(line, unit, now, "Holding" if stop.planned else "Aborting", stop.reason)
        enter(line, unit, now + 800, "Held" if stop.planned else "Aborted", stop.reason)
        go_down(line, unit, now, stop, _restart)
    else:
        line.plan(now + 60_000, _stop, unit)


def _restart(line: Line, unit: Unit, now: int) -> None:
    come_up(line, unit, now)
    if unit.stopped_for == TOOL_BREAKAGE:
        change_tool(line, unit, now)
    for place, state in enumerate(("Clearing", "Resetting", "Starting", "Execute")):
        enter(line, unit, now + place * START_UP // 3, state)
    unit.running = True
    unit.worked_until = now + START_UP
    line.plan(now + line.between(300_000, 2_400_000), _stop, unit)


def _telemetry(line: Line, unit: Unit, now: int) -> None:
    every = line.telemetry_every if now >= line.resumes else TRICKLE
    line.plan(now + every * (0.8 + 0.4 * line.rng.random()), _telemetry, unit)
    tag = line.choice(unit.station.tags)
    whole, tenth = divmod(line.between(tag.low, tag.high), 10)
    value = "null" if line.chance(0.005) else f"{whole}.{tenth}"  # null: the sensor is gone
    line.machine(unit, now, "machine.telemetry.v1", f'"tag":"{tag.name}","value":{value}')


def _book_labor(line: Line, unit: Unit, now: int) -> None:
    line.plan(now + line.between(600_000, 1_200_000), _book_labor, unit)
    book(line, unit, now, "machine" if line.chance(MACHINE_TIME_SHARE) else "production")


def _inspect(line: Line, unit: Unit, now: int) -> None:
    """Inspect the current lot; a failure raises a nonconformance and holds the lot."""
    line.plan(now + line.between(300_000, 900_000), _inspect, unit)
    order = unit.order
    if order is None:
        return
    line.inspections += 1
    number = f"{line.number}-{line.run}{line.inspections:05d}"
    failed = line.chance(0.06)
    line.mes(
        now,
        "inspection.completed.v1",
        f'"inspection":"I{number}","lot":"{order.lot}","order":"{order.number}"'
        f',"characteristic":"{line.choice(CHARACTERISTICS)}"'
        f',"result":"{"fail" if failed else "pass"}"',
    )
    if failed:
        code = line.choice(unit.station.scrap_reasons)
        severity = line.choice(SEVERITIES)
        line.mes(
            now,
            "nonconformance.raised.v1",
            f'"nonconformance":"N{number}","item":"{order.item}","lot":"{order.lot}"'
            f',"order":"{order.number}","quantity":{line.pieces(line.between(1, 40))}'
            f',"uom":"pcs","code":"{code}","severity":"{severity}"',
        )
        line.mes(
            now,
            "quality.hold_placed.v1",
            f'"hold":"H{number}","scope":"lot","value":"{order.lot}","item":"{order.item}"'
            f',"reason":"{code}","severity":"{severity}"',
        )
        line.holds.append(f"H{number}")
        line.plan(now + line.between(600_000, 5_400_000), _release, unit)


def _release(line: Line, _: Unit, now: int) -> None:
    data = f'"hold":"{line.holds.popleft()}","disposition":"{line.choice(DISPOSITIONS)}"'
    line.mes(now, "quality.hold_released.v1", data)


def _reverse(line: Line, unit: Unit, now: int) -> None:
    """Reverse one of the line's recent postings, as an operator would; each at most once."""
    line.plan(now + line.between(150_000, 600_000), _reverse, unit)
    if not line.postings:
        return
    place = line.between(0, 1 + len(line.postings) // 2)
    happened, serial, kind, time, members = line.postings[place]
    if now - happened < REVERSAL_AGE_MIN:
        return
    del line.postings[place]
    site, name = line.key.split("/")
    line.mes(
        now,
        "transaction.reversed.v1",
        f'"reverses":"{site}-{name}-{line.run}{serial:07d}"'
        f',"original":{{"type":"{kind}","time":"{time}","data":{{{members}}}}}',
    )


def _shift(line: Line, unit: Unit, now: int) -> None:
    """Hand over to the next shift, or stop until the next shift that the line works."""
    number = (now - MONDAY) // SHIFT
    boundary = MONDAY + (number + 1) * SHIFT
    if line.works(number):
        for each in line.units:
            book(line, each, now, "production")
        line.plan(boundary, _shift, unit)
        return
    while not line.works(number):
        number += 1
    line.pauses, line.resumes = now, MONDAY + number * SHIFT
    for each in line.units:
        work(line, each, now)
        book(line, each, now, "production")
        enter(line, each, now, "Stopped")
        each.worked_until = each.booked_until = line.resumes
    line.plan(line.resumes, _open_shift, unit)


def _open_shift(line: Line, unit: Unit, now: int) -> None:
    for each in line.units:
        if each.running:
            enter(line, each, now, "Starting")
            enter(line, each, now + START_UP, "Execute")
            each.worked_until = now + START_UP
    _shift(line, unit, now)
