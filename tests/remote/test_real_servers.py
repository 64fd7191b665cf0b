"""Clients against real servers: what each says of itself, the scores of a batch, rows that it refuses, and a server that goes and comes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import time

import numpy as np
import pytest

from model_zoo.remote.client import Client, TensorSpec
from model_zoo.remote.failures import (
    GoneError,
    MissingError,
    RefusedError,
    RemoteError,
    TooLargeError,
)
from model_zoo.remote.table import connect
from model_zoo.remote.target import Target
from tests.remote.jobs import COLUMNS, address, random_features, reference
from tests.remote.servers import HOST, RealServer
from tests.remote.triton_server import MOST_ROWS

pytestmark = pytest.mark.program

KINDS = (
    "mlserver oip-grpc",
    "mlserver oip-http",
    "kserve oip-grpc",
    "kserve oip-http",
    "tensorflow tensorflow-grpc",
    "tensorflow tensorflow-http",
    "triton oip-grpc",
    "triton oip-http",
)
KINDS_WITH_A_LIMIT = ("mlserver oip-grpc", "kserve oip-grpc", "tensorflow tensorflow-grpc")
PROBABILITY = {"probability": TensorSpec("float32", (1,))}
FEATURES = {"features": TensorSpec("float32", (COLUMNS,))}


@dataclass(frozen=True)
class Reached:
    """A client, and what it is connected to."""

    client: Client
    server: str
    protocol: str


@pytest.fixture(params=KINDS)
def reached(request: pytest.FixtureRequest) -> Iterator[Reached]:
    """A client of `churn` in each server by each protocol that it speaks."""
    name, protocol = request.param.split()
    server = request.getfixturevalue(name)
    client = connect(target_of(server, protocol))
    yield Reached(client, name, protocol)
    client.close()


def target_of(server: RealServer, protocol: str, **fields: object) -> Target:
    url = address(server, protocol)
    return Target(protocol, url, **{"name": "churn", "deadline_seconds": 20.0, **fields})


@pytest.mark.parametrize("name", ["mlserver", "kserve", "tensorflow", "triton"])
def test_servers_of_tests_are_seen_by_this_machine_alone(
    name: str, request: pytest.FixtureRequest
) -> None:
    server: RealServer = request.getfixturevalue(name)
    assert server.list_addresses() == {HOST}


def some_rows() -> np.ndarray:
    return random_features(7)


def test_a_server_tells_what_its_model_takes_and_gives(reached: Reached) -> None:
    described = reached.client.describe()
    assert described.server.startswith(f"{reached.server} ")
    assert described.inputs == FEATURES
    assert described.outputs == PROBABILITY


def test_the_scores_are_those_of_the_model(reached: Reached, fitted: Path) -> None:
    features = some_rows()
    outputs = reached.client.infer({"features": features}, "request-1")
    assert list(outputs) == ["probability"]
    assert outputs["probability"].dtype == np.float32
    np.testing.assert_allclose(outputs["probability"][:, 0], reference(features, fitted), rtol=1e-6)


def test_the_bits_of_a_row_do_not_depend_on_the_protocol(
    mlserver: RealServer, kserve: RealServer
) -> None:
    answers = []
    for server in (mlserver, kserve):
        for protocol in ("oip-grpc", "oip-http"):
            client = connect(target_of(server, protocol))
            answers.append(client.infer({"features": some_rows()}, "one")["probability"].tobytes())
            client.close()
    assert len(set(answers)) == 1


def test_a_row_that_the_model_refuses_is_told_apart_from_a_model_that_fails(
    reached: Reached,
) -> None:
    for value, is_certain in ((1e7, True), (1e10, False)):
        features = some_rows()
        features[3] = value
        with pytest.raises(RefusedError) as raised:
            reached.client.infer({"features": features}, "one")
        assert raised.value.is_certain is is_certain


# Over HTTP none of them has a limit; Triton counts rows, and says before how many.
@pytest.mark.parametrize("reached", KINDS_WITH_A_LIMIT, indirect=True)
def test_a_message_that_is_too_large_is_no_busy_server(reached: Reached) -> None:
    many = np.zeros((600_000, COLUMNS), np.float32)
    with pytest.raises(TooLargeError):
        reached.client.infer({"features": many}, "one")


@pytest.mark.parametrize("protocol", ["oip-grpc", "oip-http"])
def test_triton_tells_how_many_rows_a_request_may_have(triton: RealServer, protocol: str) -> None:
    client = connect(target_of(triton, protocol))
    assert client.describe().most_rows == MOST_ROWS
    with pytest.raises(RefusedError):
        client.infer({"features": random_features(MOST_ROWS + 1)}, "one")
    client.close()


@pytest.mark.parametrize("protocol", ["oip-grpc", "oip-http"])
def test_each_version_of_a_model_answers_for_itself(mlserver: RealServer, protocol: str) -> None:
    for version in ("3", "4"):
        client = connect(target_of(mlserver, protocol, version=version))
        assert client.describe().model_version == version
        client.infer({"features": some_rows()}, "one")
        client.close()


@pytest.mark.parametrize("protocol", ["oip-grpc", "oip-http"])
@pytest.mark.parametrize("asked", [{"name": "nobody"}, {"version": "5"}])
def test_a_model_that_is_not_there_is_an_error(
    mlserver: RealServer, protocol: str, asked: dict[str, str]
) -> None:
    client = connect(target_of(mlserver, protocol, **asked))
    with pytest.raises(MissingError):
        client.describe()
    client.close()


@pytest.mark.parametrize("protocol", ["oip-grpc", "oip-http"])
def test_a_version_that_a_server_does_not_tell_is_not_believed(
    kserve: RealServer, protocol: str
) -> None:
    # KServe's server ignores the version that a request over gRPC names, and answers with what it has.
    client = connect(target_of(kserve, protocol, version="4"))
    with pytest.raises(RemoteError):
        client.infer({"features": some_rows()}, "one")
    client.close()


DTYPES = (
    "bool",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "float32",
    "float64",
)


@pytest.mark.parametrize("protocol", ["oip-grpc", "oip-http"])
def test_every_dtype_goes_there_and_back(mlserver: RealServer, protocol: str) -> None:
    inputs = {name: _extremes(np.dtype(name)) for name in DTYPES}
    inputs["texts"] = np.array(["", "ä€😀"], object)
    client = connect(target_of(mlserver, protocol, name="echo"))
    outputs = client.infer(inputs, "one")
    client.close()
    assert outputs.keys() == inputs.keys()
    for name in DTYPES:
        assert outputs[name].dtype == inputs[name].dtype
        np.testing.assert_array_equal(outputs[name], inputs[name])
    assert [_text(value) for value in outputs["texts"]] == ["", "ä€😀"]


def _extremes(dtype: np.dtype) -> np.ndarray:
    if dtype == np.bool_:
        return np.array([False, True])
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return np.array([limits.min, limits.max], dtype)


def _text(value: object) -> object:
    return value.decode() if isinstance(value, bytes) else value


def test_a_client_finds_a_server_that_was_killed_and_is_back(kserve: RealServer) -> None:
    clients = [connect(target_of(kserve, protocol)) for protocol in ("oip-grpc", "oip-http")]
    before = [client.infer({"features": some_rows()}, "one") for client in clients]
    kserve.kill()
    try:
        for client in clients:
            with pytest.raises(GoneError):
                client.infer({"features": some_rows()}, "two")
    finally:
        # The other tests need it, too.
        kserve.start()
    for client, answer in zip(clients, before, strict=True):
        again = _infer_soon(client)
        np.testing.assert_array_equal(again["probability"], answer["probability"])
        client.close()


def _infer_soon(client: Client) -> dict[str, np.ndarray]:
    """Ask until there is an answer: gRPC looks again for a lost server after a second at most."""
    end = time.monotonic() + 60
    while True:
        try:
            return client.infer({"features": some_rows()}, "three")
        except GoneError:
            assert time.monotonic() < end
