"""The Open Inference Protocol over HTTP, against a server that does what it is told."""

from collections.abc import Callable, Iterator
import json
from typing import Any

import numpy as np
import pytest

from model_zoo.remote.client import Client, Description, TensorSpec
from model_zoo.remote.failures import RefusedError, RemoteError, WrongError
from model_zoo.remote.http_calls import HttpAnswer
from model_zoo.remote.oip_http import _split_answer
from model_zoo.remote.table import connect
from model_zoo.remote.target import Target
from tests.remote.http_server import HttpServer, Request, Response, answer_json, serve

ROWS = np.array([[1, 2, 3], [4, 5, 6]], "float32")
SUMS = np.array([6, 15], "float32")
INFER = "/v2/models/sums/versions/3/infer"
MODEL = {
    "name": "sums",
    "versions": ["3"],
    "platform": "",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1]}],
}


def add_up(request: Request) -> Response:
    """Answer with the sums of rows, in JSON."""
    asked = request.json
    (tensor,) = asked["inputs"]
    rows = np.array(tensor["data"]).reshape(tensor["shape"])
    y = {"name": "y", "datatype": "FP32", "shape": [len(rows)], "data": rows.sum(axis=1).tolist()}
    answer = {"model_name": "sums", "model_version": "3", "id": asked["id"], "outputs": [y]}
    return Response(json.dumps(answer).encode())


def add_up_bytes(request: Request) -> Response:
    """Answer with the sums of rows, in bytes behind the JSON."""
    length = int(request.headers["inference-header-content-length"])
    asked, tail = json.loads(request.content[:length]), request.content[length:]
    assert asked["parameters"] == {"binary_data_output": True}
    (tensor,) = asked["inputs"]
    assert tensor["parameters"]["binary_data_size"] == len(tail)
    sums = np.frombuffer(tail, "<f4").reshape(tensor["shape"]).sum(axis=1).tobytes()
    size = {"binary_data_size": len(sums)}
    y = {"name": "y", "datatype": "FP32", "shape": tensor["shape"][:1], "parameters": size}
    head = json.dumps({"id": asked["id"], "outputs": [y]}).encode()
    return Response(head + sums, headers={"Inference-Header-Content-Length": str(len(head))})


@pytest.fixture
def told() -> Iterator[HttpServer]:
    answers = {
        "/v2": answer_json({"name": "faulty", "version": "1.0", "extensions": []}),
        "/v2/models/sums": answer_json(MODEL),
        INFER: add_up,
    }
    with serve(HttpServer(answers)) as told:
        yield told


@pytest.fixture
def client(told: HttpServer) -> Iterator[Client]:
    client = connect(Target("oip-http", told.url, "sums"))
    yield client
    client.close()


def speak_bytes(told: HttpServer) -> None:
    extensions = ["binary_tensor_data"]
    told.answers["/v2"] = answer_json({"name": "s", "version": "1", "extensions": extensions})
    told.answers[INFER] = add_up_bytes


def change_outputs(told: HttpServer, **output: Any) -> None:
    """Answer with one output that is y but for some fields; metadata tells of none."""
    told.answers["/v2/models/sums"] = answer_json({"versions": ["3"], "name": "sums"})
    y = {"name": "y", "datatype": "FP32", "shape": [2], "data": [6, 15], **output}
    told.answers[INFER] = answer_json({"outputs": [y]})


def test_server_and_model_are_described(client: Client) -> None:
    assert client.describe() == Description(
        server="faulty 1.0",
        model_version="3",
        inputs={"x": TensorSpec("float32", (3,))},
        outputs={"y": TensorSpec("float32", ())},
    )


def test_a_batch_is_answered_in_json(told: HttpServer, client: Client) -> None:
    np.testing.assert_array_equal(client.infer({"x": ROWS}, "unit 7")["y"], SUMS)
    request = told.requests[-1]
    assert request.json == {
        "id": "unit 7",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}],
    }
    assert request.headers["accept-encoding"] == "identity"


def test_a_batch_is_answered_in_bytes(told: HttpServer, client: Client) -> None:
    speak_bytes(told)
    np.testing.assert_array_equal(client.infer({"x": ROWS}, "1")["y"], SUMS)


def test_a_connection_is_kept(told: HttpServer, client: Client) -> None:
    for request_id in ("1", "2", "3"):
        client.infer({"x": ROWS}, request_id)
    assert told.connections == 1


def test_a_connection_that_the_server_has_let_go_is_made_again(told: HttpServer) -> None:
    closing = {"Connection": "close"}
    told.answers[INFER] = lambda request: Response(add_up(request).content, headers=closing)
    client = connect(Target("oip-http", told.url, "sums"))
    for request_id in ("1", "2"):
        np.testing.assert_array_equal(client.infer({"x": ROWS}, request_id)["y"], SUMS)
    client.close()


