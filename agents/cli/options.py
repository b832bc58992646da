"""Shared by all commands: options, the settings made from them, errors as sentences."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from streams.trouble import Trouble

if TYPE_CHECKING:
    from tables.reasons import Reasons

CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="A TOML file with settings; LINESIDE_* in the environment takes precedence.",
)
PORT = click.option(
    "--port", type=click.IntRange(0, 65_535), help="The port of the web page; 0 takes a free one."
)
BROKER = click.option(
    "--broker", metavar="URL", help="kafka://host:port[,host:port...]; or LINESIDE_BROKER."
)
GROUP = click.option("--group", help="The workers' group; default: LINESIDE_GROUP, or lineside.")
HOST = click.option(
    "--host",
    help="The page's address; default: LINESIDE_HOST, or 127.0.0.1, which is this machine only.",
)

EXIT_FAILED: Final = 1
"""The work couldn't be done."""

EXIT_TERMINATED: Final = 128 + signal.SIGTERM
"""The exit code that a shell reports for a process ended by SIGTERM."""


def errors_as_sentences(command: Callable[..., Any]) -> Callable[..., Any]:
    """End a command with a sentence and an exit code if a problem is outside of lineside."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _errors_as_sentences():
            return command(*args, **kwargs)

    return wrapped


class Commands(click.Group):
    """Commands that end with a sentence, even if their help can't be written."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; a closed standard stream is replaced by /dev/null."""
        for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
            if getattr(sys, name) is None:
                # Under its own number: else the next opened file would get that number.
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
                setattr(sys, name, os.fdopen(number, mode))
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            click.echo(f"Error: {error.strerror or error}", err=True)
            sys.exit(EXIT_FAILED)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Clean up on SIGTERM while `path` is written, and let errors name a path."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


class _Failure(click.ClickException):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code

    def show(self, file: IO[Any] | None = None) -> None:
        """Report the failure: as an object if the log is in JSON, else as a sentence."""
        from agents.worker.logs import in_json

        if in_json():
            logging.getLogger("lineside").critical("%s", self.message)
        else:
            super().show(file)


@contextmanager
def _errors_as_sentences() -> Iterator[None]:
    """Turn problems outside of lineside into a sentence and an exit code."""
    try:
        yield
    except Trouble as trouble:
        raise _Failure(str(trouble), trouble.exit_code) from None
    except BrokenPipeError:
        # The reader of our output has closed the pipe: nobody would see a message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise _Failure(f"{where}{error.strerror or error}", EXIT_FAILED) from None


def settings_of(config: Path | None, **options: object) -> Any:
    """Return the settings from options (by the setting's name), the environment, and a file."""
    from agents.settings.settings import read_settings

    return read_settings({**os.environ, **_as_variables(options)}, config)


def say_reasons(reasons: "Reasons", say: Callable[[str], object] | None = None) -> None:
    """Print why records were refused, if any were."""
    for line in reasons.lines():
        if say is None:
            click.echo(line, err=True)
        else:
            say(line)


def kafka_settings_of(config: Path | None, broker: str | None, group: str | None) -> Any:
    """Return the settings with these options. Raises `SettingsError` if they name no broker."""
    from agents.settings.settings import SettingsError

    settings = settings_of(config, broker=broker, group=group)
    if not settings.broker:
        raise SettingsError("broker is empty: give --broker kafka://host:9092 or LINESIDE_BROKER")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own sentence reports the problem
    return settings


def _as_variables(options: dict[str, object]) -> dict[str, str]:
    """Return the given options as environment variables."""
    return {
        f"LINESIDE_{name.upper()}": str(value)
        for name, value in options.items()
        if value is not None
    }
