"""TensorFlow Serving over gRPC and HTTP, against a stand-in of its published protocol."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from model_zoo.remote.client import Client, Description, TensorSpec
from model_zoo.remote.failures import RefusedError, WrongError
from model_zoo.remote.table import connect
from model_zoo.remote.target import Target
from model_zoo.remote.tensorflow_messages import BY_DTYPE, DATA_TYPES, MESSAGES
from tests.remote import http_server
from tests.remote.http_server import answer_json
from tests.remote.tensorflow_server import TensorflowServer, answer_http, serve_grpc

PROTOCOLS = ["tensorflow-grpc", "tensorflow-http"]
ROWS = np.array([[1, 2, 3], [4, 5, 6]], "float32")
PREDICT = "/v1/models/sums/versions/3:predict"


def add_up(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"sum": inputs["x"].sum(axis=1), "most": inputs["x"].max(axis=1, keepdims=True)}


def only_add_up(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"sum": inputs["x"].sum(axis=1)}


def make_server(**changes: Any) -> TensorflowServer:
    known = {
        "compute": add_up,
        "inputs": {"x": ("float32", (-1, 3))},
        "outputs": {"sum": ("float32", (-1,)), "most": ("float32", (-1, 1))},
    }
    return TensorflowServer(**{**known, **changes})


@contextmanager
def client_of(
    server: TensorflowServer, protocol: str, version: str | None = None
) -> Iterator[Client]:
    if protocol == "tensorflow-grpc":
        with serve_grpc(server):
            client = connect(Target(protocol, server.url, server.name, version))
            yield client
            client.close()
        return
    with http_server.serve(answer_http(server)) as served:
        client = connect(Target(protocol, served.url, server.name, version))
        yield client
        client.close()


@pytest.mark.parametrize("version", [None, "3"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_model_is_described(protocol: str, version: str | None) -> None:
    with client_of(make_server(), protocol, version) as client:
        assert client.describe() == Description(
            server="tensorflow serving",
            model_version="3",
            inputs={"x": TensorSpec("float32", (3,))},
            outputs={"sum": TensorSpec("float32", ()), "most": TensorSpec("float32", (1,))},
        )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_batch_is_answered_by_name(protocol: str) -> None:
    with client_of(make_server(), protocol) as client:
        outputs = client.infer({"x": ROWS}, "1")
    np.testing.assert_array_equal(outputs["sum"], [6, 15])
    np.testing.assert_array_equal(outputs["most"], [[3], [6]])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_model_with_one_output_is_answered(protocol: str) -> None:
    server = make_server(compute=only_add_up, outputs={"sum": ("float32", (-1,))})
    with client_of(server, protocol) as client:
        np.testing.assert_array_equal(client.infer({"x": ROWS}, "1")["sum"], [6, 15])


def test_the_version_is_asked_in_each_request() -> None:
    server = make_server()
    with client_of(server, "tensorflow-grpc") as client:
        client.infer({"x": ROWS}, "1")
    (request,) = server.requests
    assert (request.model_spec.version.value, request.model_spec.name) == (3, "sums")
    assert request.model_spec.signature_name == "serving_default"


DTYPES = [
    ("float16", np.array([0.5, 2], "float16")),
    ("float64", np.array([0.1, 2])),
    ("bfloat16", np.array([0.5, 2], "float32")),
    ("int8", np.array([-128, 127], "int8")),
    ("int32", np.array([-1, 1], "int32")),
    ("int64", np.array([-(2**63), 2**53 + 1], "int64")),
    ("uint8", np.array([0, 255], "uint8")),
    ("uint16", np.array([0, 65535], "uint16")),
    ("uint32", np.array([0, 2**32 - 1], "uint32")),
    ("uint64", np.array([0, 2**64 - 1], "uint64")),
    ("bool", np.array([True, False])),
    ("bytes", np.array([b"Ann", b"\xff"], object)),
]


@pytest.mark.parametrize(("dtype", "rows"), DTYPES)
def test_every_dtype_goes_there_and_back(dtype: str, rows: np.ndarray) -> None:
    server = make_server(
        compute=lambda inputs: {"y": inputs["x"]},
        inputs={"x": (dtype, (-1,))},
        outputs={"y": (dtype, (-1,))},
    )
    with client_of(server, "tensorflow-grpc") as client:
        actual = client.infer({"x": rows}, "1")["y"]
    assert actual.dtype == rows.dtype
    np.testing.assert_array_equal(actual, rows)


TYPED = [
    ("DT_FLOAT", [0.1, float("nan")], np.array([0.1, np.nan], "float32")),
    ("DT_HALF", [0x3800, 0x4000], np.array([0.5, 2], "float16")),
    ("DT_BFLOAT16", [0x3F80, 0x4049], np.array([1, 3.140625], "float32")),
    ("DT_UINT16", [0, 65535], np.array([0, 65535], "uint16")),
    ("DT_BOOL", [True, False], np.array([True, False])),
]


@pytest.mark.parametrize(("kind", "values", "expected"), TYPED)
def test_values_in_the_field_of_their_type_are_read(
    kind: str, values: list[Any], expected: np.ndarray
) -> None:
    data_type = DATA_TYPES[kind]
    server = make_server(outputs={"y": (data_type.dtype, (-1,))}, predict=typed(kind, values))
    with client_of(server, "tensorflow-grpc") as client:
        actual = client.infer({"x": ROWS}, "1")["y"]
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


def typed(kind: str, values: list[Any], rows: int = 2, version: int = 3) -> Any:
    """Return an answer of values in the field of their type."""

    def answer(request: Any, context: Any) -> Any:
        response = MESSAGES["PredictResponse"](model_spec=request.model_spec)
        response.model_spec.version.value = version
        tensor = response.outputs.add(key="y").value
        tensor.dtype = DATA_TYPES[kind].number
        tensor.tensor_shape.dim.add(size=rows)
        getattr(tensor, DATA_TYPES[kind].field).extend(values)
        return response

    return answer


WRONG = {
    "one value for all rows": (typed("DT_FLOAT", [1]), "1 elements"),
    "fewer rows": (typed("DT_FLOAT", [1], rows=1), "1 rows for the 2"),
    "another version": (typed("DT_FLOAT", [1, 2], version=4), "version '4' of sums answered"),
    "another type": (typed("DT_INT32", [1, 2]), "must be float32, got int32"),
    "values that overflow": (typed("DT_INT8", [1, 128]), "int8 cannot hold"),
    "a type that is none": (
        lambda request, context: unknown_type(),
        "TensorFlow's type 99, which no batch of rows has",
    ),
    "nothing": (lambda request, context: MESSAGES["PredictResponse"](), "has no output"),
}


def unknown_type() -> Any:
    response = MESSAGES["PredictResponse"]()
    response.outputs.add(key="y").value.dtype = 99
    return response


@pytest.mark.parametrize(("answer", "message"), WRONG.values(), ids=WRONG)
def test_an_answer_that_is_not_whole_is_wrong(answer: Any, message: str) -> None:
    server = make_server(outputs={"y": ("float32", (-1,))}, predict=answer)
    with (
        client_of(server, "tensorflow-grpc") as client,
        pytest.raises(WrongError, match=message) as failure,
    ):
        client.infer({"x": ROWS}, "1")
    assert str(failure.value).startswith(f"{server.url}: ")


OUTPUTS = {
    "no outputs": {"predictions": [6, 15]},
    "a name that is none": {"outputs": {"sum": [6, 15], "mean": [2, 5]}},
    "an output that is missing": {"outputs": {"sum": [6, 15]}},
    "outputs without names": {"outputs": [6, 15]},
    "fewer rows": {"outputs": {"sum": [6], "most": [[3], [6]]}},
    "another shape": {"outputs": {"sum": [6, 15], "most": [3, 6]}},
    "lists of several lengths": {"outputs": {"sum": [6, 15], "most": [[3], [6, 7]]}},
}


@pytest.mark.parametrize("answer", OUTPUTS.values(), ids=OUTPUTS)
def test_json_that_is_not_whole_is_wrong(answer: dict[str, Any]) -> None:
    served = answer_http(make_server())
    served.answers[PREDICT] = answer_json(answer)
    with http_server.serve(served):
        client = connect(Target("tensorflow-http", served.url, "sums"))
        with pytest.raises(WrongError):
            client.infer({"x": ROWS}, "1")
        client.close()


def test_nan_and_bytes_are_read_as_the_server_writes_them() -> None:
    outputs = {"y": ("float32", (-1,)), "text_bytes": ("bytes", (-1,))}
    served = answer_http(make_server(outputs=outputs))
    texts = [{"b64": "/w=="}, {"b64": "QW5u"}]
    answer = {"outputs": {"y": [float("nan"), float("-inf")], "text_bytes": texts}}
    served.answers[PREDICT] = answer_json(answer)
    with http_server.serve(served):
        client = connect(Target("tensorflow-http", served.url, "sums"))
        actual = client.infer({"x": ROWS}, "1")
        client.close()
    np.testing.assert_array_equal(actual["y"], np.array([np.nan, -np.inf], "float32"))
    assert actual["text_bytes"].tolist() == [b"\xff", b"Ann"]


def test_texts_are_sent_as_bytes_that_json_has() -> None:
    inputs = {"x": ("bytes", (-1,))}
    served = answer_http(make_server(inputs=inputs, outputs={"y": ("float32", (-1,))}))
    served.answers[PREDICT] = answer_json({"outputs": [1, 2]})
    with http_server.serve(served):
        client = connect(Target("tensorflow-http", served.url, "sums"))
        client.infer({"x": np.array(["Ann", b"\xff"], object)}, "1")
        client.close()
    assert served.requests[-1].json["inputs"] == {"x": [{"b64": "QW5u"}, {"b64": "/w=="}]}


def test_nan_is_refused_and_not_sent_as_json() -> None:
    with (
        client_of(make_server(), "tensorflow-http") as client,
        pytest.raises(RefusedError, match="which JSON does not have"),
    ):
        client.infer({"x": np.full((2, 3), np.nan, "float32")}, "1")


@pytest.mark.parametrize(
    ("changes", "version", "message"),
    [
        ({"versions": [3, 4]}, None, "the model has versions 3, 4: name one"),
        ({"versions": [3, 4]}, "5", "the model has no version 5"),
        ({"versions": []}, None, "no version of sums is available"),
        ({}, "three", "versions are whole numbers"),
        ({"signature": "train"}, None, "no signature serving_default; there are train"),
        ({"outputs": {}}, None, "has no inputs, or no outputs"),
        ({"outputs": {"y": ("float32", ())}}, None, "output y has no dimension of rows"),
    ],
)
def test_a_model_that_cannot_be_asked_is_refused(
    changes: dict[str, Any], version: str | None, message: str
) -> None:
    with (
        client_of(make_server(**changes), "tensorflow-grpc", version) as client,
        pytest.raises(WrongError, match=message),
    ):
        client.describe()


def test_each_dtype_of_cards_has_one_type() -> None:
    assert len(BY_DTYPE) == len(DATA_TYPES)
