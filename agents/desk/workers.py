"""How the workers are, by their own pages."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout

from agents.desk.answers_figures import WorkerHealth
from streams.secret import Secret, SecretError

ASK_SECONDS_MAX: Final = 3.0
"""A worker that hasn't answered by then isn't reachable."""

KEPT_SECONDS: Final = 5.0
"""An answer is shown for so long: each takes the worker's time from the stream."""

STATUS_BYTES_MAX: Final = 4 << 20
"""Of a worker's status, which has 500 lines at most: 0.2 MB."""

AT_ONCE_MAX: Final = 10
"""Workers that are asked at a time."""

Status = Callable[[], Awaitable[Mapping[str, Any]]]
"""The status document of the worker in this process."""


class Workers:
    """The workers of a job: those whose pages are named, and the one in this process."""

    def __init__(
        self,
        urls: Sequence[str] = (),
        token: Secret | None = None,
        own: tuple[str, Status] | None = None,
    ) -> None:
        """Take the pages' URLs, where the token is that opens them, and an own worker."""
        self._urls = urls
        self._token = token
        self._own = own
        self._one = asyncio.Lock()
        self._asked_at = float("-inf")
        self._known: list[WorkerHealth] = []

    async def health(self) -> list[WorkerHealth]:
        """Return how they are, not older than `KEPT_SECONDS`."""
        async with self._one:
            if time.monotonic() - self._asked_at < KEPT_SECONDS:
                return self._known
            found = []
            if self._own is not None:
                url, status = self._own
                found.append(_health(url, await status()))
            if self._urls:
                found += await self._ask_all()
            self._known, self._asked_at = found, time.monotonic()
            return found

    async def _ask_all(self) -> list[WorkerHealth]:
        turn = asyncio.Semaphore(AT_ONCE_MAX)
        async with ClientSession(
            timeout=ClientTimeout(total=ASK_SECONDS_MAX), headers=self._headers()
        ) as session:

            async def ask(url: str) -> WorkerHealth:
                async with turn:
                    return await _ask(session, url)

            return await asyncio.gather(*map(ask, self._urls))

    def _headers(self) -> dict[str, str]:
        if self._token is None:
            return {}
        try:
            lines = [line.strip() for line in self._token.reveal().splitlines()]
        except SecretError:
            return {}
        token = next((line for line in lines if line), None)
        return {} if token is None else {"Authorization": f"Bearer {token}"}


async def _ask(session: ClientSession, url: str) -> WorkerHealth:
    away = WorkerHealth(url, False, None, None, None, None, None, None, None)
    try:
        async with session.get(f"{url.rstrip('/')}/api/status", allow_redirects=False) as response:
            if response.status != 200:
                return away
            body = await response.content.read(STATUS_BYTES_MAX)
            while piece := await response.content.read(STATUS_BYTES_MAX):
                body += piece
                if len(body) > STATUS_BYTES_MAX:
                    return away
        return _health(url, msgspec.json.decode(body, type=dict[str, Any]))
    except (ClientError, TimeoutError, OSError, ValueError, TypeError, KeyError):
        return away


def _health(url: str, status: Mapping[str, Any]) -> WorkerHealth:
    """Return what a status document says. Raises `KeyError` or `TypeError` if it isn't one."""
    lags = [partition["lag"] for partition in status["partitions"]]
    return WorkerHealth(
        url=url,
        reachable=True,
        name=status["job"],
        partitions=status["share"]["partitions"],
        of=status["share"]["of"],
        lag=None if None in lags else sum(lags),
        rate=status["rate"],
        open_windows=status.get("open_windows"),
        conservation_error=(status.get("conservation") or {}).get("error"),
    )
