"""Starts `lineside` with its modules loaded already: to load them is most of a start's work.

What loads them is a process that forks one for each start; whoever is started has its own
environment, arguments and output, and is signalled and waited for as any process.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import IO, Final

MESSAGE_BYTES_MAX: Final = 1 << 17

WAIT_SECONDS: Final = 0.05
"""For news, while another thread may ask, too."""

SERVER: Final = """
import gc, json, os, select, signal, socket, sys, time
from agents.cli.main import main
from agents.worker import kafka_host, run

line = socket.socket(fileno=int(sys.argv[1]))
news, end = os.pipe()
os.set_blocking(end, False)
signal.signal(signal.SIGINT, signal.SIG_IGN)  # who has started us is interrupted, and ends us
signal.signal(signal.SIGCHLD, lambda *_: None)
signal.set_wakeup_fd(end)
gc.collect()
gc.freeze()
pid = None
while pid != 0:
    ready, _, _ = select.select([line, news], [], [])
    if news in ready:
        os.read(news, 4_096)
        while True:
            try:
                ended, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not ended:
                break
            line.send(json.dumps(["ended", ended, os.waitstatus_to_exitcode(status)]).encode())
    if line in ready:
        request, logs, _, _ = socket.recv_fds(line, 1 << 17, 1)
        if not request:  # who has started us is gone
            sys.exit()
        (log,) = logs
        pid = os.fork()
        if pid != 0:
            os.close(log)
            line.send(json.dumps(["started", pid, 0]).encode())
signal.set_wakeup_fd(-1)
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
line.close()
os.close(news)
os.close(end)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(log, 1)
os.dup2(log, 2)
os.close(log)
arguments, environment = json.loads(request)
os.environ.clear()
os.environ.update(environment)
time.tzset()
sys.argv = ["lineside", *arguments]
main()
"""


class Starter:
    """The process that forks, and what has become of those that it started."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._codes: dict[int, int] = {}
        """Of those that have ended, by process id."""
        self._lock = threading.RLock()

    def start(
        self, arguments: list[str], environment: Mapping[str, str], log: IO[bytes]
    ) -> "Started":
        """Start `lineside` with these arguments; what it says goes to `log`."""
        request = json.dumps([arguments, dict(environment)]).encode()
        assert len(request) < MESSAGE_BYTES_MAX
        with self._lock:
            socket.send_fds(self._line, [request], [log.fileno()])
            while (pid := self._take(None)) is None:
                pass
            self._codes.pop(pid, None)  # of another one that had its id
        return Started(self, pid)

    def code_of(self, pid: int, seconds: float = 0) -> int | None:
        """Return an exit code, None of one that still runs; wait for news for so long at most."""
        with self._lock:
            if pid not in self._codes:
                self._take(seconds)
            while pid not in self._codes and select.select([self._line], [], [], 0)[0]:
                self._take(0)
            return self._codes.get(pid)

    def _take(self, seconds: float | None) -> int | None:
        """Take a message, if one comes; return the process that it says was started."""
        if not select.select([self._line], [], [], seconds)[0]:
            return None
        said = self._line.recv(MESSAGE_BYTES_MAX)
        assert said, f"the process that starts workers ended with code {self._process.wait()}"
        what, pid, code = json.loads(said)
        if what == "started":
            return int(pid)
        self._codes[pid] = code
        return None

    def close(self) -> None:
        """End the process that forks; what it has started goes on."""
        self._process.kill()
        self._process.wait()
        self._line.close()


class Started:
    """A process that was forked, as far as `subprocess.Popen` has the same."""

    def __init__(self, starter: Starter, pid: int) -> None:
        self.pid = pid
        self._starter = starter

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
        return self._starter.code_of(self.pid)

    def wait(self, timeout: float) -> int:
        """Return its exit code when it has ended; raises `subprocess.TimeoutExpired`."""
        deadline = time.monotonic() + timeout
        while (code := self._starter.code_of(self.pid, WAIT_SECONDS)) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("lineside", timeout)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)
