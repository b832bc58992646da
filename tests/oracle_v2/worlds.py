"""Random logs in which every rule of contract v2 has something to do."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from .builders import (
    begun,
    booked,
    classified,
    confirmed,
    consumed,
    event,
    known,
    placed,
    received,
    released,
    resumed,
    reversed_,
    reworked,
    scrapped,
    state,
    stopped,
    tick,
)

START = datetime(2026, 11, 20, 20, tzinfo=UTC)
"""Four hours before a midnight in UTC, so that boundaries and dates change early."""

RULED = (
    "production_confirmation",
    "goods_receipt",
    "goods_issue",
    "scrap_posting",
    "labor_confirmation",
)


def text(time: float) -> str:
    moment = START + timedelta(milliseconds=round(time * 1000))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class World:
    """Draws one event after the other; what was sent can be repeated, reversed, contradicted."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.clock = 0.0
        self.number = 0
        self.sent: list[dict[str, Any]] = []

    def log(self, size: int) -> list[dict[str, Any]]:
        pace = self.rng.choice([5, 60, 600])
        events = []
        for _ in range(size):
            self.clock += self.rng.random() * pace
            events.append(self._next())
        return events

    def _next(self) -> dict[str, Any]:
        chance = self.rng.random()
        if chance < 0.05:
            return tick(text(self.clock + self.rng.choice([0, 200])))
        if chance < 0.2:
            return self._reference()
        if chance < 0.25 and self.sent:
            return self.rng.choice(self.sent)
        if chance < 0.35 and self.sent:
            return self._reversal()
        told = self._event()
        self.sent.append(told)
        return told

    def _name(self) -> str:
        self.number += 1
        return f"e{self.number}"

    def _some(self, **choices: list[Any]) -> dict[str, Any]:
        return {name: self.rng.choice(values) for name, values in choices.items()}

    def _time(self) -> str:
        late = self.rng.choice([0, 0, 0, 40, 400, 4_000, 40_000]) * self.rng.random()
        return text(max(0, self.clock - late))

    def _reversal(self) -> dict[str, Any]:
        """Return a reversal of what can be reversed, mostly; a name is never used twice."""
        original = self.rng.choice(self.sent)
        if original["type"] == "transaction.reversed.v1":
            return original
        told = reversed_(self._name(), text(self.clock), original)
        self.sent.append(told)
        return told

    def _event(self) -> dict[str, Any]:
        rng = self.rng
        lots = self._some(lot=["A", "A", "B", None], serial=[None, None, None, "S"])
        amount = self._some(quantity=[1, "2.5", -1, 0], order=["O1", "O2"])
        episode = self._some(episode=[f"E{n}" for n in range(30)])
        planned = self._some(planned=[True, False, False], reason=["jam", "service"])
        hold = self._some(hold=[f"H{n}" for n in range(6)])
        makers = [
            (confirmed, lots | amount | self._some(final=[None, None, True])),
            (received, lots | amount | self._some(product=[None, "by_product"])),
            (consumed, lots | amount | self._some(uom=["kg", "g"])),
            (consumed, lots | amount),
            (scrapped, lots | amount | self._some(kind=["operation", "component"])),
            (reworked, amount),
            (booked, self._some(work_unit=["W", None], person=["x", None])),
            (begun, {}),
            (stopped, episode | planned),
            (resumed, episode),
            (classified, episode | planned),
            (state, self._some(state=["Idle", "Execute", "Held"])),
            (placed, hold | self._some(value=["A", "B"], item=["RM", None])),
            (released, hold),
        ]
        maker, data = rng.choice(makers)
        return maker(self._name(), self._time(), rng.choice(["L1", "L2"]), **data)

    def _reference(self) -> dict[str, Any]:
        rng = self.rng
        valid_from = text(self.clock + rng.choice([-90_000, 0, 3_600, 40_000]))
        cadences: list[dict[str, Any]] = [
            {"when": when} for when in ("at_once", "window", "hour", "day")
        ]
        cadences.append({"when": "window", "window_seconds": 900})
        zone = rng.choice(["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"])
        ruled = rng.sample(RULED, rng.randint(0, 4))
        transactions = {f"erp.{name}.v1": rng.choice(cadences) for name in ruled}
        records = [
            known("rules", valid_from=valid_from, time_zone=zone, transactions=transactions),
            known("rules", valid_from=valid_from, transactions=transactions),
            known("rules", valid_from=valid_from, deleted=True),
            known("timing", **self._some(grace_seconds=[0, 30, 300], breakdown_seconds=[60, 600])),
            known(
                "item", item="RM", base_uom="kg", **self._some(consumption=["mes", "mes", "erp"])
            ),
            known("item", "*", item="FG", base_uom="pc", conversions={"box": 12}),
            known("line", line="L1", cost_center="CC"),
            known("order", **self._some(order=["O1", "O2"], status=["released", "held", "closed"])),
            known("plant", **self._some(require=[[], [], ["order"], ["uom"]])),
        ]
        return rng.choice(records)


def machine(seed: int, size: int) -> list[dict[str, Any]]:
    """Return states and counts of two work units, in and out of order."""
    rng = Random(seed)
    events = []
    for number in range(size):
        time = text(max(0.0, number * 30 - rng.choice([0, 0, 100, 5_000]) * rng.random()))
        unit = rng.choice(["W", "V"])
        counted = {"work_unit": unit, "good": rng.randint(0, 3), "scrap": "0.5"}
        events.append(
            state(f"s{number}", time, work_unit=unit, state=rng.choice(["Idle", "Execute"]))
            if rng.random() < 0.7
            else event("machine.count", counted, f"c{number}", time)
        )
    return events
