"""A server of models in this process: a client of it is a real one, and what it says and does a test decides.

server = start_server(monkeypatch)               the tiny network, at grpc://churn:8001
package = remote_package(folder / "model")       a package that names it
server.answers = Description(...)                another version, other sizes
server.fail = lambda inputs: GoneError("gone")   whatever a server may do wrong
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
import threading
from typing import Any

import pytest
import torch

from model_zoo.arrays import Arrays
from model_zoo.package.package import SMOKE, write_package
from model_zoo.remote import table
from model_zoo.remote.client import Client, Description, TensorSpec
from model_zoo.remote.failures import GoneError, RemoteError
from model_zoo.remote.target import Target
from model_zoo.steps.stack import Stack
from tests.support.builders import FEATURES, smoke_file, tiny_card, tiny_network

URL = "grpc://churn:8001"
REMOTE = {"protocol": "oip-grpc", "url": URL, "name": "churn", "version": "3"}
OF_TINY = Description(
    server="memory 1.0",
    model_version="3",
    inputs={"x": TensorSpec("float32", (3,))},
    outputs={"logit": TensorSpec("float32", ())},
)
# By its address; a client finds it there, whatever process or thread made it.
_SERVERS: dict[str, "MemoryServer"] = {}


def compute_tiny(inputs: Arrays) -> Arrays:
    """Return what the tiny network gives."""
    x = torch.from_numpy(inputs["x"].copy())
    with torch.inference_mode():
        return {"logit": _tiny(x=x)["logit"].numpy()}


@dataclass
class MemoryServer:
    """A model, and how its server behaves.

    Attributes:
        compute: the model.
        answers: what it says of itself.
        fail: why it does not answer these inputs; None where it does.
        asked: the rows of each request, in order.
        targets: of those who asked what it is, in order.
        busy, most_busy: requests that are open now, and that ever were.
    """

    compute: Callable[[Arrays], Arrays] = compute_tiny
    answers: Description = OF_TINY
    fail: Callable[[Arrays], RemoteError | None] = lambda inputs: None
    asked: list[int] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    busy: int = 0
    most_busy: int = 0

    def __post_init__(self) -> None:
        self.lock = threading.Lock()

    def says(self, **changes: Any) -> None:
        """Let it say something else of itself."""
        self.answers = replace(self.answers, **changes)


@dataclass
class MemoryClient:
    """A client of it, as `model_zoo.remote.client.Client` asks."""

    target: Target

    @property
    def server(self) -> MemoryServer:
        """The server at the address, if there is one now."""
        server = _SERVERS.get(self.target.url)
        if server is None:
            raise GoneError(f"{self.target.url}: nobody listens there")
        return server

    def describe(self) -> Description:
        """Return what the server says."""
        self.server.targets.append(self.target)
        return self.server.answers

    def infer(self, inputs: Arrays, request_id: str) -> Arrays:
        """Return the model's outputs."""
        server = self.server
        with server.lock:
            server.asked.append(len(next(iter(inputs.values()))))
            server.busy += 1
            server.most_busy = max(server.most_busy, server.busy)
        try:
            failure = server.fail(inputs)
            if failure is not None:
                raise failure
            return server.compute(inputs)
        finally:
            with server.lock:
                server.busy -= 1

    def close(self) -> None:
        """Let nothing go."""


def connect_memory(target: Target) -> Client:
    """Return a client, as a protocol's own file does."""
    return MemoryClient(target)


def start_server(patch: pytest.MonkeyPatch, url: str = URL, **changes: Any) -> MemoryServer:
    """Start a server at an address, until `patch` is undone."""
    server = MemoryServer(**changes)
    patch.setitem(_SERVERS, url, server)
    for protocol in table.PROTOCOLS:
        patch.setitem(table.PROTOCOLS, protocol, "tests.support.memory_server:connect_memory")
    return server


def remote_package(url: Path | str, **changes: Any) -> str:
    """Write a package of the tiny network whose model is in a server, and return its URL; `changes` are of the card."""
    card = tiny_card(**{"remote": REMOTE, "smoke_tolerance": 1e-4, **changes})
    for name in ("builder", "parameters"):
        del card[name]
    steps = (Stack(step="stack", columns=FEATURES, into="x"),)
    write_package(str(url), card, steps, {SMOKE: smoke_file(_tiny)})
    return str(url)


_tiny = tiny_network()
