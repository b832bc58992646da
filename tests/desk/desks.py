"""Desks for tests: over books as they are given, in this process or in a thread of it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, TypeVar

import msgspec
from aiohttp import ClientResponse, ClientSession
from sqlalchemy import Engine

from agents.desk.access import Access
from agents.desk.acts import Acting
from agents.desk.app import create_desk
from agents.desk.desk import Desk
from agents.desk.people import Grant, Person, Scope, merged
from agents.desk.pool import Pool
from agents.desk.workers import Workers
from agents.keep_books import Progress
from agents.serve.access import Rates, digest_of
from agents.serve.web import serve, url_of
from agents.settings.settings import Settings, rules_of
from streams.contract.topics import MES_EVENTS
from tables.books.plants import Plants

WAIT_SECONDS_MAX = 60

API = "api/v1"


class People:
    """Tokens that are made when they are asked for."""

    def __init__(self) -> None:
        self._known: dict[bytes, Person] = {}

    def token(self, scope: Scope, plants: Plants, name: str = "anna") -> str:
        """Return a token of a person with this scope in these plants."""
        where = "*" if plants is None else ",".join(sorted(plants))
        made = f"{name}-{scope}-{where}-".ljust(30, "x")
        self._known[digest_of(made)] = Person(name, merged([Grant(scope, plants)]))
        return made

    def person(self, given: str) -> Person | None:
        """Return whose token it is: what `Tokens` of the desk does."""
        return self._known.get(digest_of(given))


class Unlimited(Rates):
    """Lets every request through."""

    def take(self, address: str, now: float) -> bool:
        """Return that it may be answered."""
        return True


@asynccontextmanager
async def served(
    engine: Engine,
    access: Access | None = None,
    *,
    settings: Settings | None = None,
    workers: Workers | None = None,
    acting: Acting | None = None,
    progress: Progress | None = None,
    unlimited: bool = False,
    query_seconds_max: float = 10.0,
) -> AsyncIterator[tuple[Desk, str]]:
    """Yield a desk over books that nobody fills, and its URL; `unlimited`: however often it's asked."""
    own, access = settings or Settings(), access or Access()
    if unlimited:
        access._rates = Unlimited()
    async with AsyncExitStack() as stack:
        pool = Pool(engine, query_seconds_max)
        stack.push_async_callback(pool.close)
        desk = Desk(
            name="desk-of-tests",
            pool=pool,
            access=access,
            rules=rules_of(own)[MES_EVENTS],
            zones=own.time_zones,
            workers=workers or Workers(),
            progress=progress or Progress(),
            approval=own.desk_approval,
            acting=acting,
        )
        desk.ready = True
        page = await serve(create_desk(desk), "127.0.0.1", 0)
        stack.push_async_callback(page.cleanup)
        yield desk, url_of(page)


@asynccontextmanager
async def visited(
    engine: Engine, access: Access | None = None, **options: Any
) -> AsyncIterator[ClientSession]:
    """Yield a client of a desk over these books."""
    async with (
        asyncio.timeout(WAIT_SECONDS_MAX),
        served(engine, access, **options) as (_, url),
        ClientSession(url) as session,
    ):
        yield session


def bearer(given: str) -> dict[str, str]:
    """Return the headers of a request with a token."""
    return {"Authorization": f"Bearer {given}"}


async def asked(session: ClientSession, path: str, **options: Any) -> tuple[int, Any]:
    """Return the status and the JSON of a GET below `/api/v1`."""
    async with session.get(f"{API}{path}", **options) as response:
        return response.status, await document(response)


async def told(
    session: ClientSession, path: str, body: Mapping[str, Any], **options: Any
) -> tuple[int, Any]:
    """Return the status and the JSON of a POST of JSON below `/api/v1`."""
    async with session.post(f"{API}{path}", json=body, **options) as response:
        return response.status, await document(response)


async def document(response: ClientResponse) -> Any:
    """Return an answer's JSON."""
    return msgspec.json.decode(await response.read())


T = TypeVar("T")


@contextmanager
def in_a_thread(engine: Engine, access: Access | None = None, **options: Any) -> Iterator[str]:
    """Yield the URL of a desk that runs in a thread: for tests that have no event loop."""
    found: list[str] = []
    started, ending = threading.Event(), threading.Event()

    async def run() -> None:
        async with served(engine, access, **options) as (_, url):
            found.append(url)
            started.set()
            await asyncio.to_thread(ending.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="desk-of-tests")
    thread.start()
    try:
        assert started.wait(WAIT_SECONDS_MAX), "the desk didn't start"
        yield found[0]
    finally:
        ending.set()
        thread.join(WAIT_SECONDS_MAX)
