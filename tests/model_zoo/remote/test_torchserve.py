"""TorchServe with its JSON envelope, against a server that answers as it does."""

from collections.abc import Iterator
import json
from typing import Any

import numpy as np
import pytest

from model_zoo.remote.client import Client, Description
from model_zoo.remote.failures import BusyError, GoneError, RefusedError, WrongError
from model_zoo.remote.table import connect
from model_zoo.remote.target import Target
from tests.remote.http_server import HttpServer, Request, Response, answer_json, serve

ROWS = np.array([[1, 2, 3], [4, 5, 6]], "float32")
PATH = "/predictions/sums/3.0"


def add_up(request: Request) -> Response:
    sums = [sum(instance) for instance in request.json["instances"]]
    return Response(json.dumps({"predictions": sums}).encode())


@pytest.fixture
def told() -> Iterator[HttpServer]:
    with serve(HttpServer({"/ping": answer_json({"status": "Healthy"}), PATH: add_up})) as told:
        yield told


@pytest.fixture
def client(told: HttpServer) -> Iterator[Client]:
    client = connect(Target("torchserve-http", told.url, "sums", "3.0"))
    yield client
    client.close()


def test_a_server_tells_nothing_of_its_model(client: Client) -> None:
    assert client.describe() == Description("torchserve", "3.0", {}, {})


def test_a_server_that_is_not_well_is_gone(told: HttpServer, client: Client) -> None:
    told.answers["/ping"] = answer_json({"status": "Partial Healthy"})
    with pytest.raises(GoneError, match="it is 'Partial Healthy', and not Healthy"):
        client.describe()


def test_a_batch_is_answered(told: HttpServer, client: Client) -> None:
    outputs = client.infer({"x": ROWS}, "unit 7")
    assert outputs["predictions"].dtype == np.float32
    np.testing.assert_array_equal(outputs["predictions"], [6, 15])
    (request,) = told.requests
    assert request.json == {"instances": [[1, 2, 3], [4, 5, 6]]}
    assert request.headers["x-request-id"] == "unit 7"


def test_rows_of_several_inputs_have_names(told: HttpServer, client: Client) -> None:
    told.answers[PATH] = answer_json({"predictions": [1, 2]})
    texts = np.array(["Ann", "Bob"], object)
    client.infer({"x": ROWS, "size": np.array([1, 2], "int64"), "name": texts}, "1")
    assert told.requests[-1].json["instances"] == [
        {"x": [1, 2, 3], "size": 1, "name": "Ann"},
        {"x": [4, 5, 6], "size": 2, "name": "Bob"},
    ]


def test_several_outputs_have_names(told: HttpServer, client: Client) -> None:
    predictions = [
        {"score": 0.1, "label": 1, "is_sure": True, "name": "a", "all": [0.9, 0.1]},
        {"score": None, "label": 2, "is_sure": False, "name": "b", "all": [0.3, 0.7]},
    ]
    told.answers[PATH] = answer_json({"predictions": predictions})
    outputs = client.infer({"x": ROWS}, "1")
    np.testing.assert_array_equal(outputs["score"], np.array([0.1, np.nan], "float32"))
    np.testing.assert_array_equal(outputs["label"], np.array([1, 2], "int64"))
    np.testing.assert_array_equal(outputs["is_sure"], [True, False])
    assert outputs["name"].tolist() == [b"a", b"b"]
    assert outputs["all"].shape == (2, 2)


WRONG: dict[str, Any] = {
    "no predictions": {"code": 200},
    "fewer rows": {"predictions": [6]},
    "more rows": {"predictions": [6, 15, 7]},
    "other outputs": {"predictions": [{"a": 1}, {"b": 1}]},
    "no outputs": {"predictions": [{}, {}]},
    "a row without names": {"predictions": [{"a": 1}, 2]},
    "lists of several lengths": {"predictions": [[1], [2, 3]]},
    "a fraction among whole numbers": {"predictions": [1, 2.5]},
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
def test_an_answer_that_is_not_whole_is_wrong(
    told: HttpServer, client: Client, answer: Any
) -> None:
    told.answers[PATH] = answer_json(answer)
    with pytest.raises(WrongError):
        client.infer({"x": ROWS}, "1")


def test_a_model_that_fails_is_no_busy_server(told: HttpServer, client: Client) -> None:
    failed = {"code": 503, "type": "InternalServerException", "message": "Prediction failed"}
    told.answers[PATH] = answer_json(failed, 503)
    with pytest.raises(RefusedError, match="status 503: Prediction failed") as failure:
        client.infer({"x": ROWS}, "1")
    assert not failure.value.is_certain
    busy = {"code": 503, "type": "ServiceUnavailableException", "message": "no worker"}
    told.answers[PATH] = answer_json(busy, 503)
    with pytest.raises(BusyError):
        client.infer({"x": ROWS}, "1")
