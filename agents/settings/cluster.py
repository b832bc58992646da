"""What the settings say of security: how a cluster is reached, and who may look at the page."""

from typing import TYPE_CHECKING, Final

from streams.address import Plaintext, host_of, read_servers
from streams.secret import SecretError, read_reference
from streams.trouble import Trouble

if TYPE_CHECKING:
    from agents.settings.settings import Settings
    from streams.kafka.cluster import Cluster

REFERENCES: Final = ("broker_password", "read_tokens", "metrics_tokens")
"""Settings that say where a secret is."""


class AccessError(Trouble):
    """A cluster or a page that isn't as safe as it has to be."""

    exit_code = 2


def cluster_of(settings: "Settings") -> "Cluster":
    """Return the cluster that the settings name, and how it is spoken to.

    Raises `AccessError` where that would be in plaintext, and not on this machine.
    """
    from streams.kafka.cluster import read_broker  # aiokafka: not every command needs it
    from streams.kafka.security import Security

    plaintext = Plaintext(frozenset(settings.plaintext_brokers))
    if settings.broker_security == "plaintext":
        for server in read_servers(settings.broker):
            if refusal := plaintext.refusal(host_of(server)):
                raise AccessError(f"broker is {settings.broker!r}: {refusal}")
    security = Security(
        protocol=settings.broker_security,
        ca=settings.broker_ca,
        certificate=settings.broker_certificate,
        key=settings.broker_key,
        user=settings.broker_user,
        password=read_reference(settings.broker_password) if settings.broker_password else None,
        plaintext=plaintext,
    )
    security.options()  # before anything starts: can the files be used?
    if security.password is not None:
        try:
            security.password.reveal()
        except SecretError as error:
            raise AccessError(f"broker_password: {error}") from None
    return read_broker(settings.broker, security)


def problem_of_security(settings: "Settings") -> str | None:
    """Return what of the settings can't be, or isn't safe."""
    for name in REFERENCES:
        given: str = getattr(settings, name)
        try:
            if given:
                read_reference(given)
        except ValueError as error:
            return f"{name} isn't a reference: {error}"
    return _login_problem(settings)


def _login_problem(settings: "Settings") -> str | None:
    security = settings.broker_security
    login = bool(settings.broker_user), bool(settings.broker_password)
    if security == "sasl_ssl" and not all(login):
        return "broker_security is sasl_ssl: that needs broker_user and broker_password"
    if security != "sasl_ssl" and any(login):
        return f"broker_security is {security}: for broker_user and a password it must be sasl_ssl"
    if bool(settings.broker_certificate) != bool(settings.broker_key):
        return "broker_certificate and broker_key go together, and one of them is missing"
    if security == "plaintext" and (settings.broker_ca or settings.broker_certificate):
        return "broker_security is plaintext: for certificates it must be ssl or sasl_ssl"
    return None
