"""Certificates of a day: of an authority, and what it signs for servers on loopback and for clients."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import ipaddress
from pathlib import Path
import ssl
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
import grpc

_MAY_SIGN = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Signed:
    """Paths of a certificate and its key, in PEM."""

    certificate: str
    key: str


@dataclass(frozen=True)
class Authority:
    """Who signs certificates.

    Attributes:
        path: of its own certificate, in PEM.
    """

    folder: Path
    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    path: str

    def sign(self, name: str, host: str = "127.0.0.1", password: bytes | None = None) -> Signed:
        """Return the certificate of a server at a host, or of a client; its key may need a password."""
        key = ec.generate_private_key(ec.SECP256R1())
        address = x509.IPAddress(ipaddress.ip_address(host))
        alternative = x509.SubjectAlternativeName([address])
        # Since Python 3.13 nobody is trusted who does not say by which key it is signed.
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = _build(_name(name), self.name, key).add_extension(alternative, False)
        signed = certificate.add_extension(signer, False).sign(self.key, hashes.SHA256())
        return Signed(
            _write(self.folder / f"{name}.pem", signed.public_bytes(serialization.Encoding.PEM)),
            _write(self.folder / f"{name}.key", _encode(key, password)),
        )


def make_authority(folder: Path, name: str = "authority") -> Authority:
    """Return an authority that nobody trusts yet."""
    key = ec.generate_private_key(ec.SECP256R1())
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    certificate = _build(_name(name), _name(name), key).add_extension(constraints, True)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = certificate.add_extension(own, False).add_extension(_MAY_SIGN, True)
    signed = certificate.sign(key, hashes.SHA256())
    path = _write(folder / f"{name}.pem", signed.public_bytes(serialization.Encoding.PEM))
    return Authority(folder, _name(name), key, path)


def serve_with(server: Signed, clients: Authority | None = None) -> ssl.SSLContext:
    """Return how an HTTP server shows who it is; it asks for certificates of clients where somebody signs them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate, server.key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients.path)
    return context


def serve_grpc_with(server: Signed, clients: Authority | None = None) -> Any:
    """Return how a gRPC server shows who it is, as `serve_with`."""
    pair = (Path(server.key).read_bytes(), Path(server.certificate).read_bytes())
    if clients is None:
        return grpc.ssl_server_credentials([pair])
    return grpc.ssl_server_credentials([pair], Path(clients.path).read_bytes(), True)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _build(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(
        now + timedelta(days=1)
    )


def _encode(key: ec.EllipticCurvePrivateKey, password: bytes | None) -> bytes:
    kind: Any = serialization.NoEncryption()
    if password is not None:
        kind = serialization.BestAvailableEncryption(password)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        kind,
    )


def _write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)
