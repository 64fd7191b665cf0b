"""The Open Inference Protocol over HTTP: MLServer, KServe, Triton, OpenVINO Model Server, TorchServe.

Tensors travel as JSON, or as raw bytes behind a short JSON where the server has that extension.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

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
from model_zoo.remote.http_calls import HttpAnswer, HttpCalls
from model_zoo.remote.json_arrays import Json, list_values, read_json, read_values, write_json
from model_zoo.remote.json_fields import read_field, read_objects, read_text, read_whole_numbers
from model_zoo.remote.oip_messages import DATATYPES, read_datatype
from model_zoo.remote.target import Target
from model_zoo.remote.tensors import decode_array, encode_array, reshape

_BINARY = "binary_tensor_data"
# KServe's own server reads and writes raw bytes, and does not tell.
_BINARY_SERVERS = ("kserve",)
# Of the length of an answer.
_MOST_DIGITS = 19
_JSON_BYTES = "inference-header-content-length"
# Triton's addition, which tells how many rows a request may have.
_CONFIGURATION = "model_configuration"
_JSON_HEADERS = {"content-type": "application/json"}


class OipHttpClient:
    """A model in a server that speaks the protocol over HTTP."""

    def __init__(self, target: Target) -> None:
        """Take note of where the server is, as `connect`."""
        self._target = target
        self._calls = HttpCalls(target)
        self._description: Description | None = None
        self._is_binary = False

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
            answer = self._send(inputs, description, request_id)
            head, tail = _split_answer(answer)
            envelope = _read_envelope(head)
            check_envelope(
                self._target.name, description, request_id, envelope, self._target.version
            )
            outputs = collect_outputs(_read_outputs(head, tail))
            check_outputs(outputs, count_rows(inputs), description)
        return outputs

    def close(self) -> None:
        """Let all connections go."""
        self._calls.close()

    def _ask(self, path: str) -> Json:
        answer = self._calls.ask(path)
        return read_json(answer.content)

    def _ask_for_metadata(self) -> Metadata:
        """Ask server and model, and take note of how tensors are sent."""
        server = self._ask("/v2")
        path = self._model_path(self._target.version)
        model = self._ask(path)
        extensions: list[Any] = read_field(server, "extensions", list, [])
        name = read_text(server, "name")
        version = read_text(server, "version")
        self._is_binary = _BINARY in extensions or name in _BINARY_SERVERS
        max_batch_size = None
        if _CONFIGURATION in extensions:
            config = self._ask(f"{path}/config")
            max_batch_size = read_field(config, "max_batch_size", int, 0)
        versions: list[Any] = read_field(model, "versions", list, [])
        return Metadata(
            server=f"{name} {version}".strip(),
            versions=list(map(str, versions)),
            inputs=list(_list_tensors(model, "inputs")),
            outputs=list(_list_tensors(model, "outputs")),
            max_batch_size=max_batch_size,
        )

    def _model_path(self, version: str | None) -> str:
        # A name may hold what has a meaning in a path: `a/b`.
        name = quote(self._target.name, safe="")
        path = f"/v2/models/{name}"
        if not version:
            return path
        number = quote(version, safe="")
        return f"{path}/versions/{number}"

    def _send(self, inputs: Arrays, description: Description, request_id: str) -> HttpAnswer:
        """Send a batch to the version that was described, in the form that the server takes."""
        model = self._model_path(description.model_version)
        dtypes = list_dtypes(inputs, description)
        send = self._send_bytes if self._is_binary else self._send_json
        return send(f"{model}/infer", inputs, dtypes, request_id)

    def _send_json(
        self, path: str, inputs: Arrays, dtypes: dict[str, str], request_id: str
    ) -> HttpAnswer:
        tensors = []
        for name, dtype in dtypes.items():
            tensor = _describe_input(name, dtype, inputs[name])
            # The protocol has values in one flat list, too, which is quicker to read.
            flat = inputs[name].reshape(-1)
            tensor["data"] = list_values(flat, name)
            tensors.append(tensor)
        content = write_json({"id": request_id, "inputs": tensors})
        return self._calls.send(path, content, _JSON_HEADERS)

    def _send_bytes(
        self, path: str, inputs: Arrays, dtypes: dict[str, str], request_id: str
    ) -> HttpAnswer:
        tensors = []
        contents = []
        for name, dtype in dtypes.items():
            content = encode_array(inputs[name], dtype)
            contents.append(content)
            tensor = _describe_input(name, dtype, inputs[name])
            tensor["parameters"] = {"binary_data_size": len(content)}
            tensors.append(tensor)
        wanted = {"binary_data_output": True}
        head = write_json({"id": request_id, "parameters": wanted, "inputs": tensors})
        head_bytes = len(head)
        headers = {"content-type": "application/octet-stream", _JSON_BYTES: str(head_bytes)}
        body = b"".join([head, *contents])
        return self._calls.send(path, body, headers)


def connect_oip_http(target: Target) -> Client:
    """Return a client of the protocol over HTTP, as `connect`."""
    return OipHttpClient(target)


def _describe_input(
    name: str,
    dtype: str,
    array: np.ndarray,
) -> dict[str, Any]:
    return {"name": name, "datatype": DATATYPES[dtype], "shape": list(array.shape)}


def _read_envelope(head: Json) -> Envelope:
    return Envelope(
        model=read_text(head, "model_name"),
        version=read_text(head, "model_version"),
        request_id=read_text(head, "id"),
    )


def _list_tensors(model: Json, field: str) -> Iterator[Tensor]:
    for tensor in read_objects(model, field):
        name = read_text(tensor, "name")
        datatype = read_text(tensor, "datatype")
        dtype = read_datatype(datatype, name)
        shape = read_whole_numbers(tensor, "shape")
        yield Tensor(name, dtype, shape)


def _split_answer(answer: HttpAnswer) -> tuple[Json, bytes]:
    """Return the JSON of an answer, and the bytes behind it."""
    content = answer.content
    told = answer.headers.get(_JSON_BYTES)
    if told is None:
        return read_json(content), b""
    # Python makes no number of thousands of digits.
    is_number = told.isdecimal() and len(told) <= _MOST_DIGITS
    if not is_number or int(told) > len(content):
        raise WrongError(f"the answer's JSON has {told!r} bytes of {len(content):,}")
    length = int(told)
    head = read_json(content[:length])
    return head, content[length:]


def _read_outputs(
    head: Json,
    tail: bytes,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each output's name and array.

    Args:
        head: describes them, and holds the values of some.
        tail: the bytes of the others, one behind the other in their order.
    """
    start = 0
    for output in read_objects(head, "outputs"):
        name = read_text(output, "name")
        shape = read_whole_numbers(output, "shape")
        datatype = read_text(output, "datatype")
        dtype = read_datatype(datatype, f"output {name}")
        parameters: Json = read_field(output, "parameters", dict, {})
        size = read_field(parameters, "binary_data_size", int, None)
        if size is None:
            values = read_values(output.get("data"), dtype, name)
            yield name, reshape(values, shape, name)
            continue
        if size < 0:
            raise WrongError(f"output {name} has {size} bytes")
        stop = start + size
        yield name, decode_array(tail[start:stop], dtype, shape, name)
        start = stop
    if start != len(tail):
        raise WrongError(f"the answer has {len(tail):,} bytes of outputs, and tells of {start:,}")
