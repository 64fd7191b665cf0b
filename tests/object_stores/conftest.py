"""Stores that tests talk to, straight or through a proxy, and runs in this process, most of them without Beam."""

from collections.abc import Iterator
import importlib
from pathlib import Path
import tempfile

import pytest

from tests.object_stores.proxy import Proxy, proxy_of
from tests.object_stores.servers import Server, missing
from tests.object_stores.stores import Stores, all_stores, new_bucket
from tests.support.without_beam import run_without_beam


@pytest.fixture(autouse=True)
def _mostly_without_beam(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("beam") is None:
        run_without_beam(monkeypatch)


@pytest.fixture(scope="package", autouse=True)
def _primed_clients() -> None:
    """Not at the top: who only collects these tests waits for no client."""
    importlib.import_module("tests.object_stores.primed_clients")
    # Launchers are forked from a process that imports for seconds, which it can do beside the first tests.
    importlib.import_module("tests.object_stores.publisher").prepare()


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """One store of each kind for all tests."""
    with all_stores(tmp_path_factory.mktemp("stores")) as servers:
        yield servers


@pytest.fixture(scope="package", params=["s3", "gs"])
def server(request: pytest.FixtureRequest, servers: Stores) -> Server:
    """One store after the other."""
    if reason := missing(request.param):
        pytest.skip(reason)
    return servers.talk_to(request.param)


@pytest.fixture
def bucket(server: Server, servers: Stores) -> str:
    """URL of a new bucket."""
    return new_bucket(servers.talk_to(server.scheme))


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """A proxy in front of the store; only programs that get its address go through it."""
    with proxy_of(server.address) as proxy:
        yield proxy


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files of a machine that has no copy of any model."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path
