"""Paths for orchestrators and Prometheus: health, readiness, progress, metrics."""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from agents.serve.metrics import CONTENT_TYPE, Exposition

Answer = Callable[[web.Request], Awaitable[web.Response]]

PATHS: Final = ("/healthz", "/readyz", "/livez", "/metrics")


def add_probes(
    app: web.Application,
    ready: Callable[[], bool],
    still_seconds: Callable[[], float],
    still_seconds_max: float,
    exposition: Exposition,
) -> None:
    """Add these routes to an application.

    `/healthz`: 200, the process answers. `/readyz`: 200 once partitions are assigned and every one
    has its state, 503 before. `/livez`: 503 if a partition with lag has stood still for longer than
    `still_seconds_max`. `/metrics`: Prometheus's text format.
    """

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def liveness(_: web.Request) -> web.Response:
        seconds = still_seconds()
        if seconds <= still_seconds_max:
            return web.Response(text="ok\n")
        said = f"a partition with lag has stood still for {seconds:.0f} s\n"
        return web.Response(status=503, text=said)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=await exposition.text(), headers={"Content-Type": CONTENT_TYPE})

    for path, answer in zip(PATHS, (health, readiness(ready), liveness, metrics), strict=True):
        app.router.add_get(path, answer)


def readiness(ready: Callable[[], bool]) -> Answer:
    """Return the handler of `/readyz`, and of `/ready`, its older name."""

    async def answer(_: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ready\n")
        return web.Response(status=503, text="partitions or their states are awaited\n")

    return answer
