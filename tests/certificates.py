"""Certificates for tests: an authority, and what it signs, as PEM files in a folder."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import Struct

LIFE = timedelta(days=1)


class Pair(Struct, frozen=True):
    """The files of a certificate and of its key."""

    certificate: Path
    key: Path

    @property
    def both(self) -> Path:
        """Return one file with both, as Kafka's brokers take them."""
        found = self.key.with_suffix(".both.pem")
        found.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        return found


class Authority:
    """Signs certificates; `ca` is the file of those who trust it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.ca = folder / f"{name}.pem"
        now = datetime.now(UTC)
        builder = _builder(self._name, now - LIFE, now + LIFE).issuer_name(self._name)
        builder = builder.public_key(self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.ca.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))

    def issue(self, name: str, host: str | None = None, *, expired: bool = False) -> Pair:
        """Return a certificate of `name`, for a host if it's a server's, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        end = datetime.now(UTC) + (-LIFE / 24 if expired else LIFE)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, end - 2 * LIFE, end).issuer_name(self._name)
        builder = builder.public_key(key.public_key())
        if host is not None:
            names = x509.SubjectAlternativeName([x509.DNSName(host)])
            builder = builder.add_extension(names, critical=False)
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        pair.certificate.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return pair


def _builder(subject: x509.Name, begin: datetime, end: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
