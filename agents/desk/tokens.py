"""The desk's tokens: lines of `TOKEN NAME SCOPE PLANTS`, read again while the desk runs."""

import hmac
import logging
import time
from collections.abc import Callable
from typing import Final

from agents.desk.people import Person, merged, read_grant
from agents.serve.access import CHECK_SECONDS, TOKEN_CHARS_MIN, digest_of
from agents.settings.cluster import AccessError
from streams.secret import Secret, SecretError

TOKENS_MAX: Final = 1_000
"""Each request without a person's name is compared with all of them: 1,000 take 0.2 ms."""

NAME_CHARACTERS_MAX: Final = 100
"""Of a person's name: it stands in every record of the audit trail."""

WORDS: Final = "TOKEN NAME SCOPE PLANTS"

Line = tuple[bytes, Person]
"""A token's digest, and whose it is."""

log = logging.getLogger("lineside.desk")


class Tokens:
    """Who has which token; the file is read again at most once in `CHECK_SECONDS`."""

    def __init__(self, secret: Secret, clock: Callable[[], float] = time.monotonic) -> None:
        """Take where the tokens are. Raises `AccessError`."""
        self._secret = secret
        self._clock = clock
        self._lines = self._read()
        self._read_at = clock()
        self._failing = False

    def person(self, token: str) -> Person | None:
        """Return whose token this is, None if nobody's; how long that takes reveals nothing."""
        if self._clock() - self._read_at >= CHECK_SECONDS:
            self._read_again()
        digest, found = digest_of(token), None
        for one, person in self._lines:
            if hmac.compare_digest(one, digest):
                found = person
        return found

    def _read_again(self) -> None:
        self._read_at = self._clock()
        try:
            self._lines = self._read()
            self._failing = False
        except AccessError as error:
            if not self._failing:
                log.error("%s: until it's mended nobody gets in by one of these", error)
            self._lines = []
            self._failing = True

    def _read(self) -> list[Line]:
        try:
            given = self._secret.reveal().splitlines()
        except SecretError as error:
            raise AccessError(f"desk_tokens: {error}") from None
        lines: dict[bytes, Person] = {}
        for number, text in enumerate(given, 1):
            if not text.strip() or text.lstrip().startswith("#"):
                continue
            try:
                digest, person = _line(text)
                if digest in lines:
                    raise ValueError("the token is there twice")
            except ValueError as error:
                raise AccessError(
                    f"desk_tokens: line {number} of {self._secret.reference}: {error}"
                ) from None
            lines[digest] = person
        if not 1 <= len(lines) <= TOKENS_MAX:
            raise AccessError(
                f"desk_tokens: {self._secret.reference} has {len(lines)} tokens: it must be 1 to "
                f"{TOKENS_MAX}"
            )
        return list(lines.items())


def _line(text: str) -> Line:
    """Return what a line says. Raises `ValueError`, which doesn't show the token."""
    words = text.split()
    if len(words) != 4:
        raise ValueError(f"{len(words)} words: it must be {WORDS}, with one space between two")
    token, name, scope, plants = words
    if len(token) < TOKEN_CHARS_MIN or not (token.isascii() and token.isprintable()):
        raise ValueError(f"the token must be {TOKEN_CHARS_MIN} ASCII characters or more")
    return digest_of(token), Person(read_name(name), merged([read_grant(f"{scope} {plants}")]))


def read_name(text: str) -> str:
    """Return a person's name. Raises `ValueError`."""
    if not text or len(text) > NAME_CHARACTERS_MAX or not text.isprintable():
        raise ValueError(f"a name must be 1 to {NAME_CHARACTERS_MAX} characters that can be seen")
    return text
