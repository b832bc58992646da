"""Connections to brokers: plaintext where it's allowed, TLS with checks, certificates renewed."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop
from aiokafka import client

from agents.settings.cluster import AccessError, cluster_of
from agents.settings.settings import Settings, read_settings
from certificates import Authority, Pair
from streams.address import Plaintext, is_loopback
from streams.kafka.security import Refused, RenewedContext, SecurityError, create_or_refuse

HOST = "localhost"


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1", "[::1]"]
)
def test_this_machine_is_spoken_to_in_plaintext(host: str) -> None:
    assert is_loopback(host)
    assert Plaintext().refusal(host) is None


@pytest.mark.parametrize(
    "host",
    ["kafka", "10.0.0.1", "0.0.0.0", "localhost.example", "127.0.0.1.example", "::", "[::2]", ""],
)
def test_others_are_only_where_they_are_named(host: str) -> None:
    assert "in plaintext" in str(Plaintext().refusal(host))
    assert Plaintext(frozenset({host.upper()})).refusal(host) is None
    assert Plaintext(frozenset({"other"})).refusal(host) is not None


def test_a_cluster_in_plaintext_is_refused_unless_all_its_hosts_are_named() -> None:
    broker = "kafka://127.0.0.1:9092,kafka-1:9092,kafka-2:9092"
    named = {"LINESIDE_BROKER": broker, "LINESIDE_PLAINTEXT_BROKERS": "kafka-1, KAFKA-2"}
    assert cluster_of(read_settings(named)).servers[1] == "kafka-1:9092"
    with pytest.raises(AccessError, match="kafka-2 would be spoken to in plaintext") as error:
        cluster_of(Settings(broker=broker, plaintext_brokers=("kafka-1",)))
    assert error.value.exit_code == 2


async def test_a_host_that_the_cluster_names_is_refused_too() -> None:
    # A broker on this machine may say that another one leads a partition.
    assert client.create_conn is create_or_refuse, "whoever imports a cluster has it replaced"
    allowed = Plaintext(frozenset({"kafka"}))
    with pytest.raises(Refused, match=r"192\.0\.2\.1 would be spoken to in plaintext"):
        await client.create_conn(
            "192.0.2.1", 9092, security_protocol="PLAINTEXT", ssl_context=allowed
        )
    with pytest.raises(Refused, match="in plaintext"):
        await client.create_conn("kafka", 9092, security_protocol="PLAINTEXT", ssl_context=None)


# TLS.


@asynccontextmanager
async def tls_server(pair: Pair, ca: Path | None = None) -> AsyncIterator[int]:
    """Serve TLS with a certificate, asking for one of `ca`'s if given; yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(ca)

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = writer.get_extra_info("peercert") or {}
        names = dict(part[0] for part in found.get("subject", ()))
        writer.write(f"{names.get('commonName', 'nobody')}\n".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def greeted(port: int, context: ssl.SSLContext) -> str:
    """Return as whom the server sees us."""
    reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
    try:
        return (await reader.readline()).decode().strip()
    finally:
        writer.close()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_certificates_are_renewed_without_a_restart(tmp_path: Path, loop: object) -> None:
    async def renewed() -> None:
        first, second = Authority(tmp_path, "first"), Authority(tmp_path, "second")
        ca, own = tmp_path / "ca.crt", first.issue("own")
        ca.write_bytes(first.ca.read_bytes())
        context = RenewedContext.of(str(ca), str(own.certificate), str(own.key))
        async with tls_server(first.issue("server", HOST), first.ca) as port:
            assert await greeted(port, context) == "own"
        stranger = second.issue("stranger")
        own.certificate.write_bytes(stranger.certificate.read_bytes())  # half of it: not used yet
        async with tls_server(first.issue("server", HOST), first.ca) as port:
            assert await greeted(port, context) == "own"
        own.key.write_bytes(stranger.key.read_bytes())
        ca.write_bytes(second.ca.read_bytes())
        async with tls_server(second.issue("server", HOST), second.ca) as port:
            assert await greeted(port, context) == "stranger"
        async with tls_server(first.issue("server", HOST)) as port:
            with pytest.raises(ssl.SSLCertVerificationError):  # who isn't trusted any more
                await greeted(port, context)

    with asyncio.Runner(loop_factory=loop) as runner:  # type: ignore[arg-type]
        runner.run(renewed())


async def test_tls_is_1_2_or_later_and_checks_certificates_and_names(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    context = RenewedContext.of(str(authority.ca), "", "")
    async with tls_server(authority.issue("server", HOST)) as port:
        assert await greeted(port, context) == "nobody"
    inner = context._inner
    assert inner.minimum_version == ssl.TLSVersion.TLSv1_2
    assert inner.check_hostname
    assert inner.verify_mode == ssl.CERT_REQUIRED


def test_files_that_cant_be_used_are_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    pair, other = authority.issue("one"), authority.issue("two")
    text = tmp_path / "text"
    text.write_text("nothing of PEM")
    locked = tmp_path / "locked"
    locked.write_text(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    for files, words in (
        ((tmp_path / "no", "", ""), "broker_ca .* can't be read"),
        ((text, "", ""), "broker_ca .* has no certificate in PEM"),
        (("", tmp_path / "no", pair.key), "broker_certificate .* can't be read"),
        (("", pair.certificate, tmp_path / "no"), "broker_key .* can't be read"),
        (("", pair.certificate, other.key), "aren't a certificate and its key"),
        (("", text, pair.key), "aren't a certificate and its key"),
        (("", pair.certificate, locked), "aren't a certificate|is encrypted"),
    ):
        with pytest.raises(SecurityError, match=words):
            RenewedContext.of(*map(str, files))
