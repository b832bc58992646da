"""The result of an audit: a verdict on each law, the figures behind it, the first difference."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, Literal

from msgspec import Struct

from agents.audit.expected_outputs import Figures
from agents.audit.findings import LAWS, Difference, Differences, Law
from agents.audit.reprocess import ReprocessedPartition
from agents.audit.states import OUTCOMES

Verdict = Literal["proven", "refuted", "not provable"]

EXIT_CODES: Final[dict[Verdict, int]] = {"proven": 0, "refuted": 1, "not provable": 3}
"""2 is click's exit code for a wrong argument."""


class InputFigures(Struct):
    """An input partition: its offsets, and its records by outcome."""

    topic: str
    partition: int
    begin: int
    """The first offset in the topic."""
    end: int
    """The offset after the last record."""
    records: int
    state: int | None
    """The offset of the last record that the system's state has counted."""
    accepted: int
    duplicate: int
    exception: int
    tick: int


class LawVerdict(Struct):
    """Whether a law holds, and why."""

    law: Law
    verdict: Verdict
    says: str
    differences: int = 0
    first_difference: Difference | None = None


class Audited(Struct):
    """The result of an audit."""

    verdict: Verdict
    broker: str
    group: str
    guarantee: str
    laws: list[LawVerdict]
    inputs: list[InputFigures]
    outputs: dict[str, Figures]
    removed: list[str]
    """Partitions whose first records retention has deleted."""
    first_difference: Difference | None = None


class Evidence(Struct, kw_only=True):
    """What the verdict is based on."""

    reprocessed_partitions: list[ReprocessedPartition]
    outputs: dict[str, Figures]
    keys: int
    """How many posting keys were found."""
    lanes: int
    """How many lines there are, counted once for each topic."""
    measures: int
    differences: Differences
    removed: list[str]


def judge(evidence: Evidence, broker: str, group: str, guarantee: str) -> Audited:
    """Return the verdict: refuted if there's a difference, not provable if records were deleted."""
    differences = evidence.differences
    reasons = _reasons(evidence)
    default: Verdict = "proven"
    if evidence.removed:
        default = "not provable"
        reasons = dict.fromkeys(LAWS, "nothing that is left contradicts it")
    elif not any(reprocessed.records for reprocessed in evidence.reprocessed_partitions):
        default = "not provable"
        reasons = dict.fromkeys(LAWS, "there is no input")
    laws = []
    for law in LAWS:
        first = differences.first_of(law)
        if first is None:
            laws.append(LawVerdict(law, default, reasons[law]))
        else:
            laws.append(LawVerdict(law, "refuted", first.says, differences.of(law), first))
    first = differences.first()
    return Audited(
        verdict=default if first is None else "refuted",
        broker=broker,
        group=group,
        guarantee=guarantee,
        laws=laws,
        inputs=[_input(reprocessed) for reprocessed in evidence.reprocessed_partitions],
        outputs=evidence.outputs,
        removed=evidence.removed,
        first_difference=first,
    )


def text(audited: Audited) -> Iterator[str]:
    """Yield the lines of the report as text."""
    yield f"audit of {audited.broker}, group {audited.group}, {audited.guarantee}"
    yield ""
    heads = ("input", "offsets", "records", "state at", *OUTCOMES)
    yield from _table(heads, (_input_cells(each) for each in audited.inputs))
    yield ""
    cells = (
        (topic, *map(_number, (each.records, each.repeats, each.to_come)))
        for topic, each in audited.outputs.items()
    )
    yield from _table(("output", "records", "repeats", "to come"), cells)
    yield ""
    for law in audited.laws:
        more = f" (and {law.differences - 1:,} more)" if law.differences > 1 else ""
        yield f"{law.law:<13} {law.verdict:<12}  {law.says}{more}"
    yield ""
    if audited.removed:
        yield (
            f"removed by retention: the beginning of {', '.join(audited.removed)}; the removed "
            "records can't be compared"
        )
    yield audited.verdict
    if audited.first_difference is not None:
        yield f"first difference: {audited.first_difference.says}"
        yield from _details(audited.first_difference)


def _reasons(evidence: Evidence) -> dict[Law, str]:
    """Return for each law the evidence that proves it."""
    counts = Counter[str]()
    for reprocessed in evidence.reprocessed_partitions:
        for name in OUTCOMES:
            counts[name] += getattr(reprocessed.partition.counts, name)
    repeats = sum(each.repeats for each in evidence.outputs.values())
    to_come = sum(each.to_come for each in evidence.outputs.values())
    counted = sum(
        each.head.records for each in evidence.reprocessed_partitions if each.head is not None
    )
    keys = f"{evidence.keys:,}"
    return {
        "conservation": (
            f"accepted = emitted + open + parked in {evidence.measures} measures; the records add "
            "up to what was emitted"
        ),
        "idempotence": (
            f"{counts['duplicate']:,} duplicates added nothing; {keys} posting keys, each with one "
            f"content; {repeats:,} repeats"
        ),
        "determinism": f"{keys} records are as the input requires; {to_come:,} are still to come",
        "order": (
            f"{keys} records are in the order of their causes, on each topic for each line "
            f"({evidence.lanes:,} in all)"
        ),
        "no loss": (
            f"{counts.total():,} records are each accepted, duplicate, exception or tick; the "
            f"states agree on the {counted:,} that they have counted; no record is missing"
        ),
        "relevance": "no record on an ERP topic comes from a single machine event",
    }


def _input(reprocessed: ReprocessedPartition) -> InputFigures:
    counts = reprocessed.partition.counts
    topic, partition = reprocessed.source
    return InputFigures(
        topic=topic,
        partition=partition,
        begin=reprocessed.begin,
        end=reprocessed.end,
        records=reprocessed.records,
        state=None if reprocessed.head is None else reprocessed.head.offset,
        accepted=counts.accepted,
        duplicate=counts.duplicate,
        exception=counts.exception,
        tick=counts.tick,
    )


def _input_cells(each: InputFigures) -> tuple[str, ...]:
    offsets = f"{each.begin:,} to {each.end - 1:,}" if each.end > each.begin else "none"
    state = "no state" if each.state is None else f"{each.state:,}"
    counts = (each.accepted, each.duplicate, each.exception, each.tick)
    name = f"{each.topic}/{each.partition}"
    return (name, offsets, _number(each.records), state, *map(_number, counts))


def _details(difference: Difference) -> Iterator[str]:
    where = f"{difference.topic}/{difference.partition}" if difference.topic else None
    details = {
        "partition": difference.topic if difference.partition is None else where,
        "offset": difference.offset,
        "line": difference.line,
        "member": difference.member,
        "expected": difference.expected,
        "found": difference.found,
    }
    for name, value in details.items():
        if value is not None:
            yield f"  {name:<9} {value}"


def _number(number: int) -> str:
    return f"{number:,}"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    cells = [heads, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    for row in cells:
        first, *others = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join([first, *others])
