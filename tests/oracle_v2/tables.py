"""The tables of the contract: types (section 2), rows (4), reference records (9), settings."""

from dataclasses import dataclass
from typing import Any

M = "mes.events.v1"
E = "machine.events.v1"
ERP = "erp.transactions.v1"
EXCEPTIONS = "exceptions.v1"
REFERENCE = "reference.v1"

TICK = "clock.tick.v1"
REVERSAL = "transaction.reversed.v1"
TELEMETRY = "machine.telemetry.v1"
STATE = "machine.state.v1"
HOLD_PLACED = "quality.hold_placed.v1"
HOLD_RELEASED = "quality.hold_released.v1"

Spec = dict[str, tuple[str, bool]]
"""Member -> (kind, required)."""


def _spec(text: str) -> Spec:
    """`order quantity:measure lot?`: a kind not given is text."""
    found = {}
    for word in text.split():
        name, _, kind = word.partition(":")
        found[name.rstrip("?")] = (kind or "text", not name.endswith("?"))
    return found


MADE = "order operation item quantity:measure uom"
TYPES: dict[str, tuple[str, Spec]] = {
    name: (E if name.startswith("machine.") else M, _spec(text))
    for name, text in {
        "operation.started.v1": "order operation item? work_unit? operator?",
        "operation.completed.v1": "order operation item? work_unit?",
        "production.confirmed.v1": f"{MADE} lot? serial? final?:bool",
        "goods.received.v1": "order item lot? serial? quantity:measure uom storage? product?:product",
        "material.consumed.v1": f"{MADE} lot? serial? storage?",
        "scrap.declared.v1": f"{MADE} lot? serial? reason kind:kind",
        "rework.declared.v1": f"{MADE} reason",
        "labor.booked.v1": "order operation person? work_unit? seconds:measure activity?",
        "downtime.started.v1": "episode work_unit reason planned:bool",
        "downtime.ended.v1": "episode work_unit",
        "downtime.classified.v1": "episode work_unit? reason planned:bool",
        HOLD_PLACED: "hold scope:scope value item? reason severity?",
        HOLD_RELEASED: "hold disposition:disposition",
        "nonconformance.raised.v1": "nonconformance item lot? order? quantity?:measure uom? code "
        "severity",
        "inspection.completed.v1": "inspection lot order? characteristic? result:result",
        REVERSAL: "reverses original:original",
        STATE: "work_unit state:state reason? order? item?",
        "machine.count.v1": "work_unit good:measure scrap:measure order? item?",
        TELEMETRY: "work_unit tag value:any",
    }.items()
}
"""Section 2, "Input types"."""

CHOICES: dict[str, frozenset[str]] = {
    "product": frozenset({"main", "co_product", "by_product"}),
    "kind": frozenset({"operation", "component"}),
    "scope": frozenset({"lot", "order", "item"}),
    "disposition": frozenset({"use", "rework", "scrap", "return"}),
    "result": frozenset({"pass", "fail"}),
    "consumption": frozenset({"mes", "erp"}),
    "status": frozenset({"released", "held", "completed", "closed", "cancelled"}),
    "state": frozenset(
        _spec(
            "Stopped Starting Idle Suspended Execute Stopping Aborting Aborted Holding Held "
            "Unholding Suspending Unsuspending Resetting Completing Complete Clearing"
        )
    ),
}

REQUIRABLE = ("line", "item", "uom", "lot", "work_unit", "reason", "order")
"""What a `plant` record can require, in the order of section 10."""

KINDS: dict[str, tuple[Spec, Spec]] = {
    kind: (_spec(identity), _spec(own))
    for kind, identity, own in [
        ("plant", "", "require?:require"),
        ("line", "line:place", "cost_center? storage?"),
        ("work_unit", "line:place work_unit", "cost_center? ideal_seconds?:measure"),
        (
            "item",
            "item",
            """base_uom conversions?:conversions lot_control?:bool
            consumption?:consumption consumption_from?:time""",
        ),
        ("reason", "reason", "planned?:bool group?"),
        (
            "order",
            "order",
            "status:status closed_at?:time item? quantity?:measure uom? revision?",
        ),
        ("hold", "hold", "scope:scope value item? reason"),
        ("hold_release", "hold", "disposition:disposition"),
        ("rules", "valid_from:time", "time_zone?:zone transactions?:transactions"),
        (
            "timing",
            "",
            """grace_seconds?:grace idle_grace_seconds?:day
            breakdown_seconds?:breakdown future_seconds_max?:day""",
        ),
    ]
}
"""Section 9: kind -> (members of its id, other members)."""

