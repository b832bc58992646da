"""The OpenAPI 3.1 document of the desk's API, made from its routes."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from agents.desk.asked import FORMAT
from agents.desk.errors import STATUSES, Code
from agents.desk.route import BASE, Route
from streams.version import VERSION

REF: Final = "#/components/schemas/{name}"


class Problem(Struct, frozen=True):
    """What is wrong: a code, a sentence, and the member of the query or the body, if it's one."""

    code: Code
    message: str
    member: str | None


class Problems(Struct, frozen=True):
    """The answer to a request that can't be answered."""

    error: Problem


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the document."""
    answers = [route.answer for route in routes]
    bodies = [route.body for route in routes if route.body is not None]
    _, components = msgspec.json.schema_components([*answers, *bodies, Problems], ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        method = route.method.lower()
        paths.setdefault(f"{BASE}{route.path}", {})[method] = _operation(route)
    paths[f"{BASE}/live"] = {"get": _live()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "lineside's desk",
            "version": VERSION,
            "summary": "What became of the shop floor's events: found, explained, worked, added up",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {"problem": _content("What is wrong", Problems)},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": _name(route),
        "summary": route.says,
        "description": f"Takes the scope `{route.scope}`.",
        "tags": [route.path.split("/")[1]],
        "parameters": [] if route.body is not None else list(_parameters(route)),
        "responses": {
            "200": _content("The answer", route.answer),
            **{
                str(status): {"$ref": "#/components/responses/problem"}
                for status in sorted({*STATUSES.values(), 415, 421} - {500})
            },
        },
    }
    if "csv" in route.formats:
        table = {"schema": {"type": "string"}}
        found["responses"]["200"]["content"]["text/csv"] = table
    if route.body is not None:
        (schema,), _ = msgspec.json.schema_components([route.body], ref_template=REF)
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return found


def _parameters(route: Route) -> Iterator[dict[str, Any]]:
    """Yield the members of the path and of the query."""
    _, schemas = msgspec.json.schema_components([route.query], ref_template=REF)
    own = schemas[route.query.__name__]
    for name, schema in own["properties"].items():
        in_path = f"{{{name}}}" in route.path
        yield {
            "name": name,
            "in": "path" if in_path else "query",
            "required": in_path or name in own.get("required", ()),
            "schema": _given(schema, in_path),
        }
    if "csv" in route.formats:
        formats = {"enum": list(route.formats), "default": "json"}
        yield {"name": FORMAT, "in": "query", "required": False, "schema": formats}


def _given(schema: dict[str, Any], in_path: bool) -> dict[str, Any]:
    """Return the schema of a member that is there: it's text in a URL, which can't be null."""
    forms = [form for form in schema.get("anyOf", [schema]) if form != {"type": "null"}]
    found = {**(forms[0] if len(forms) == 1 else {"anyOf": forms})}
    if "default" in schema and schema["default"] is not None:
        found["default"] = schema["default"]
    if in_path and found.get("type") == "string":
        found.setdefault("minLength", 1)
    return found


def _content(says: str, answer: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([answer], ref_template=REF)
    return {"description": says, "content": {"application/json": {"schema": schema}}}


def _live() -> dict[str, Any]:
    return {
        "operationId": "get_live",
        "summary": "Server-sent events: `changed`, about every 2 s when the books changed",
        "tags": ["live"],
        "responses": {
            "200": {
                "description": "A stream that doesn't end",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            "default": {"$ref": "#/components/responses/problem"},
        },
    }


def _name(route: Route) -> str:
    words = [word.strip("{}") for word in route.path.split("/") if word]
    return "_".join([route.method.lower(), *words]).replace("-", "_")
