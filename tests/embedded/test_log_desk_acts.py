"""What the desk writes on the embedded log: where it was, in one frame, and once after any crash."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from acts.acting_desks import PARTITIONS, acts_on, opened, records
from acts.refusals import act, encoded, event
from streams.contract.acts import Standing, act_bytes
from streams.contract.topics import AUDIT, ERP_MASTER, MES_EVENTS
from streams.embedded.desk import PLANS, LogDesk
from streams.embedded.transport import Broker
from streams.log.desk import Again, Sending
from streams.log.lineage import RESENT_BY, with_act
from streams.log.record import partition_of


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with opened(tmp_path) as broker:
        yield broker


def sending(name: str, topic: str = MES_EVENTS, number: int | None = 1) -> Sending:
    """Return an act with an event that goes to a partition."""
    done = act(name, f"{topic}/0/{name}", Standing("resent", 1), act="resend")
    again = Again(topic, number, b"DE01/L3", encoded(event()), with_act([], done.subject, name))
    return Sending(name, done.subject, act_bytes(done), again)


def cut(folder: Path, topic: str, number: int) -> None:
    """Take a partition's last frame away, as if the process had ended before it was written."""
    os.truncate(folder / topic / str(number) / f"{0:020d}.log", 3)


async def test_events_go_where_they_were_and_acts_to_their_topic(broker: Broker) -> None:
    log = LogDesk(broker, "d")
    those = [
        sending("a"),
        sending("b", number=3),
        sending("c", number=None),
        sending("d", number=99),
    ]
    await log.send([*those, sending("m", ERP_MASTER, 0), Sending("n", "s", sending("n").act)])
    of_key = partition_of(b"DE01/L3", PARTITIONS)
    wanted = {"a": 1, "b": 3, "c": of_key, "d": of_key}
    found = {
        (dict(one.headers)[RESENT_BY] or b"").decode(): number
        for number in range(PARTITIONS)
        for one in records(broker, MES_EVENTS, number)
    }
    assert found == wanted
    assert len(records(broker, ERP_MASTER)) == 1
    assert [one.id for one in acts_on(broker)] == ["a", "b", "c", "d", "m", "n"]
    assert next(one.key for one in records(broker, AUDIT)) == b"mes.events.v1/0/a"


@pytest.mark.parametrize("gone", [[], [AUDIT], [AUDIT, MES_EVENTS], [AUDIT, MES_EVENTS, PLANS]])
async def test_what_a_crash_took_is_written_and_nothing_else(
    gone: list[str], tmp_path: Path
) -> None:
    those = [sending("a"), sending("b"), sending("c")]
    with opened(tmp_path) as broker:
        await LogDesk(broker, "d").send(those)
    for topic in gone:
        cut(tmp_path, topic, 1 if topic == MES_EVENTS else 0)
    for _ in range(2):
        with opened(tmp_path) as broker:
            await LogDesk(broker, "e").complete("d", those, 0)
            assert [one.id for one in acts_on(broker)] == ["a", "b", "c"]
            by = [dict(one.headers)[RESENT_BY] for one in records(broker, MES_EVENTS)]
            assert by == [b"a", b"b", b"c"]


async def test_another_event_in_its_place_isnt_taken_for_it(tmp_path: Path) -> None:
    with opened(tmp_path) as broker:
        await LogDesk(broker, "d").send([sending("a")])
    cut(tmp_path, AUDIT, 0)
    cut(tmp_path, MES_EVENTS, 1)
    with opened(tmp_path) as broker:
        broker.append(MES_EVENTS, 1, [(0, b"DE01/L3", encoded(event()), ())])
        await LogDesk(broker, "e").complete("d", [sending("a")], 0)
        assert [dict(one.headers).get(RESENT_BY) for one in records(broker, MES_EVENTS)] == [
            None,
            b"a",
        ]


async def test_acts_before_where_the_books_are_arent_looked_for(broker: Broker) -> None:
    log = LogDesk(broker, "d")
    await log.send([Sending("a", "s", sending("a").act)])
    end = broker.log.partition(AUDIT, 0).end_offset
    await log.complete("d", [Sending("b", "s", sending("b").act)], end)
    assert [one.id for one in acts_on(broker)] == ["a", "b"]
