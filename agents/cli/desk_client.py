"""EDGE: the desk's API, asked over HTTP by commands: a token, JSON, and errors as sentences."""

import json
import os
import ssl
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import click

from streams.address import is_loopback
from streams.trouble import Trouble

DEFAULT: Final = "http://127.0.0.1:8081"

ANSWER_SECONDS_MAX: Final = 120.0
"""A thousand exceptions are worked in some seconds; a desk that says nothing for longer is gone."""

ANSWER_BYTES_MAX: Final = 64 << 20
"""An exception has at most 6 MiB of a record, in base64."""

TOKEN_BYTES_MAX: Final = 4 << 10
"""A larger file with a token was named by mistake."""


class DeskAnswerError(Trouble):
    """What the desk said instead of an answer, or that it said nothing."""


def of_a_desk(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which desk, and who asks."""
    for each in (
        click.option(
            "--token-file",
            type=click.Path(path_type=Path),
            help="A file with the desk's token; or LINESIDE_DESK_TOKEN has it.",
        ),
        click.option(
            "--desk",
            metavar="URL",
            help=f"The desk's page; default: LINESIDE_DESK, or {DEFAULT}.",
        ),
    ):
        command = each(command)
    return command


class DeskClient:
    """Asks one desk. All methods raise `DeskAnswerError`."""

    def __init__(self, desk: str | None, token_file: Path | None) -> None:
        """Take the URL and the file with the token; else the environment has them."""
        self._url = (desk or os.environ.get("LINESIDE_DESK") or DEFAULT).rstrip("/")
        parts = urlsplit(self._url)
        if "@" in parts.netloc:  # a password, which isn't shown
            raise DeskAnswerError(
                "the desk's URL has an '@' in it: it must be http://host:port or https://host, and "
                "a token goes into --token-file"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DeskAnswerError(
                f"the desk's URL is {self._url!r}: it must be http://host:port or https://host"
            )
        self._parts = parts
        self._token = _token(token_file)
        if self._token and parts.scheme == "http" and not is_loopback(parts.hostname):
            click.echo(
                f"warning: the token goes to {parts.hostname} in plaintext: use https", err=True
            )

    def get(self, path: str, query: Mapping[str, object]) -> Any:
        """Return the answer to a GET below `/api/v1`; members that are None aren't asked."""
        told = urlencode({name: each for name, each in query.items() if each is not None})
        return self._ask("GET", f"{path}?{told}" if told else path, None)

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Return the answer to a POST of JSON below `/api/v1`."""
        return self._ask("POST", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = self._connection()
        try:
            connection.request(method, f"{self._parts.path}/api/v1{path}", body, headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read(ANSWER_BYTES_MAX)
        except (OSError, HTTPException) as error:
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise DeskAnswerError(
                f"no desk answers at {self._url} ({said}): is `lineside desk` running there? "
                "--desk or LINESIDE_DESK names another one"
            ) from None
        finally:
            connection.close()
        return self._read(status, text)

    def _connection(self) -> HTTPConnection:
        host = self._parts.hostname or ""
        if self._parts.scheme == "https":
            return HTTPSConnection(
                host,
                self._parts.port,
                timeout=ANSWER_SECONDS_MAX,
                context=ssl.create_default_context(),
            )
        return HTTPConnection(host, self._parts.port, timeout=ANSWER_SECONDS_MAX)

    def _read(self, status: int, text: bytes) -> Any:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise DeskAnswerError(
                f"what answers at {self._url} is no desk of lineside (HTTP {status}): is the URL "
                "right?"
            ) from None
        if status < 400:
            return found
        error = found.get("error") if isinstance(found, dict) else None
        message = error.get("message") if isinstance(error, dict) else None
        said = str(message) if message else f"HTTP {status}"
        ways = {
            401: ": name a token with --token-file or LINESIDE_DESK_TOKEN",
            403: ": its token gives no right to that",
        }
        raise DeskAnswerError(f"the desk refuses: {said}{ways.get(status, '')}")


def _token(file: Path | None) -> str:
    if file is None:
        return os.environ.get("LINESIDE_DESK_TOKEN", "").strip()
    with file.open("rb") as opened:
        data = opened.read(TOKEN_BYTES_MAX + 1)
    if len(data) > TOKEN_BYTES_MAX or not data.strip().isascii() or len(data.split()) != 1:
        raise DeskAnswerError(f"{file} has no single token in it: is it the right file?")
    return data.decode().strip()
