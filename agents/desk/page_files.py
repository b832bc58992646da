"""The page's files: listed and read when the desk starts, each with a mark of its content."""

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from importlib import resources
from typing import Final

from aiohttp import hdrs, web
from msgspec import Struct

from agents.desk.errors import DeskError

INDEX: Final = "index.html"

KINDS: Final = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "json": "application/json",
    "svg": "image/svg+xml",
    "txt": "text/plain",
    "png": "image/png",
    "woff2": "font/woff2",
}
"""Of the files that are served; others in the folder aren't."""

TEXTS: Final = frozenset({"html", "js", "css", "json", "svg", "txt"})


class _File(Struct, frozen=True):
    body: bytes
    kind: str
    charset: str | None
    mark: str


def add_page(app: web.Application) -> None:
    """Serve the page at `/`, and its files at `/page/NAME`."""
    files = dict(_files())

    def answer(file: _File, request: web.Request) -> web.Response:
        # Asked for each time, and sent only if it has changed: an upgrade shows at once.
        headers = {hdrs.CACHE_CONTROL: "no-cache", hdrs.ETAG: file.mark}
        if file.mark in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return web.Response(status=304, headers=headers)
        response = web.Response(
            body=file.body, content_type=file.kind, charset=file.charset, headers=headers
        )
        response.enable_compression()
        return response

    async def page(request: web.Request) -> web.Response:
        return answer(_found(files, INDEX), request)

    async def part(request: web.Request) -> web.Response:
        return answer(_found(files, request.match_info["name"]), request)

    routes: tuple[tuple[str, Callable[[web.Request], Awaitable[web.Response]]], ...] = (
        ("/", page),
        ("/page/{name}", part),
    )
    for path, handler in routes:
        app.router.add_get(path, handler)


def _found(files: dict[str, _File], name: str) -> _File:
    file = files.get(name)
    if file is None:
        raise DeskError("not_found", "the page has no such file")
    return file


def _files() -> Iterator[tuple[str, _File]]:
    folder = resources.files("agents.desk").joinpath("page")
    if not folder.is_dir():
        return
    for each in folder.iterdir():
        ending = each.name.rpartition(".")[2]
        if each.is_file() and ending in KINDS:
            body = each.read_bytes()
            mark = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            charset = "utf-8" if ending in TEXTS else None
            yield each.name, _File(body, KINDS[ending], charset, mark)
