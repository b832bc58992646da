"""EDGE: secrets by reference, to a file or a variable: read when they are needed, never shown."""

import os
from pathlib import Path
from typing import Final

from msgspec import Struct

from streams.trouble import Trouble

FILE: Final = "file:"
VARIABLE: Final = "env:"

BYTES_MAX: Final = 64 << 10
"""A secret of a Kubernetes cluster can have 1 MiB, but no password or list of tokens has."""


class SecretError(Trouble):
    """A secret that can't be had; its text says where it was looked for, and nothing of it."""

    exit_code = 2


class Secret(Struct, frozen=True):
    """Where a secret is; what it is, is in no attribute, and so in no log or error."""

    reference: str
    """`file:PATH` or `env:NAME`."""

    def reveal(self) -> str:
        """Return the secret as it is now, less the line's end of a file. Raises `SecretError`.

        A file is read each time: one that Kubernetes mounts changes with its Secret.
        """
        found = self._found().rstrip("\r\n")
        if not found:
            raise SecretError(f"{self.reference} is empty")
        return found

    def encode(self, encoding: str = "utf-8") -> bytes:
        """Return the secret in bytes: aiokafka asks its password for that when it logs in."""
        return self.reveal().encode(encoding)

    def _found(self) -> str:
        if self.reference.startswith(VARIABLE):
            name = self.reference.removeprefix(VARIABLE)
            try:
                return os.environ[name]
            except KeyError:
                raise SecretError(f"{self.reference}: there is no such variable") from None
        path = self.reference.removeprefix(FILE)
        try:
            with Path(path).open("rb") as file:
                content = file.read(BYTES_MAX + 1)
        except OSError as error:
            raise SecretError(f"{self.reference} can't be read: {error.strerror}") from None
        if len(content) > BYTES_MAX:
            raise SecretError(f"{self.reference} has more than {BYTES_MAX:,} bytes")
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise SecretError(f"{self.reference} isn't UTF-8") from None


def read_reference(text: str) -> Secret:
    """Return the secret that a setting refers to. Raises `ValueError`, which doesn't name `text`.

    It may be a secret that was written where a reference belongs.
    """
    for prefix in (FILE, VARIABLE):
        if text.startswith(prefix) and len(text) > len(prefix):
            return Secret(text)
    raise ValueError(
        "it must be file:PATH or env:NAME, which say where the secret is; what is there now isn't "
        "shown, since it may be one"
    )
