"""TensorFlow Serving over gRPC."""

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
import numpy as np

from model_zoo.arrays import Arrays, count_rows
from model_zoo.remote.answers import (
    Envelope,
    check_envelope,
    check_outputs,
    collect_outputs,
    list_dtypes,
)
from model_zoo.remote.client import Client, Description
from model_zoo.remote.described_model import Tensor
from model_zoo.remote.failures import WrongError, about
from model_zoo.remote.grpc_channel import GrpcChannel
from model_zoo.remote.target import Target
from model_zoo.remote.tensorflow_messages import AVAILABLE, MESSAGES, read_data_type
from model_zoo.remote.tensorflow_model import (
    SIGNATURE,
    choose_available,
    choose_signature,
    describe_signature,
    read_version,
)
from model_zoo.remote.tensorflow_tensors import read_tensor, write_tensor

_PREDICTION = "/tensorflow.serving.PredictionService"
_MODELS = "/tensorflow.serving.ModelService"
_SIGNATURES = "signature_def"


class TensorflowGrpcClient:
    """A model in TensorFlow Serving, over gRPC."""

    def __init__(self, target: Target) -> None:
        """Take note of where the server is, as `connect`."""
        self._target = target
        self._channel = GrpcChannel(target)
        self._description: Description | None = None

    def describe(self) -> Description:
        """Ask which versions answer and what the signature is, as `Client.describe`."""
        with about(self._target.url):
            spec = self._make_spec(read_version(self._target))
            status = self._ask(f"{_MODELS}/GetModelStatus", "GetModelStatus", model_spec=spec)
            versions = [
                one.version for one in status.model_version_status if one.state == AVAILABLE
            ]
            version = choose_available(versions, self._target)
            signature = self._ask_for_signature(version)
            self._description = describe_signature(
                version,
                list(_list_tensors(signature.inputs)),
                list(_list_tensors(signature.outputs)),
            )
        return self._description

    def infer(self, inputs: Arrays, request_id: str) -> Arrays:
        """Send a batch and read its outputs, as `Client.infer`; the protocol has no place for an id."""
        # Two threads may both ask, and get the same answer.
        description = self._description or self.describe()
        with about(self._target.url):
            spec = self._make_spec(int(description.model_version))
            spec.signature_name = SIGNATURE
            request = MESSAGES["PredictRequest"](model_spec=spec)
            for name, dtype in list_dtypes(inputs, description).items():
                request.inputs.add(key=name, value=write_tensor(inputs[name], dtype))
            answer = self._call(f"{_PREDICTION}/Predict", request, "PredictResponse")
            envelope = _read_envelope(answer)
            check_envelope(
                self._target.name, description, request_id, envelope, self._target.version
            )
            outputs = collect_outputs(_read_outputs(answer))
            check_outputs(outputs, count_rows(inputs), description)
        return outputs

    def close(self) -> None:
        """Let the connection go."""
        self._channel.close()

    def _ask_for_signature(self, version: int) -> Any:
        metadata = self._ask(
            f"{_PREDICTION}/GetModelMetadata",
            "GetModelMetadata",
            model_spec=self._make_spec(version),
            metadata_field=[_SIGNATURES],
        )
        found = {entry.key: entry.value for entry in metadata.metadata}
        if _SIGNATURES not in found:
            raise WrongError("the model's metadata has no signatures")
        signatures = _read("SignatureDefMap", found[_SIGNATURES].value)
        by_name = {entry.key: entry.value for entry in signatures.signature_def}
        return by_name[choose_signature(by_name)]

    def _make_spec(self, version: int | None) -> Any:
        spec = MESSAGES["ModelSpec"](name=self._target.name)
        if version is not None:
            spec.version.value = version
        return spec

    def _ask(self, method: str, message: str, **fields: Any) -> Any:
        request = MESSAGES[f"{message}Request"](**fields)
        return self._call(method, request, f"{message}Response")

    def _call(self, method: str, request: Any, answer: str) -> Any:
        return _read(answer, self._channel.call(method, request.SerializeToString()))


def connect_tensorflow_grpc(target: Target) -> Client:
    """Return a client of TensorFlow Serving over gRPC, as `connect`."""
    return TensorflowGrpcClient(target)


def _read(message: str, content: bytes) -> Any:
    try:
        return MESSAGES[message].FromString(content)
    except DecodeError as error:
        raise WrongError(f"the answer is no {message}") from error


def _list_tensors(entries: Iterable[Any]) -> Iterator[Tensor]:
    for entry in entries:
        info = entry.value
        if info.tensor_shape.unknown_rank:
            raise WrongError(f"{entry.key} is of any shape: the signature must say which")
        shape = [dim.size for dim in info.tensor_shape.dim]
        yield Tensor(entry.key, read_data_type(info.dtype, entry.key).dtype, shape)


def _read_envelope(answer: Any) -> Envelope:
    spec = answer.model_spec
    version = str(spec.version.value) if spec.HasField("version") else ""
    return Envelope(spec.name, version, "")


def _read_outputs(answer: Any) -> Iterator[tuple[str, np.ndarray]]:
    for entry in answer.outputs:
        yield entry.key, read_tensor(entry.value, entry.key)
