"""What would become of many records: by the desk's books, or as far as they say it themselves."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from time import time
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from agents.desk.acts_judging import Read, judged, read
from agents.desk.resending import Judge
from agents.desk.running import books_of
from agents.settings.settings import Settings, rules_of, terms_of
from streams.log.desk import Again
from tables.books import acted_on
from tables.books.opening import trouble

UNKNOWN = "readable: whether they are new or duplicates, only the desk's books know"


async def judge_by_themselves(records: Sequence[Again]) -> Counter[str]:
    """Return how many would be refused by what is in them, by code."""
    found: Counter[str] = Counter()
    for each in records:
        refused = read(each).refused
        found[UNKNOWN if refused is None else _refused(refused.code)] += 1
    return found


def judge_by_books(settings: Settings) -> Judge:
    """Return what judges by the books of these settings. It raises `BooksError`."""
    rules, terms, engine = rules_of(settings), terms_of(settings), books_of(settings)

    def look_up(reads: Sequence[Read]) -> list[Any]:
        def around(connection: Connection, one: Read) -> Any:
            return () if one.asked is None else acted_on.around(connection, one.asked)

        try:
            with engine.connect() as connection:
                return [around(connection, one) for one in reads]
        except DBAPIError as error:
            raise trouble(engine, error) from None
        finally:
            engine.dispose()

    async def judge(records: Sequence[Again]) -> Counter[str]:
        reads, found = [read(each) for each in records], Counter[str]()
        looked_up = await asyncio.to_thread(look_up, reads)
        for one, around in zip(reads, looked_up, strict=True):
            judgement = judged(one, around, rules, terms, round(time() * 1e6))
            if judgement.became == "would_be_refused":
                found[_refused(judgement.code)] += 1
            else:
                found[judgement.became.removeprefix("would_be_")] += 1
        return found

    return judge


def _refused(code: str | None) -> str:
    return f"refused as {code}"
