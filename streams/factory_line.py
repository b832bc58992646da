"""One line of the factory: what its units do, and what that makes it send."""

from heapq import heappop
from random import Random

from streams.factory_model import (
    CELLS,
    CHANGEOVER,
    CHARACTERISTICS,
    DISPOSITIONS,
    MONDAY,
    PREFIXES,
    SEVERITIES,
    SHIFT,
    STOPS,
    Action,
    Line,
    Order,
    Stop,
    Unit,
)
from streams.mess import Arrival

EVENT_EVERY = 840  # milliseconds while all units run: with stops and changeovers a second
SCRAP_SHARE = 0.006  # of the pieces of one station
START_UP = 5_000  # milliseconds from Starting to Execute
BUFFER = 15_000  # milliseconds of work that wait in front of a station before it goes on
POLL = 10_000  # milliseconds until a waiting station looks again
TRICKLE = 300_000  # milliseconds between two telemetry values outside the shifts
REVERSAL_AGE_MIN = 30_000  # milliseconds: its original has arrived long since
LOST_END_SHARE = 0.03  # of the unplanned stops


def plant_name(index: int) -> str:
    rounds, place = divmod(index, len(PREFIXES))
    prefix = PREFIXES[place]
    number = rounds * PREFIXES.count(prefix) + PREFIXES[: place + 1].count(prefix)
    return f"{prefix}{number:02d}"


def new_line(
    seed: int, machine_share: float, plant: int, line: int, begin: int, out: list[Arrival],
    run: str = "", works_always: bool = False,
) -> Line:  # fmt: skip
    """A line before its first order, which sends to `out`.

    It knows nothing of the other lines: more of them change none.
    """
    site, name = plant_name(plant), f"L{line + 1}"
    cell = CELLS[(plant + line) % len(CELLS)]
    rng = Random(f"{seed}/{site}/{name}")  # nosec B311  # a simulation isn't cryptography
    # Of the machine events 9 in 10 are counts, 1 is telemetry; states are few. An operation that
    # is confirmed sends one event more per component.
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
        )
        made.units.append(unit)
        ready = begin + made.between(1_000, 40_000)
        made.plan(ready, _begin, unit)
        made.plan(ready + made.count_every, _count, unit)
        made.plan(ready + made.confirm_every, _confirm, unit)
        made.plan(ready + made.between(0, 30_000), _telemetry, unit)
        made.plan(ready + made.between(120_000, 1_800_000), _stop, unit)
        made.plan(ready + made.between(600_000, 900_000), _book_labor, unit)
    made.plan(begin, _shift, made.units[0])
    made.plan(begin + made.between(300_000, 600_000), _inspect, made.units[-1])
    made.plan(begin + made.between(200_000, 400_000), _reverse, made.units[-1])
    return made


def work_until(line: Line, end: int) -> None:
    """Let a line do what is due on it before `end`, in epoch milliseconds."""
    agenda = line.agenda
    while agenda[0][0] < end:
        due, _, action, unit = heappop(agenda)
        if due < line.resumes and action is not _telemetry:
            # No shift is worked: all that was due waits for as long.
            line.plan(due + line.resumes - line.pauses, action, unit)
        else:
            action(line, unit, due)


# What happens on a line. Each of these plans what follows from it.


def _begin(line: Line, unit: Unit, now: int) -> None:
    """Start the next order on a unit, as soon as it is there and the next unit keeps up."""
    finished = unit.order
    last = unit.index == len(line.units) - 1
    if not last and line.units[unit.index + 1].order is not finished:
        order = None  # no unit is more than one order ahead
    elif unit.index == 0:
        order = _new_order(line)
        if finished is not None:
            finished.following = order
    else:
        order = line.units[unit.index - 1].order if finished is None else finished.following
    if order is None or not _supplied(line, unit, order):
        line.plan(now + POLL, _begin, unit)
        return
    unit.order = order
    unit.running = True
    unit.worked_until = now + START_UP
    unit.booked_until = now
    line.mes(
        now,
        "operation.started.v1",
        f'{_step(unit, order)},"item":"{order.item}","work_unit":"{unit.name}"',
    )
    _state(line, unit, now, "Starting")
    _state(line, unit, now + START_UP, "Execute")


