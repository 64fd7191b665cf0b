"""A stand-in for TensorFlow Serving, over gRPC and HTTP: no binary of it can be had here.

It answers from our own tables of its messages, which are compared with those that are published. What only the real one shows, as its
words for a failure, is not shown.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
import json
from typing import Any

import grpc
import numpy as np

from model_zoo.remote.tensorflow_messages import BY_DTYPE, DATA_TYPES, MESSAGES
from model_zoo.remote.tensorflow_tensors import read_tensor, write_tensor
from tests.remote.http_server import HttpServer, Request, Response

# Dtype and shape (with the rows) of each tensor, by name.
Signature = dict[str, tuple[str, tuple[int, ...]]]
Compute = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


@dataclass
class TensorflowServer:
    """A model, and what the server says of it.

    Attributes:
        versions: that are available.
        predict: answers over gRPC in place of the model, where a test says so.
    """

    compute: Compute
    inputs: Signature
    outputs: Signature
    name: str = "sums"
    versions: list[int] = field(default_factory=lambda: [3])
    signature: str = "serving_default"
    predict: Callable[[Any, Any], Any] | None = None
    port: int = 0
    requests: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def answer_status(self, request: Any, context: Any) -> Any:
        states = [MESSAGES["ModelVersionStatus"](version=one, state=30) for one in self.versions]
        unloaded = MESSAGES["ModelVersionStatus"](version=1, state=50)
        return MESSAGES["GetModelStatusResponse"](model_version_status=[unloaded, *states])

    def answer_metadata(self, request: Any, context: Any) -> Any:
        signature = MESSAGES["SignatureDef"]()
        for entries, tensors in (
            (signature.inputs, self.inputs),
            (signature.outputs, self.outputs),
        ):
            for name, (dtype, shape) in tensors.items():
                entry = entries.add(key=name)
                entry.value.dtype = BY_DTYPE[dtype].number
                for size in shape:
                    entry.value.tensor_shape.dim.add(size=size)
        signatures = MESSAGES["SignatureDefMap"]()
        signatures.signature_def.add(key=self.signature, value=signature)
        answer = MESSAGES["GetModelMetadataResponse"]()
        packed = MESSAGES["Any"](value=signatures.SerializeToString())
        answer.metadata.add(key="signature_def", value=packed)
        return answer

    def answer_predict(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        if self.predict is not None:
            return self.predict(request, context)
        inputs = {entry.key: read_tensor(entry.value, entry.key) for entry in request.inputs}
        answer = MESSAGES["PredictResponse"](model_spec=request.model_spec)
        for name, array in self.compute(inputs).items():
            dtype, _ = self.outputs[name]
            answer.outputs.add(key=name, value=write_tensor(array, dtype))
        return answer


@contextmanager
def serve_grpc(server: TensorflowServer) -> Iterator[TensorflowServer]:
    """Serve over gRPC on loopback until the block ends."""
    with ThreadPoolExecutor(8) as threads:
        served = grpc.server(threads)
        for service, methods in {
            "tensorflow.serving.ModelService": {"GetModelStatus": server.answer_status},
            "tensorflow.serving.PredictionService": {
                "GetModelMetadata": server.answer_metadata,
                "Predict": server.answer_predict,
            },
        }.items():
            handlers = {name: _handle(name, answer) for name, answer in methods.items()}
            handler = grpc.method_handlers_generic_handler(service, handlers)
            served.add_generic_rpc_handlers([handler])
        server.port = served.add_insecure_port("127.0.0.1:0")
        served.start()
        try:
            yield server
        finally:
            served.stop(None).wait()


def _handle(method: str, answer: Callable[[Any, Any], Any]) -> Any:
    message = "Predict" if method == "Predict" else method
    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=MESSAGES[f"{message}Request"].FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )


def answer_http(server: TensorflowServer) -> HttpServer:
    """Return the same model for HTTP, as TensorFlow Serving writes it."""
    model = f"/v1/models/{server.name}"
    (version,) = server.versions
    path = f"{model}/versions/{version}"
    states = [
        {"version": "1", "state": "END"},
        {"version": str(version), "state": "AVAILABLE", "status": {"error_code": "OK"}},
    ]
    status = {"model_version_status": states}
    signature = {"inputs": _tell(server.inputs), "outputs": _tell(server.outputs)}
    signatures = {"signature_def": {server.signature: signature}}
    metadata = {"metadata": {"signature_def": signatures}}

    def predict(request: Request) -> Response:
        inputs = {
            name: np.array(values, server.inputs[name][0])
            for name, values in request.json["inputs"].items()
        }
        outputs = {name: array.tolist() for name, array in server.compute(inputs).items()}
        # A model with one output gives it without its name.
        told = outputs if len(outputs) > 1 else next(iter(outputs.values()))
        return Response(json.dumps({"outputs": told}).encode())

    def tell(value: Any) -> Callable[[Request], Response]:
        return lambda request: Response(json.dumps(value).encode())

    return HttpServer(
        {
            model: tell(status),
            path: tell(status),
            f"{path}/metadata": tell(metadata),
            f"{path}:predict": predict,
        }
    )


def _tell(tensors: Signature) -> dict[str, Any]:
    names = {data_type.dtype: name for name, data_type in DATA_TYPES.items()}
    told = {}
    for name, (dtype, shape) in tensors.items():
        dims = [{"size": str(size), "name": ""} for size in shape]
        told[name] = {
            "dtype": names[dtype],
            "tensor_shape": {"dim": dims, "unknown_rank": False},
            "name": f"{name}:0",
        }
    return told
