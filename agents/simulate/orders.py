"""The orders of a line: how they are begun, worked on, counted, confirmed and completed."""

from agents.simulate.cells import CHANGEOVER
from agents.simulate.model import Line, Order, Unit
from agents.simulate.unit import START_UP, book, come_up, enter, go_down, step_of

SCRAP_SHARE = 0.006  # of the pieces of a station
BUFFER = 15_000  # milliseconds of work that must wait in front of a station before it goes on
POLL = 10_000  # milliseconds until a waiting station looks again


def begin_order(line: Line, unit: Unit, now: int) -> None:
    """Start the next order on a unit, once the order is there and the next unit keeps up."""
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
        line.plan(now + POLL, begin_order, unit)
        return
    unit.order = order
    unit.running = True
    unit.worked_until = now + START_UP
    unit.booked_until = now
    line.mes(
        now,
        "operation.started.v1",
        f'{step_of(unit, order)},"item":"{order.item}","work_unit":"{unit.name}"',
    )
    enter(line, unit, now, "Starting")
    enter(line, unit, now + START_UP, "Execute")


def order_number(line: str, run: str, number: int) -> str:
    """Return the name of a line's order: no two lines and no two runs share one."""
    return f"{line}{run}{number:05d}"


def _new_order(line: Line) -> Order:
    line.orders += 1
    variant = line.choice(line.cell.variants)
    hundredths = line.between(40, 150)  # of an hour, at the cycle time
    stations = len(line.units)
    return Order(
        number=order_number(line.number, line.run, line.orders),
        item=f"{line.cell.product}-{variant}",
        variant=variant,
        lot=f"F{line.number}-{line.run}{line.orders:05d}",
        quantity=hundredths * 36_000 // line.cell.cycle,
        taken=[0] * stations,
        good=[0] * stations,
        done=[False] * stations,
    )


def _supplied(line: Line, unit: Unit, order: Order) -> bool:
    """Return whether enough pieces wait for the unit to start, or to go on after a wait."""
    enough = BUFFER // line.cell.cycle
    return order.supply(unit.index) >= enough or order.complete_before(unit.index)


def work(line: Line, unit: Unit, now: int) -> None:
    """Make as many pieces as the time since the last call allows."""
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


def count(line: Line, unit: Unit, now: int) -> None:
    """Let the machine report the pieces made since its last report."""
    line.plan(now + line.count_every * (0.9 + 0.2 * line.rng.random()), count, unit)
    work(line, unit, now)
    order = unit.order
    if order is None:
        return
    if unit.good_uncounted or unit.scrap_uncounted:
        if unit.state == "Suspended":
            enter(line, unit, now, "Unsuspending")
            enter(line, unit, now, "Execute")
        line.machine(
            unit,
            now,
            "machine.count.v1",
            f'"good":{unit.good_uncounted},"scrap":{unit.scrap_uncounted}'
            f',"order":"{order.number}","item":"{order.item}"',
        )
        unit.good_uncounted = unit.scrap_uncounted = 0
    elif unit.running and unit.state == "Execute" and not order.supply(unit.index):
        enter(line, unit, now, "Suspended")


def confirm(line: Line, unit: Unit, now: int) -> None:
    """Confirm the pieces made, issue their components by backflush, declare their scrap."""
    line.plan(now + line.confirm_every * (0.9 + 0.2 * line.rng.random()), confirm, unit)
    order = unit.order
    if order is None or order.done[unit.index]:
        return
    work(line, unit, now)
    good, scrap = unit.good_unconfirmed, unit.scrap_unconfirmed
    final = order.complete_before(unit.index) and not order.supply(unit.index)
    if not (good or scrap or final):
        return
    unit.good_unconfirmed = unit.scrap_unconfirmed = 0
    last = unit.index == len(line.units) - 1
    step = step_of(unit, order)
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
    step = step_of(unit, order)
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
        if line.chance(0.002):  # the material is faulty; below: too much was taken, and put back
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


def change_tool(line: Line, unit: Unit, now: int) -> None:
    """Scrap a broken tool and take a new one: tools have serial numbers."""
    if unit.order is None:
        return
    item = f'"item":"TL-{unit.station.name.upper()}"'
    row, one = f"{step_of(unit, unit.order)},{item}", f'"quantity":{line.pieces(1)},"uom":"pcs"'
    broken = f'{row},"serial":"{unit.tool}",{one},"reason":"BROKEN","kind":"component"'
    line.mes(now, "scrap.declared.v1", broken, reversible=True)
    unit.tool = line.next_tool()
    taken = f'{row},"serial":"{unit.tool}",{one},"storage":"TOOLS"'
    line.mes(now, "material.consumed.v1", taken, reversible=True)


def _receive(line: Line, unit: Unit, now: int, order: Order, pallet: int) -> None:
    """Receive pallets, and what is made beside the product."""
    beside = line.cell.beside
    while unit.pieces_unreceived >= pallet:
        unit.pieces_unreceived -= pallet
        line.mes(
            now,
            "goods.received.v1",
            f'"order":"{order.number}","item":"{order.item}","lot":"{order.lot}"'
            f',"quantity":{line.pieces(pallet)},"uom":"pcs","storage":"FG-{line.number}"'
            + (',"product":"main"' if beside is not None else ""),
            reversible=True,
        )
        if beside is not None:
            quantity = line.quantity(pallet * beside.thousandths)
            line.mes(
                now,
                "goods.received.v1",
                f'"order":"{order.number}","item":"{beside.item}","quantity":{quantity}'
                f',"uom":"{beside.uom}","storage":"FG-{line.number}"'
                f',"product":"{beside.product}"',
                reversible=True,
            )


def _complete(line: Line, unit: Unit, now: int, order: Order) -> None:
    """Finish an order on a unit and change over to the next one."""
    if unit.pieces_unreceived:
        _receive(line, unit, now, order, unit.pieces_unreceived)
    order.done[unit.index] = True
    book(line, unit, now, "production")
    line.mes(
        now,
        "operation.completed.v1",
        f'{step_of(unit, order)},"item":"{order.item}","work_unit":"{unit.name}"',
    )
    enter(line, unit, now, "Completing")
    enter(line, unit, now, "Complete")
    go_down(line, unit, now, CHANGEOVER, _change_over)


def _change_over(line: Line, unit: Unit, now: int) -> None:
    come_up(line, unit, now)
    book(line, unit, now, "setup")
    enter(line, unit, now, "Resetting")
    enter(line, unit, now + 2_000, "Idle")
    line.plan(now + 2_000, begin_order, unit)
