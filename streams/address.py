"""The address of a Kafka cluster, as people write it."""

import re
from typing import Final

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
    if not HOST.fullmatch(host) or not port.isascii() or not port.isdigit():
        raise ValueError(f"{text!r} of {url!r} isn't host:port")
    if not 0 < int(port) < 65_536:
        raise ValueError(f"{port} of {url!r} is no port")
    return f"{host}:{port}"
