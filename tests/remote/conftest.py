"""Real servers, one of each for all tests of this folder; who kills a server has one of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote.jobs import COLUMNS, write_fitted
from tests.remote.servers import (
    RealServer,
    make_kserve,
    make_mlserver,
    make_tensorflow,
    mlserver_echo,
    mlserver_logistic,
    mlserver_words,
    running,
)
from tests.remote.triton_server import make_triton


@pytest.fixture(scope="package")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of the weights that all servers of these tests load."""
    return write_fitted(tmp_path_factory.mktemp("fitted") / "fitted.json")


@pytest.fixture(scope="package")
def mlserver(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """MLServer with the versions 3 and 4 of `churn`, with `echo` and with `words`."""
    models = [mlserver_logistic(fitted, COLUMNS, version) for version in ("3", "4")]
    folder = tmp_path_factory.mktemp("mlserver") / "served"
    with running(make_mlserver(folder, [*models, mlserver_echo(), mlserver_words()])) as server:
        yield server


@pytest.fixture(scope="package")
def kserve(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """KServe's model server with `churn`."""
    with running(make_kserve(tmp_path_factory.mktemp("kserve"), fitted, COLUMNS)) as server:
        yield server


@pytest.fixture(scope="package")
def tensorflow(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """The stand-in for TensorFlow Serving with two versions of `churn`."""
    folder = tmp_path_factory.mktemp("tensorflow")
    with running(make_tensorflow(folder, fitted, COLUMNS)) as server:
        yield server


@pytest.fixture(scope="package")
def triton(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """Triton with `churn`."""
    with running(make_triton(tmp_path_factory.mktemp("triton"), fitted, COLUMNS)) as server:
        yield server
