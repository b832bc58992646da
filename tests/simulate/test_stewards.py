"""What the factory's ERP, QMS and stewards say is kept, and is all that its lines ask for."""

import json
from itertools import takewhile

from agents.simulate.factory import Plan, arrivals
from agents.simulate.stewards import BACKFLUSHED, LATE_AT, LATE_ITEM
from masters import refusal, take
from runs import new_task, stepped, value_of
from streams.contract.topics import ERP_MASTER, ERP_TRANSACTIONS, EXCEPTIONS, MES_EVENTS
from streams.log.record import Record
from tables.reference.known import Known
from tables.reference.spreading import with_seq
from test_factory import TIDY

HOUR = 3_600_000_000

PLAN = Plan(plants=2, lines=4, works_always=True, master_data=True, mess=TIDY, tick_seconds=0)


def test_without_master_data_a_plan_sends_what_it_sent() -> None:
    plan = Plan(plants=1, lines=3, mess=TIDY)
    both = [
        list(takewhile(lambda a: a.at < plan.start + HOUR, arrivals(each)))
        for each in (plan, Plan(plants=1, lines=3, mess=TIDY, master_data=True))
    ]
    assert both[0] == [each for each in both[1] if each.topic != ERP_MASTER]
    assert len(both[0]) < len(both[1])


def test_all_that_is_said_is_kept_and_lines_lack_nothing_but_what_comes_late() -> None:
    known, task = Known(), new_task((MES_EVENTS, 0))
    left = []
    offset = written = 0
    for each in takewhile(lambda a: a.at < PLAN.start + 2 * HOUR, arrivals(PLAN)):
        value, key = each.value, each.key
        if each.topic == ERP_MASTER:
            kept = take(value, known)
            assert kept is not None
            assert refusal(kept) is None, value
            value, key = with_seq(kept.value, written), None
            written += 1
        elif each.topic != MES_EVENTS:
            continue
        record = Record(offset, None, None if key is None else key.encode(), value)
        left += stepped(task, [record])
        offset += 1
    refused = [value_of(one)["data"] for one in left if one.topic == EXCEPTIONS]
    lacking = {one["reason"] for one in refused if one["code"] == "unknown_master"}
    assert lacking == {f"data.item is '{LATE_ITEM}': no such item is known"}
    assert LATE_AT < HOUR
    posted = [json.loads(one.value) for one in left if one.topic == ERP_TRANSACTIONS]
    items = {one["data"].get("item") for one in posted if one["type"] == "erp.goods_issue.v1"}
    assert LATE_ITEM in items
    assert BACKFLUSHED not in items
