"""Reads the certificates that prove who a server is, and who asks it."""

import os
from pathlib import Path
import ssl
from typing import NamedTuple

from configs.errors import JobError
from model_zoo.remote.target import Tls

# Where Debian and its like keep in one file what the folder holds one by one.
_BUNDLE = "ca-certificates.crt"


class Pem(NamedTuple):
    """What gRPC wants of the files; None for what it finds by itself, or for nothing."""

    ca: bytes | None
    certificate: bytes | None
    key: bytes | None


def make_context(tls: Tls) -> ssl.SSLContext:
    """Return how a connection is made to a server with TLS.

    Raises:
        JobError: a file is not there, or holds no certificate or key.
    """
    # ssl does not say which of the files it means.
    named = [place for place in (tls.ca, tls.certificate, tls.key) if place]
    places = ", ".join(named)
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key, _refuse_to_ask)
    except ssl.SSLError as error:
        raise JobError(f"{places}: no certificate and key in PEM: {error.reason}") from error
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise JobError(f"{places}: {why}") from error
    return context


def read_pem(tls: Tls) -> Pem:
    """Return the files' contents, once Python has found that they hold what they must.

    Raises:
        JobError: as `make_context`.
    """
    # gRPC itself would take anything, and say at each connection that it failed.
    make_context(tls)
    ca = tls.ca or _find_trusted()
    return Pem(_read(ca), _read(tls.certificate), _read(tls.key))


def _read(place: str | None) -> bytes | None:
    if place is None:
        return None
    return Path(place).read_bytes()


def _find_trusted() -> str | None:
    """Return the file of whom the machine trusts; gRPC would trust a list of its own."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile is not None:
        return paths.cafile
    bundle = Path(paths.capath or "/", _BUNDLE)
    return str(bundle) if bundle.is_file() else None


def _refuse_to_ask() -> str:
    """Return no password: the library would ask whoever sits before the screen, and wait."""
    return ""
