"""Acts of people on exceptions: judged, decided by the database, sent, and noted, each once."""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from time import time
from typing import Any, Final, TypeVar

from msgspec.structs import replace
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from agents.desk.acts_forms import APPROVES, ActAnswer, ActItem, ActRequest, check
from agents.desk.acts_judging import Judgement, Read, judged
from agents.desk.acts_plans import Ask, Planned, begun, ended
from agents.desk.errors import DeskError
from agents.desk.people import Person
from streams.contract.acts import Act, act_bytes
from streams.log.desk import DeskLog, Sending
from streams.log.writing import Lost
from streams.trouble import Trouble
from tables.books import acted_on, claims
from tables.books.acting import store_acts
from tables.books.opening import trouble, writing
from tables.line.rules import Rules
from tables.reference.keeping import Terms

TOGETHER_MAX: Final = 25
"""Exceptions that are dealt with at a time: one may have 13 MiB of a record."""

TRIES_MAX: Final = 4
"""Of a change that the database took back, since another one came in between."""

AGAIN: Final = frozenset(("40001", "40P01"))
"""PostgreSQL's codes for that: a serialization failure, a deadlock."""

T = TypeVar("T")


class Acting:
    """Does what people ask for: each exception is claimed in the books before anything is sent.

    What is claimed is sent and noted in the end, whatever ends before that: see
    `agents.desk.acts_finishing`.
    """

    def __init__(
        self,
        engine: Engine,
        log: DeskLog,
        *,
        rules: Mapping[str, Rules],
        terms: Terms | None = None,
        approval: Iterable[str] = (),
        clock: Callable[[], float] = time,
    ) -> None:
        """Take the books, the log, the job's rules, and plants where a second person approves."""
        self.engine = engine
        self.log = log
        self.rules = rules
        self.terms = terms or Terms()
        self.approval = frozenset(approval)
        self.clock = clock
        self.writing = asyncio.Lock()
        """Held while something is written to the log."""
        self.flights: dict[str, None] = {}
        """The ids of acts that are on their way."""

    def now(self) -> int:
        """Return the time in microseconds."""
        return round(self.clock() * 1e6)

    async def act(self, person: Person, request: ActRequest) -> ActAnswer:
        """Do what somebody asks for, or say what would become of it. Raises `DeskError`."""
        check(request)
        if ("approve" if request.act in APPROVES else "work") not in person.scopes:
            raise DeskError("forbidden", f"{person.name} may not {request.act} exceptions")
        batch = request.batch or secrets.token_hex(8)
        ids = list(dict.fromkeys(request.ids))
        items: list[ActItem] = []
        for start in range(0, len(ids), TOGETHER_MAX):
            part = ids[start : start + TOGETHER_MAX]
            doing = asyncio.ensure_future(self._part(person, request, batch, part))
            items += await asyncio.shield(doing)  # who asks may go: what was begun is ended
        done = sum(item.result == "done" for item in items)
        return ActAnswer(request.dry_run, batch, done, items)

    async def _part(
        self, person: Person, request: ActRequest, batch: str, ids: list[str]
    ) -> list[ActItem]:
        plants = person.plants_of("approve" if request.act in APPROVES else "work")
        acts = {id: _act_id(batch, person, request, id) for id in ids}
        subjects, before = await self.read(
            lambda c: (
                acted_on.subjects(c, ids, plants),
                {} if request.dry_run else claims.done_before(c, list(acts.values())),
            )
        )
        ask = Ask(request, person, batch, self.approval, self.now())
        found: dict[str, ActItem] = {}
        planned: list[Planned] = []
        for id in ids:
            if id not in subjects:
                found[id] = ActItem(id, "gone", "there is no such exception that you may work on")
            elif acts[id] in before:
                found[id] = ActItem(id, "done", version=before[acts[id]])
            else:
                plan = begun(ask, subjects[id], acts[id])
                if isinstance(plan, ActItem):
                    found[id] = plan
                else:
                    planned.append(plan)
        judgements = await self._judged([each.read for each in planned])
        going: list[Planned] = []
        for each, judgement in zip(planned, judgements, strict=True):
            item = ended(ask, each, judgement)
            if item is None:
                going.append(each)
            else:
                found[each.act.subject] = item
        found |= await self._send(going)
        return [found[id] for id in ids]

    async def _judged(self, reads: Sequence[Read | None]) -> list[Judgement | None]:
        """Return what would become of what is to be sent; None where nothing is."""

        def look_up(connection: Connection) -> list[Any]:
            found: list[Any] = []
            for each in reads:
                if each is None or each.refused is not None:
                    found.append(())
                elif each.asked is not None:
                    found.append(acted_on.around(connection, each.asked))
                else:
                    found.append(acted_on.known(connection, each.keys))
            return found

        if not any(each is not None and each.refused is None for each in reads):
            return [None if each is None else each.refused for each in reads]
        judgements: list[Judgement | None] = []
        for each, found in zip(reads, await self.read(look_up), strict=True):
            if each is None:
                judgements.append(None)
                continue
            judgements.append(judged(each, found, self.rules, self.terms, self.now()))
            await asyncio.sleep(0)
        return judgements

    async def _send(self, going: Sequence[Planned]) -> dict[str, ActItem]:
        """Claim, send and note acts; return what became of each, by the id of the exception."""
        if not going:
            return {}
        found: dict[str, ActItem] = {}
        self.flights |= dict.fromkeys(each.act.id for each in going)
        try:
            wanted = [claims.Claim(each.act, each.again) for each in going]
            got = await self.write(lambda c: claims.claim(c, wanted, self.log.sender, self.now()))
            for each in going:
                if each.act.id not in got:
                    reason = "somebody else has just acted on it: look at it again"
                    found[each.act.subject] = ActItem(each.act.subject, "conflict", reason)
            mine = [each for each in going if each.act.id in got]
            found |= await self._send_claimed(mine)
        finally:
            for each in going:
                del self.flights[each.act.id]
        return found

    async def _send_claimed(self, mine: Sequence[Planned]) -> dict[str, ActItem]:
        if not mine:
            return {}
        acts = [each.act for each in mine]
        done = {act.subject: _done(act) for act in acts}
        try:
            async with self.writing:
                await self.log.send([sending_of(each) for each in mine])
        except Lost as error:
            reason = f"it is on its way, and arrives as soon as the log takes it ({error})"
            return {id: replace(each, reason=reason) for id, each in done.items()}
        except Trouble as error:
            await self.write(lambda c: claims.give_up(c, acts))
            return {id: ActItem(id, "refused", f"it can't be sent: {error}") for id in done}
        await self.write(lambda c: store_acts(c, acts))
        return done

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Return what a query of the books gives. Raises `DeskError` if they are away."""

        def work() -> T:
            with self.engine.connect() as connection:
                return query(connection)

        return await self._in_thread(work)

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Change the books in one transaction. Raises `DeskError` if they are away."""

        def work() -> T:
            with writing(self.engine) as connection:
                return change(connection)

        for _ in range(TRIES_MAX - 1):
            try:
                return await self._in_thread(work)
            except DeskError as error:
                cause = error.__context__
                if not isinstance(cause, DBAPIError) or not _may_try_again(cause):
                    raise
        return await self._in_thread(work)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except DBAPIError as error:
            raise DeskError("unavailable", str(trouble(self.engine, error))) from None
        except PoolTimeoutError:
            raise DeskError("unavailable", "all connections to the database are taken") from None

    async def close(self) -> None:
        """Let go of the log."""
        await self.log.close()


def _may_try_again(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in AGAIN


def _done(act: Act) -> ActItem:
    if act.after.status == "asked" and act.before.status != "asked":
        reason = "a second person has to approve it"
        return ActItem(act.subject, "needs_approval", reason, version=act.after.version)
    return ActItem(act.subject, "done", version=act.after.version)


def sending_of(planned: Planned) -> Sending:
    """Return what is written for an act."""
    act = planned.act
    return Sending(act.id, act.subject, act_bytes(act), planned.again)


def _act_id(batch: str, person: Person, request: ActRequest, subject: str) -> str:
    """Return the id of an act: the same for the same request, so that it is done once."""
    told = (batch, person.name, request.act, subject, request.value, request.key, request.to)
    return blake2b(repr(told).encode("utf-8", "replace"), digest_size=16).hexdigest()
