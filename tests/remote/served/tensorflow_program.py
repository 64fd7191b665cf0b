"""A stand-in for TensorFlow Serving: `python tensorflow_program.py WEIGHTS COLUMNS HTTP_PORT GRPC_PORT`.

The server itself has no package that could be installed here. This answers `Predict`, `GetModelMetadata` and `GetModelStatus` in TensorFlow's own published
messages, as compiled by others, so that what we send and read is compared with more than our own tables. Values come in the typed fields,
as the server sends them by default. What it cannot show is how the server behaves under load, and what it computes.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
import sys

import grpc
import numpy as np
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_http import serve_http
from tensorflow_left_out import add_error_codes
from tensorflow_models import DTYPES, Refused, find_model, load_models
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

add_error_codes()
from tensorflow_serving.apis import get_model_status_pb2  # noqa: E402 - what it imports is there now

_SIGNATURE = "serving_default"


def to_array(tensor):
    """Read a TensorProto: bytes, or values of which the last stands for all that are not there."""
    dtype, field = DTYPES[types_pb2.DataType.Name(tensor.dtype)]
    shape = [one.size for one in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
    values = list(getattr(tensor, field))
    count = int(np.prod(shape))
    values += values[-1:] * (count - len(values))
    array = np.empty(count, dtype)
    array[:] = values
    return array.reshape(shape)


def to_tensor(array, dtype):
    """Write a TensorProto as the server does by default, in the field of its type."""
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DataType.Value(dtype))
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    getattr(tensor, DTYPES[dtype][1]).extend(array.ravel().tolist())
    return tensor


class Service:
    """The three calls that a client of batches needs."""

    def __init__(self, models):
        self._models = models

    def predict(self, request, context):
        with _told(context):
            model = self._find(request.model_spec)
            arrays = {name: to_array(tensor) for name, tensor in request.inputs.items()}
            outputs = model.predict(arrays)
            answer = predict_pb2.PredictResponse()
            _name(answer.model_spec, request.model_spec.name, model)
            for name, (dtype, _) in model.outputs.items():
                answer.outputs[name].CopyFrom(to_tensor(outputs[name], dtype))
            return answer

    def describe(self, request, context):
        with _told(context):
            if list(request.metadata_field) != ["signature_def"]:
                raise Refused("INVALID_ARGUMENT", "Metadata field is not supported")
            model = self._find(request.model_spec)
            signatures = get_model_metadata_pb2.SignatureDefMap()
            signature = signatures.signature_def[_SIGNATURE]
            signature.method_name = "tensorflow/serving/predict"
            for side in ("inputs", "outputs"):
                for name, (dtype, shape) in getattr(model, side).items():
                    described = getattr(signature, side)[name]
                    described.name = f"{_SIGNATURE}_{name}:0"
                    described.dtype = types_pb2.DataType.Value(dtype)
                    for size in shape:
                        described.tensor_shape.dim.add(size=size)
            answer = get_model_metadata_pb2.GetModelMetadataResponse()
            _name(answer.model_spec, request.model_spec.name, model)
            answer.metadata["signature_def"].Pack(signatures)
            return answer

    def tell_state(self, request, context):
        with _told(context):
            model = self._find(request.model_spec)
            answer = get_model_status_pb2.GetModelStatusResponse()
            available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
            answer.model_version_status.add(version=model.version, state=available)
            return answer

    def _find(self, spec):
        version = spec.version.value if spec.HasField("version") else None
        if spec.signature_name not in ("", _SIGNATURE):
            raise Refused(
                "INVALID_ARGUMENT", f"Serving signature key {spec.signature_name!r} not found."
            )
        return find_model(self._models, spec.name, version)


@contextmanager
def _told(context):
    """Turn our error into gRPC's."""
    try:
        yield
    except Refused as error:
        context.abort(grpc.StatusCode[error.status], str(error))


def _name(spec, name, model):
    spec.name = name
    spec.version.value = model.version
    spec.signature_name = _SIGNATURE


def serve_grpc(models, port):
    """Answer gRPC on the loopback address, for as long as the returned server is held."""
    service = Service(models)
    prediction = {
        "Predict": (service.predict, predict_pb2.PredictRequest),
        "GetModelMetadata": (service.describe, get_model_metadata_pb2.GetModelMetadataRequest),
    }
    model = {"GetModelStatus": (service.tell_state, get_model_status_pb2.GetModelStatusRequest)}
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers(
        [_handle("PredictionService", prediction), _handle("ModelService", model)]
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server


def _handle(service, methods):
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=request.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
        for name, (answer, request) in methods.items()
    }
    return grpc.method_handlers_generic_handler(f"tensorflow.serving.{service}", handlers)


if __name__ == "__main__":
    weights, columns, http_port, grpc_port = sys.argv[1:]
    loaded = load_models(weights, int(columns))
    held = serve_grpc(loaded, int(grpc_port))
    serve_http(loaded, int(http_port))
