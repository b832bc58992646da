"""Where the desk is listened for: its address and its port."""

from aiohttp import web

from agents.serve.http_server import Runner, listen
from agents.serve.web import WebError


async def serve(app: web.Application, host: str, port: int) -> web.AppRunner:
    """Listen on `host` and `port`, 0 for a free one. Raises `WebError`."""
    runner = Runner(app)
    await runner.setup()
    try:
        await listen(runner, host, port)
    except (OSError, OverflowError) as error:
        await runner.cleanup()
        said = getattr(error, "strerror", None) or error
        raise WebError(
            f"desk_port {port} on {host} can't be listened on ({said}): choose another, or 0 for a "
            "free one"
        ) from error
    return runner
