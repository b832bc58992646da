"""The policy is data: read whole, refused by name, and a change of `when` changes no total."""

import json
import re
import tomllib
from collections import Counter
from decimal import localcontext
from importlib.resources import files
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rows
from draws import logs, rngs
from oracle_v2.tables import ORDER, OTHERS_AT_ONCE, POSTED, RECORD_TYPES, WINDOWED
from runs import LASTING, Bench, confirmed, consumed, reversed_, run
from streams.contract.events import TYPES
from streams.contract.policy import (
    CONTRIBUTIONS_MAX,
    DOWNTIME,
    KINDS_MAX,
    MEASURES_MAX,
    Policy,
    PolicyError,
    default_policy,
    read_policy,
)
from streams.contract.topics import ERP_TRANSACTIONS, MACHINE_EVENTS, MES_EVENTS
from tables.line.rules import rules_for

SHIPPED = files("streams.contract").joinpath("policy.toml").read_text("utf-8")

SUMMED = [
    name for name, entry in default_policy().transactions.items() if entry.row and entry.measures
]
"""The transactions that can go either way: by window, or at once."""


def with_when(when: dict[str, str]) -> Policy:
    """Return the shipped policy with some transactions sent otherwise."""
    text = SHIPPED
    for name, value in when.items():
        pattern = rf'(\[transactions\."{re.escape(name)}"\]\nshort = "\w+"\nwhen = )"\w+"'
        text, count = re.subn(pattern, rf'\1"{value}"', text)
        assert count == 1
    return read_policy(text)


# Laws.


@given(
    logs(),
    rngs,
    st.dictionaries(st.sampled_from(SUMMED), st.sampled_from(["at_once", "window"]), min_size=1),
)
def test_a_change_of_when_changes_no_total(
    lines: list[bytes], rng: Random, when: dict[str, str]
) -> None:
    with localcontext() as context:
        context.prec = 60
        before = run(lines, timing=LASTING, close=True)
        after = run(lines, timing=LASTING, close=True, policy=with_when(when), batches=rng)
        assert rows.total(rows.emitted(after.records)) == rows.total(rows.emitted(before.records))
        assert after.counts == before.counts
        assert after.exceptions == before.exceptions
        summaries = [
            [output for output in done.records if output.topic != ERP_TRANSACTIONS]
            for done in (after, before)
        ]
        assert summaries[0] == summaries[1]


@given(logs(), st.dictionaries(st.sampled_from(SUMMED), st.sampled_from(["at_once", "window"])))
def test_every_entry_has_a_type_and_keys_of_its_own_whatever_the_when(
    lines: list[bytes], when: dict[str, str]
) -> None:
    done = run(lines, timing=LASTING, close=True, policy=with_when(when))
    ids = Counter(output.id for output in done.records)
    assert all(count == 1 for count in ids.values())


# The policy that ships.

AT_ONCE = {kind: [short] for kind, short in POSTED.items() if short in ("pc", "gr")} | {
    kind: list(shorts) for kind, shorts in OTHERS_AT_ONCE.items()
}
"""Section 4: what leaves at once, finals and serials aside."""


def test_the_shipped_policy_is_the_table_of_the_contract() -> None:
    policy = default_policy()
    at_once = {
        RECORD_TYPES[short]: (short, "at_once") for shorts in AT_ONCE.values() for short in shorts
    }
    erp = [each for each in WINDOWED.values() if each.erp and each.type not in at_once]
    windowed = {each.type: (each.short, "window") for each in erp}
    summaries = {each.type: each.short for each in WINDOWED.values() if not each.erp}
    transactions = {name: (each.short, each.when) for name, each in policy.transactions.items()}
    assert transactions == at_once | windowed
    assert {name: entry.short for name, entry in policy.summaries.items()} == summaries
    entries = [*policy.transactions.items(), *policy.summaries.items()]
    rows_of_policy = {name: " ".join(entry.row) for name, entry in entries if entry.row}
    assert rows_of_policy == rows.ROWS
    fed = {
        (kind, name, measure, member)
        for name, entry in entries
        for kind, measures in entry.inputs.items()
        for measure, member in measures.items()
    }
    assert fed == {
        (kind, name, measure, member)
        for kind, feeds in rows.MEASURES.items()
        for name, measure, member in feeds
    }


