"""The Open Inference Protocol over gRPC: Triton, MLServer, KServe, OpenVINO Model Server.

Inputs are sent as raw bytes, which every server must read; outputs are read as raw bytes or typed
contents, as each server chooses.
"""

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
from model_zoo.remote.described_model import Metadata, Tensor, describe_model
from model_zoo.remote.failures import WrongError, about
from model_zoo.remote.grpc_channel import GrpcChannel
from model_zoo.remote.oip_messages import (
    CONTENT_DTYPES,
    CONTENTS,
    DATATYPES,
    MESSAGES,
    SERVICE,
    read_datatype,
)
from model_zoo.remote.target import Target
from model_zoo.remote.tensors import count_elements, decode_array, encode_array, reshape

# Triton's addition, which tells how many rows a request may have.
_CONFIGURATION = "model_configuration"


class OipGrpcClient:
    """A model in a server that speaks the protocol over gRPC."""

    def __init__(self, target: Target) -> None:
        """Take note of where the server is, as `connect`."""
        self._target = target
        self._channel = GrpcChannel(target)
        self._description: Description | None = None

    def describe(self) -> Description:
        """Ask server and model for their metadata, as `Client.describe`."""
        with about(self._target.url):
            metadata = self._ask_for_metadata()
            self._description = describe_model(metadata, self._target.version)
        return self._description

    def infer(self, inputs: Arrays, request_id: str) -> Arrays:
        """Send a batch and read its outputs, as `Client.infer`."""
        # Two threads may both ask, and get the same answer.
        description = self._description or self.describe()
        with about(self._target.url):
            request = self._make_request(inputs, request_id, description)
            answer = self._call("ModelInfer", request, "ModelInferResponse")
            envelope = Envelope(answer.model_name, answer.model_version, answer.id)
            check_envelope(
                self._target.name, description, request_id, envelope, self._target.version
            )
            outputs = collect_outputs(_read_outputs(answer))
            check_outputs(outputs, count_rows(inputs), description)
        return outputs

    def close(self) -> None:
        """Let the connection go."""
        self._channel.close()

    def _ask_for_metadata(self) -> Metadata:
        server = self._ask("ServerMetadata", {}, "ServerMetadataResponse")
        asked = {"name": self._target.name, "version": self._target.version or ""}
        model = self._ask("ModelMetadata", asked, "ModelMetadataResponse")
        max_batch_size = None
        if _CONFIGURATION in server.extensions:
            answer = self._ask("ModelConfig", asked, "ModelConfigResponse")
            max_batch_size = answer.config.max_batch_size
        return Metadata(
            server=f"{server.name} {server.version}".strip(),
            versions=list(model.versions),
            inputs=_list_tensors(model.inputs),
            outputs=_list_tensors(model.outputs),
            max_batch_size=max_batch_size,
        )

    def _make_request(self, inputs: Arrays, request_id: str, description: Description) -> Any:
        request = MESSAGES["ModelInferRequest"](
            model_name=self._target.name,
            model_version=description.model_version,
            id=request_id,
        )
        for name, dtype in list_dtypes(inputs, description).items():
            array = inputs[name]
            request.inputs.add(name=name, datatype=DATATYPES[dtype], shape=array.shape)
            request.raw_input_contents.append(encode_array(array, dtype))
        return request

    def _ask(
        self,
        method: str,
        fields: dict[str, str],
        answer: str,
    ) -> Any:
        request = MESSAGES[f"{method}Request"](**fields)
        return self._call(method, request, answer)

    def _call(self, method: str, request: Any, answer: str) -> Any:
        content = self._channel.call(f"/{SERVICE}/{method}", request.SerializeToString())
        try:
            return MESSAGES[answer].FromString(content)
        except DecodeError as error:
            raise WrongError(f"the answer is no {answer}") from error


def connect_oip_grpc(target: Target) -> Client:
    """Return a client of the protocol over gRPC, as `connect`."""
    return OipGrpcClient(target)


def _list_tensors(described: Iterable[Any]) -> list[Tensor]:
    tensors = []
    for one in described:
        dtype = read_datatype(one.datatype, one.name)
        tensors.append(Tensor(one.name, dtype, list(one.shape)))
    return tensors


def _read_outputs(answer: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each output's name and array."""
    contents = answer.raw_output_contents
    are_raw = len(contents) > 0
    if are_raw and len(contents) != len(answer.outputs):
        raise WrongError(
            f"the answer has {len(answer.outputs)} outputs and the bytes of {len(contents)}"
        )
    for position, output in enumerate(answer.outputs):
        shape = list(output.shape)
        dtype = read_datatype(output.datatype, f"output {output.name}")
        if are_raw:
            array = decode_array(contents[position], dtype, shape, output.name)
        else:
            array = _read_typed(output, dtype, shape)
        yield output.name, array


def _read_typed(output: Any, dtype: str, shape: list[int]) -> np.ndarray:
    """Return an output that stands in the contents of its type."""
    field = CONTENTS.get(output.datatype)
    if field is None:
        raise WrongError(f"output {output.name} of {output.datatype} must come as raw bytes")
    values = getattr(output.contents, field)
    if len(values) != count_elements(shape, output.name):
        raise WrongError(
            f"output {output.name} has {len(values):,} elements, and not those of shape {shape}"
        )
    if dtype == "bytes":
        texts = np.empty(len(values), object)
        texts[:] = values
        return reshape(texts, shape, output.name)
    wide = np.array(values, CONTENT_DTYPES[field])
    array = wide.astype(dtype)
    # Small integers come in 32 bits: what does not fit must not wrap around.
    if array.dtype != wide.dtype and (array != wide).any():
        raise WrongError(f"output {output.name} has values that {output.datatype} cannot hold")
    return reshape(array, shape, output.name)
