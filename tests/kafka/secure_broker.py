"""A real broker with TLS, SCRAM users, client certificates and ACLs."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiokafka.protocol.admin import CreateAclsRequest

from broker import KafkaBroker, run_apart
from certificates import Authority, Pair
from streams.contract.rights import Right, Role, rights_of
from streams.kafka.cluster import read_broker

HOST: Final = "localhost"
"""What the broker's certificate is for; `127.0.0.1` is another name of it."""

RESOURCES: Final = {"topic": 2, "group": 3, "transactionalId": 5}
PATTERNS: Final = {"literal": 3, "prefix": 4}
OPERATIONS: Final = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10}
ALLOW: Final = 3
"""Numbers of Kafka's protocol."""

PROPERTIES: Final = {
    "listener.security.protocol.map": (
        "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LOGIN:SASL_SSL,CERTIFICATE:SSL,EXPIRED:SSL"
    ),
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.login.scram-sha-512.sasl.jaas.config": (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    ),
    "ssl.keystore.type": "PEM",
    "ssl.truststore.type": "PEM",
    "listener.name.certificate.ssl.client.auth": "required",
    # A certificate's principal is its common name: the same as a login's.
    "ssl.principal.mapping.rules": "RULE:^CN=([^,]+)$/$1/",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    # Those of the plaintext listener: the broker itself, and the tests where they prepare.
    "super.users": "User:ANONYMOUS",
}


class SecureBroker(KafkaBroker):
    """A broker with a listener for logins, one for certificates, one whose own has expired.

    The plaintext one is the tests': whoever comes there may do everything.
    """

    def __init__(self, passwords: Mapping[str, str]) -> None:
        """Take users and their passwords."""
        super().__init__(PROPERTIES)
        self._passwords = passwords
        self._ports = (0,) * 5
        self.authority = Authority(self.folder, "authority")
        self._pairs: dict[str, Pair] = {}
        own = self.authority.issue("broker", HOST)
        expired = self.authority.issue("expired", HOST, expired=True)
        self.properties |= {
            "ssl.keystore.location": str(own.both),
            "ssl.truststore.location": str(self.authority.ca),
            "listener.name.expired.ssl.keystore.location": str(expired.both),
        }

    @property
    def login_url(self) -> str:
        """Where users log in."""
        return f"kafka://{HOST}:{self._ports[2]}"

    @property
    def certificate_url(self) -> str:
        """Where clients have certificates."""
        return f"kafka://{HOST}:{self._ports[3]}"

    @property
    def expired_url(self) -> str:
        """Where the broker's certificate has expired."""
        return f"kafka://{HOST}:{self._ports[4]}"

    def login(self, user: str, password: str | None = None) -> dict[str, Any]:
        """Return the settings of one who logs in, with the right password unless another's given."""
        password = password or self._passwords[user]
        file = self.folder / f"{password}.password"
        file.write_text(f"{password}\n")
        return {
            "broker": self.login_url,
            "broker_security": "sasl_ssl",
            "broker_ca": self.authority.ca,
            "broker_user": user,
            "broker_password": f"file:{file}",
        }

    def certified(self, user: str) -> dict[str, Any]:
        """Return the settings of one who has a certificate."""
        if user not in self._pairs:
            self._pairs[user] = self.authority.issue(user)
        pair = self._pairs[user]
        return {
            "broker": self.certificate_url,
            "broker_security": "ssl",
            "broker_ca": self.authority.ca,
            "broker_certificate": pair.certificate,
            "broker_key": pair.key,
        }

    def allow(self, user: str, role: Role, group: str) -> None:
        """Give a user the rights of a role around the job of a group."""
        self.grant(user, rights_of(role, group))

    def grant(self, user: str, rights: Iterable[Right]) -> None:
        """Give a user rights."""
        run_apart(_grant(self.url, user, list(rights)))

    def _listeners(self) -> dict[str, str]:
        named = zip(("LOGIN", "CERTIFICATE", "EXPIRED"), self._ports[2:], strict=True)
        found = super()._listeners()
        for name, port in named:
            found["listeners"] += f",{name}://127.0.0.1:{port}"
            found["advertised.listeners"] += f",{name}://{HOST}:{port}"
        return found

    def _format_options(self) -> list[str]:
        return [
            f"--add-scram=SCRAM-SHA-512=[name={user},password={password}]"
            for user, password in self._passwords.items()
        ]


async def _grant(url: str, user: str, rights: list[Right]) -> None:
    async with read_broker(url).admin() as admin:
        await asyncio.gather(
            *(
                _allow(admin, f"User:{user}", right, operation)
                for right in rights
                for operation in right.operations
            )
        )


async def _allow(admin: Any, principal: str, right: Right, operation: str) -> None:
    on = right.resource
    request = CreateAclsRequest(
        RESOURCES[on.type], on.name, PATTERNS[on.pattern_type], principal, "*",
        OPERATIONS[operation], ALLOW,
    )  # fmt: skip
    for code, message in (await admin._send_to_controller(request)).creation_responses:
        assert code == 0, message