def test_every_type_leaves_as_the_contract_says_and_telemetry_and_states_never() -> None:
    plans = rules_for(MES_EVENTS).plans
    at_once: dict[str, list[str]] = {}
    for each in default_policy().transactions.values():
        for event in each.inputs if each.when == "at_once" else ():
            at_once.setdefault(event, []).append(each.short)
    assert at_once == AT_ONCE
    for event in ("machine.telemetry.v1", "machine.state.v1"):
        assert not plans[TYPES[event]].contributions


def test_equal_ends_close_in_the_order_of_the_table() -> None:
    kinds = [kind.short for kind in rules_for(MES_EVENTS).kinds]
    assert kinds == [short for short in ORDER if short in kinds]
    assert set(kinds) >= WINDOWED.keys() - {"sx"}  # states are E's


def test_at_once_a_transaction_carries_its_members_and_its_reversal_its_key() -> None:
    bench = Bench(policy=with_when({"erp.goods_issue.v1": "at_once"}))
    issue = consumed(0, "2.50", id="a", lot="L|1")
    (left,) = bench.send(issue)
    assert left["id"] == "gi:DE01/L1:/mes|a"
    assert left["data"] == {
        "order": "O1", "operation": "0010", "item": "I1", "quantity": "2.5", "uom": "kg",
        "lot": "L|1", "causes": ["a"], "cause_count": 1,
        "document_date": "2026-11-21", "posting_date": "2026-11-21",
    }  # fmt: skip
    (taken_back,) = bench.send(reversed_(issue, 1))
    assert taken_back["id"] == "rv:gi:DE01/L1:/mes|a"
    assert taken_back["data"]["reverses"] == "gi:DE01/L1:/mes|a"


def test_by_window_a_confirmation_has_the_key_of_its_row() -> None:
    bench = Bench(policy=with_when({"erp.production_confirmation.v1": "window"}))
    first = confirmed(0, "2", id="a")
    assert bench.send(first, confirmed(1, "3", id="b"), reversed_(first, 2, id="c")) == []
    (left,) = [each for each in bench.close() if each["type"].startswith("erp.")]
    assert left["id"] == "pc:DE01/L1:1795240800:O1|0010|I1||pc:0"
    assert left["data"]["quantity"] == "3"
    assert left["data"]["causes"] == ["a", "b", "c"]


