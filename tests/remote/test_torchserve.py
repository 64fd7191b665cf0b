"""The client of TorchServe against TorchServe itself: `make servers` installs it, and `make test` leaves it out."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from model_zoo.remote.client import Client
from model_zoo.remote.failures import GoneError, MissingError, RefusedError
from model_zoo.remote.table import connect
from model_zoo.remote.target import Target
from tests.remote.jobs import random_features, reference
from tests.remote.servers import RealServer, running
from tests.remote.torchserve_server import make_torchserve

pytestmark = [pytest.mark.program, pytest.mark.slow]


@pytest.fixture(scope="module")
def torchserve(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    folder = tmp_path_factory.mktemp("torchserve")
    with running(make_torchserve(folder, fitted)) as server:
        yield server


@pytest.fixture
def client(torchserve: RealServer) -> Iterator[Client]:
    client = connect(target_of(torchserve))
    yield client
    client.close()


def target_of(server: RealServer, version: str = "3") -> Target:
    # It says that it is ready before its workers have imported torch, half a minute on a busy machine.
    return Target("torchserve-http", server.http_url, "churn", version, deadline_seconds=90)


def test_the_scores_are_those_of_the_model(client: Client, fitted: Path) -> None:
    features = random_features(7)
    client.describe()
    [scores] = client.infer({"features": features}, "one").values()
    np.testing.assert_allclose(scores, reference(features, fitted), rtol=1e-6)


def test_a_version_that_is_not_there_is_missing(torchserve: RealServer) -> None:
    client = connect(target_of(torchserve, "4"))
    with pytest.raises(MissingError):
        client.infer({"features": random_features(2)}, "one")
    client.close()


def test_a_row_that_the_model_fails_on_may_be_to_blame(client: Client) -> None:
    # The server says 503 of it, as of having too much to do, and in its own words what it is.
    features = random_features(4)
    features[1, 2] = 1e10
    with pytest.raises(RefusedError) as raised:
        client.infer({"features": features}, "one")
    assert not raised.value.is_certain


def test_a_server_that_was_killed_is_gone(torchserve: RealServer, client: Client) -> None:
    torchserve.kill()
    with pytest.raises(GoneError):
        client.infer({"features": random_features(2)}, "one")
