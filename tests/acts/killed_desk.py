"""A desk that sends events again until it is killed: a process of its own, for a test."""

import asyncio
import sys
from pathlib import Path

from acts.acting_desks import ANNA, desk, opened
from agents.desk.acts_finishing import end_what_was_left
from agents.desk.acts_forms import ActRequest
from tables.books.opening import open_books

EVENTS = 80


async def work(folder: Path, name: str) -> None:
    """End what was left, then send all events again; begin anew until this is killed."""
    engine = open_books(f"sqlite:///{folder}/desk.db")
    with opened(folder / "log") as broker:
        acting = desk(engine, broker, name)
        await end_what_was_left(acting, at_once=True)
        ids = tuple(f"mes.events.v1/{n % 4}/{n}" for n in range(EVENTS))
        print("begun", flush=True)
        for start in range(0, EVENTS, 10):
            await acting.act(ANNA, ActRequest(act="resend", ids=ids[start : start + 10]))
    engine.dispose()
    print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), sys.argv[2]))
