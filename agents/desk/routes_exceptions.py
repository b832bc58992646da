"""Routes about exceptions: found, looked at, worked; and the trail of who did what."""

from typing import Any, Final

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Connection, select

from agents.desk import answers_exceptions as answers
from agents.desk.acts_forms import APPROVES, ITEMS_MAX, ActAnswer, ActRequest, check, read_request
from agents.desk.answers_trace import Acts
from agents.desk.asked import Asked, refusal_of
from agents.desk.desk import Desk
from agents.desk.errors import DeskError
from agents.desk.reading import reading
from agents.desk.route import Route
from streams.contract.acts import ActName
from tables.books import acts_list, exception_page, exceptions_ageing, exceptions_list
from tables.books.exceptions_list import ExceptionsAsked, where_of
from tables.books.known_now import zone_of
from tables.books.plants import Plants
from tables.books.schema import EXCEPTIONS


class ActBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An act on exceptions: on those of `ids`, or on those of `filter`, 1,000 at most."""

    act: ActName
    ids: list[str] | None = None
    filter: ExceptionsAsked | None = None
    why: str | None = None
    versions: dict[str, int] | None = None
    value: str | None = None
    key: str | None = None
    to: str | None = None
    dry_run: bool = False
    batch: str | None = None


async def _act(desk: Desk, asked: Asked, body: bytes) -> ActAnswer:
    request, given = read_request(body)
    if desk.acting is None or not desk.ready:
        raise DeskError("unavailable", "the desk has just started: ask again")
    if given is not None:
        request = await _filtered(desk, asked, request, given)
    answer = await desk.acting.act(asked.person, request)
    if not request.dry_run:
        desk.measures.acted(request.act, (item.result for item in answer.items))
    return answer


async def _filtered(
    desk: Desk, asked: Asked, request: ActRequest, given: dict[str, Any]
) -> ActRequest:
    """Return a request about the exceptions of a filter, the oldest first. Raises `DeskError`."""
    try:
        query = msgspec.convert(given, ExceptionsAsked)
    except msgspec.ValidationError as error:
        raise refusal_of(error, given, ExceptionsAsked) from None
    plants = asked.person.plants_of("approve" if request.act in APPROVES else "work")

    def find(connection: Connection) -> tuple[str, ...]:
        return _ids(connection, asked, query, plants)

    found = structs.replace(request, ids=await desk.read(find))
    check(found)
    return found


def _ids(
    connection: Connection, asked: Asked, query: ExceptionsAsked, plants: Plants
) -> tuple[str, ...]:
    zone = zone_of(connection, query.plant, asked.rules, asked.now)
    wanted = (
        select(EXCEPTIONS.c.id)
        .where(*where_of(query, plants, asked.now, zone))
        .order_by(EXCEPTIONS.c.raised_at, EXCEPTIONS.c.id)
        .limit(ITEMS_MAX)
    )
    return tuple(connection.execute(wanted).scalars())


ROUTES: Final = (
    Route(
        path="/exceptions",
        says="Exceptions, and how many there are",
        query=ExceptionsAsked,
        answer=answers.Exceptions,
        read=reading(exceptions_list.exceptions),
    ),
    Route(
        path="/exceptions/reasons",
        says="The most frequent reasons",
        query=ExceptionsAsked,
        answer=answers.Reasons,
        read=reading(exceptions_list.reasons),
    ),
    Route(
        path="/exceptions/one",
        says="One exception: its bytes, what they are read as, its neighbours, what was done",
        query=exception_page.ExceptionAsked,
        answer=answers.ExceptionPage,
        read=reading(exception_page.exception),
    ),
    Route(
        path="/exceptions/ageing",
        says="How old what is open is, by class",
        query=exceptions_ageing.AgeingAsked,
        answer=answers.Ageing,
        read=reading(exceptions_ageing.ageing),
    ),
    Route(
        method="POST",
        path="/exceptions/act",
        says="Resend, fix, dismiss, assign, comment, approve or reject; or try it dry",
        scope="work",
        body=ActBody,
        answer=answers.ActAnswer,
        act=_act,
    ),
    Route(
        path="/acts",
        says="Who did what to which exception, when and why",
        query=acts_list.ActsAsked,
        answer=Acts,
        read=reading(acts_list.acts),
    ),
)
