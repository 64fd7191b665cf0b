"""A model that a server computes: which one, how it is reached, and how much is asked of it at once."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from configs.fields import Count, Text, Url, Version

# As `model_zoo/remote` speaks them; a test compares the two lists.
ServerProtocol: TypeAlias = Literal[
    "oip-grpc", "oip-http", "tensorflow-grpc", "tensorflow-http", "torchserve-http"
]
# By the end of a protocol's name, how its addresses begin: plain, and with TLS.
_SCHEMES = {"grpc": ("grpc://", "grpcs://"), "http": ("http://", "https://")}
# The name of an environment variable, and nothing that could be the secret itself.
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
# What says which model of which server, where no package does.
_NEEDED = ("protocol", "url", "name", "columns")
_OF_PACKAGES = ("name", "version", "columns", "inputs", "outputs")


class Server(BaseModel):
    """How a server is reached. It holds no secret: only where on each worker's machine one lies.

    Attributes:
        ca: file of the certificates that the server's must be signed by; by default the system's.
        certificate, key: files of this client's own certificate, for a server that asks for one.
        token_variable: environment variable of workers that holds a token.
        token_file: file on workers that holds it, read again whenever it is needed.
        deadline_seconds: longest time that one request may take.
        patience_seconds: how long the server may be gone, or too busy, before the run ends; the same
            command then resumes.
        max_in_flight: requests that the whole run has open at once, at most; by default 16, or one for
            each worker where those are more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ca: Text | None = None
    certificate: Text | None = None
    key: Text | None = None
    token_variable: Annotated[str, Field(pattern=_VARIABLE)] | None = None
    token_file: Text | None = None
    deadline_seconds: float = Field(default=30.0, gt=0, le=86_400)
    patience_seconds: float = Field(default=60.0, ge=0, le=86_400)
    max_in_flight: Count | None = None

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together; name both files, or neither")
        if self.token_variable is not None and self.token_file is not None:
            raise ValueError("token_variable and token_file say the same; leave one out")
        return self


class Remote(BaseModel):
    """A model of a server, as a packaging job names it.

    Attributes:
        url: address of the server: `grpc://host:8001`, `https://host`.
        name: of the model there.
        version: of the model there; by default whichever answers now, which is then the package's.
        server: how it is reached.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: ServerProtocol
    url: Url
    name: Text
    version: Version | None = None
    server: Server = Server()

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        check_address(self.protocol, self.url)
        return self


def check_address(protocol: str, url: str) -> None:
    """Refuse an address that its protocol is not spoken at.

    Args:
        protocol: how the server is spoken to.
        url: its address.

    Raises:
        ValueError: it begins otherwise.

    >>> check_address("oip-grpc", "grpc://churn:8001")
    """
    _, _, kind = protocol.rpartition("-")
    schemes = _SCHEMES[kind]
    if not url.startswith(schemes):
        raise ValueError(f"url must begin with {' or '.join(schemes)} for {protocol}, got {url}")


def check_server_fields(engine: str, fields: Mapping[str, Any]) -> None:
    """Refuse what a job says of a server and its model that does not go together.

    Args:
        engine: the job's.
        fields: of its `model`.

    Raises:
        ValueError: what does not.
    """
    said = [name for name in ("protocol", "url", *_OF_PACKAGES) if fields[name]]
    if fields["protocol"] and fields["url"]:
        check_address(fields["protocol"], fields["url"])
    if fields["package"]:
        _refuse_beside_package(engine, said)
        return
    if engine != "remote":
        raise ValueError(
            "package is required: a folder that pipelines.package or pipelines.train wrote; "
            "a server's model needs none with engine: remote"
        )
    missing = [name for name in _NEEDED if name not in said]
    if missing:
        raise ValueError(
            f"engine: remote without a package needs {', '.join(missing)} too: which model of "
            "which server, and what it takes as columns: {age: double, ...}"
        )


def _refuse_beside_package(engine: str, said: list[str]) -> None:
    if said and engine not in ("auto", "remote"):
        raise ValueError(f"{said[0]} is for engine: remote, and the job says {engine}")
    of_package = [name for name in said if name in _OF_PACKAGES]
    # Its smoke batch proves that very model, and no other.
    if of_package:
        raise ValueError(
            f"{', '.join(of_package)}: the package says it; leave it out, or leave package out"
        )
