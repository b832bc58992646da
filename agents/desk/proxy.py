"""Who somebody is by the word of a proxy that logs people in."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from agents.desk.errors import DeskError
from agents.desk.people import Grant, Person, merged, read_grant
from agents.desk.tokens import read_name
from agents.settings.cluster import AccessError
from agents.settings.desk import is_proxy
from agents.settings.settings import Settings

GROUPS_MAX: Final = 500
"""Of one person: more don't fit a header."""


class Proxy:
    """The addresses that may say who somebody is, in which headers, and what groups may do."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings. Raises `AccessError`."""
        self._addresses = settings.desk_proxy
        self._user = settings.desk_proxy_user
        self._groups = settings.desk_proxy_groups
        self._grants = _grants(settings.desk_groups)

    def speaks(self, request: web.Request) -> bool:
        """Return whether a request comes from a proxy, whatever it says."""
        return is_proxy(request.remote or "", self._addresses)

    def person(self, request: web.Request) -> Person | None:
        """Return whom a request comes from, None if no proxy says it.

        Raises `DeskError` if a proxy says it twice, or what it says can't be.
        """
        if not self.speaks(request) or self._user not in request.headers:
            return None
        names = request.headers.getall(self._user)
        if len(names) != 1:  # the second may have been sent by whom the first is about
            raise DeskError("unauthorized", f"{self._user} is there {len(names)} times")
        try:
            name = read_name(names[0].strip())
        except ValueError as error:
            raise DeskError("unauthorized", f"{self._user}: {error}") from None
        return Person(name, merged(self._granted(request)))

    def _granted(self, request: web.Request) -> list[Grant]:
        given = ",".join(request.headers.getall(self._groups, [])).split(",")
        names = {name.strip() for name in given[:GROUPS_MAX]}
        return [grant for group, grant in self._grants.items() if group in names]


def _grants(groups: Mapping[str, str]) -> dict[str, Grant]:
    grants = {}
    for group, given in groups.items():
        try:
            grants[group] = read_grant(" ".join(given.split()))
        except ValueError as error:
            raise AccessError(f"desk_groups.{group}: {error}") from None
    return grants
