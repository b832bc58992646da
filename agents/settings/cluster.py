"""The cluster that the settings name, and how it is spoken to."""

from typing import TYPE_CHECKING

from agents.settings.settings import Settings
from streams.address import Plaintext, host_of, read_servers
from streams.secret import SecretError, read_reference
from streams.trouble import Trouble

if TYPE_CHECKING:
    from streams.kafka.cluster import Cluster


class AccessError(Trouble):
    """A cluster or a page that isn't as safe as it has to be."""

    exit_code = 2


def cluster_of(settings: Settings) -> "Cluster":
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
