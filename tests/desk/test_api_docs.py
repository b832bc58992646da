"""docs/desk-api.md tells of every route, metric and bound."""

from pathlib import Path

from agents.desk import access, asked, live, pool
from agents.desk.acts_forms import ITEMS_MAX
from agents.desk.errors import STATUSES
from agents.desk.measures import METRICS
from agents.desk.routes import ROUTES
from agents.serve.access import REQUESTS_AT_ONCE, REQUESTS_PER_SECOND
from agents.serve.metrics import PREFIX

PAGE = Path(__file__).parents[2] / "docs" / "desk-api.md"


def routes() -> str:
    """Return the rows of the table of routes."""
    return "\n".join(
        f"| {route.method} | `{route.path}` | {route.scope} | "
        f"{'yes' if 'csv' in route.formats else ''} | {route.says} |".replace("|  |", "| |")
        for route in ROUTES
    )


def metrics() -> str:
    """Return the rows of the table of metrics."""
    return "\n".join(
        f"| `{PREFIX}{metric.name}` | {metric.type} | "
        f"{', '.join(f'`{label}`' for label in metric.labels)} | {metric.text} |".replace(
            "|  |", "| |"
        )
        for metric in METRICS
    )


def test_the_page_has_every_route_and_metric_in_their_order() -> None:
    page = PAGE.read_text()
    assert routes() in page
    assert metrics() in page


def test_the_page_has_every_code_of_an_error() -> None:
    page = PAGE.read_text()
    for code, status in STATUSES.items():
        assert f"{status}" in page
        assert f"`{code}`" in page


def test_the_page_has_the_bounds() -> None:
    page = PAGE.read_text()
    for row in (
        f"{REQUESTS_PER_SECOND:.0f} a second, {REQUESTS_AT_ONCE:.0f} at once",
        f"{access.BODY_BYTES_MAX >> 20} MiB",
        f"{pool.QUERY_SECONDS_MAX:.0f} s",
        f"{pool.QUERIES_MAX}; {pool.WAITING_MAX}",
        f"| exceptions of one act | {ITEMS_MAX:,} |",
        f"| who listens to `/live` | {live.LISTENERS_MAX} |",
        f"at most {asked.VALUE_CHARACTERS_MAX:,} characters",
    ):
        assert row in page, row
