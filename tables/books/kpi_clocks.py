"""EDGE: what each plant's days go by: its time zone and its shift calendars, from the books."""

from collections.abc import Mapping
from datetime import UTC, date, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from sqlalchemy import Connection, select

from streams.contract.rejection import shown
from streams.values import instant
from tables.books.asked import AskedError, moment
from tables.books.plants import Plants, seen, sees
from tables.books.schema import LINES, REFERENCES
from tables.books.stored import data_of
from tables.kpi.buckets import By
from tables.kpi.calendars import Calendar, read_calendar
from tables.kpi.days import Clock, Shift, date_of, day_begins, day_of, shifts_between
from tables.kpi.local_time import MINUTE, YEAR_FIRST, YEAR_LAST

PERIOD_DAYS_MAX: Final = 1_850
"""Five years: longer than sums are kept."""

DAYS_MAX: Final[Mapping[By, int]] = {"minute": 2, "hour": 100}
"""By minute each minute's summaries are read; by hour a quarter of a year are 2,400 rows a line."""

CALENDARS_MAX: Final = 1_000
"""Of a plant; what is more isn't looked at."""

ANY: Final = "*"


class PlantClock(Struct, frozen=True):
    """A plant's time zone and calendars."""

    plant: str
    zone_name: str
    zone: tzinfo
    calendars: tuple[Calendar, ...] = ()
    problems: tuple[str, ...] = ()
    """What of the calendars couldn't be read."""
    now: int = 0
    """What time it is by the plant's own events: a log of the past has its own present."""

    def calendar_of(self, line: str | None) -> Calendar | None:
        """Return the calendar that names a line, else the one that names none."""
        for each in self.calendars:
            if each.lines is not None and line in each.lines:
                return each
        return next((each for each in self.calendars if each.lines is None), None)

    def clock_of(self, line: str | None) -> Clock:
        """Return what a line's days go by."""
        return Clock(self.zone, self.calendar_of(line))

    def shift_at(self, line: str | None, at: int) -> Shift | None:
        """Return the shift that lasts at an instant, None between shifts."""
        found = shifts_between(self.clock_of(line), at, at + 1)
        return found[0] if found else None

    def day_at(self, line: str | None, at: int) -> Shift:
        """Return the plant's day that an instant belongs to."""
        clock = self.clock_of(line)
        return day_of(clock, date_of(clock, at))


def clocks_of(
    connection: Connection,
    plants: Plants,
    plant: str | None,
    zones: Mapping[str, str],
    now: int,
) -> dict[str, PlantClock]:
    """Return the clock of each plant that is seen, or of the one that is named, by plant."""
    if plant is not None:
        names = [plant] if sees(plant, plants) else []
    else:
        query = select(LINES.c.plant).where(seen(LINES.c.plant, plants)).distinct()
        names = sorted(connection.execute(query).scalars())
    if not names:
        return {}
    ruled = _zones_of_rules(connection, names, now)
    calendars = _calendars(connection, names)
    presents = _presents(connection, names, now)
    return {
        name: PlantClock(
            name,
            *_zone(ruled.get(name) or zones.get(name)),
            *calendars(name),
            presents.get(name, now),
        )
        for name in names
    }


def _presents(connection: Connection, names: list[str], now: int) -> dict[str, int]:
    """Return the greatest event time of each plant, and what passed since: `now` at most."""
    columns = LINES.c
    query = select(columns.plant, columns.mes_at, columns.machine_at, columns.arrived_at).where(
        columns.plant.in_(names)
    )
    found: dict[str, int] = {}
    for plant, mes_at, machine_at, arrived_at in connection.execute(query):
        latest = max(mes_at or 0, machine_at or 0)
        if latest and arrived_at is not None:
            found[plant] = max(latest + max(0, now - arrived_at), found.get(plant, 0))
    return {plant: min(now, present) for plant, present in found.items()}


def _zone(name: str | None) -> tuple[str, tzinfo]:
    if name is None:
        return "UTC", UTC
    try:
        return name, ZoneInfo(name)
    except (ValueError, OSError):  # this machine knows fewer zones than the one that took it
        return "UTC", UTC


