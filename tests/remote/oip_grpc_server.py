"""A server of the Open Inference Protocol over gRPC, on loopback, that does wrong what it is told to.

Its model adds up the numbers of each row and turns texts around. Its messages are our own tables; those are compared with the published
ones where a server's own package is installed.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from model_zoo.remote.oip_messages import MESSAGES, SERVICE

# Called with a request and grpc's context; returns a message, or bytes to send as they are.
Answer = Callable[[Any, Any], Any]


@dataclass
class OipGrpcServer:
    """What the server is told, and what it was asked.

    Attributes:
        port: where it listens on loopback.
        infer: how it answers a batch.
        next: how it answers the next batches, one after the other; `infer` answers those after them.
        server: its own metadata.
        model: the model's metadata.
        config: the model's configuration, as Triton tells it.
        requests: that it has read.
        metadata: headers of these requests.
        all_metadata: headers of all that it was asked.
        describe: how it answers everything else, where that is another way than by its metadata.
    """

    infer: Answer
    port: int = 0
    next: deque[Answer] = field(default_factory=deque)
    server: Any = field(
        default_factory=lambda: make("ServerMetadataResponse", name="faulty", version="1.0")
    )
    model: Any = field(default_factory=lambda: make("ModelMetadataResponse", name="sums"))
    config: Any = field(default_factory=lambda: make("ModelConfigResponse"))
    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    all_metadata: list[dict[str, str]] = field(default_factory=list)
    describe: Answer | None = None

    @property
    def url(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def answer(self, method: str, content: bytes, context: Any) -> bytes:
        """Answer any method."""
        request = MESSAGES[f"{method}Request"].FromString(content)
        self.all_metadata.append(dict(context.invocation_metadata()))
        if method != "ModelInfer" and self.describe is not None:
            return bytes(self.describe(request, context))
        if method != "ModelInfer":
            told = {
                "ServerMetadata": self.server,
                "ModelMetadata": self.model,
                "ModelConfig": self.config,
            }
            return told[method].SerializeToString()
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        answer = self.next.popleft() if self.next else self.infer
        response = answer(request, context)
        return response if isinstance(response, bytes) else response.SerializeToString()


def make(message: str, **fields: Any) -> Any:
    """Return one of the protocol's messages."""
    return MESSAGES[message](**fields)


def tensor(name: str, datatype: str, *shape: int) -> Any:
    """Return what a model's metadata says of an input or output."""
    return make("TensorMetadata", name=name, datatype=datatype, shape=shape)


def fail(code: grpc.StatusCode, details: str, **trailing: str) -> Answer:
    """Return an answer that is a failure."""

    def answer(request: Any, context: Any) -> Any:
        context.set_trailing_metadata(
            [(key.replace("_", "-"), value) for key, value in trailing.items()]
        )
        context.abort(code, details)

    return answer


@contextmanager
def serve(
    server: OipGrpcServer,
    credentials: Any = None,
    most_bytes: int = 4 * 2**20,
    port: int = 0,
    compression: Any = None,
) -> Iterator[OipGrpcServer]:
    """Serve on loopback until the block ends; on a free port where none is named."""
    options = [("grpc.max_receive_message_length", most_bytes), ("grpc.so_reuseport", 0)]
    with ThreadPoolExecutor(16) as threads:
        served = grpc.server(threads, options=options, compression=compression)
        methods = {}
        for method in ("ServerMetadata", "ModelMetadata", "ModelConfig", "ModelInfer"):
            methods[method] = grpc.unary_unary_rpc_method_handler(_bind(server, method))
        served.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
        place = f"127.0.0.1:{port}"
        server.port = (
            served.add_secure_port(place, credentials)
            if credentials
            else served.add_insecure_port(place)
        )
        served.start()
        try:
            yield server
        finally:
            served.stop(None).wait()


def _bind(server: OipGrpcServer, method: str) -> Callable[[bytes, Any], bytes]:
    return lambda content, context: server.answer(method, content, context)
