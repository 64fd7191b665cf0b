"""TensorFlow Serving over HTTP, whose tensors are JSON."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import numpy as np

from model_zoo.arrays import Arrays, count_rows
from model_zoo.remote.answers import check_names, check_outputs, collect_outputs, list_dtypes
from model_zoo.remote.client import Client, Description
from model_zoo.remote.described_model import Tensor
from model_zoo.remote.failures import WrongError, about
from model_zoo.remote.http_calls import HttpCalls
from model_zoo.remote.json_arrays import Json, list_values, read_json, read_values, write_json
from model_zoo.remote.json_fields import read_field, read_objects, read_text
from model_zoo.remote.target import Target
from model_zoo.remote.tensorflow_messages import DATA_TYPES
from model_zoo.remote.tensorflow_model import (
    SIGNATURE,
    choose_available,
    choose_signature,
    describe_signature,
    read_version,
)

_JSON_HEADERS = {"content-type": "application/json"}
_SIGNATURES = "signature_def"


class TensorflowHttpClient:
    """A model in TensorFlow Serving, over HTTP."""

    def __init__(self, target: Target) -> None:
        """Take note of where the server is, as `connect`."""
        self._target = target
        self._calls = HttpCalls(target)
        self._description: Description | None = None

    def describe(self) -> Description:
        """Ask which versions answer and what the signature is, as `Client.describe`."""
        with about(self._target.url):
            wanted = read_version(self._target)
            status = self._ask(self._model_path(wanted))
            version = choose_available(_list_available(status), self._target)
            path = self._model_path(version)
            metadata = self._ask(f"{path}/metadata")
            signature = _find_signature(metadata)
            inputs = list(_list_tensors(signature, "inputs"))
            outputs = list(_list_tensors(signature, "outputs"))
            self._description = describe_signature(version, inputs, outputs)
        return self._description

    def infer(self, inputs: Arrays, request_id: str) -> Arrays:
        """Send a batch and read its outputs, as `Client.infer`.

        The protocol has no place for an id, and an answer does not tell its version: the path does.
        """
        # Two threads may both ask, and get the same answer.
        description = self._description or self.describe()
        with about(self._target.url):
            names = list_dtypes(inputs, description)
            values = {name: _list_input(inputs[name], name) for name in names}
            content = write_json({"signature_name": SIGNATURE, "inputs": values})
            version = int(description.model_version)
            path = f"{self._model_path(version)}:predict"
            answer = self._calls.send(path, content, _JSON_HEADERS)
            fields = read_json(answer.content)
            outputs = collect_outputs(_read_outputs(fields, description))
            check_outputs(outputs, count_rows(inputs), description)
        return outputs

    def close(self) -> None:
        """Let all connections go."""
        self._calls.close()

    def _model_path(self, version: int | None) -> str:
        # A name may hold what has a meaning in a path: `a/b`.
        name = quote(self._target.name, safe="")
        path = f"/v1/models/{name}"
        if version is None:
            return path
        return f"{path}/versions/{version}"

    def _ask(self, path: str) -> Json:
        answer = self._calls.ask(path)
        return read_json(answer.content)


def connect_tensorflow_http(target: Target) -> Client:
    """Return a client of TensorFlow Serving over HTTP, as `connect`."""
    return TensorflowHttpClient(target)


def _list_available(status: Json) -> Iterator[int]:
    for version in read_objects(status, "model_version_status"):
        if read_text(version, "state") == "AVAILABLE":
            yield _read_size(version, "version")


def _find_signature(metadata: Json) -> Json:
    # Twice: the field of the metadata, and the field of the message in it.
    fields: Json = read_field(metadata, "metadata", dict, {})
    message: Json = read_field(fields, _SIGNATURES, dict, {})
    signatures: Json = read_field(message, _SIGNATURES, dict, {})
    found: Json = read_field(signatures, choose_signature(signatures), dict, {})
    return found


def _list_tensors(signature: Json, field: str) -> Iterator[Tensor]:
    tensors: Json = read_field(signature, field, dict, {})
    for name in tensors:
        tensor: Json = read_field(tensors, name, dict, {})
        shape: Json = read_field(tensor, "tensor_shape", dict, {})
        if read_field(shape, "unknown_rank", bool, False):
            raise WrongError(f"{name} is of any shape: the signature must say which")
        dtype = read_text(tensor, "dtype")
        data_type = DATA_TYPES.get(dtype)
        if data_type is None:
            raise WrongError(f"{name} is of type {dtype!r}")
        sizes = [_read_size(dim, "size") for dim in read_objects(shape, "dim")]
        yield Tensor(name, data_type.dtype, sizes)


def _read_size(value: Json, field: str) -> int:
    """Return a whole number of 64 bits, which protobuf's JSON writes as text."""
    text = read_text(value, field)
    try:
        return int(text)
    except ValueError as error:
        raise WrongError(f"{field} must be a whole number in the answer, got {text!r}") from error


def _list_input(array: np.ndarray, name: str) -> Any:
    if array.dtype.kind not in "OSU":
        return list_values(array, name)
    # Bytes that may be no text.
    texts = [_write_bytes(text) for text in array.ravel()]
    in_shape = np.array(texts, object).reshape(array.shape)
    return in_shape.tolist()


def _write_bytes(text: str | bytes) -> dict[str, str]:
    content = text.encode() if isinstance(text, str) else text
    in_letters = b64encode(content).decode()
    return {"b64": in_letters}


def _read_outputs(
    answer: Json,
    description: Description,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each output's name and array."""
    outputs = answer.get("outputs")
    if not isinstance(outputs, dict):
        names = list(description.outputs)
        if len(names) != 1:
            raise WrongError(f"the answer has no names for the outputs {', '.join(names)}")
        # A model with one output gives it without its name.
        outputs = {names[0]: outputs}
    check_names("output", outputs, description.outputs)
    for name, spec in description.outputs.items():
        yield name, read_values(outputs[name], spec.dtype, name)