def _new_order(line: Line) -> Order:
    line.orders += 1
    variant = line.choice(line.cell.variants)
    hundredths = line.between(40, 150)  # of an hour, at the cycle time
    stations = len(line.units)
    return Order(
        number=f"{line.number}{line.run}{line.orders:05d}",
        item=f"{line.cell.product}-{variant}",
        variant=variant,
        lot=f"F{line.number}-{line.run}{line.orders:05d}",
        quantity=hundredths * 36_000 // line.cell.cycle,
        taken=[0] * stations,
        good=[0] * stations,
        done=[False] * stations,
    )


def _supplied(line: Line, unit: Unit, order: Order) -> bool:
    """Whether enough lies in front of the unit for it to start, or to go on after it waited."""
    enough = BUFFER // line.cell.cycle
    return order.supply(unit.index) >= enough or order.complete_before(unit.index)


def _work(line: Line, unit: Unit, now: int) -> None:
    """Make the pieces that the time since the last look allows."""
    order = unit.order
    pieces = (now - unit.worked_until) // line.cell.cycle
    if not unit.running or order is None or pieces <= 0:
        return
    if unit.state == "Suspended" and not _supplied(line, unit, order):
        unit.worked_until = now
        return
    supply = order.supply(unit.index)
    if pieces < supply:
        unit.worked_until += pieces * line.cell.cycle
    else:
        pieces = supply
        unit.worked_until = now
    scrap = int(line.chance(pieces * SCRAP_SHARE)) if pieces else 0
    order.taken[unit.index] += pieces
    order.good[unit.index] += pieces - scrap
    unit.good_uncounted += pieces - scrap
    unit.good_unconfirmed += pieces - scrap
    unit.scrap_uncounted += scrap
    unit.scrap_unconfirmed += scrap


def _count(line: Line, unit: Unit, now: int) -> None:
    line.plan(now + line.count_every * (0.9 + 0.2 * line.rng.random()), _count, unit)
    _work(line, unit, now)
    order = unit.order
    if order is None:
        return
    if unit.good_uncounted or unit.scrap_uncounted:
        if unit.state == "Suspended":
            _state(line, unit, now, "Unsuspending")
            _state(line, unit, now, "Execute")
        line.machine(
            unit,
            now,
            "machine.count.v1",
            f'"good":{unit.good_uncounted},"scrap":{unit.scrap_uncounted}'
            f',"order":"{order.number}","item":"{order.item}"',
        )
        unit.good_uncounted = unit.scrap_uncounted = 0
    elif unit.running and unit.state == "Execute" and not order.supply(unit.index):
        _state(line, unit, now, "Suspended")


def _confirm(line: Line, unit: Unit, now: int) -> None:
    """Confirm what was made, issue its components by backflush, declare its scrap."""
    line.plan(now + line.confirm_every * (0.9 + 0.2 * line.rng.random()), _confirm, unit)
    order = unit.order
    if order is None or order.done[unit.index]:
        return
    _work(line, unit, now)
    good, scrap = unit.good_unconfirmed, unit.scrap_unconfirmed
    final = order.complete_before(unit.index) and not order.supply(unit.index)
    if not (good or scrap or final):
        return
    unit.good_unconfirmed = unit.scrap_unconfirmed = 0
    last = unit.index == len(line.units) - 1
    step = _step(unit, order)
    made = f'{step},"item":"{order.item}"'
    lot = f',"lot":"{order.lot}"' if last else line.null_lot
    line.mes(
        now,
        "production.confirmed.v1",
        f'{made},"quantity":{line.pieces(good)},"uom":"pcs"{lot}'
        + (',"final":true' if final else ""),
        reversible=True,
    )
    _backflush(line, unit, now, order, good + scrap)
    if scrap:
        _declare(line, unit, now, made, scrap)
    if last:
        unit.pieces_unreceived += good
        _receive(line, unit, now, order, line.cell.pallet)
    if final:
        _complete(line, unit, now, order)


