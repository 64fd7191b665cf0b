"""Stores that tests talk to, straight or through a proxy."""

from collections.abc import Iterator
from contextlib import suppress
import os
import uuid

import fsspec
import pytest

from tests.object_stores.proxy import Proxy, proxy_of
from tests.object_stores.servers import Server, missing, running


@pytest.fixture(scope="package", params=["s3", "gs"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One store after the other."""
    if reason := missing(request.param):
        pytest.skip(reason)
    with running(request.param, tmp_path_factory.mktemp(request.param)) as server, at(server):
        yield server


@pytest.fixture
def bucket(server: Server) -> str:
    """URL of a new bucket."""
    return new_bucket(server)


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """A proxy in front of the store; only programs that get its address go through it."""
    with proxy_of(server.address) as proxy:
        yield proxy


class at:  # noqa: N801 - reads as a preposition
    """While the block runs, this process talks to the server, with no client left from another."""

    def __init__(self, server: Server) -> None:
        self._environment = server.environment()
        self._scheme = server.scheme

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._environment}
        os.environ.update(self._environment)
        fsspec.get_filesystem_class(self._scheme).clear_instance_cache()

    def __exit__(self, *error: object) -> None:
        fsspec.get_filesystem_class(self._scheme).clear_instance_cache()
        for name, value in self._before.items():
            with suppress(KeyError):
                del os.environ[name]
            if value is not None:
                os.environ[name] = value


def new_bucket(server: Server) -> str:
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    fsspec.filesystem(server.scheme, use_listings_cache=False).mkdir(name)
    return f"{server.scheme}://{name}"