REFERENCE_TYPES = {f"reference.{kind}.v1": kind for kind in KINDS}

REVERSIBLE = frozenset(
    {
        "production.confirmed.v1",
        "goods.received.v1",
        "material.consumed.v1",
        "scrap.declared.v1",
        "rework.declared.v1",
        "labor.booked.v1",
    }
)
"""Section 3."""

POSTED = {
    "production.confirmed.v1": "pc",
    "goods.received.v1": "gr",
    "material.consumed.v1": "gi",
    "scrap.declared.v1": "sp",
    "labor.booked.v1": "lc",
}
"""Section 4: what is posted at once or by window, as the rules say (section 12)."""

OTHERS_AT_ONCE: dict[str, tuple[str, ...]] = {
    "operation.started.v1": ("os",),
    "operation.completed.v1": ("os",),
    HOLD_PLACED: ("qn", "st"),
    HOLD_RELEASED: ("qn", "st"),
    "nonconformance.raised.v1": ("qn",),
    "inspection.completed.v1": ("qn",),  # only `fail`
}
"""Section 4: what always leaves at once, and names the input's type as `event`."""

RECORD_TYPES = {
    "pc": "erp.production_confirmation.v1",
    "gr": "erp.goods_receipt.v1",
    "gi": "erp.goods_issue.v1",
    "sp": "erp.scrap_posting.v1",
    "lc": "erp.labor_confirmation.v1",
    "os": "erp.operation_status.v1",
    "qn": "erp.quality_notification.v1",
    "st": "erp.stock_status.v1",
    "mn": "erp.maintenance_notification.v1",
}

UNSAID = frozenset({"operator", "person"})
"""Section 2: they "go to no ERP record and no summary"."""


@dataclass(frozen=True)
class Windowed:
    """A windowed record type (sections 4, 12, 13)."""

    short: str
    type: str
    row: tuple[str, ...]
    measures: tuple[str, ...]

    @property
    def erp(self) -> bool:
        return self.type.startswith("erp.")

    @property
    def counted(self) -> bool:
        """`count` is "absent for downtime, availability and machine_state"."""
        return not self.erp and self.short not in ("sd", "sa", "sx")


WINDOWED: dict[str, Windowed] = {
    short: Windowed(short, type_, tuple(row.split()), tuple(measures.split()))
    for short, type_, row, measures in [
        ("pc", RECORD_TYPES["pc"], "order operation item lot uom", "quantity"),
        ("gr", RECORD_TYPES["gr"], "order item lot storage uom product", "quantity"),
        ("gi", RECORD_TYPES["gi"], "order operation item lot storage uom", "quantity"),
        ("sp", RECORD_TYPES["sp"], "order operation item lot uom reason kind", "quantity"),
        ("lc", RECORD_TYPES["lc"], "order operation work_unit activity", "seconds"),
        ("sc", "summary.consumption.v1", "order operation item lot storage uom", "quantity"),
        ("ss", "summary.scrap.v1", "order operation item lot uom reason kind", "quantity"),
        ("su", "summary.production.v1", "order operation item uom", "good scrap rework"),
        ("sd", "summary.downtime.v1", "work_unit reason planned", "seconds stops"),
        ("sa", "summary.availability.v1", "work_unit", "down planned_down"),
        ("sm", "summary.machine.v1", "work_unit order item", "good scrap"),
        ("sx", "summary.machine_state.v1", "work_unit state", "seconds"),
    ]
}

FINALS = "finals"
ORDER = ["pc", "gr", "gi", "sp", "lc", FINALS, "sc", "ss", "su", "sd", "sa", "sm", "sx"]
"""Section 12: "The order of equal ends"."""

MEASURES = {measure for windowed in WINDOWED.values() for measure in windowed.measures}

TOPICS = [ERP, *(w.type for w in WINDOWED.values() if not w.erp), REFERENCE, EXCEPTIONS]

SETTINGS: dict[str, Any] = {
    "summary_window_seconds": 60,
    "posting_window_seconds": 300,
    "grace_seconds": 30,
    "idle_grace_seconds": 120,
    "breakdown_seconds": 600,
    "episode_limit_seconds": 86_400,
    "state_limit_seconds": 86_400,
    "retention_seconds_mes": 7 * 86_400,
    "retention_seconds_machine": 4 * 86_400,
    "future_seconds_max": 600,
    "time_zones": {},  # plant -> IANA name
    "transactions": {},  # as in a `rules` record: what is said here instead of section 4's table
}