def test_a_name_with_a_slash_stays_one_name(told: HttpServer) -> None:
    told.answers["/v2/models/a%2F..%2Fb%3Fc"] = answer_json(MODEL)
    client = connect(Target("oip-http", told.url, "a/../b?c"))
    assert client.describe().model_version == "3"
    client.close()


def test_a_path_of_the_url_comes_first(told: HttpServer) -> None:
    for path in list(told.answers):
        told.answers[f"/team{path}"] = told.answers.pop(path)
    client = connect(Target("oip-http", f"{told.url}/team/", "sums"))
    np.testing.assert_array_equal(client.infer({"x": ROWS}, "1")["y"], SUMS)
    client.close()


@pytest.mark.parametrize(
    ("config", "most"), [({"max_batch_size": 8}, 8), ({"max_batch_size": 0}, None), ({}, None)]
)
def test_tritons_configuration_bounds_the_rows(
    told: HttpServer, client: Client, config: dict[str, int], most: int | None
) -> None:
    extensions = ["model_configuration"]
    told.answers["/v2"] = answer_json({"name": "triton", "extensions": extensions})
    told.answers["/v2/models/sums/config"] = answer_json(config)
    description = client.describe()
    assert (description.most_rows, description.takes_fewer_rows) == (most, True)


def test_a_fixed_number_of_rows_is_told(told: HttpServer, client: Client) -> None:
    fixed = {**MODEL, "inputs": [{"name": "x", "datatype": "FP32", "shape": [16, 3]}]}
    told.answers["/v2/models/sums"] = answer_json(fixed)
    description = client.describe()
    assert (description.most_rows, description.takes_fewer_rows) == (16, False)


@pytest.mark.parametrize(
    ("versions", "wanted", "message"),
    [
        (["1", "2"], None, "the model has versions 1, 2: name one in model.version"),
        (["1", "2"], "3", "the model has no version 3; there are 1, 2"),
    ],
)
def test_one_version_is_meant(
    told: HttpServer, versions: list[str], wanted: str | None, message: str
) -> None:
    for path in ("/v2/models/sums", "/v2/models/sums/versions/3"):
        told.answers[path] = answer_json({**MODEL, "versions": versions})
    client = connect(Target("oip-http", told.url, "sums", wanted))
    with pytest.raises(WrongError, match=message):
        client.describe()
    client.close()


VALUES = [
    ("FP32", [0.1, 3], np.array([0.1, 3], "float32")),
    ("FP32", [None, 3], np.array([np.nan, 3], "float32")),
    ("FP64", [1e300, 2**53 + 1], np.array([1e300, 2**53 + 1], "float64")),
    ("FP16", [0.5, 2], np.array([0.5, 2], "float16")),
    ("BF16", [0.5, 2], np.array([0.5, 2], "float32")),
    ("INT64", [-(2**63), 2**53 + 1], np.array([-(2**63), 2**53 + 1], "int64")),
    ("UINT64", [0, 2**64 - 1], np.array([0, 2**64 - 1], "uint64")),
    ("INT8", [-128, 127], np.array([-128, 127], "int8")),
    ("BOOL", [True, False], np.array([True, False])),
    ("BYTES", ["Zoë", ""], np.array(["Zoë".encode(), b""], object)),
    ("INT32", [[1], [2]], np.array([1, 2], "int32")),
]


@pytest.mark.parametrize(("datatype", "values", "expected"), VALUES)
def test_values_are_read(
    told: HttpServer, client: Client, datatype: str, values: list[Any], expected: np.ndarray
) -> None:
    change_outputs(told, datatype=datatype, data=values)
    actual = client.infer({"x": ROWS}, "1")["y"]
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


WRONG = {
    "texts for numbers": {"data": ["6", "15"]},
    "truths for numbers": {"data": [True, False]},
    "a truth among texts": {"datatype": "BYTES", "data": ["a", True]},
    "lists of several lengths": {"data": [[6], [1, 5]]},
    "a fraction": {"datatype": "INT64", "data": [6.5, 15]},
    "no integer": {"datatype": "INT64", "data": [None, 15]},
    "too large": {"datatype": "INT8", "data": [6, 128]},
    "below zero": {"datatype": "UINT8", "data": [6, -1]},
    "beyond 64 bits": {"datatype": "INT64", "data": [6, 2**64]},
    "beyond float32": {"data": [6, 1e39]},
    "a third truth": {"datatype": "BOOL", "data": [1, 2]},
    "no data": {"data": None},
    "a number for data": {"data": 6},
    "fewer": {"data": [6]},
    "fewer rows": {"data": [6], "shape": [1]},
    "no shape": {"shape": None},
    "a free size": {"shape": [-1]},
    "a huge size": {"shape": [2**70]},
    "a shape of texts": {"shape": ["2"]},
    "a datatype that is none": {"datatype": "float"},
    "a name that is none": {"name": 7},
    "bytes that are not there": {"parameters": {"binary_data_size": 8}},
    "bytes below zero": {"parameters": {"binary_data_size": -8}},
    "bytes of true": {"parameters": {"binary_data_size": True}},
}


