"""What each record is checked for, in the contract's order: the first one that applies decides."""

from typing import Final, Literal

from msgspec import Struct

Code = Literal[
    "malformed", "invalid", "unknown_type", "key_mismatch", "from_the_future", "too_old",
    "key_conflict", "unknown_reversal", "not_reversible", "reversal_mismatch", "already_reversed",
    "episode_conflict", "hold_conflict", "unknown_master", "order_closed",
]  # fmt: skip
"""Why an event was refused."""

Class = Literal["data", "business"]
"""Who deals with a refusal. `data`: the data must be mended. `business`: somebody on the shop floor
or at the ERP must decide."""


class Check(Struct, frozen=True):
    """A check of the contract: its texts are in Markdown, without links."""

    number: str
    outcome: Code | Literal["accepted", "duplicate", "tick"]
    kind: Class | None
    """The class of a refusal, None where nothing is refused."""
    found: str
    remedy: str = ""
    """What to do about the refusal."""


CHECKS: Final = (
    Check(
        "1",
        "malformed",
        "data",
        "larger than 64 KiB (or its record than 16 MiB), not UTF-8, not a JSON object, a member "
        "twice in an object that is read, or no value at all",
        "Look at the bytes (`data.value` of the exception, base64) and mend the producer's "
        "encoding.",
    ),
    Check("2", "invalid", "data", "`type` is missing or not a string", "Mend the mapping."),
    Check(
        "3",
        "unknown_type",
        "data",
        "the type is not known, or belongs on the other input topic",
        "The type is misspelt or of a version that lineside doesn't know, or the producer writes "
        "to the wrong topic: the reason says which.",
    ),
    Check(
        "4",
        "tick",
        None,
        "a tick: `invalid` if its `time` can't be read, `from_the_future` as in check 7; or a "
        "reference record: `invalid` if it can't be read",
        "Nobody but lineside writes either.",
    ),
    Check(
        "5",
        "invalid",
        "data",
        "an attribute or a member is missing or wrong (of a reversal's `original`: only that it is "
        "no object)",
        "The reason names the member and its value. Mend the mapping and send the event again, "
        "under the same `id`.",
    ),
    Check(
        "6",
        "key_mismatch",
        "data",
        "the record's key is not `plant/line`",
        "Mend the producer's key. A wrong key can put a line into two partitions.",
    ),
    Check(
        "7",
        "from_the_future",
        "data",
        "`time` is more than 10 min past the record's timestamp",
        "A clock or a time zone is wrong at the producer. Mend it and send again.",
    ),
    Check(
        "8",
        "too_old",
        "data",
        "`time` is further behind the line's watermark than the ledger reaches back: 7 days for "
        "MES events, 4 days for machine events",
        "Lineside can't tell whether the event is new, so it isn't posted. Post it in the ERP by "
        "hand, or replay with a longer retention (`mes_retention_seconds`, "
        "`machine_retention_seconds`).",
    ),
    Check(
        "9",
        "duplicate",
        None,
        "the ledger has this identity, with the same `type`, `time` and `data`",
        "Nothing. It is counted and dropped.",
    ),
    Check(
        "10",
        "key_conflict",
        "data",
        "the ledger has this identity, with another `type`, `time` or `data`",
        "The producer used an `id` twice (a counter that started anew, a correction under the old "
        "`id`). The first event stands, this one isn't posted. Send a correction as a reversal and "
        "a new event with a new `id`.",
    ),
    Check(
        "11",
        "unknown_reversal",
        "business",
        "a reversal whose original isn't in the ledger",
        "If the original is still on its way, send the reversal again later. Otherwise look at "
        "`reverses`, `source`, `plant` and `line`.",
    ),
    Check(
        "12",
        "not_reversible",
        "business",
        "a reversal of a type that can't be reversed",
        "Most types can't be reversed. Report a new event with the opposite effect instead.",
    ),
    Check(
        "13",
        "reversal_mismatch",
        "business",
        "a reversal whose `original` isn't what was accepted, or can't be read",
        "`original` must repeat `type`, `time` and `data` of the reversed event.",
    ),
    Check(
        "14",
        "already_reversed",
        "business",
        "a reversal of an event that was reversed before",
        "Nothing, if somebody corrected twice.",
    ),
    Check(
        "15",
        "episode_conflict",
        "business",
        "a downtime event whose episode has that start or end already, is of another `work_unit`, "
        "or would end before its start",
        "Look at how the MES numbers episodes. Never use an episode's name again.",
    ),
    Check(
        "15a",
        "hold_conflict",
        "business",
        "a `quality.hold_placed` whose `hold` is known in its plant with another `scope`, `value` "
        "or `item`, or was released",
        "Look at how the QMS names holds. Never use a hold's name again within a plant.",
    ),
    Check(
        "16",
        "unknown_master",
        "data",
        "the event names something that isn't known, and its plant requires that it is",
        "The reason says what is missing. Add it to the master data: the event then goes again by "
        "itself. Or mend the name at the producer, and send the event again, under the same `id`.",
    ),
    Check(
        "17",
        "order_closed",
        "business",
        "its order is closed or cancelled, and its plant requires that orders are known",
        "Reopen the order in the ERP and send the event again, or book it on another order.",
    ),
    Check("18", "accepted", None, "none of these"),
)
"""All checks, in their order."""

CLASSES: Final[dict[str, Class]] = {
    check.outcome: check.kind for check in CHECKS if check.kind is not None
}
"""The class of each code, in the order of the checks."""


def remedies() -> dict[str, str]:
    """Return what to do about each code: the remedies of all checks with that code, in order."""
    found: dict[str, list[str]] = {}
    for check in CHECKS:
        if check.kind is not None:
            found.setdefault(check.outcome, []).append(check.remedy)
    return {code: " ".join(sentences) for code, sentences in found.items()}


def table() -> str:
    """Return the checks as the table of docs/contract.md."""
    rows = ["| # | what is found | outcome | class | what to do about it |", "| --- " * 5 + "|"]
    for check in CHECKS:
        refused = check.kind is not None
        outcome = f"`{check.outcome}`" if refused else check.outcome
        if check.outcome == "accepted":
            outcome = f"**{outcome}**"
        cells = (str(check.number), check.found, outcome, check.kind, check.remedy)
        rows.append("|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|")
    return "\n".join(rows)
