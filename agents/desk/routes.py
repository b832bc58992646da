"""All that can be asked of the desk, but `/live` and the OpenAPI document itself."""

from typing import Final

from agents.desk import (
    routes_desk,
    routes_exceptions,
    routes_figures,
    routes_lines,
    routes_trace,
)

ROUTES: Final = (
    *routes_desk.ROUTES,
    *routes_lines.ROUTES,
    *routes_trace.ROUTES,
    *routes_exceptions.ROUTES,
    *routes_figures.ROUTES,
)