def _zones_of_rules(connection: Connection, names: list[str], now: int) -> dict[str, str | None]:
    """Return the zone of each plant's rules that began last, None where they name none."""
    query = select(REFERENCES.c.plant, REFERENCES.c.name, REFERENCES.c.value).where(
        REFERENCES.c.kind == "rules", REFERENCES.c.plant.in_(names), ~REFERENCES.c.deleted
    )
    begun: dict[str, tuple[int, str | None]] = {}
    for plant, name, value in connection.execute(query):
        try:
            valid_from = instant.parse(name)
        except ValueError:
            continue
        if valid_from <= now and valid_from >= begun.get(plant, (0, None))[0]:
            zone = data_of(value).get("time_zone")
            begun[plant] = valid_from, zone if isinstance(zone, str) else None
    return {plant: zone for plant, (_, zone) in begun.items()}


class _Calendars(Struct):
    """Calendars as read, and what is wrong with them, by plant."""

    read: dict[str, list[Calendar]] = {}
    problems: dict[str, list[str]] = {}

    def __call__(self, plant: str) -> tuple[tuple[Calendar, ...], tuple[str, ...]]:
        """Return a plant's own calendars before those of all plants, and their problems."""
        return (
            tuple(self.read.get(plant, []) + self.read.get(ANY, [])),
            tuple(self.problems.get(plant, []) + self.problems.get(ANY, [])),
        )


def _calendars(connection: Connection, names: list[str]) -> _Calendars:
    query = (
        select(REFERENCES.c.plant, REFERENCES.c.name, REFERENCES.c.value)
        .where(
            REFERENCES.c.kind == "shift_calendar",
            REFERENCES.c.plant.in_([*names, ANY]),
            ~REFERENCES.c.deleted,
        )
        .order_by(REFERENCES.c.plant, REFERENCES.c.name)
        .limit(CALENDARS_MAX)
    )
    found = _Calendars({}, {})
    for plant, name, value in connection.execute(query):
        calendar, problems = read_calendar(name, data_of(value))
        if calendar is not None:
            found.read.setdefault(plant, []).append(calendar)
        found.problems.setdefault(plant, []).extend(
            f"shift_calendar {shown(name)}: {each}" for each in problems
        )
    return found


def period_of(
    clock: Clock, from_: str | None, to: str | None, now: int, by: By = "total"
) -> tuple[int, int]:
    """Return a period, its ends at full minutes; without a word the plant's day until now.

    A date is the start of the plant's day. Raises `AskedError`.
    """
    end = moment_of("to", to, clock)
    if end is None:
        end = max(now, 0)
    begin = moment_of("from", from_, clock)
    if begin is None:
        begin = day_begins(clock, date_of(clock, max(end - 1, instant.EARLIEST)))
    if begin > end:
        raise AskedError("from", f"from is {from_}: behind to, which is {to or instant.text(end)}")
    most = DAYS_MAX.get(by, PERIOD_DAYS_MAX)
    if end - begin > (most + 1) * instant.DAY:
        days = (end - begin) // instant.DAY
        raise AskedError("from", f"from is {days:,} days before to: by {by} it is {most:,} at most")
    return begin // MINUTE * MINUTE, -(-end // MINUTE) * MINUTE


def day_named(member: str, given: str) -> date:
    """Return a date. Raises `AskedError`."""
    try:
        day = date.fromisoformat(given)
        if len(given) != len("2026-11-21") or not YEAR_FIRST <= day.year <= YEAR_LAST:
            raise ValueError
    except ValueError:
        raise AskedError(
            member, f"{member} is {shown(given)}: not a date such as 2026-11-21"
        ) from None
    return day


def moment_of(member: str, given: str | None, clock: Clock) -> int | None:
    """Return an instant; a date is the start of the plant's day. Raises `AskedError`."""
    if given is not None and "T" not in given.upper():
        return day_begins(clock, day_named(member, given))
    return moment(member, given, None)
