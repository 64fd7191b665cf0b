"""The REST interface of the stand-in, as TensorFlow Serving documents it: status, metadata and `:predict`, in columns or in rows."""

import base64
from http.server import (
    BaseHTTPRequestHandler,
    ThreadingHTTPServer,  # noqa: TID251 - a program of its own
)
import json
import re

import numpy as np
from tensorflow_models import DTYPES, Refused, find_model

_PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(/metadata|:predict)?")
_STATUSES = {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "INTERNAL": 500}


def answer(models, method, path, body):
    """Return what one request is answered with: a document of JSON."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise Refused("NOT_FOUND", "Malformed request")
    name, version, what = found.groups()
    model = find_model(models, name, None if version is None else int(version))
    if method == "POST":
        return _predict(model, json.loads(body))
    return _describe(name, model) if what else _tell_state(model)


def _tell_state(model):
    status = {"error_code": "OK", "error_message": ""}
    state = {"version": str(model.version), "state": "AVAILABLE", "status": status}
    return {"model_version_status": [state]}


def _describe(name, model):
    signature = {"method_name": "tensorflow/serving/predict"}
    for side in ("inputs", "outputs"):
        signature[side] = {
            tensor: {"dtype": dtype, "name": f"{tensor}:0", "tensor_shape": _shape(sizes)}
            for tensor, (dtype, sizes) in getattr(model, side).items()
        }
    spec = {"name": name, "signature_name": "", "version": str(model.version)}
    signatures = {"signature_def": {"serving_default": signature}}
    return {"model_spec": spec, "metadata": {"signature_def": signatures}}


def _shape(sizes):
    dimensions = [{"size": str(size), "name": ""} for size in sizes]
    return {"dim": dimensions, "unknown_rank": False}


def _predict(model, request):
    by_row = "instances" in request
    given = request["instances"] if by_row else request["inputs"]
    names = list(model.inputs)
    if by_row and isinstance(given[0], dict):
        columns = {name: [row[name] for row in given] for name in given[0]}
    elif isinstance(given, dict):
        columns = given
    else:
        # A model with one input need not name it.
        columns = {names[0]: given}
    arrays = {
        name: _array(values, model.inputs[name][0]) if name in model.inputs else np.array(values)
        for name, values in columns.items()
    }
    outputs = {name: array.tolist() for name, array in model.predict(arrays).items()}
    outputs = {name: _texts(values) for name, values in outputs.items()}
    # Nor is the only output named.
    only = next(iter(outputs.values())) if len(outputs) == 1 else None
    if not by_row:
        return {"outputs": outputs if only is None else only}
    rows = [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]
    return {"predictions": rows if only is None else only}


def _array(values, dtype):
    wanted = DTYPES[dtype][0]
    if wanted is np.object_:
        return np.array(_bytes(values), object)
    try:
        return np.array(values, wanted)
    except (ValueError, OverflowError) as error:
        raise Refused("INVALID_ARGUMENT", f"JSON value is not of {dtype}") from error


def _bytes(value):
    if isinstance(value, list):
        return [_bytes(one) for one in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()


def _texts(value):
    if isinstance(value, list):
        return [_texts(one) for one in value]
    return value.decode() if isinstance(value, bytes) else value


def serve_http(models, port):
    """Answer HTTP on the loopback address, for ever."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self._answer("GET")

        def do_POST(self):
            self._answer("POST")

        def _answer(self, method):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = 200
            try:
                document = answer(models, method, self.path, body)
            except Refused as error:
                status, document = _STATUSES[error.status], {"error": str(error)}
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            """Say nothing of each request."""

    ThreadingHTTPServer(("127.0.0.1", port), Answers).serve_forever()
