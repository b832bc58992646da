"""The address of a Kafka cluster, as people write it, and where plaintext may be spoken."""

import re
from ipaddress import ip_address
from typing import Final

from msgspec import Struct

SCHEME: Final = "kafka://"
DEFAULT_PORT: Final = 9092

HOST: Final = re.compile(r"\[[0-9A-Fa-f:.]+(%\w+)?\]|[^\s:;@/\[\]]+")
"""A name or an IPv4 address, or an IPv6 address in brackets."""


def read_servers(url: str) -> tuple[str, ...]:
    """Return (host:port, ...) of `kafka://host:port[,host:port...]`, or raise `ValueError`."""
    if not url.startswith(SCHEME):
        raise ValueError(f"{url!r} doesn't begin with {SCHEME}")
    return tuple(_server(each.removeprefix(SCHEME), url) for each in url[len(SCHEME) :].split(","))


def _server(text: str, url: str) -> str:
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, port = text, str(DEFAULT_PORT)
    if not HOST.fullmatch(host) or not is_name(host) or not port.isascii() or not port.isdigit():
        raise ValueError(f"{text!r} of {url!r} isn't host:port")
    if not 0 < int(port) < 65_536:
        raise ValueError(f"{port} of {url!r} is no port")
    return f"{host}:{port}"


class Plaintext(Struct, frozen=True):
    """Where plaintext is spoken: on this machine, and to hosts that somebody has named."""

    hosts: frozenset[str] = frozenset()

    def refusal(self, host: str) -> str | None:
        """Return why a host isn't spoken to in plaintext, None if it is."""
        if is_loopback(host) or host.lower() in {each.lower() for each in self.hosts}:
            return None
        return (
            f"{host} would be spoken to in plaintext, which anybody in between can read and "
            "change: set broker_security to sasl_ssl or ssl, or name the host in plaintext_brokers"
        )


def host_of(server: str) -> str:
    """Return the host of host:port."""
    return server.rpartition(":")[0]


def is_name(host: str) -> bool:
    """Return whether a resolver can be asked for a host: its labels aren't empty or too long."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether a name or an address is that of this machine, whoever resolves it."""
    host = host.strip("[]").lower()
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
