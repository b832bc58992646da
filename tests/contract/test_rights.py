"""The rights of each role: from the catalogue, and no more than it needs."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.cli.main import main
from streams.contract.rights import ROLES, Right, Role, commands, rights_of
from streams.contract.topics import (
    AUDIT,
    CLOCK,
    DESKS,
    ERP_MASTER,
    EXCEPTIONS,
    INPUTS,
    OUTPUTS,
    REFERENCE,
    changelog,
    topics_of,
)

GROUP = "lineside"


def allowed(role: Role, operation: str, kind: str = "topic") -> set[str]:
    """Return the names of what a role may do this with."""
    return {
        right.resource.name
        for right in rights_of(role, GROUP)
        if right.resource.type == kind and operation in right.operations
    }


def test_a_worker_reads_inputs_its_states_and_exceptions_and_nothing_else_that_leaves() -> None:
    own = {changelog(GROUP, topic) for topic in INPUTS} | {CLOCK, REFERENCE}
    assert allowed("worker", "Read") == {*INPUTS, ERP_MASTER, EXCEPTIONS, *own}
    assert allowed("worker", "Write") == {*INPUTS, *OUTPUTS, *own}
    needed = {topic.name for topic in topics_of(GROUP)} - DESKS
    assert allowed("worker", "DescribeConfigs") == needed
    assert allowed("worker", "Create") == set()


def test_a_desk_reads_what_came_and_left_and_writes_what_is_mended_and_who_did_it() -> None:
    assert allowed("desk", "Read") == {*INPUTS, *OUTPUTS, ERP_MASTER, REFERENCE, AUDIT}
    assert allowed("desk", "Write") == {*INPUTS, ERP_MASTER, AUDIT}
    assert allowed("desk", "Create") == allowed("desk", "DescribeConfigs") == set()
    assert allowed("desk", "Read", "group") == {"lineside-desk"}
    assert allowed("desk", "Describe", "group") == {"lineside"}
    assert allowed("desk", "Write", "transactionalId") == {"lineside-desk-"}


def test_a_workers_group_and_ids_are_those_of_its_job() -> None:
    assert allowed("worker", "Read", "group") == {GROUP}
    ids = allowed("worker", "Write", "transactionalId")
    assert ids == {
        "lineside-mes.events.v1-", "lineside-machine.events.v1-", "lineside-clock",
        "lineside-reference", "lineside-resent",
    }  # fmt: skip
    other = allowed("worker", "Write", "topic") & {
        changelog("lineside-2", topic) for topic in INPUTS
    }
    assert other == set()


@pytest.mark.parametrize(
    ("role", "topic"), [("mes", "mes.events.v1"), ("machines", "machine.events.v1")]
)
def test_who_reports_writes_one_input_and_reads_nothing(role: Role, topic: str) -> None:
    (right,) = rights_of(role, GROUP)
    assert (right.resource.name, right.operations) == (topic, ("Write",))


def test_a_steward_writes_master_data_and_reads_what_is_known() -> None:
    told = {right.resource.name: right.operations for right in rights_of("steward", GROUP)}
    assert told == {ERP_MASTER: ("Write",), REFERENCE: ("Read",)}


def test_an_analyst_reads_all_summaries_and_nothing_else() -> None:
    summaries = {name for name in OUTPUTS if name.startswith("summary.")}
    assert allowed("analyst", "Read") == summaries
    assert summaries
    assert {op for right in rights_of("analyst", GROUP) for op in right.operations} == {"Read"}


@pytest.mark.parametrize("role", ["erp", "analyst", "clerk", "auditor"])
def test_who_reads_writes_nothing(role: Role) -> None:
    assert allowed(role, "Write") == allowed(role, "Create") == set()


def test_an_operator_makes_topics_and_reads_none() -> None:
    assert allowed("operator", "Create") == {topic.name for topic in topics_of(GROUP)}
    assert allowed("operator", "Read") == allowed("operator", "Write") == set()


@pytest.mark.parametrize("role", ROLES)
def test_no_right_is_on_the_cluster_or_on_all_of_a_kind(role: Role) -> None:
    for right in rights_of(role, GROUP):
        assert right.resource.type in {"topic", "group", "transactionalId"}
        assert "*" not in right.resource.name
        if right.resource.type == "topic":
            assert right.resource.pattern_type == "literal"


def test_a_command_gives_one_right_to_one_principal() -> None:
    rights: tuple[Right, ...] = rights_of("worker", GROUP)
    result = commands("User:CN=it's", rights, "broker:9092")
    assert len(result) == len(rights)
    assert result[0] == (
        """kafka-acls.sh --bootstrap-server broker:9092 --add --allow-principal 'User:CN=it'"'"'s' """
        "--operation Read --operation Write --operation DescribeConfigs "
        "--resource-pattern-type literal --topic mes.events.v1"
    )
    assert any(
        "--resource-pattern-type prefixed --transactional-id lineside-mes" in one for one in result
    )


def test_each_role_is_in_the_table_for_people() -> None:
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")
    table = page[page.index("| role | who | may |") :]
    assert re.findall(r"^\| `(\w+)` \|", table[: table.index("\n\n")], re.MULTILINE) == list(ROLES)


def test_json_is_what_a_kafka_user_of_strimzi_takes() -> None:
    result = CliRunner().invoke(main, ["topics", "acls", "mes", "--json"])
    assert json.loads(result.output) == {
        "mes": [
            {
                "resource": {"type": "topic", "name": "mes.events.v1", "patternType": "literal"},
                "operations": ["Write"],
            }
        ]
    }


def test_each_plants_mes_can_have_a_principal_of_its_own() -> None:
    named = ["--principal", "mes=User:mes-de01", "--principal", "mes=User:mes-mx01"]
    result = CliRunner().invoke(main, ["topics", "acls", "mes", *named]).output
    assert result.count("kafka-acls.sh") == 2
    assert "User:mes-de01" in result
    assert "User:mes-mx01" in result


@pytest.mark.parametrize(
    "words", [["chef"], ["--principal", "chef=User:c"], ["--principal", "mes"]]
)
def test_a_role_that_isnt_one_is_refused(words: list[str]) -> None:
    result = CliRunner().invoke(main, ["topics", "acls", *words])
    assert result.exit_code == 2
    assert "Error: " in result.output
