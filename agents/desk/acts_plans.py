"""From what somebody asks for to an act with its event, or to why it can't be done."""

from typing import Final

from msgspec import Struct

from agents.desk.acts_forms import ActItem, ActRequest
from agents.desk.acts_judging import Judgement, Read, read
from agents.desk.people import Person
from streams.contract.acts import Act, Standing
from streams.contract.rejection import shown
from streams.contract.topics import ERP_MASTER, INPUTS
from streams.log.desk import Again
from streams.log.lineage import with_act
from tables.books.acted_on import Subject
from tables.books.moves import Result, Unmoved, Wish, moved

EVERY: Final = "*"
"""In place of the plants where a second person approves: all of them."""

BUSINESS: Final = "business"

SENDABLE: Final = (*INPUTS, ERP_MASTER)
"""Topics that refused records go back to."""


class Ask(Struct, frozen=True):
    """A request, who asks, and when."""

    request: ActRequest
    person: Person
    batch: str
    approval: frozenset[str]
    at: int
    """In microseconds."""


class Planned(Struct, frozen=True):
    """An act that can be done, as far as its exception goes."""

    act: Act
    again: Again | None
    """What is sent with it."""
    read: Read | None
    """What is sent now or later, to be judged."""


def begun(ask: Ask, subject: Subject, id: str) -> Planned | ActItem:
    """Return the act with the event that goes with it, or why it can't be done."""
    request, stands = ask.request, subject.stands
    seen = (request.versions or {}).get(subject.id)
    if seen is not None and seen != stands.version:
        reason = f"you saw version {seen}, and it has {stands.version}: look at it again"
        return ActItem(subject.id, "conflict", reason, version=stands.version)
    wish = Wish(request.act, ask.person.name, request.value, request.key, request.to)
    second = needs_second(ask, subject)
    move = moved(stands, wish, needs_second=second)
    if isinstance(move, Unmoved):
        return ActItem(subject.id, move.result, move.reason, version=stands.version)
    act = Act(
        id=id,
        at=ask.at,
        who=ask.person.name,
        act=request.act,
        subject=subject.id,
        before=stands,
        after=move.after,
        plant=subject.plant,
        line=subject.line,
        why=request.why,
        batch=ask.batch,
    )
    if not move.sends and move.after.status != "asked":
        return Planned(act, None, None)
    problem = _unsendable(subject)
    if problem is not None:
        return ActItem(subject.id, "refused", problem, version=stands.version)
    again = again_of(subject, move.after, id)
    return Planned(act, again if move.sends else None, read(again))


def ended(ask: Ask, planned: Planned, judgement: Judgement | None) -> ActItem | None:
    """Return what becomes of an act without doing it; None: it's to be done."""
    act, version = planned.act, planned.act.before.version
    dry = ask.request.dry_run
    if judgement is None:  # nothing is sent
        return ActItem(act.subject, "done", version=act.after.version) if dry else None
    code, reason = judgement.code, judgement.reason
    if judgement.became == "would_be_refused":
        result: Result = "would_be_refused" if dry else "refused"
        return ActItem(act.subject, result, reason, code, version)
    plants = ask.person.plants_of("approve" if act.act == "approve" else "work")
    if plants is not None and judgement.plant not in plants:
        reason = f"plant is {shown(judgement.plant)}: {ask.person.name} may not work there"
        return ActItem(act.subject, "refused", reason, None, version)
    if not dry:
        return None
    if act.after.status == "asked":
        reason = "a second person has to approve it"
        return ActItem(act.subject, "needs_approval", reason, None, version)
    return ActItem(act.subject, judgement.became, reason, code, version)


def needs_second(ask: Ask, subject: Subject) -> bool:
    """Return whether a second person has to approve what is sent again for an exception."""
    named = subject.plant in ask.approval or EVERY in ask.approval
    return subject.kind == BUSINESS and named and ask.request.act in ("resend", "fix")


def again_of(subject: Subject, after: Standing, act: str) -> Again:
    """Return the record that is sent again for an exception, by an act.

    It goes where it was, unless it gets another key.
    """
    value = subject.value if after.fixed is None else after.fixed.encode()
    moves = after.key is not None and after.key.encode() != subject.key
    key = after.key.encode() if after.key is not None else subject.key
    return Again(
        topic=subject.topic,
        partition=None if moves and subject.topic != ERP_MASTER else subject.partition,
        key=key,
        value=value,
        headers=with_act(subject.headers, subject.id, act),
    )


def _unsendable(subject: Subject) -> str | None:
    if subject.topic not in SENDABLE:
        return f"it was refused on {shown(subject.topic)}: nothing is sent there"
    if subject.cut:
        return (
            "a part of the record isn't in the exception, since it was too large: its producer "
            "has to send it again"
        )
    return None