def _backflush(line: Line, unit: Unit, now: int, order: Order, pieces: int) -> None:
    step = _step(unit, order)
    for place, part in enumerate(unit.station.components):
        lot, left = unit.lots[place]
        if left <= 0:
            line.lots += 1
            lot, left = f"R{line.number}-{line.run}{line.lots:05d}", part.lot_pieces
        unit.lots[place] = lot, left - pieces
        item = f"{part.item}-{order.variant}" if part.per_variant else part.item
        row = f'{step},"item":"{item}","lot":"{lot}"'
        line.mes(
            now,
            "material.consumed.v1",
            f'{row},"quantity":{line.quantity(pieces * part.thousandths)},"uom":"{part.uom}"'
            f',"storage":"{part.storage}"',
            reversible=True,
        )
        if line.chance(0.002):  # found faulty, or taken too much of and put back
            spoiled = f'"quantity":{line.quantity(3 * part.thousandths)},"uom":"{part.uom}"'
            line.mes(
                now,
                "scrap.declared.v1",
                f'{row},{spoiled},"reason":"FAULTY_MATERIAL","kind":"component"',
                reversible=True,
            )
        elif line.chance(0.002):
            back = f'"quantity":{line.quantity(-5 * part.thousandths)},"uom":"{part.uom}"'
            line.mes(now, "material.consumed.v1", f'{row},{back},"storage":"{part.storage}"')


def _declare(line: Line, unit: Unit, now: int, made: str, scrap: int) -> None:
    reason = line.choice(unit.station.scrap_reasons)
    row = f'{made},"quantity":{line.pieces(scrap)},"uom":"pcs","reason":"{reason}"'
    line.mes(now, "scrap.declared.v1", f'{row},"kind":"operation"', reversible=True)
    if line.chance(0.2):
        line.mes(now, "rework.declared.v1", row, reversible=True)


def _receive(line: Line, unit: Unit, now: int, order: Order, pallet: int) -> None:
    while unit.pieces_unreceived >= pallet:
        unit.pieces_unreceived -= pallet
        line.mes(
            now,
            "goods.received.v1",
            f'"order":"{order.number}","item":"{order.item}","lot":"{order.lot}"'
            f',"quantity":{line.pieces(pallet)},"uom":"pcs","storage":"FG-{line.number}"',
            reversible=True,
        )


def _complete(line: Line, unit: Unit, now: int, order: Order) -> None:
    """Finish an order on a unit and change over to the next one."""
    if unit.pieces_unreceived:
        _receive(line, unit, now, order, unit.pieces_unreceived)
    order.done[unit.index] = True
    _book(line, unit, now, "production")
    line.mes(
        now,
        "operation.completed.v1",
        f'{_step(unit, order)},"item":"{order.item}","work_unit":"{unit.name}"',
    )
    _state(line, unit, now, "Completing")
    _state(line, unit, now, "Complete")
    _down(line, unit, now, CHANGEOVER, _change_over)


def _change_over(line: Line, unit: Unit, now: int) -> None:
    _up(line, unit, now)
    _book(line, unit, now, "setup")
    _state(line, unit, now, "Resetting")
    _state(line, unit, now + 2_000, "Idle")
    line.plan(now + 2_000, _begin, unit)


def _stop(line: Line, unit: Unit, now: int) -> None:
    if unit.running and unit.state == "Execute":
        _work(line, unit, now)
        stop = line.choice(STOPS)
        _state(line, unit, now, "Holding" if stop.planned else "Aborting", stop.reason)
        _state(line, unit, now + 800, "Held" if stop.planned else "Aborted", stop.reason)
        _down(line, unit, now, stop, _restart)
    else:
        line.plan(now + 60_000, _stop, unit)


