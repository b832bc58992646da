"""Who may see which part of the page: by token, by the host name of the request, and how often."""

import hashlib
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Final, Literal

from aiohttp import hdrs, web

from agents.settings.cluster import AccessError
from agents.settings.settings import Settings
from streams.address import is_loopback
from streams.secret import Secret, SecretError, read_reference

Scope = Literal["open", "metrics", "read"]

PROBES: Final = frozenset({"/ready", "/healthz", "/readyz", "/livez"})
"""Paths that an orchestrator asks: an answer is cheaper than a refusal, so they have no limit."""

SCOPES: Final[Mapping[str, Scope]] = {
    "/": "open",  # the page's files have no data in them
    "/page.js": "open",
    "/page.css": "open",
    **dict.fromkeys(PROBES, "open"),
    "/metrics": "metrics",
}
"""The scope of each route. All other routes need `read`, and so do paths that don't exist."""

TOKEN_CHARS_MIN: Final = 20
"""Shorter tokens could be guessed."""

TOKENS_MAX: Final = 100
"""Tokens of a scope: each request is compared with all of them."""

CHECK_SECONDS: Final = 1.0
"""A token that was removed from its file is accepted no longer than this."""

REQUESTS_PER_SECOND: Final = 100.0
REQUESTS_AT_ONCE: Final = 300.0
"""Requests of one address: more would take the worker's time from the stream of events."""

ADDRESSES_MAX: Final = 1_000
"""Addresses that are counted at a time; the one that was silent longest is forgotten."""

STILL: Final[web.RequestKey[Callable[[], bool]]] = web.RequestKey("still")
"""Asks whether a request whose answer is a long stream would still be let through."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger("lineside.page")


class Tokens:
    """The tokens of a scope, one a line; read again at most once in `CHECK_SECONDS`."""

    def __init__(self, name: str, secret: Secret) -> None:
        """Take the name of the setting, for error messages. Raises `AccessError`."""
        self._name = name
        self._secret = secret
        self._digests = self._read()
        self._read_at = time.monotonic()
        self._failing = False

    def knows(self, digest: bytes) -> bool:
        """Return whether a token has this digest; how long that takes reveals nothing."""
        if time.monotonic() - self._read_at >= CHECK_SECONDS:
            self._read_again()
        found = False
        for one in self._digests:
            found |= hmac.compare_digest(one, digest)
        return found

    def _read_again(self) -> None:
        self._read_at = time.monotonic()
        try:
            self._digests = self._read()
            self._failing = False
        except AccessError as error:
            if not self._failing:
                log.error("%s: until it's mended nobody gets in by one of these", error)
            self._digests = ()
            self._failing = True

    def _read(self) -> tuple[bytes, ...]:
        try:
            lines = [line.strip() for line in self._secret.reveal().splitlines()]
        except SecretError as error:
            raise AccessError(f"{self._name}: {error}") from None
        for number, line in enumerate(lines, 1):
            if line and not (
                len(line) >= TOKEN_CHARS_MIN and line.isascii() and line.isprintable()
            ):
                raise AccessError(
                    f"{self._name}: line {number} of {self._secret.reference} isn't a token: it "
                    f"must be {TOKEN_CHARS_MIN} ASCII characters or more"
                )
        tokens = [line for line in lines if line]
        if not 1 <= len(tokens) <= TOKENS_MAX:
            raise AccessError(
                f"{self._name}: {self._secret.reference} has {len(tokens)} tokens: it must be 1 to "
                f"{TOKENS_MAX}"
            )
        return tuple(digest_of(token) for token in tokens)


def digest_of(token: str) -> bytes:
    """Return the digest that is kept of a token: all have one length, and errors show no token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


class Rates:
    """How many requests each address may still make, in a bounded memory."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, now: float) -> bool:
        """Count a request at a time in seconds; return whether it may be answered."""
        left, at = self._left.pop(address, (REQUESTS_AT_ONCE, now))
        left = min(REQUESTS_AT_ONCE, left + (now - at) * REQUESTS_PER_SECOND)
        answered = left >= 1
        self._left[address] = (left - 1 if answered else left, now)
        if len(self._left) > ADDRESSES_MAX:
            self._left.popitem(last=False)
        return answered

    def __len__(self) -> int:
        return len(self._left)


class Access:
    """Decides whether a request is let through.

    Without tokens everything is open, but only to requests that name this machine as their host.
    That keeps out foreign pages whose name server gives this machine's address (DNS rebinding).
    """

    def __init__(self, read: Tokens | None = None, metrics: Tokens | None = None) -> None:
        self._read = read
        self._metrics = metrics
        self._rates = Rates()

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request that isn't let through; hand the others on."""
        counted = request.path not in PROBES
        if counted and not self._rates.take(network_of(request.remote), time.monotonic()):
            return _refusal(429, "too many requests: wait a second", {"Retry-After": "1"})
        if request.body_exists:
            response = _refusal(413, "no request has a body here")
            response.force_close()
            return response
        scope = scope_of(request)
        if scope != "open":
            if refusal := self._refused(request, scope):
                return refusal
            request[STILL] = lambda: self._refused(request, scope) is None
        return await handler(request)

    def _refused(self, request: web.Request, scope: Scope) -> web.Response | None:
        if self._read is None:
            if is_loopback(host_of(request)):
                return None
            return _refusal(421, "ask for 127.0.0.1 or localhost: other names take a token")
        digest = digest_of(bearer_of(request))
        may_read = self._read.knows(digest)
        may_measure = self._metrics is not None and self._metrics.knows(digest)
        if may_read or (may_measure and scope == "metrics"):
            return None
        if may_measure:
            return _refusal(403, "this token is for the metrics only")
        challenge = {"WWW-Authenticate": 'Bearer realm="lineside"'}
        return _refusal(401, "a token is needed: Authorization: Bearer TOKEN", challenge)


def access_of(settings: Settings) -> Access:
    """Return who may see the page. Raises `AccessError` if everybody could."""
    if not is_loopback(settings.host) and not settings.read_tokens:
        raise AccessError(
            f"host is {settings.host!r}, where others reach the page, which shows the content of "
            "events: set read_tokens, or leave host at 127.0.0.1"
        )
    if settings.metrics_tokens and not settings.read_tokens:
        raise AccessError(
            "metrics_tokens is set, and read_tokens isn't: that would leave the page open"
        )
    return Access(
        _tokens("read_tokens", settings.read_tokens),
        _tokens("metrics_tokens", settings.metrics_tokens),
    )


def _tokens(name: str, reference: str) -> Tokens | None:
    return Tokens(name, read_reference(reference)) if reference else None


def scope_of(request: web.Request) -> Scope:
    """Return the scope of the route that a request has come to, however its path was written."""
    resource = request.match_info.route.resource
    return SCOPES.get(resource.canonical, "read") if resource is not None else "read"


def network_of(address: str | None) -> str:
    """Return what counts as one address: for IPv6 the network, since one host has all of it."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def host_of(request: web.Request) -> str:
    """Return the host that a request asks for, without its port."""
    given = request.headers.getall(hdrs.HOST, [])
    if len(given) != 1:
        return ""
    host = given[0]
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def bearer_of(request: web.Request) -> str:
    """Return the token that a request shows, "" where it shows none."""
    given = request.headers.getall(hdrs.AUTHORIZATION, [])
    kind, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip() if kind.lower() == "bearer" else ""


def _refusal(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers=headers)
