"""Why a line is late: the time that it lost in its shift, by cause.

Late is the working time so far, less the time that its good pieces should have taken at the pace of
its slowest work unit. Where no such pace is known, it is the time that stops and waiting took.
"""

from typing import Any, Final, Literal

from msgspec import Struct, field

from streams.values import quantity

Why = Literal["machine", "material", "quality", "planned", "integration", "none"]

LATE: Final = 60 * 10**9
"""Less than a minute is not late; billionths of a second."""

PAST: Final = 86_400 * 10**9
"""Events that come more than a day late are a log of the past that is read now."""

WORDS: Final[dict[Why, tuple[str, ...]]] = {
    "material": (
        "material",
        "supply",
        "logistic",
        "starved",
        "blocked",
        "shortage",
    ),
    "quality": ("quality", "inspection", "scrap", "rework", "nonconform"),
}
"""What a stop's group, or else its reason, has in it, of other causes than the machine."""


class Evidence(Struct, frozen=True):
    """Something that took time, in billionths of a second."""

    why: Why
    what: str
    seconds: int
    count: int | None = None


class Lost(Struct):
    """What is known of a line's shift so far; times in billionths of a second."""

    worked: int
    """Working time so far, as far as summaries are complete."""
    unheard: int
    """Working time since then."""
    ideal: int | None = None
    """PRI of the slowest work unit."""
    good: int | None = None
    """GQ in billionths; None: counted in several units."""
    rejected: int = 0
    """SQ and RQ in billionths."""
    stops: list[Evidence] = field(default_factory=list)
    refused: int = 0
    """Events of the line that are exceptions still."""
    lag: int = 0
    """How late events arrive, on average."""


class Verdict(Struct, frozen=True):
    """How late, why, and what says so; the largest evidence first."""

    late: int
    why: Why
    evidence: list[Evidence]


def cause_of(reason: str, planned: bool, group: str | None) -> Why:
    """Return what a stop is due to: by its reason's group, else by the words of its reason."""
    if planned:
        return "planned"
    text = (group or reason).lower().replace("_", " ")
    for why, words in WORDS.items():
        if any(word in text for word in words):
            return why
    return "machine"


def verdict_of(lost: Lost) -> Verdict:
    """Return how late a line is, and why."""
    evidence = list(lost.stops)
    if lost.ideal is not None and lost.rejected > 0:
        took = lost.rejected * lost.ideal // 10**9
        evidence.append(Evidence("quality", "scrap and rework", took))
    if lost.unheard >= LATE:
        evidence.append(Evidence("integration", "nothing has come since", lost.unheard))
    if LATE <= lost.lag < PAST:
        evidence.append(Evidence("integration", "events arrive late by", lost.lag))
    explained = sum(each.seconds for each in evidence if each.why != "integration")
    late = explained
    if lost.ideal is not None and lost.good is not None:
        late = max(0, lost.worked - lost.good * lost.ideal // 10**9)
        if late - explained >= LATE:
            evidence.append(Evidence("machine", "slower than ideal", late - explained))
    if lost.refused:
        evidence.append(Evidence("integration", "refused events are open", 0, lost.refused))
    late += lost.unheard if lost.unheard >= LATE else 0
    evidence = sorted((each for each in evidence), key=lambda each: -each.seconds)
    return Verdict(late, _largest(evidence) if late >= LATE else "none", evidence)


def _largest(evidence: list[Evidence]) -> Why:
    sums: dict[Why, int] = {}
    for each in evidence:
        sums[each.why] = sums.get(each.why, 0) + each.seconds
    return max(sums, key=lambda why: (sums[why], why)) if sums else "none"


def plain(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as the API gives it."""
    return {
        "late_seconds": quantity.text(verdict.late),
        "why": verdict.why,
        "evidence": [
            {
                "why": each.why,
                "what": each.what,
                "seconds": quantity.text(each.seconds),
                "count": each.count,
            }
            for each in verdict.evidence
        ],
    }
