"""TorchServe over HTTP, for models that are archived with its JSON envelope (`service_envelope=json`).

    {"instances": [[1, 2], [3, 4]]}                   {"predictions": [0.3, 0.7]}
    {"instances": [{"x": 1, "y": [2]}, ...]}          {"predictions": [{"score": 0.3, "label": 1}, ...]}

An instance is a row: of a model with one input its values, else its inputs by name. A prediction is an
output, or outputs by name. TorchServe does not tell what a model takes or gives, so nothing here is
compared with a description but the rows: the package's contract says what to expect. With
`TS_OPEN_INFERENCE_PROTOCOL=oip` it speaks that protocol, which tells.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import numpy as np

from model_zoo.arrays import Arrays, count_rows
from model_zoo.remote.answers import check_outputs, collect_outputs
from model_zoo.remote.client import Client, Description
from model_zoo.remote.failures import GoneError, WrongError, about
from model_zoo.remote.http_calls import HttpCalls
from model_zoo.remote.json_arrays import (
    guess_dtype,
    list_values,
    read_json,
    read_values,
    write_json,
)
from model_zoo.remote.json_fields import read_field, read_text
from model_zoo.remote.target import Target

# The output of a model that gives it without a name.
UNNAMED = "predictions"
_HEALTHY = "Healthy"


class TorchserveHttpClient:
    """A model in TorchServe."""

    def __init__(self, target: Target) -> None:
        """Take note of where the server is, as `connect`."""
        self._target = target
        self._calls = HttpCalls(target)
        self._path = _find_path(target)
        self._description = Description("torchserve", target.version or "", {}, {})

    def describe(self) -> Description:
        """Ask whether the server is well, as `Client.describe`: it tells nothing of its model."""
        with about(self._target.url):
            answer = self._calls.ask("/ping")
            status = read_text(read_json(answer.content), "status")
            if status != _HEALTHY:
                raise GoneError(f"the server says that it is {status!r}, and not {_HEALTHY}")
        return self._description

    def infer(self, inputs: Arrays, request_id: str) -> Arrays:
        """Send a batch and read its outputs, as `Client.infer`; the id is in a header."""
        with about(self._target.url):
            instances = _list_rows(inputs)
            content = write_json({"instances": instances})
            headers = {"content-type": "application/json", "x-request-id": request_id}
            answer = self._calls.send(self._path, content, headers)
            fields = read_json(answer.content)
            predictions: list[Any] = read_field(fields, "predictions", list, [])
            named = _read_outputs(predictions)
            outputs = collect_outputs(named)
            rows = count_rows(inputs)
            check_outputs(outputs, rows, self._description)
        return outputs

    def close(self) -> None:
        """Let all connections go."""
        self._calls.close()


def connect_torchserve_http(target: Target) -> Client:
    """Return a client of TorchServe, as `connect`."""
    return TorchserveHttpClient(target)


def _find_path(target: Target) -> str:
    # A name may hold what has a meaning in a path: `a/b`.
    name = quote(target.name, safe="")
    path = f"/predictions/{name}"
    if target.version is None:
        return path
    version = quote(target.version, safe="")
    return f"{path}/{version}"


def _list_rows(inputs: Arrays) -> Any:
    """Return the instances: of one input its values, of several a mapping for each row."""
    names = list(inputs)
    columns = [list_values(array, name) for name, array in inputs.items()]
    if len(columns) == 1:
        return columns[0]
    instances = []
    for values in zip(*columns, strict=True):
        instance = dict(zip(names, values, strict=True))
        instances.append(instance)
    return instances


def _read_outputs(predictions: list[Any]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each output's name and array."""
    if not predictions or not isinstance(predictions[0], dict):
        dtype = guess_dtype(predictions)
        yield UNNAMED, read_values(predictions, dtype, UNNAMED)
        return
    # Outputs are read one after the other, so each row must have those of the first.
    names = predictions[0].keys()
    for prediction in predictions:
        if not isinstance(prediction, dict) or prediction.keys() != names:
            listed = ", ".join(names)
            raise WrongError(f"predictions must all have the outputs {listed}")
    for name in names:
        values = [prediction[name] for prediction in predictions]
        dtype = guess_dtype(values)
        yield name, read_values(values, dtype, name)
