"""Rules that change while everything runs: boundaries, cadences, timing (section 12)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .calendars import day_window, first_midnight, hour_window
from .master import Known, cadence
from .tables import SETTINGS, WINDOWED
from .values import MINUTE, SECOND

AT_ONCE = "at_once"


@dataclass(frozen=True)
class Window:
    """A window of one cadence: what holds a time, or what carries another one."""

    start: int
    end: int


@dataclass(frozen=True)
class Cadence:
    """When one record type leaves, by the rules that hold from `begin` on."""

    when: str
    length: int
    """Of `window`."""
    zone: str
    begin: int | None
    """ "none of the new rules starts before the boundary (the first starts at it)" """

    def window(self, time: int) -> Window:
        """Return the window of this cadence that holds a time."""
        if self.when == "hour":
            start, end = hour_window(self.zone, time)
        elif self.when == "day":
            start, end = day_window(self.zone, time)
        else:  # "windows on the Unix epoch as in section 5"
            start = time // self.length * self.length
            end = start + self.length
        if self.begin is not None and start < self.begin <= time:
            start = self.begin
        return Window(start, end)

    def revision(self, window: Window, carrier: Window) -> int:
        """Section 5: how many windows late; of `hour` and `day` in whole minutes (section 12)."""
        unit = self.length if self.when == "window" else MINUTE
        return (carrier.start - window.start) // unit

    @property
    def rank(self) -> tuple[int, int]:
        """Section 4: "of several with the same end it is the longest: `day`, then `hour`, then the
        longest `window`"."""
        return {"window": 0, "hour": 1, "day": 2}[self.when], self.length


class Settings:
    """The worker's own settings: what holds where no record says otherwise."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        unknown = given.keys() - SETTINGS.keys()
        if unknown:
            raise ValueError(f"settings {sorted(unknown)} are not known")
        told = {**SETTINGS, **given}
        self.seconds = {name: n for name, n in told.items() if isinstance(n, int)}
        self.zones: dict[str, str] = told["time_zones"]
        self.cadences: dict[str, tuple[str, int | None]] = {
            "pc": (AT_ONCE, None),
            "gr": (AT_ONCE, None),
            "gi": ("window", None),
            "sp": ("window", None),
            "lc": ("window", None),
        }
        for type_, value in told["transactions"].items():
            short = next(s for s, windowed in WINDOWED.items() if windowed.type == type_)
            self.cadences[short] = cadence(type_, value)
        self.summary = self.length("summary_window_seconds")
        self.posting = self.length("posting_window_seconds")

    def length(self, name: str) -> int:
        return self.seconds[name] * SECOND

    def timing(self, told: Mapping[str, Any] | None, name: str) -> int:
        """`timing`: "in force at once, what it doesn't name as in the settings"."""
        seconds: int = (told or {}).get(name, self.seconds[name])
        return seconds * SECOND


@dataclass(frozen=True)
class Rules:
    """The rules that hold from an instant on; `begin` None: from the beginning."""

    begin: int | None
    valid_from: int | None
    zone: str
    cadences: Mapping[str, tuple[str, int | None]]

    def cadence(self, short: str, setting: int) -> Cadence:
        when, seconds = self.cadences[short]
        length = setting if seconds is None else seconds * SECOND
        return Cadence(when, length, self.zone, self.begin)


class Calendar:
    """The rules of one line, by its boundaries."""

    def __init__(self, plant: str, settings: Settings, known: Known) -> None:
        """ "for a line not seen yet ... it gets the known rules when it is first seen, in the order
        of valid_from"."""
        self.settings = settings
        self.base = Rules(None, None, settings.zones.get(plant, "UTC"), settings.cadences)
        self.boundaries: list[Rules] = []
        for (valid_from,), data in sorted(known.of("rules", plant).items()):
            self.set(valid_from, data, None)

    def at(self, time: int) -> Rules:
        """Return the rules of a time: "before the boundary the old ones, from it on the new"."""
        held = self.base
        for rules in self.boundaries:  # in the order of boundary, then valid_from:
            if rules.begin is not None and rules.begin <= time:
                held = rules  # "Of two with the same boundary the later valid_from holds"
        return held

    def drop(self, valid_from: int, watermark: int) -> None:
        """ "A boundary of the same valid_from that is still past the watermark is dropped first
        (also by a deletion)"."""
        self.boundaries = [
            rules
            for rules in self.boundaries
            if rules.valid_from != valid_from or rules.begin is None or rules.begin <= watermark
        ]

    def set(self, valid_from: int, data: Mapping[str, Any], watermark: int | None) -> None:
        """ "the first local midnight (the begin of a local date, by the zone that holds just before
        it ...) that is at or past valid_from and past (>) the line's watermark"."""
        begin = self._boundary(valid_from, watermark)
        zone = data.get("time_zone", self.base.zone)
        named = data.get("transactions", {})
        rules = Rules(begin, valid_from, zone, {**self.settings.cadences, **named})
        self.boundaries.append(rules)
        self.boundaries.sort(key=lambda one: (one.begin, one.valid_from))

    def _boundary(self, valid_from: int, watermark: int | None) -> int:
        """Try stretch by stretch: within one the same zone holds just before each midnight."""
        starts = sorted({rules.begin for rules in self.boundaries if rules.begin is not None})
        least = valid_from
        for start, end in zip([None, *starts], [*starts, None], strict=True):
            zone = self.base.zone if start is None else self.at(start).zone
            if start is not None:
                least = max(least, start + 1)  # at `start` itself the zone before it decides
            midnight = first_midnight(zone, least, watermark)
            if end is None or midnight <= end:
                return midnight
        raise AssertionError("the last stretch has no end")


def final_cadence(rules: Rules, settings: Settings, time: int) -> Cadence:
    """Section 4: the window for which a final waits is "the last of the posting windows that hold
    its `time` (those of the setting and, by the rules of its `time`, of pc, gi, sp and lc)"."""
    found = [Cadence("window", settings.posting, rules.zone, rules.begin)]
    for short in ("pc", "gi", "sp", "lc"):
        one = rules.cadence(short, settings.posting)
        if one.when != AT_ONCE:
            found.append(one)
    return max(found, key=lambda one: (one.window(time).end, one.rank))
