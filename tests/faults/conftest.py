"""What the tests of faults share: a server that runs our programs with faults, and the small job that they run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.counts import full_or
from tests.faults.server import Server
from tests.faults.world import make_world
from tests.support.fork_servers import SERVERS
from tests.support.without_beam import run_without_beam


@pytest.fixture(autouse=True)
def _without_beam(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test runs in this process goes through Beam where the test says so, and always with FULL_COUNTS."""
    if full_or(True, False) and request.node.get_closest_marker("beam") is None:
        run_without_beam(monkeypatch)


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Server]:
    """Run programs with faults, forked from a process that has imported everything."""
    address = pytestconfig.stash[SERVERS].find("tests.faults.server")
    server = Server(tmp_path_factory.mktemp("server"), address)
    yield server
    server.close()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `job.yaml` and what it needs; tests do not change it."""
    folder = tmp_path_factory.mktemp("world")
    make_world(folder)
    return folder
