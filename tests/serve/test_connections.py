"""Whoever holds connections to the page takes it from nobody, and nothing from the worker."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.serve.connections import (
    ADDRESS_SHARE,
    ANSWERED,
    CONNECTIONS_MAX,
    IDLE,
    LISTENING,
    Connections,
)
from agents.serve.http_server import HEAD_SECONDS_MAX
from page_servers import PageServer, answer, closed, connected, page_server, seconds_of

both_loops = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])

FLOOD = 1_200
LISTEN = b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
OF_ADDRESS_MAX = int(CONNECTIONS_MAX * ADDRESS_SHARE)
DESCRIPTORS_BESIDES = 120
"""Of the process itself, and those that are just being closed."""

SAID_MAX = 1_000
"""Characters of the log: a line a minute."""


class Prober:
    """Asks for `/livez` again and again, on a new connection each time."""

    def __init__(self, server: PageServer) -> None:
        self.answers = 0
        self.slowest = 0.0
        self.wrong: list[str] = []
        self._port = server.port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> "Prober":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._stop.wait(0.02):
            began = time.monotonic()
            try:
                response = answer(self._port, "/livez")
                if not response.startswith("HTTP/1.1 200"):
                    self.wrong.append(response)
            except OSError as error:
                self.wrong.append(repr(error))
            self.answers += 1
            self.slowest = max(self.slowest, time.monotonic() - began)


PROBE_SECONDS_MAX = 2.0
"""A kubelet waits for five; on a busy machine a probe isn't answered at once."""


UNTIL_SECONDS_MAX = 20.0


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + UNTIL_SECONDS_MAX
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def still_there(held: list[socket.socket]) -> int:
    """Return how many connections weren't hung up on."""
    return sum(not closed(one) for one in held)


@both_loops
@pytest.mark.parametrize("say", [b"", HALF], ids=["idle", "half a request"])
def test_a_flood_of_one_address_keeps_no_probe_waiting_and_takes_no_descriptors(
    loop: str, say: bytes, tmp_path: Path
) -> None:
    with page_server(loop, tmp_path) as server:
        before = server.descriptors()
        with Prober(server) as prober:
            for _ in range(3):
                with connected(server.port, ["127.0.0.1"] * (FLOOD // 2), say) as held:
                    assert server.descriptors() <= CONNECTIONS_MAX + DESCRIPTORS_BESIDES
                    until(lambda held=held: still_there(held) <= OF_ADDRESS_MAX)
                    time.sleep(0.5)  # no more have to go than that
                    assert still_there(held) >= OF_ADDRESS_MAX - 20
        assert prober.wrong == []
        assert prober.answers > 20
        assert prober.slowest < PROBE_SECONDS_MAX
        until(lambda: server.descriptors() <= before)
        assert len(server.said()) < SAID_MAX
        assert "had to go" in server.said()


@both_loops
def test_a_flood_of_many_addresses_doesnt_either(loop: str, tmp_path: Path) -> None:
    many = [f"127.0.{n // 200}.{n % 200 + 1}" for n in range(2, FLOOD // 2)]
    with page_server(loop, tmp_path) as server:
        before = server.descriptors()
        with Prober(server) as prober, connected(server.port, many) as held:
            until(lambda: still_there(held) <= CONNECTIONS_MAX)
            time.sleep(0.5)  # no more have to go than that
            assert server.descriptors() <= CONNECTIONS_MAX + DESCRIPTORS_BESIDES
            assert still_there(held) >= CONNECTIONS_MAX - 20
        assert prober.wrong == []
        assert prober.slowest < PROBE_SECONDS_MAX
        until(lambda: server.descriptors() <= before)


@both_loops
def test_who_listens_isnt_hung_up_on_for_those_who_dont(loop: str, tmp_path: Path) -> None:
    with page_server(loop, tmp_path) as server:
        with connected(server.port, ["127.0.0.1"] * 100, LISTEN) as listeners:
            until(lambda: all(one.recv(1 << 16) for one in listeners))
            with connected(server.port, ["127.0.0.1"] * (FLOOD // 2)):
                assert "200 OK" in answer(server.port, "/livez")
                assert "503" in answer(server.port, "/api/stream").splitlines()[0]
                assert not [one for one in listeners if closed(one)]
        until(lambda: "200 OK" in answer(server.port, "/api/status"))


def test_an_idle_connection_is_closed_after_its_time(tmp_path: Path) -> None:
    assert HEAD_SECONDS_MAX == 15
    with (
        page_server("uvloop", tmp_path, idle_seconds=4) as server,
        connected(server.port, ["127.0.0.1"] * 3) as held,
    ):
        one = held[0]
        one.settimeout(30)
        assert 3 < seconds_of(lambda: one.recv(1)) < 8


def test_with_few_descriptors_there_are_fewer_connections(tmp_path: Path) -> None:
    with page_server("uvloop", tmp_path, descriptors=256) as server:
        many = [f"127.0.0.{n}" for n in range(2, 202)]
        with connected(server.port, many) as held:
            until(lambda: still_there(held) <= 64)
            assert "200 OK" in answer(server.port, "/livez")


class Plain:
    """A connection that notes whether it was hung up on."""

    def __init__(self, address: str, doing: int = IDLE) -> None:
        self.address = address
        self.doing = doing
        self.gone = False

    def hang_up(self) -> None:
        self.gone = True


def test_who_goes_is_idle_rather_than_answered_and_answered_rather_than_listening() -> None:
    seats = Connections(descriptors=4 * 5)
    assert (seats.most, seats.most_of_address) == (5, 4)
    doing = [LISTENING, ANSWERED, IDLE, IDLE, LISTENING]
    there = [Plain(str(number), what) for number, what in enumerate(doing)]
    for one in there:
        seats.add(one)
    seats.touch(there[2])  # so the other idle one has been silent for longer
    order = []
    for number in range(5):
        seats.add(Plain(f"new {number}", doing=LISTENING))
        order += [n for n, one in enumerate(there) if one.gone and n not in order]
        assert len(seats) == 5
    assert order == [3, 2, 1, 0, 4]


def test_an_address_at_its_bound_makes_room_among_its_own() -> None:
    seats = Connections(descriptors=4 * 5)
    other, *own = [Plain("b"), *(Plain("a") for _ in range(9))]
    for one in (other, *own):
        seats.add(one)
    assert not other.gone
    assert [one.gone for one in own] == [True] * 5 + [False] * 4
    for one in own:
        seats.remove(one)
    seats.add(Plain("a"))
    assert len(seats) == 2
