"""Which model of which server scores, and how it is reached.

A job says it, and it travels to workers. It holds no secret: only where each worker finds one.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Tls:
    """Files of PEM that prove who is who; each is read where it is used.

    Attributes:
        ca: certificates that the server's is signed by; None for those that the machine trusts.
        certificate: of the client, for servers that ask for one.
        key: of that certificate.
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class TokenSource:
    """Where a worker finds the token that it shows the server: in one of the two.

    Attributes:
        variable: name of an environment variable.
        file: path of a file, which may be replaced while a run goes on.
    """

    variable: str | None = None
    file: str | None = None


@dataclass(frozen=True)
class Target:
    """A model in a server.

    Attributes:
        protocol: a word of `PROTOCOLS` in `table.py`.
        url: `grpc://host:port`, `grpcs://` with TLS, `http://` or `https://`; without a user.
        name: the model's name on the server.
        version: of the model; None for the only one that the server has.
        tls: for `grpcs` and `https`.
        token: None for a server that asks for none.
        deadline_seconds: how long one request may take.
        patience_seconds: how long a server may give nothing but failures before the run ends.
        max_in_flight: requests that one worker may have open at a time.
    """

    protocol: str
    url: str
    name: str
    version: str | None = None
    tls: Tls = field(default_factory=Tls)
    token: TokenSource | None = None
    deadline_seconds: float = 30.0
    patience_seconds: float = 60.0
    max_in_flight: int = 8


def describe_target(target: Target, server: str) -> str:
    """Return model, version and server as a manifest shows them.

    Args:
        target: the model.
        server: the server's software, as far as it tells.

    >>> describe_target(Target("oip-grpc", "grpc://churn:8001", "churn", "3"), "mlserver 1.7.1")
    'churn version 3 at grpc://churn:8001, oip-grpc, mlserver 1.7.1'
    """
    words = target.name
    if target.version is not None:
        words += f" version {target.version}"
    words += f" at {target.url}, {target.protocol}"
    return f"{words}, {server}" if server else words
