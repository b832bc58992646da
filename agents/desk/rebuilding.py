"""Books that are made anew from the topics, with progress."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from tables.books.emptying import BUSY, Filled, empty, filled
from tables.books.opening import migrate, trouble, writing

TELL_SECONDS: Final = 2.0
"""How often the progress is told."""

STILL_SECONDS: Final = 30.0
"""When nothing has been read for so long, nobody keeps the books."""


BUSY_SECONDS_MAX: Final = 60.0
"""Requests end within ten seconds; one that comes between them is found in this."""

BUSY_PAUSE_SECONDS: Final = 0.1


def rebuild(engine: Engine) -> None:
    """Empty the books; desks that run beside it read them anew, and one that starts later does.

    Raises `BooksError` if the database can't.
    """
    migrate(engine)
    end = monotonic() + BUSY_SECONDS_MAX
    while True:
        try:
            with writing(engine) as connection:
                empty(connection)
            return
        except DBAPIError as error:
            if monotonic() > end or getattr(error.orig, "sqlstate", None) not in BUSY:
                raise trouble(engine, error) from None
        sleep(BUSY_PAUSE_SECONDS)


def wait_rebuilt(engine: Engine, told: Callable[[str], object]) -> bool:
    """Wait until the books are full again, and tell how far they are; return whether they are.

    It ends, too, where no desk reads them. Raises `BooksError` if the database can't.
    """
    begun = moved = monotonic()
    first = last = _filled(engine)
    while last.left:
        sleep(TELL_SECONDS)
        now, seen = monotonic(), _filled(engine)
        if seen.there != last.there:
            moved = now
        elif now - moved > STILL_SECONDS:
            told(
                f"no desk has read anything for {STILL_SECONDS:.0f} s: the books are read when one "
                "runs"
            )
            return False
        last = seen
        told(_sentence(seen, (seen.there - first.there) / (now - begun)))
    return True


def _filled(engine: Engine) -> Filled:
    try:
        with engine.connect() as connection:
            return filled(connection)
    except DBAPIError as error:
        raise trouble(engine, error) from None


def _sentence(filled: Filled, rate: float) -> str:
    if not filled.left:
        return f"{filled.there:,} records: the books are full again"
    share = filled.there / (filled.there + filled.left)
    text = f"{filled.there:,} records, {share:.1%}, {rate:,.0f}/s"
    return f"{text}, about {filled.left / rate / 60:,.0f} min left" if rate >= 1 else text
