"""The OpenAPI document: it is one, it tells of every route, and what it says is so."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks
from sqlalchemy import Engine

from agents.desk.openapi import document
from agents.desk.route import BASE
from agents.desk.routes import ROUTES
from desk.desks import in_a_thread

EXAMPLES = 12
"""Requests of each route."""

NOT_CHECKED = (
    # A time, a cursor or a list of words is text to JSON Schema, whatever is in it.
    checks.positive_data_acceptance,
    # `Origin` and such aren't in the document.
    checks.missing_required_header,
)


def test_the_document_tells_of_every_route() -> None:
    made = document(ROUTES)
    assert made["openapi"] == "3.1.0"
    for route in ROUTES:
        operation = made["paths"][f"{BASE}{route.path}"][route.method.lower()]
        assert operation["summary"] == route.says
        assert route.scope in operation["description"]
        named = {one["name"] for one in operation["parameters"]}
        wanted = set() if route.body else set(route.query.__struct_encode_fields__)
        assert named == wanted | ({"format"} if "csv" in route.formats else set())
    names = [
        operation["operationId"] for path in made["paths"].values() for operation in path.values()
    ]
    assert len(set(names)) == len(names)


def test_every_member_of_a_path_is_one_of_its_query() -> None:
    for route in ROUTES:
        for part in route.path.split("/"):
            if part.startswith("{"):
                assert part.strip("{}") in route.query.__struct_encode_fields__, route.path


@pytest.fixture(scope="session")
def served_url(filled: Engine) -> Iterator[str]:
    """A desk over books that a job has filled."""
    with in_a_thread(filled, unlimited=True) as url:
        yield url


OPERATIONS = [
    found.ok()
    for found in schemathesis.openapi.from_dict(document(ROUTES))
    .exclude(path=f"{BASE}/live")
    .get_all_operations()
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_what_the_document_says_is_so(served_url: str, operation: Any) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        case.call_and_validate(
            base_url=served_url.rstrip("/"), excluded_checks=NOT_CHECKED, timeout=20
        )

    ask()
