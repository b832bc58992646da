"""Whether a request to the desk is let through, and whom it comes from."""

import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from agents.desk.errors import CODES, DeskError
from agents.desk.people import LOCAL, Person
from agents.desk.proxy import Proxy
from agents.desk.tokens import Tokens
from agents.serve.access import PROBES, Rates, bearer_of, host_of, network_of
from agents.settings.cluster import AccessError
from agents.settings.settings import Settings
from streams.address import is_loopback
from streams.secret import read_reference

BODY_BYTES_MAX: Final = 1 << 20
"""Of a request: an event has 1 MiB at most, and so has a list of a thousand ids."""

PERSON: Final[web.RequestKey[Callable[[], Person | None]]] = web.RequestKey("person")
"""Asks whom a request comes from, as the tokens are now; None: they were taken away."""

OPEN: Final = frozenset({"/", "/page/{name}", *PROBES})
"""Routes without anybody's data: the page's files, and what an orchestrator asks."""

METRICS: Final = "/metrics"

READS: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})

SAME_SITE: Final = frozenset({"same-origin", "none"})
"""What a browser says of a request that the desk's own page, or its user, has begun."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger("lineside.desk")


class Access:
    """Decides whether a request is let through.

    Without tokens and proxies whoever asks is `LOCAL`, and has to name this machine as the host:
    that keeps out foreign pages whose name server gives this machine's address (DNS rebinding).
    """

    def __init__(self, tokens: Tokens | None = None, proxy: Proxy | None = None) -> None:
        self._tokens = tokens
        self._proxy = proxy
        self._rates = Rates()

    @property
    def guarded(self) -> bool:
        """Whether a token, or a proxy's word, is needed."""
        return self._tokens is not None or self._proxy is not None

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request that isn't let through; hand the others on, and say errors in JSON."""
        try:
            self._count(request)
            _check_body(request)
            if canonical(request) not in OPEN:
                if not self._person(request):
                    raise DeskError(
                        "unauthorized", "a token is needed: Authorization: Bearer TOKEN"
                    )
                request[PERSON] = lambda: self._person(request)
            if request.method not in READS:
                self._check_origin(request)
            return await handler(request)
        except DeskError as error:
            return refusal(request, error)
        except web.HTTPException as error:
            if error.status < HTTPStatus.BAD_REQUEST:
                raise
            return refusal(request, _said(error))

    def _count(self, request: web.Request) -> None:
        if request.path in PROBES:
            return
        who = network_of(request.remote)
        if self._proxy is not None and self._proxy.speaks(request):
            said = self._proxy.person(request)  # all people of a proxy have one address
            who = f"{who} {said.name}" if said else who
        if not self._rates.take(who, time.monotonic()):
            raise DeskError("too_many", "too many requests: wait a second")

    def _person(self, request: web.Request) -> Person | None:
        """Return whom a request comes from, None if nobody known. Raises `DeskError`."""
        if not self.guarded:
            if is_loopback(host_of(request)):
                return LOCAL
            said = "ask for 127.0.0.1 or localhost: other names take a token"
            raise DeskError("forbidden", said, status=HTTPStatus.MISDIRECTED_REQUEST)
        if self._proxy is not None:
            person = self._proxy.person(request)
            if person is not None:
                return person
        token = bearer_of(request)
        return self._tokens.person(token) if self._tokens is not None and token else None

    def _check_origin(self, request: web.Request) -> None:
        """Refuse what another site's page sends in a person's name. Raises `DeskError`."""
        if request.content_type != "application/json":
            said = "a request that changes something has Content-Type: application/json"
            raise DeskError("invalid", said, status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        site = request.headers.get("Sec-Fetch-Site", "none")
        origins = request.headers.getall(hdrs.ORIGIN, [])
        names = {request.headers.get(hdrs.HOST, "")}
        if self._proxy is not None and self._proxy.speaks(request):
            names |= set(request.headers.getall(hdrs.X_FORWARDED_HOST, []))
        if site not in SAME_SITE or any(_netloc(each) not in names for each in origins):
            raise DeskError("forbidden", "another site's page can't ask this of the desk")


def access_of(settings: Settings) -> Access:
    """Return who may do what at the desk. Raises `AccessError` if everybody could do everything."""
    tokens = Tokens(read_reference(settings.desk_tokens)) if settings.desk_tokens else None
    proxy = Proxy(settings) if settings.desk_proxy else None
    if settings.desk_groups and proxy is None:
        raise AccessError("desk_groups is set, and desk_proxy isn't: nobody would say the groups")
    if not is_loopback(settings.host) and tokens is None and proxy is None:
        raise AccessError(
            f"host is {settings.host!r}, where others reach the desk, which shows the content of "
            "events and changes what becomes of them: set desk_tokens or desk_proxy, or leave host "
            "at 127.0.0.1"
        )
    return Access(tokens, proxy)


def canonical(request: web.Request) -> str:
    """Return the route that a request has come to, however its path was written; "": none."""
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical


def refusal(request: web.Request, error: DeskError) -> web.Response:
    """Return the answer to a request that is refused."""
    response = web.json_response(error.document(), status=error.status, headers=error.headers())
    if request.body_exists and not request.content.is_eof():
        response.force_close()  # nobody reads the rest
    return response


def _check_body(request: web.Request) -> None:
    if request.method in READS and request.body_exists:
        raise DeskError("invalid", "a request that reads has no body")
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise DeskError("too_large", f"a request's body has at most {BODY_BYTES_MAX:,} bytes")


def _said(error: web.HTTPException) -> DeskError:
    """Return an error of aiohttp's in the API's words, with nothing of the request in it."""
    code = CODES.get(error.status, "invalid")
    texts = {
        404: "there is nothing at this path",
        405: "this path has no such method",
        413: f"a request's body has at most {BODY_BYTES_MAX:,} bytes",
    }
    phrase = HTTPStatus(error.status).phrase.lower()
    return DeskError(code, texts.get(error.status, phrase), status=error.status)


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