def _restart(line: Line, unit: Unit, now: int) -> None:
    _up(line, unit, now)
    for place, state in enumerate(("Clearing", "Resetting", "Starting", "Execute")):
        _state(line, unit, now + place * START_UP // 3, state)
    unit.running = True
    unit.worked_until = now + START_UP
    line.plan(now + line.between(300_000, 2_400_000), _stop, unit)


def _down(line: Line, unit: Unit, now: int, stop: Stop, then: Action) -> None:
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


def _up(line: Line, unit: Unit, now: int) -> None:
    if unit.episode:
        data = f'"episode":"{unit.episode}","work_unit":"{unit.name}"'
        line.mes(now, "downtime.ended.v1", data)


def _state(line: Line, unit: Unit, now: int, state: str, reason: str = "") -> None:
    # No two states of a unit at one time, nor a later one before one that is still to come.
    now = unit.stated = max(now, unit.stated + 200)
    unit.state = state
    members = f'"state":"{state}"' + (f',"reason":"{reason}"' if reason else "")
    if unit.order is not None:
        members += f',"order":"{unit.order.number}","item":"{unit.order.item}"'
    line.machine(unit, now, "machine.state.v1", members)


def _telemetry(line: Line, unit: Unit, now: int) -> None:
    every = line.telemetry_every if now >= line.resumes else TRICKLE
    line.plan(now + every * (0.8 + 0.4 * line.rng.random()), _telemetry, unit)
    tag = line.choice(unit.station.tags)
    whole, tenth = divmod(line.between(tag.low, tag.high), 10)
    value = "null" if line.chance(0.005) else f"{whole}.{tenth}"  # null: the sensor is gone
    line.machine(unit, now, "machine.telemetry.v1", f'"tag":"{tag.name}","value":{value}')


def _book_labor(line: Line, unit: Unit, now: int) -> None:
    line.plan(now + line.between(600_000, 1_200_000), _book_labor, unit)
    _book(line, unit, now, "production")


def _book(line: Line, unit: Unit, now: int, activity: str) -> None:
    """Book the time since the last booking for the order that the unit has, if any."""
    seconds = (now - unit.booked_until) // 1000
    if unit.order is not None and seconds > 0:
        crew = (now - 1 - MONDAY) // SHIFT % 3  # at the end of a shift, those who go
        data = (
            f'{_step(unit, unit.order)},"person":"P{line.number}{crew}{unit.index}"'
            f',"seconds":{line.pieces(seconds)},"activity":"{activity}"'
        )
        line.mes(now, "labor.booked.v1", data, reversible=True)
    unit.booked_until = now


def _inspect(line: Line, unit: Unit, now: int) -> None:
    """Inspect the lot in the making; a failure raises a nonconformance and holds it."""
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
            f'"hold":"H{number}","scope":"lot","value":"{order.lot}","reason":"{code}"'
            f',"severity":"{severity}"',
        )
        line.holds.append(f"H{number}")
        line.plan(now + line.between(600_000, 5_400_000), _release, unit)


def _release(line: Line, _: Unit, now: int) -> None:
    data = f'"hold":"{line.holds.popleft()}","disposition":"{line.choice(DISPOSITIONS)}"'
    line.mes(now, "quality.hold_released.v1", data)


def _reverse(line: Line, unit: Unit, now: int) -> None:
    """Reverse one of the line's recent postings, at most once: as an operator corrects himself."""
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
    """Hand over to the next shift, or go home until one is worked."""
    number = (now - MONDAY) // SHIFT
    boundary = MONDAY + (number + 1) * SHIFT
    if line.works(number):
        for each in line.units:
            _book(line, each, now, "production")
        line.plan(boundary, _shift, unit)
        return
    while not line.works(number):
        number += 1
    line.pauses, line.resumes = now, MONDAY + number * SHIFT
    for each in line.units:
        _work(line, each, now)
        _book(line, each, now, "production")
        _state(line, each, now, "Stopped")
        each.worked_until = each.booked_until = line.resumes
    line.plan(line.resumes, _open_shift, unit)


def _open_shift(line: Line, unit: Unit, now: int) -> None:
    for each in line.units:
        if each.running:
            _state(line, each, now, "Starting")
            _state(line, each, now + START_UP, "Execute")
            each.worked_until = now + START_UP
    _shift(line, unit, now)


def _step(unit: Unit, order: Order) -> str:
    return f'"order":"{order.number}","operation":"{unit.station.operation}"'
