"""Opens connections to an HTTP server: with TLS, with a client's certificate, through a proxy."""

from typing import Any, NamedTuple
from urllib import request

import urllib3

from configs.errors import JobError
from model_zoo.remote.certificates import make_context
from model_zoo.remote.target import Target
from model_zoo.remote.urls import Address


class Pool(NamedTuple):
    """Connections that are kept.

    Attributes:
        connections: of urllib3.
        prefix: what paths begin with: nothing, or the server's whole address for a proxy that
            passes requests on.
    """

    connections: Any
    prefix: str


def open_pool(address: Address, target: Target) -> Pool:
    """Return connections to a server; nothing is sent yet.

    Args:
        address: where the server is.
        target: whose certificates are used, and how many requests are open at a time.

    Raises:
        JobError: a file of a certificate cannot be read, or the proxy is of a kind that is not known.
    """
    options: dict[str, Any] = {"maxsize": target.max_in_flight}
    if address.has_tls:
        options["ssl_context"] = make_context(target.tls)
    host = address.host
    port = address.port
    proxy = find_proxy(address)
    if proxy is not None:
        manager = _open_proxy(proxy, options)
        through = manager.connection_from_host(host, port, address.scheme)
        # With TLS it is a tunnel, and the server itself is asked in it.
        prefix = "" if address.has_tls else f"http://{host}:{port}"
        return Pool(through, prefix + address.path)
    make = urllib3.HTTPSConnectionPool if address.has_tls else urllib3.HTTPConnectionPool
    connections = make(host, port, **options)
    return Pool(connections, address.path)


def find_proxy(address: Address) -> str | None:
    """Return the proxy that the environment names for a server, as curl reads it; None for none."""
    # A proxy that is named for everything else does not know of this machine's own servers.
    if address.is_loopback:
        return None
    proxies = request.getproxies_environment()
    place = f"{address.host}:{address.port}"
    # Python's own reading of NO_PROXY, which its types leave out.
    if request.proxy_bypass_environment(place, proxies):  # type: ignore[attr-defined]
        return None
    return proxies.get(address.scheme) or proxies.get("all")


def _open_proxy(proxy: str, options: dict[str, Any]) -> Any:
    # As in the environment, a proxy without a scheme is one of HTTP.
    url = proxy if "://" in proxy else f"http://{proxy}"
    if not url.startswith(("http://", "https://")):
        # Not shown: it may hold a password.
        raise JobError("the environment names a proxy that is none of HTTP; set NO_PROXY")
    parsed = urllib3.util.parse_url(url)
    headers = None
    if parsed.auth:
        headers = urllib3.util.make_headers(proxy_basic_auth=parsed.auth)
    return urllib3.ProxyManager(url, proxy_headers=headers, **options)
