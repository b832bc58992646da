"""Server-sent events: that the books changed, by what somebody sees, until they may not."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession
from sqlalchemy import Engine

from agents.desk import live as live_module
from agents.desk.access import Access
from agents.serve import streams
from desk.desks import API, People, bearer, served
from tables.books.opening import writing
from tables.books.schema import EXCEPTIONS, OFFSETS

SECONDS_MAX = 20


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module.Live.__init__, "__defaults__", (0.05,))


def grow(engine: Engine, offset: int, *plants: str | None) -> None:
    """Let books have read more, with an open exception of each of these plants."""
    with writing(engine) as connection:
        connection.execute(OFFSETS.delete())
        connection.execute(
            OFFSETS.insert(),
            {"topic": "exceptions.v1", "number": 0, "next_offset": offset, "noted_at": offset},
        )
        for number, plant in enumerate(plants):
            connection.execute(
                EXCEPTIONS.insert(),
                {
                    "id": f"mes.events.v1/{offset}/{number}", "class": "data", "code": "malformed",
                    "reason": "no JSON", "raised_at": 1, "plant": plant, "topic": "mes.events.v1",
                    "number": offset, "position": number, "status": "open", "version": 0,
                    "headers": b"",
                },
            )  # fmt: skip


class Stream:
    """What a listener is told."""

    def __init__(self, response: Any) -> None:
        self.response = response

    async def message(self) -> dict[str, Any] | None:
        """Return the data of the next `changed`, None at the end of the stream."""
        async with asyncio.timeout(SECONDS_MAX):
            text = b""
            while not text.endswith(b"\n\n"):
                piece = await self.response.content.readany()
                if not piece:
                    return None
                text += piece
        assert text.startswith(b"event: changed\ndata: "), text
        found: dict[str, Any] = msgspec.json.decode(text.partition(b"data: ")[2])
        return found


@asynccontextmanager
async def listening(
    engine: Engine, access: Access | None = None, **options: Any
) -> AsyncIterator[Stream]:
    async with (
        served(engine, access) as (_, url),
        ClientSession(url) as session,
        session.get(f"{API}/live", **options) as response,
    ):
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        yield Stream(response)


async def test_who_listens_is_told_at_once_and_when_the_books_changed(books: Engine) -> None:
    grow(books, 1)
    async with listening(books) as stream:
        first = await stream.message()
        assert first is not None
        assert first.keys() == {"at", "books_at", "behind", "overview", "exceptions_open"}
        assert first["exceptions_open"] == 0
        await asyncio.to_thread(grow, books, 2, "DE01", None)
        second = await stream.message()
        assert second is not None
        assert second["exceptions_open"] == 2


async def test_each_is_told_what_they_see(sqlite_books: Engine) -> None:
    grow(sqlite_books, 1, "DE01", "DE01", "FR01", None)
    people = People()
    access = Access(people)  # type: ignore[arg-type]  # it has what `Tokens` has
    for plants, count in ((frozenset({"DE01"}), 2), (frozenset({"FR01"}), 1), (None, 4)):
        headers = bearer(people.token("read", plants))
        async with listening(sqlite_books, access, headers=headers) as stream:
            message = await stream.message()
            assert message is not None
            assert message["exceptions_open"] == count


async def test_a_stream_ends_with_its_token(sqlite_books: Engine) -> None:
    people = People()
    access = Access(people)  # type: ignore[arg-type]
    headers = bearer(people.token("read", None))
    async with listening(sqlite_books, access, headers=headers) as stream:
        assert await stream.message() is not None
        people._known.clear()
        assert await stream.message() is None


async def test_a_silent_stream_says_that_it_is_there(
    sqlite_books: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "KEEP_ALIVE_SECONDS", 0.1)
    async with listening(sqlite_books) as stream:
        assert await stream.message() is not None
        async with asyncio.timeout(SECONDS_MAX):
            assert await stream.response.content.readany() == b": keep-alive\n\n"


async def test_there_are_so_many_listeners_and_no_more(
    sqlite_books: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LISTENERS_MAX", 1)
    async with listening(sqlite_books) as stream:
        await stream.message()
        async with (
            ClientSession() as session,
            session.get(stream.response.url) as refused,
        ):
            assert refused.status == 503
            assert refused.headers["Retry-After"]


async def test_a_desk_that_stops_ends_its_streams(sqlite_books: Engine) -> None:
    async with ClientSession() as session:
        async with served(sqlite_books) as (_, url):
            response = await session.get(f"{url}{API}/live")
            stream = Stream(response)
            assert await stream.message() is not None
            began = time.monotonic()
        assert time.monotonic() - began < 5
        assert await stream.message() is None
        response.close()
