"""EDGE: how connections to a Kafka cluster are secured, and the message when one is refused."""

import ssl
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from aiokafka import client
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from msgspec import Struct

from streams.address import Plaintext
from streams.secret import Secret
from streams.trouble import Trouble

MECHANISM: Final = "SCRAM-SHA-512"

TLS_MIN: Final = ssl.TLSVersion.TLSv1_2

Protocol = Literal["plaintext", "ssl", "sasl_ssl"]
"""Kafka's names of a listener's security protocol."""

EXPIRED: Final = 10
NOT_YET: Final = 9
OTHER_NAMES: Final = (62, 64)
"""OpenSSL's `X509_V_ERR_*`: expired, not valid yet, and a host name or address that it lacks."""


class SecurityError(Trouble):
    """Files that TLS can't use."""

    exit_code = 2


class Refused(KafkaConnectionError):  # type: ignore[misc]  # aiokafka's is Any to mypy
    """A connection that one side refuses; its text says why."""


class Security(Struct, frozen=True, kw_only=True):
    """How connections to brokers are secured."""

    protocol: Protocol = "plaintext"
    ca: str = ""
    """A PEM file of the authorities that sign the brokers' certificates; "": the system's."""
    certificate: str = ""
    key: str = ""
    """PEM files of the client's own certificate, for brokers that ask for one."""
    user: str = ""
    password: Secret | None = None
    plaintext: Plaintext = Plaintext()
    """The hosts for which plaintext is allowed."""

    def options(self) -> dict[str, Any]:
        """Return the options for aiokafka's clients. Raises `SecurityError`."""
        if self.protocol == "plaintext":
            # aiokafka hands this on to each connection, and uses it with TLS only.
            return {"ssl_context": self.plaintext}
        options = {
            "security_protocol": self.protocol.upper(),
            "ssl_context": _context(self.ca, self.certificate, self.key),
        }
        if self.protocol == "sasl_ssl":
            options |= {
                "sasl_mechanism": MECHANISM,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return options


class RenewedContext(ssl.SSLContext):
    """A TLS context whose files are read again when they have changed: certificates expire.

    Open connections keep the certificates that they began with. If the new files can't be used, the
    last good ones stay in use.
    """

    _files: tuple[str, str, str]
    _stamp: tuple[tuple[int, int, int], ...]
    _inner: ssl.SSLContext

    @classmethod
    def of(cls, ca: str, certificate: str, key: str) -> "RenewedContext":
        """Return a context from these files; "" means no file. Raises `SecurityError`."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context._files = (ca, certificate, key)
        context._stamp = _stamp(context._files)
        context._inner = _plain_context(ca, certificate, key)
        return context

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """Begin a connection; asyncio and uvloop call this for each one."""
        stamp = _stamp(self._files)
        if stamp != self._stamp:
            try:
                self._inner = _plain_context(*self._files)
            except SecurityError:
                pass
            else:
                self._stamp = stamp
        return self._inner.wrap_bio(*args, **options)


@lru_cache(16)
def _context(ca: str, certificate: str, key: str) -> RenewedContext:
    return RenewedContext.of(ca, certificate, key)


def _stamp(files: tuple[str, ...]) -> tuple[tuple[int, int, int], ...]:
    """Return a value that changes when a file, or the target of a link, is written or replaced."""
    found = []
    for name in files:
        try:
            stat = Path(name).stat()
        except OSError:
            found.append((0, 0, 0))
        else:
            found.append((stat.st_mtime_ns, stat.st_ino, stat.st_size))
    return tuple(found)


def _plain_context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it checks certificates and host names
    context.minimum_version = TLS_MIN
    if ca:
        _readable("broker_ca", ca)
        try:
            context.load_verify_locations(ca)
        except ssl.SSLError:
            raise SecurityError(f"broker_ca {ca} has no certificate in PEM") from None
    else:
        context.load_default_certs()
    if certificate:
        _readable("broker_certificate", certificate)
        _readable("broker_key", key)
        try:
            context.load_cert_chain(certificate, key, password=_encrypted)
        except _EncryptedError:
            raise SecurityError(f"broker_key {key} is encrypted: give one that isn't") from None
        except ssl.SSLError:
            raise SecurityError(
                f"broker_certificate {certificate} and broker_key {key} aren't a certificate and "
                "its key in PEM"
            ) from None
    return context


class _EncryptedError(Exception):
    """OpenSSL asked for the password of a key; without this it would ask at the terminal."""


def _encrypted() -> str:
    raise _EncryptedError


def _readable(name: str, path: str) -> None:
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise SecurityError(f"{name} {path} can't be read: {error.strerror}") from None


class Attempt:
    """Why a client couldn't start, if it wasn't only that no broker answered."""

    refusal: str | None = None


attempt: ContextVar[Attempt | None] = ContextVar("attempt", default=None)
"""The attempt of the task that starts a client."""

_create_conn = client.create_conn


async def create_or_refuse(host: str, port: int, **options: Any) -> AIOKafkaConnection:
    """Connect; raise `Refused` with the reason if one side refuses.

    aiokafka would log the error, and report only that it couldn't connect. It also connects to any
    host that the cluster names: so plaintext is refused here, too.
    """
    try:
        if options["security_protocol"] == "PLAINTEXT":
            _check_plaintext(host, options["ssl_context"])
        connection = await _create_conn(host, port, **options)
    except (OSError, KafkaError, Trouble, ValueError) as error:
        refusal = str(error) if isinstance(error, Refused) else _refusal(error, host, port, options)
        if refusal is None:
            raise
        _note(refusal)
        raise Refused(refusal) from error
    _note(_hung_up(host, port, options))  # the reason if no answer comes
    return connection


def _note(refusal: str) -> None:
    trying = attempt.get()
    if trying is not None:
        trying.refusal = refusal


_close = AIOKafkaConnection.close


def close_at_once(self: AIOKafkaConnection, *args: Any, **options: Any) -> Any:
    """Close a connection without waiting for TLS's end message: Kafka's brokers send none.

    uvloop would wait 30 s for it, and hold up the stop of a client. Requests were either
    acknowledged before, or are given up with the connection.
    """
    writer = self._writer
    closed = _close(self, *args, **options)
    if writer is not None and self._security_protocol.endswith("SSL"):
        writer.transport.abort()
    return closed


def _check_plaintext(host: str, allowed: Any) -> None:
    if not isinstance(allowed, Plaintext):
        allowed = Plaintext()
    if refusal := allowed.refusal(host):
        raise Refused(refusal)


def _refusal(error: Exception, host: str, port: int, options: dict[str, Any]) -> str | None:
    """Return what an error means for credentials and certificates; None if it isn't about them."""
    broker = f"the broker at {host}:{port}"
    user, protocol = options.get("sasl_plain_username"), options["security_protocol"]
    match _cause(error):
        case ssl.SSLCertVerificationError() as refused:
            return _certificate_refusal(refused, broker)
        case ssl.SSLError() as refused if "ALERT" in (refused.reason or ""):
            return (
                f"{broker} refuses this client's TLS ({_words(refused)}): does it ask for a "
                "certificate, and are broker_certificate and broker_key those that it knows?"
            )
        case ssl.SSLError() as refused:
            return f"{broker} doesn't speak TLS there ({_words(refused)}): is it the right port?"
        case SaslAuthenticationFailed():
            return f"{broker} refuses user {user!r}: broker_user or broker_password is wrong"
        case UnsupportedSaslMechanismError() | IllegalSaslStateError():
            return f"{broker} doesn't take a login by {MECHANISM}: is it the right port?"
        case Trouble() as trouble:
            return f"broker_password: {trouble}"
        case ValueError() if protocol == "SASL_SSL":
            return f"{broker} couldn't prove that it knows the password of user {user!r}"
        case KafkaConnectionError() | ConnectionResetError():
            return _hung_up(host, port, options)
    return None


def _hung_up(host: str, port: int, options: dict[str, Any]) -> str:
    return (
        f"the broker at {host}:{port} hung up before it had answered: is it on its way down, or "
        f"doesn't it speak {options['security_protocol']} there (broker_security)?"
    )


def _certificate_refusal(refused: ssl.SSLCertVerificationError, broker: str) -> str:
    if refused.verify_code == EXPIRED:
        return f"the certificate of {broker} has expired: it has to be renewed there"
    if refused.verify_code == NOT_YET:
        return f"the certificate of {broker} isn't valid yet: is the clock of this machine right?"
    if refused.verify_code in OTHER_NAMES:
        return f"the certificate of {broker} is for another name: is the address right?"
    return (
        f"the certificate of {broker} isn't signed by an authority that is trusted here "
        f"({refused.verify_message}): set broker_ca to the cluster's"
    )


def _cause(error: BaseException) -> BaseException:
    """Return the TLS error that caused an aiokafka error, or the error itself."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, ssl.SSLError):
        found = found.__cause__
    return found or error


def _words(error: ssl.SSLError) -> str:
    return (error.reason or "no reason given").lower().replace("_", " ")