@pytest.mark.parametrize("output", WRONG.values(), ids=WRONG)
def test_an_answer_that_is_not_whole_is_wrong(
    told: HttpServer, client: Client, output: dict[str, Any]
) -> None:
    change_outputs(told, **output)
    with pytest.raises(WrongError) as failure:
        client.infer({"x": ROWS}, "1")
    assert str(failure.value).startswith(f"{told.url}: ")


GARBAGE = {
    "nothing": b"",
    "no json": b"{",
    "a list": b"[]",
    "no output": b"{}",
    "an output that is none": b'{"outputs": [7]}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_wrong(told: HttpServer, client: Client, content: bytes) -> None:
    told.answers[INFER] = lambda request: Response(content)
    with pytest.raises(WrongError):
        client.infer({"x": ROWS}, "1")


@pytest.mark.parametrize("length", ["-1", "x", "99999", "1"])
def test_a_wrong_length_of_the_json_is_wrong(told: HttpServer, client: Client, length: str) -> None:
    speak_bytes(told)
    changed = {"Inference-Header-Content-Length": length}
    told.answers[INFER] = lambda request: Response(add_up_bytes(request).content, headers=changed)
    with pytest.raises(WrongError):
        client.infer({"x": ROWS}, "1")


def test_bytes_behind_the_last_output_are_wrong(told: HttpServer, client: Client) -> None:
    speak_bytes(told)

    def add_one(request: Request) -> Response:
        right = add_up_bytes(request)
        return Response(right.content + b"\0", headers=right.headers)

    told.answers[INFER] = add_one
    with pytest.raises(WrongError, match="the answer has 9 bytes of outputs, and tells of 8"):
        client.infer({"x": ROWS}, "1")


@pytest.mark.parametrize("told_bytes", ["-1", "9" * 5_000, "x", "²"])
def test_json_of_an_impossible_length_is_wrong(told_bytes: str) -> None:
    answer = HttpAnswer({"inference-header-content-length": told_bytes}, b"{}")
    with pytest.raises(WrongError, match="the answer's JSON has"):
        _split_answer(answer)


ROWS_THAT_JSON_LACKS = [
    np.array([np.nan, 1], "float32"),
    np.array([1, np.inf], "float64"),
    np.array([b"\xff", b"a"], object),
]


@pytest.mark.parametrize("rows", ROWS_THAT_JSON_LACKS)
def test_what_json_does_not_have_is_refused_and_not_sent(
    told: HttpServer, client: Client, rows: np.ndarray
) -> None:
    change_outputs(told)
    client.describe()
    asked = len(told.requests)
    with pytest.raises(RefusedError, match="which JSON does not have"):
        client.infer({"x": rows}, "1")
    assert len(told.requests) == asked


def test_texts_are_sent_as_json(told: HttpServer, client: Client) -> None:
    change_outputs(told)
    client.infer({"x": np.array([["Zoë"], [b"b"]], object)}, "1")
    (tensor,) = told.requests[-1].json["inputs"]
    assert tensor == {"name": "x", "datatype": "BYTES", "shape": [2, 1], "data": ["Zoë", "b"]}


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int8", "uint64", "bool", ">f4"]
)
def test_every_dtype_is_sent_as_json(told: HttpServer, client: Client, dtype: str) -> None:
    change_outputs(told)
    client.infer({"x": np.asfortranarray([[0, 1, 1], [1, 0, 0]]).astype(dtype)}, "1")
    (tensor,) = told.requests[-1].json["inputs"]
    assert tensor["data"] == [0, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("broken", ["/v2", "/v2/models/sums"])
@pytest.mark.parametrize(
    "answer",
    [
        lambda request: Response(b"<html>"),
        answer_json({"extensions": 7, "versions": 7}),
        answer_json({"extensions": [], "inputs": [{"name": "x", "datatype": "FP32", "shape": []}]}),
    ],
)
def test_metadata_that_is_none_is_wrong(
    told: HttpServer, client: Client, broken: str, answer: Callable[[Request], Response]
) -> None:
    told.answers[broken] = answer
    if broken == "/v2" and answer is not None:
        told.answers["/v2/models/sums"] = answer_json({"versions": "3"})
    with pytest.raises(RemoteError):
        client.describe()
