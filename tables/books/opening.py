"""EDGE: the books opened: an engine on SQLite or PostgreSQL, its schema up to date."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from streams.secret import Secret
from streams.trouble import Trouble

LOCK_SECONDS: Final = 30
"""Who writes waits so long for who writes: longer than any batch takes."""

CONNECT_SECONDS: Final = 5
"""A database that doesn't answer for so long is away: it is asked again later."""

SILENT_SECONDS: Final = 30
"""A connection whose other end says nothing for so long is given up, not waited on for ever."""

CONNECTIONS_MAX: Final = 10
"""Of a process: one for what writes, the others for requests, each of which has one at a time."""

WAL_BYTES_MAX: Final = 64 << 20
"""SQLite's log is cut to this after a checkpoint: a reader that took long may have let it grow."""

CACHE_KIB: Final = 64 << 10
"""Of SQLite, for each connection that writes or reads much: the upper levels of all indexes."""

_MIGRATIONS: Final = Path(__file__).parent / "migrations"

_MIGRATION_LOCK: Final = 0x6C696E65
"""Names the lock that two desks that start at once queue for, on PostgreSQL."""

_WRITES: Final = "lineside_writes"
_LASTING: Final = "lineside_lasting"


class BooksError(Trouble):
    """Books that can't be opened or written; its text shows no password."""


def open_books(url: str, password: Secret | None = None) -> Engine:
    """Return an engine on `sqlite:///PATH` or `postgresql://...`; nothing is connected to yet.

    A folder of the path that isn't there is made. `password` is read at each connection, and goes
    before that of the URL. Raises `BooksError` on a URL that can't be.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise BooksError(_otherwise("the database's URL can't be read")) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(parsed)
    if backend in ("postgresql", "postgres"):
        return _open_postgres(parsed, password)
    raise BooksError(_otherwise(f"the database's URL begins with {backend!r}"))


def writing(engine: Engine, *, lasting: bool = True) -> AbstractContextManager[Connection]:
    """Return a transaction that writes: committed at its end, rolled back by an exception.

    On SQLite it has the lock from its beginning: one that read first could not wait for it. One
    that needn't be `lasting` isn't waited for until it is on PostgreSQL's disk: a crash of the
    server may take it, as a whole, and what is read from topics is read again then.
    """
    options = {_WRITES: True, _LASTING: lasting}
    return engine.execution_options(**options).begin()


def migrate(engine: Engine) -> None:
    """Bring the schema up to date; of several processes at once, one does it.

    Raises `BooksError` if the database is away, or the books are of a newer version.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    script = ScriptDirectory(str(_MIGRATIONS), version_locations=[str(_MIGRATIONS)])

    def steps(revision: Any, _: Any) -> Any:
        return script._upgrade_revs("head", revision)

    try:
        with writing(engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            with EnvironmentContext(config, script, fn=steps) as environment:
                environment.configure(connection=connection, transactional_ddl=True)
                environment.run_migrations()
    except CommandError:
        raise BooksError(
            f"the books in {shown(engine)} were written by a newer version of lineside: run that "
            "one, or name another database"
        ) from None
    except DBAPIError as error:
        raise trouble(engine, error) from None


def trouble(engine: Engine, error: DBAPIError) -> BooksError:
    """Return what a driver's error means, in a sentence with the database's own words."""
    said = " ".join(str(error.orig).split()) or type(error.orig).__name__
    where = shown(engine)
    if isinstance(error, OperationalError) or error.connection_invalidated:
        return BooksError(f"the database {where} is away or refuses: {said}")
    return BooksError(f"the database {where} can't do that: {said}")


def shown(engine: Engine) -> str:
    """Return an engine's URL without its password and without its query."""
    return engine.url.set(query={}).render_as_string(hide_password=True)


def _otherwise(what: str) -> str:
    return (
        f"{what}: it must be sqlite:///PATH or postgresql://USER@HOST/NAME (the URL isn't shown, "
        "since a password may be in it)"
    )


def _open_sqlite(url: URL) -> Engine:
    if not url.database:
        raise BooksError(_otherwise("the database's URL names no file"))
    try:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BooksError(f"the folder of {url.database} can't be made: {error.strerror}") from None
    engine = create_engine(
        url,
        connect_args={"timeout": LOCK_SECONDS},
        pool_size=CONNECTIONS_MAX,
        max_overflow=0,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        # Python's module would begin transactions itself, and only before the first change.
        connection.isolation_level = None
        for name, value in (
            ("journal_mode", "WAL"),
            ("synchronous", "NORMAL"),
            ("foreign_keys", "ON"),
            ("temp_store", "MEMORY"),
            ("cache_size", -CACHE_KIB),
            ("journal_size_limit", WAL_BYTES_MAX),
        ):
            connection.execute(f"PRAGMA {name}={value}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _open_postgres(url: URL, password: Secret | None) -> Engine:
    if not url.database:
        raise BooksError(_otherwise("the database's URL names no database"))
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "lineside desk",
            "options": "-c timezone=UTC",
            "keepalives_idle": SILENT_SECONDS // 3,
            "keepalives_interval": SILENT_SECONDS // 6,
            "keepalives_count": 4,
            "tcp_user_timeout": SILENT_SECONDS * 1_000,
        },
        pool_size=CONNECTIONS_MAX,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
    )

    @event.listens_for(engine, "do_connect")
    def tell(_: Any, __: Any, ___: Any, given: dict[str, Any]) -> None:
        if password is not None:
            given["password"] = password.reveal()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get(_LASTING, True):
            connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")

    return engine
