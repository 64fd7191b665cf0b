"""Reads a server's URL: which machine, which port, with TLS or without."""

from collections.abc import Mapping
import ipaddress
from typing import NamedTuple
from urllib.parse import urlsplit

from configs.errors import JobError
from configs.fields import holds_credentials
from model_zoo.remote.target import Target

_GRPC_PORTS = {"grpc": None, "grpcs": None}
_HTTP_PORTS = {"http": 80, "https": 443}


class Address(NamedTuple):
    """Where a server listens.

    Attributes:
        path: what every path of the server begins with; nothing, or `/something`.
        is_loopback: whether it is this machine, so that nobody listens in and no proxy is asked.
    """

    scheme: str
    host: str
    port: int
    path: str
    has_tls: bool
    is_loopback: bool


def read_grpc_url(target: Target) -> Address:
    """Return the address of a target that is reached by gRPC.

    Raises:
        JobError: its URL is none of gRPC, or what goes with it does not.
    """
    address = _read_url(target, _GRPC_PORTS)
    if address.path:
        raise JobError(f"model.url: gRPC has no paths, got {target.url}")
    return address


def read_http_url(target: Target) -> Address:
    """Return the address of a target that is reached by HTTP.

    Raises:
        JobError: its URL is none of HTTP, or what goes with it does not.
    """
    return _read_url(target, _HTTP_PORTS)


def _read_url(target: Target, default_ports: Mapping[str, int | None]) -> Address:
    url = target.url
    schemes = " or ".join(f"{scheme}://" for scheme in default_ports)
    # Not shown: a job is copied into manifests, logs and messages, and so would the secret be.
    if holds_credentials(url) or "@" in url:
        raise JobError("model.url must hold no user and no password; name a token's place instead")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise JobError(f"model.url is no URL: {url!r}") from error
    if parts.scheme not in default_ports or not parts.hostname:
        raise JobError(
            f"model.url must begin with {schemes} for {target.protocol}, and a host, got {url!r}"
        )
    port = port or default_ports[parts.scheme]
    if port is None:
        raise JobError(f"model.url must name a port, as {url}:8001")
    if parts.query or parts.fragment:
        raise JobError(f"model.url must end with its path, got {url!r}")
    address = Address(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port,
        path=parts.path.rstrip("/"),
        has_tls=parts.scheme.endswith("s"),
        is_loopback=_is_loopback(parts.hostname),
    )
    _check_secrets(target, address)
    return address


def _check_secrets(target: Target, address: Address) -> None:
    """Refuse what would go over the wire for everybody to read, or what would never be looked at."""
    if address.has_tls:
        return
    if target.token is not None and not address.is_loopback:
        raise JobError(
            f"a token is shown to a server over TLS alone, and {target.url} has none; "
            f"write {address.scheme}s://"
        )
    tls = target.tls
    if tls.ca or tls.certificate or tls.key:
        raise JobError(
            f"certificates are for a server with TLS, and {target.url} has none; "
            f"write {address.scheme}s://"
        )


def _is_loopback(host: str) -> bool:
    """Tell whether a host is this machine.

    >>> [_is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "10.0.0.1", "scorer")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
