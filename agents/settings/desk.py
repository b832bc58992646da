"""Settings of the desk: its database, its page, and who may do what there."""

import re
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from streams.contract.rejection import shown
from tables.line.rules import Timing

SCOPES: Final = ("read", "work", "approve", "admin")
"""What a person may do; each includes those before it."""

SCHEMES: Final = ("sqlite", "postgresql")

HEADER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")

DAYS_MAX: Final = 36_500

WORKERS_MAX: Final = 100
"""Pages of workers that the desk asks: each takes a connection every few seconds."""

ADDRESSES_MAX: Final = 100
GROUPS_MAX: Final = 1_000


class DeskSettings(Timing, frozen=True, kw_only=True):
    """What the desk goes by; a worker passes it over."""

    database: str = ""
    """`sqlite:///PATH` or `postgresql://USER@HOST/NAME`; empty: `desk.db` in `data_dir`."""
    database_password: str = ""
    """Where it is, unless the URL has it: `file:PATH` or `env:NAME`."""
    desk_port: int = 8081
    """Of the desk's page; 0 takes a free one."""
    desk_tokens: str = ""
    """Where the tokens are, one a line: token, name, scope, plants. `file:PATH` or `env:NAME`."""
    desk_proxy: tuple[str, ...] = ()
    """Addresses or networks of proxies that log people in, and say in headers who somebody is."""
    desk_proxy_user: str = "X-Forwarded-User"
    desk_proxy_groups: str = "X-Forwarded-Groups"
    desk_groups: dict[str, str] = msgspec.field(default_factory=dict)
    """By group of the proxy's: `SCOPE PLANTS`, as in a line of tokens."""
    desk_approval: tuple[str, ...] = ()
    """Plants where a second person approves what is sent again of class business; `*`: all."""
    desk_workers: tuple[str, ...] = ()
    """URLs of workers' pages, which the desk shows the health of."""
    books_days: int = 400
    """Records stay in the books for so long, sums of them three times."""


def problem_of_desk(settings: DeskSettings) -> str | None:
    """Return a sentence on the first setting of the desk that can't work, None if all can."""
    return (
        _problem_of_database(settings.database)
        or _problem_of_proxy(settings)
        or _problem_of_groups(settings.desk_groups)
        or _problem_of_workers(settings.desk_workers)
        or _problem_of_plants(settings.desk_approval)
    )


def _problem_of_database(url: str) -> str | None:
    if not url:
        return None
    parts = _split(url)
    if parts is None or parts.scheme not in SCHEMES:
        kind = shown(url.partition("://")[0]) if "://" in url else "without a scheme"
        return (
            f"database is {kind}: it must be sqlite:///PATH or postgresql://USER@HOST/NAME (the "
            "rest isn't shown, since a password may be in it)"
        )
    if parts.scheme == "sqlite" and (parts.netloc or len(parts.path) < 2):
        return "database names no file: it must be sqlite:///PATH"
    if parts.scheme == "postgresql" and not parts.path.strip("/"):
        return "database names no database: it must be postgresql://USER@HOST/NAME"
    return None


def _problem_of_proxy(settings: DeskSettings) -> str | None:
    if len(settings.desk_proxy) > ADDRESSES_MAX:
        return f"desk_proxy has {len(settings.desk_proxy)} addresses: at most {ADDRESSES_MAX}"
    for each in settings.desk_proxy:
        try:
            ip_network(each)
        except ValueError:
            return f"desk_proxy has {shown(each)}: no address or network, e.g. 10.0.0.7"
    for name in ("desk_proxy_user", "desk_proxy_groups"):
        header = getattr(settings, name)
        if not HEADER.fullmatch(header):
            return f"{name} is {shown(header)}: it must be the name of a header"
    return None


def _problem_of_groups(groups: dict[str, str]) -> str | None:
    if len(groups) > GROUPS_MAX:
        return f"desk_groups has {len(groups)} groups: at most {GROUPS_MAX}"
    for group, given in groups.items():
        problem = rights_problem(given.split())
        if problem:
            return f"desk_groups.{shown(group)} is {shown(given)}: {problem}"
    return None


def rights_problem(words: Sequence[str]) -> str | None:
    """Return what is wrong with `SCOPE PLANTS`, None if nothing is."""
    if len(words) != 2:
        return "it must be a scope and plants, e.g. 'work DE01,DE02' or 'read *'"
    if words[0] not in SCOPES:
        return f"the scope {shown(words[0])} isn't one of {', '.join(SCOPES)}"
    if not all(words[1].split(",")):
        return "a plant is empty"
    return None


def _problem_of_workers(urls: Sequence[str]) -> str | None:
    if len(urls) > WORKERS_MAX:
        return f"desk_workers has {len(urls)} URLs: at most {WORKERS_MAX}"
    for url in urls:
        parts = _split(url)
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            return f"desk_workers has {shown(url)}: no URL of a page, e.g. http://worker-0:8080"
    return None


def _problem_of_plants(plants: Sequence[str]) -> str | None:
    return "desk_approval has an empty plant" if not all(plants) else None


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def is_proxy(address: str, proxies: Sequence[str]) -> bool:
    """Return whether an address is one of `desk_proxy`."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(mapped in ip_network(each) for each in proxies)