# Wrong policies.


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [('"production.confirmed.v1" = { quantity', '"production.confirmd.v1" = { quantity',
      ["erp.production_confirmation.v1", "'production.confirmd.v1'"]),
     ('short = "gr"', 'short = "pc"', ["erp.goods_receipt.v1", "'pc'"]),
     ('short = "gr"', 'short = "mn"', ["erp.goods_receipt.v1", "'mn'"]),
     ('short = "gr"', 'short = "rv"', ["erp.goods_receipt.v1", "'rv'"]),
     ('short = "gr"', 'short = "g:r"', ["erp.goods_receipt.v1", "'g:r'"]),
     ('short = "gr"', 'short = ""', ["erp.goods_receipt.v1"]),
     ('short = "sm"', 'short = "gi"', ["summary.machine.v1", "'gi'"]),
     ('short = "os"\nwhen = "at_once"', 'short = "os"\nwhen = "window"',
      ["erp.operation_status.v1", "needs a row"]),
     ('row = ["order", "operation", "work_unit", "activity"]', 'row = ["order", "shift"]',
      ["erp.labor_confirmation.v1", "labor.booked.v1", "'shift'"]),
     ('{ seconds = "seconds" }', '{ seconds = "second" }',
      ["erp.labor_confirmation.v1", "'second'"]),
     ('{ seconds = "seconds" }', '{ seconds = "order" }', ["erp.labor_confirmation.v1", "'order'"]),
     ('{ seconds = "seconds" }', '{ hours = "seconds" }', ["erp.labor_confirmation.v1", "'hours'"]),
     ('"inspection.completed.v1" = { result', '"inspection.completed.v1" = { outcome',
      ["erp.quality_notification.v1", "'outcome'"]),
     ('where = { "inspection.completed.v1"', 'where = { "goods.received.v1"',
      ["erp.quality_notification.v1", "'goods.received.v1'"]),
     ('[summaries."summary.scrap.v1"]', '[summaries."summary.waste.v1"]', ["summary.waste.v1"]),
     ('[summaries."summary.scrap.v1"]', '[summaries."erp.transactions.v1"]',
      ["erp.transactions.v1"]),
     ('[summaries."summary.downtime.v1"]\nshort = "sd"\nrow = ["work_unit", "reason", "planned"]',
      '[summaries."summary.downtime.v1"]\nshort = "sd"\nrow = ["work_unit"]', [DOWNTIME, "row"]),
     ('measures = ["seconds", "stops"]', 'measures = ["seconds"]', [DOWNTIME]),
     ('when = "window"\nrow = ["order", "operation", "item", "lot", "storage"',
      'when = "sometimes"\nrow = ["order", "operation", "item", "lot", "storage"', ["'sometimes'"]),
     ('event = true', 'evnet = true', ["evnet"]),
     ('short = "pc"', 'short = 5', ["short"]),
     ('short = "gr"', 'short = "gé"', ["erp.goods_receipt.v1", "'gé'"]),
     ('{ result = "fail" }', '{ result = "failed" }',
      ["erp.quality_notification.v1", "'result' of inspection.completed.v1", "'failed'", "pass, fail"]),
     ('{ result = "fail" }', '{ characteristic = "" }', ["'characteristic'", "''", "empty"]),
     ('inputs = { "production.confirmed.v1"',
      'where = { "production.confirmed.v1" = { final = "true" } }\ninputs = { "production.confirmed.v1"',
      ["erp.production_confirmation.v1", "'final'", "no text"]),
     ('inputs = { "production.confirmed.v1"',
      'where = { "production.confirmed.v1" = { quantity = "1" } }\ninputs = { "production.confirmed.v1"',
      ["erp.production_confirmation.v1", "'quantity'", "no text"]),
     ('leave_out = ["person"]', 'leave_out = ["persn"]', ["erp.labor_confirmation.v1", "'persn'"]),
     ('row = ["order", "operation", "work_unit", "activity"]', 'row = ["order", "order"]',
      ["erp.labor_confirmation.v1", "'order' is twice"]),
     ('measures = ["seconds"]\nleave_out', 'measures = ["seconds", "revision"]\nleave_out',
      ["erp.labor_confirmation.v1", "'revision'"]),
     ('{ seconds = "seconds" }', '{}', ["erp.labor_confirmation.v1", "never leave"]),
     ('[transactions."erp.goods_issue.v1"]', '[transactions."erp goods"]', ["'erp goods'"]),
     ('[transactions."erp.goods_issue.v1"]', '[transactions."erp.reversal.v1"]',
      ["'erp.reversal.v1'"]),
     ('[transactions."erp.goods_issue.v1"]', '[transactions.', ["can't be read"])],
)  # fmt: skip
def test_a_wrong_policy_is_refused_naming_the_entry(
    before: str, after: str, words: list[str]
) -> None:
    assert before in SHIPPED
    with pytest.raises(PolicyError) as refusal:
        read_policy(SHIPPED.replace(before, after, 1))
    for word in words:
        assert word in str(refusal.value)


def test_a_policy_without_downtime_is_refused() -> None:
    policy_text = SHIPPED.replace('[summaries."summary.downtime.v1"]', "[x]", 1)
    with pytest.raises(PolicyError):
        read_policy(policy_text)


def test_a_machine_event_at_once_is_refused() -> None:
    policy_text = (
        SHIPPED
        + """
[transactions."erp.machine_count.v1"]
short = "mc"
when = "at_once"
inputs = { "machine.count.v1" = {} }
"""
    )
    with pytest.raises(PolicyError, match=r"erp\.machine_count\.v1: machine\.count\.v1 is a mach"):
        read_policy(policy_text)
    windowed = policy_text.replace(
        'short = "mc"\nwhen = "at_once"',
        'short = "mc"\nwhen = "window"\nrow = ["work_unit"]\nmeasures = ["good"]',
    ).replace('"machine.count.v1" = {}', '"machine.count.v1" = { good = "good" }')
    assert "erp.machine_count.v1" in read_policy(windowed).transactions
    assert MACHINE_EVENTS == TYPES["machine.count.v1"].TOPIC


