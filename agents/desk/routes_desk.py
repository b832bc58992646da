"""Routes about the desk itself: who asks, and how all of it is."""

from typing import Any, Final

from sqlalchemy import Connection

from agents.desk.answers_figures import Health
from agents.desk.answers_lines import Me
from agents.desk.asked import Asked, Nothing
from agents.desk.desk import Desk
from agents.desk.errors import DeskError
from agents.desk.people import ALL
from agents.desk.route import Route
from streams.values import instant
from tables.books.health_numbers import HealthAsked, health_numbers

BEHIND_MAX: Final = 10_000
"""Records that the books may lack and still count as up to date: a second or two of a busy job."""


async def _me(desk: Desk, asked: Asked, _: Nothing) -> Me:
    person, plants = asked.person, asked.plants
    assert person.scope is not None, "who has no scope is refused before"
    return Me(
        name=person.name,
        scope=person.scope,
        plants=[ALL] if plants is None else sorted(plants),
        approval=[
            plant for plant in desk.approval if plants is None or plant == ALL or plant in plants
        ],
    )


async def _health(desk: Desk, asked: Asked, _: Nothing) -> Health | dict[str, Any]:
    def find(connection: Connection) -> dict[str, Any]:
        return health_numbers(connection, asked.plants, HealthAsked(), asked.now)

    try:
        numbers = await desk.read(find)
    except DeskError:
        kind = desk.pool.engine.dialect.name
        away = {"kind": kind, "version": None, "bytes": None, "reachable": False}
        numbers = {"database": away, "topics": []}
    workers = await desk.workers.health()
    return {
        "status": _status(desk, numbers, [worker.reachable for worker in workers]),
        "database": numbers["database"],
        "topics": numbers["topics"],
        "workers": workers,
        "desks": [{"name": desk.name, "partitions": len(desk.progress.own)}],
        "at": instant.text(asked.now),
    }


def _status(desk: Desk, numbers: dict[str, Any], reachable: list[bool]) -> str:
    progress = desk.progress
    if not numbers["database"]["reachable"] or progress.trouble or progress.stopped:
        return "broken"
    if not all(reachable):
        return "broken"
    behind = sum(topic["behind"] or 0 for topic in numbers["topics"])
    return "behind" if behind > BEHIND_MAX else "ok"


ROUTES: Final = (
    Route(path="/me", says="Who asks, and what they may do where", answer=Me, do=_me),
    Route(
        path="/health",
        says="How the books, their database, the topics and the workers are",
        answer=Health,
        do=_health,
    ),
)
