"""Paths of the desk for orchestrators and Prometheus."""

from aiohttp import web

from agents.desk.desk import STILL_SECONDS_MAX, Desk
from agents.desk.exposition import Exposition
from agents.serve.metrics import CONTENT_TYPE


def add_probes(app: web.Application, desk: Desk) -> None:
    """Add these routes to an application.

    `/healthz`: 200, the process answers. `/readyz`: 200 once the books can be asked, 503 before.
    `/livez`: 503 if the books have stood still for longer than `STILL_SECONDS_MAX` though they are
    behind. `/metrics`: Prometheus's text format.
    """
    exposition = Exposition(desk)

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readiness(_: web.Request) -> web.Response:
        if desk.ready:
            return web.Response(text="ready\n")
        return web.Response(status=503, text=f"waits: {desk.waits_for}\n")

    async def liveness(_: web.Request) -> web.Response:
        seconds = desk.still_seconds()
        if seconds <= STILL_SECONDS_MAX:
            return web.Response(text="ok\n")
        return web.Response(status=503, text=f"the books have stood still for {seconds:.0f} s\n")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=exposition.text(), headers={"Content-Type": CONTENT_TYPE})

    for path, answer in (
        ("/healthz", health),
        ("/readyz", readiness),
        ("/livez", liveness),
        ("/metrics", metrics),
    ):
        app.router.add_get(path, answer)
