"""A page in a process of its own, on either event loop, and clients that only hold connections."""

import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

WAIT_SECONDS_MAX = 60

SERVER = """
import asyncio, sys, uvloop
from agents.serve import http_server
from agents.serve.probes import add_probes
from agents.serve.web import create_web, serve, url_of

if sys.argv[3] != "None":
    http_server.HEAD_SECONDS_MAX = float(sys.argv[3])

async def status():
    return {}

async def run():
    app = create_web(status)
    add_probes(app, lambda: True, lambda: 0.0, 1.0, None)
    runner = await serve(app, sys.argv[2], 0)
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()

loops = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
with asyncio.Runner(loop_factory=loops[sys.argv[1]]) as runner:
    runner.run(run())
"""


class PageServer:
    """A page on all addresses of this machine."""

    def __init__(
        self, loop: str, folder: Path, descriptors: int, idle_seconds: float | None
    ) -> None:
        """Start it, with so many descriptors; `idle_seconds` goes before the page's own bound."""
        self._said = folder / "stderr"
        limits = descriptors, descriptors
        with self._said.open("w") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SERVER, loop, "0.0.0.0", str(idle_seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits),
                text=True,
            )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def descriptors(self) -> int:
        """Return how many it has open."""
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def said(self) -> str:
        """Return what it has written to standard error."""
        return self._said.read_text()

    def end(self) -> int:
        """End it in order; return its exit code."""
        self._process.communicate(timeout=WAIT_SECONDS_MAX)
        return self._process.returncode


@contextmanager
def page_server(
    loop: str, folder: Path, descriptors: int = 1_024, idle_seconds: float | None = None
) -> Iterator[PageServer]:
    """Yield a page; in the end it must be able to end in order."""
    server = PageServer(loop, folder, descriptors, idle_seconds)
    try:
        yield server
    finally:
        code = server.end()
    assert code == 0


@contextmanager
def connected(
    port: int, addresses: Iterable[str], say: bytes = b""
) -> Iterator[list[socket.socket]]:
    """Hold a connection from each of these addresses, on which nothing more than this is said."""
    with ExitStack() as stack:
        held = []
        for address in addresses:
            one = stack.enter_context(socket.socket())
            one.settimeout(5)
            one.bind((address, 0))
            one.connect(("127.0.0.1", port))
            with suppress(ConnectionError):  # hung up on already
                one.sendall(say)
            held.append(one)
        yield held


def answer(port: int, path: str, address: str = "127.0.0.1", host: str = "localhost") -> str:
    """Return what a GET of this path is answered, from an address of this machine."""
    with socket.socket() as one:
        one.settimeout(5)
        one.bind((address, 0))
        one.connect(("127.0.0.1", port))
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        found = b""
        while piece := one.recv(1 << 16):
            found += piece
        return found.decode()


def seconds_of(what: Callable[[], object]) -> float:
    """Return how long it takes."""
    began = time.monotonic()
    what()
    return time.monotonic() - began


def closed(one: socket.socket) -> bool:
    """Return whether the other side has hung up, as far as is known here."""
    one.setblocking(False)
    try:
        return not one.recv(1 << 16)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
