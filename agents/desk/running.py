"""A desk from its settings to its end: books, what fills them, page, acts, and an orderly stop."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from agents.desk.access import Access, access_of
from agents.desk.acts import Acting
from agents.desk.acts_finishing import finish_acts
from agents.desk.app import create_desk
from agents.desk.desk import Desk, cancel
from agents.desk.pool import Pool
from agents.desk.workers import Status, Workers
from agents.keep_books import Progress, keep_books
from agents.serve.web import serve, url_of
from agents.settings.settings import Settings, policy_of, rules_of, terms_of
from streams.contract.topics import MES_EVENTS
from streams.log.books import BooksLog
from streams.log.desk import DeskLog
from streams.secret import read_reference
from tables.books.opening import BooksError, migrate, open_books, shown

AGAIN_SECONDS: Final = 2.0
"""A database that is away at the start is asked again after this."""

START_SECONDS_MAX: Final = 5.0
"""A start waits so long for the database; then the desk says that it waits for it."""

START_LOOK_SECONDS: Final = 0.02

log = logging.getLogger("lineside.desk")


class RunningDesk:
    """A desk that answers; `failed` ends with the error of what fills the books, if it fails."""

    def __init__(self, desk: Desk, url: str) -> None:
        self.desk = desk
        self.url = url
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()


def books_of(settings: Settings) -> Engine:
    """Return an engine on the books that the settings name. Raises `BooksError`."""
    password = settings.database_password
    path = Path(settings.data_dir).absolute() / "desk.db"
    return open_books(
        settings.database or f"sqlite:///{path}", read_reference(password) if password else None
    )


@asynccontextmanager
async def running(
    settings: Settings,
    books_log: BooksLog,
    desk_log: DeskLog,
    own: tuple[str, Status] | None = None,
    access: Access | None = None,
) -> AsyncIterator[RunningDesk]:
    """Start a desk over two ways to a log; stop it at the end.

    It answers at once, and a database that is away is asked until it's there. `own` is the URL
    and the status of the worker in this process, `access` who may ask, if the settings don't say.
    """
    async with AsyncExitStack() as stack:
        access = access or access_of(settings)
        engine = books_of(settings)
        stack.callback(engine.dispose)
        pool = Pool(engine)
        stack.push_async_callback(pool.close)
        rules = rules_of(settings)
        tokens = read_reference(settings.read_tokens) if settings.read_tokens else None
        progress = Progress()
        acting = Acting(
            engine,
            desk_log,
            rules=rules,
            terms=terms_of(settings),
            approval=settings.desk_approval,
        )
        stack.push_async_callback(acting.close)
        desk = Desk(
            name=socket.gethostname(),
            pool=pool,
            access=access,
            rules=rules[MES_EVENTS],
            zones=settings.time_zones,
            workers=Workers(settings.desk_workers, tokens, own),
            approval=settings.desk_approval,
            progress=progress,
            acting=acting,
        )
        page = await serve(create_desk(desk), settings.host, settings.desk_port, "desk_port")
        stack.push_async_callback(page.cleanup)
        found = RunningDesk(desk, url_of(page))
        work = asyncio.ensure_future(_work(desk, engine, books_log, acting, settings))
        stack.push_async_callback(cancel, work)
        work.add_done_callback(lambda done: _note_end(found, done))
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS_MAX):
                while not desk.ready and not work.done():  # noqa: ASYNC110  # others set it
                    await asyncio.sleep(START_LOOK_SECONDS)
        yield found


async def _work(
    desk: Desk, engine: Engine, books_log: BooksLog, acting: Acting, settings: Settings
) -> None:
    """Make the schema, then fill the books and see to the acts, until cancelled."""
    fill = keep_books(books_log, engine, desk.progress, policy_of(settings), settings.books_days)
    while True:
        try:
            await asyncio.to_thread(migrate, engine)
            break
        except BooksError as error:
            if desk.waits_for != str(error):
                log.error("%s: the desk asks again", error)
            desk.waits_for = str(error)
            await asyncio.sleep(AGAIN_SECONDS)
    desk.ready = True
    log.info("the books are in %s", shown(engine))
    filling = asyncio.ensure_future(fill())
    seeing = asyncio.ensure_future(finish_acts(acting))
    try:
        await asyncio.wait([filling, seeing], return_when=asyncio.FIRST_COMPLETED)
        for one in (filling, seeing):
            if one.done():
                one.result()
    finally:
        await cancel(filling, seeing)


def _note_end(running_: RunningDesk, done: "asyncio.Future[None]") -> None:
    if done.cancelled():
        return
    error = done.exception()
    running_.desk.ready = error is None
    if error is not None:
        running_.desk.waits_for = "a restart, after a mistake that the log tells"
        log.error("the desk's books aren't filled any more", exc_info=error)
        if not running_.failed.done():
            running_.failed.set_exception(error)
            running_.failed.exception()  # in a worker's process nobody waits for it
