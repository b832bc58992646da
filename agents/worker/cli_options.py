"""What commands share: options, the settings that come of them, errors told in sentences."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import IO, Any, Final

import click
from msgspec import structs

from streams.trouble import Trouble

CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="A TOML file with settings; LINESIDE_* in the environment goes before it.",
)
PORT = click.option(
    "--port", type=click.IntRange(0, 65_535), help="Of the web page; 0: a free one."
)
BROKER = click.option(
    "--broker", metavar="URL", help="kafka://host:port[,host:port...], or LINESIDE_BROKER."
)
GROUP = click.option("--group", help="Of the workers: LINESIDE_GROUP, or lineside.")

EXIT_FAILED: Final = 1
"""The work couldn't be done."""


def told_in_sentences(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command end with a sentence and an exit code where something outside is wrong."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _sentences():
            return command(*args, **kwargs)

    return wrapped


class _Failure(click.ClickException):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code

    def show(self, file: IO[Any] | None = None) -> None:
        """Tell it: as a line of the log where that is one of objects, else as a sentence."""
        from agents.worker.logs import in_json

        if in_json():
            logging.getLogger("lineside").critical("%s", self.message)
        else:
            super().show(file)


@contextmanager
def _sentences() -> Iterator[None]:
    """Turn what can go wrong outside of lineside into a sentence and an exit code."""
    try:
        yield
    except Trouble as trouble:
        raise _Failure(str(trouble), trouble.exit_code) from None
    except BrokenPipeError:
        # Whoever read our output has had enough: nothing to tell, nobody to tell it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise _Failure(f"{where}{error.strerror or error}", EXIT_FAILED) from None


def settings_of(config: Path | None, port: int | None = None) -> Any:
    """Return the settings of the environment and a file, with this option in them."""
    from agents.worker.settings import read_settings

    settings = read_settings(os.environ, config)
    return settings if port is None else structs.replace(settings, port=port)


def kafka_settings_of(config: Path | None, broker: str | None, group: str | None) -> Any:
    """Return the settings with these options in them, refused where they name no broker."""
    from agents.worker.settings import SettingsError, read_settings

    settings = read_settings({**os.environ, **as_variables(broker, group)}, config)
    if not settings.broker:
        raise SettingsError("broker is empty: give --broker kafka://host:9092 or LINESIDE_BROKER")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a sentence of ours says it
    return settings


def as_variables(broker: str | None, group: str | None) -> dict[str, str]:
    """Return these options as the environment would give them."""
    given = {"LINESIDE_BROKER": broker, "LINESIDE_GROUP": group}
    return {name: value for name, value in given.items() if value is not None}