@pytest.mark.parametrize("member", ["quantity", "original"])
def test_a_row_of_anything_but_text_and_flags_is_refused(member: str) -> None:
    """A key of a decimal would tell 0.75 from 0.750; and it would stop the stream at the close."""
    kind = {"quantity": "material.consumed.v1", "original": "transaction.reversed.v1"}[member]
    policy_text = (
        SHIPPED
        + f"""
[transactions."erp.odd.v1"]
short = "od"
when = "window"
row = ["{member}"]
measures = ["quantity"]
inputs = {{ "{kind}" = {{}} }}
"""
    )
    with pytest.raises(PolicyError, match=rf"erp\.odd\.v1.*'{member}'"):
        read_policy(policy_text)


def test_the_shipped_policy_is_toml_with_nothing_else() -> None:
    assert tomllib.loads(SHIPPED).keys() == {"transactions", "summaries"}


MORE = """
[transactions."erp.more.v1"]
short = "mo"
when = "window"
row = ["order"]
measures = {measures}
inputs = {{ "material.consumed.v1" = {{ {fed} }} }}
"""


def test_a_row_may_have_as_many_measures_as_the_bound_says_and_no_more() -> None:
    names = [f"m{number}" for number in range(MEASURES_MAX + 1)]
    for count in (MEASURES_MAX, MEASURES_MAX + 1):
        fed = ", ".join(f'{name} = "quantity"' for name in names[:count])
        policy_text = SHIPPED + MORE.format(measures=json.dumps(names[:count]), fed=fed)
        if count > MEASURES_MAX:
            with pytest.raises(PolicyError, match=rf"erp\.more\.v1 has {count} measures: at most"):
                read_policy(policy_text)
            return
        bench = Bench(policy=read_policy(policy_text))
        bench.send(consumed(0, "2.5"))
        (left,) = [each for each in bench.close() if each["type"] == "erp.more.v1"]
        assert [left["data"][name] for name in names[:count]] == ["2.5"] * count


@pytest.mark.parametrize(
    ("kind", "room", "words"),
    [
        ("labor.booked.v1", CONTRIBUTIONS_MAX - 1, "labor.booked.v1 feeds 7 record types"),
        (None, KINDS_MAX - len(WINDOWED), "25 record types go by window: at most 24"),
    ],
)
def test_there_may_be_as_many_record_types_as_the_bounds_say_and_no_more(
    kind: str | None, room: int, words: str
) -> None:
    fed = ["labor.booked.v1", "goods.received.v1", "production.confirmed.v1", "rework.declared.v1"]
    policy_text = SHIPPED
    for number in range(room + 1):
        given = kind or fed[number % 4]
        member = "seconds" if given == "labor.booked.v1" else "quantity"
        if number == room:
            bench = Bench(policy=read_policy(policy_text))
            bench.send(consumed(0, "2.5"))
            assert [each for each in bench.close() if each["type"] == "erp.goods_issue.v1"]
        policy_text += f"""
[transactions."erp.more{number}.v1"]
short = "m{number}x"
when = "window"
row = ["order"]
measures = ["amount"]
inputs = {{ "{given}" = {{ amount = "{member}" }} }}
"""
    with pytest.raises(PolicyError, match=re.escape(words)):
        read_policy(policy_text)


TEXTS = sorted(set(re.findall(r'"[^"\n]*"', SHIPPED)))


@given(
    changes=st.lists(
        st.tuples(
            st.integers(0, SHIPPED.count('"') // 2 - 1),
            st.sampled_from(
                [*TEXTS, '""', '"a b"', r'"a\"b"', r'"\u0000"', '"é"', '"count"', '"_"', '"class"',
                 '"exception.raised.v1"', "true", "1", "9" * 5_000, "[" * 5_000]
            ),
        ),
        max_size=3,
    ),
    lines=logs(),
    rng=rngs,
)  # fmt: skip
def test_a_policy_is_refused_in_a_sentence_or_can_be_followed(
    changes: list[tuple[int, str]], lines: list[bytes], rng: Random
) -> None:
    pieces = re.split(r'("[^"\n]*")', SHIPPED)
    for number, text in changes:
        pieces[2 * number + 1] = text
    try:
        policy = read_policy("".join(pieces))
    except PolicyError as refusal:
        assert "\n" not in str(refusal)
        return
    done = run(lines[:50], timing=LASTING, close=True, policy=policy, batches=rng)
    for output in done.records:
        json.loads(output.value)
