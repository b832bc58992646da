"""Ends acts that were cut off, and lets a machine try again what failed for technical reasons."""

import asyncio
import logging
from typing import Final

from agents.desk.acts import Acting
from agents.desk.acts_forms import ActRequest
from agents.desk.errors import DeskError
from agents.desk.people import Grant, Person
from streams.log.writing import Lost
from streams.trouble import Trouble
from tables.books import acted_on, claims
from tables.books.acting import store_acts

LOOK_SECONDS: Final = 10.0
"""How often it is looked for acts that were cut off, and for what is to be tried again."""

LEFT_SECONDS: Final = 30.0
"""An act of another desk that isn't done by then was cut off, or its desk hangs: it is shut out."""

FIRST_SECONDS: Final = 60
"""After so long an event of class technical goes again for the first time."""

FACTOR: Final = 4
TRIES_MAX: Final = 5
"""Each pause is longer than the one before: 1, 4, 16, 64, 256 minutes. Then it's for people."""

TRIED_MAX: Final = 200
"""Looked at in one round."""

MACHINE: Final = Person("lineside", (Grant("work", None),))
"""Who tries again, in the audit trail."""

log = logging.getLogger("lineside.desk")


async def finish_acts(acting: Acting) -> None:
    """End what was cut off, at once and then again and again; never returns."""
    at_once = acting.log.alone
    while True:
        try:
            await end_what_was_left(acting, at_once=at_once)
            at_once = False
            await try_again(acting)
        except (DeskError, Lost) as error:
            log.warning("acts that were cut off aren't finished yet: %s", error)
        await asyncio.sleep(LOOK_SECONDS)


async def end_what_was_left(acting: Acting, *, at_once: bool = False) -> int:
    """Send and note acts that were claimed and cut off; return how many there were.

    `at_once`: however young their claims are. Raises `Lost` or `DeskError` where it has to be tried
    again.
    """
    patience = 0.0 if at_once else LEFT_SECONDS * 1e6
    older = acting.now() - round(patience) + at_once
    sender, flights = acting.log.sender, list(acting.flights)
    start, left = await acting.read(lambda c: claims.left(c, sender, flights, older))
    count = 0
    for each in left:
        acts = each.acts
        try:
            async with acting.writing:
                await acting.log.complete(each.sender, each.sendings, start)
        except Lost:
            raise
        except Trouble as error:
            log.warning("%d acts can't be sent, and are given up: %s", len(acts), error)
            await acting.write(lambda c, acts=acts: claims.give_up(c, acts))  # type: ignore[misc]
        else:
            await acting.write(lambda c, acts=acts: store_acts(c, acts))  # type: ignore[misc]
            log.info("%d acts that were cut off are done", len(acts))
        count += len(acts)
    return count


async def try_again(acting: Acting) -> int:
    """Send events of class technical again whose pause is over; return how many went."""
    now = acting.now()
    longest = FIRST_SECONDS * FACTOR**TRIES_MAX * 1_000_000
    found = await acting.read(
        lambda c: [
            (each, acted_on.tries_of(c, each, TRIES_MAX))
            for each in acted_on.to_try_again(
                c, now - longest, now - FIRST_SECONDS * 1_000_000, TRIED_MAX
            )
        ]
    )
    went = 0
    for subject, tries in found:
        if tries >= TRIES_MAX or now < due_at(subject.raised_at, tries):
            continue
        request = ActRequest(
            act="resend",
            ids=(subject.id,),
            why=f"try {tries + 1} of {TRIES_MAX}",
            versions={subject.id: subject.stands.version},
            batch=f"try {subject.id}"[:128],
        )
        answer = await acting.act(MACHINE, request)
        went += answer.done
    return went


def due_at(raised_at: int, tries: int) -> int:
    """Return when an event goes again that was sent again so often before, in microseconds."""
    return raised_at + FIRST_SECONDS * int(FACTOR**tries) * 1_000_000
