"""The desk in a worker's process, on the embedded log, whose folder one process has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex

from agents.desk.access import Access
from agents.desk.running import RunningDesk, running
from agents.desk.workers import Status
from agents.settings.settings import Settings
from streams.embedded.books import LogBooks
from streams.embedded.desk import LogDesk
from streams.embedded.transport import Broker


@asynccontextmanager
async def embedded_desk(
    settings: Settings, broker: Broker, url: str, status: Status, access: Access | None = None
) -> AsyncIterator[RunningDesk]:
    """Run a desk over the log of a worker, whose page is at `url`; `status` is its document."""
    async with running(
        settings, LogBooks(broker), LogDesk(broker, token_hex(8)), own=(url, status), access=access
    ) as desk:
        yield desk
