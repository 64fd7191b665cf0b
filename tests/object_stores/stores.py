"""The stores of a whole run, one of each kind, and how this process talks to one of them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
import os
from pathlib import Path
import uuid

import fsspec

from tests.object_stores.servers import Server, running


class Stores:
    """Running stores, each started when somebody first asks for it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._running: dict[str, Server] = {}

    def talk_to(self, name: str) -> Server:
        """Return the store `s3`, `minio` or `gs`, which this process talks to from now on."""
        if name not in self._running:
            folder = self._folder / name
            folder.mkdir()
            self._running[name] = self._stack.enter_context(running(name, folder))
        server = self._running[name]
        if not server.environment().items() <= os.environ.items():
            _talk(server)
        return server

    def forget(self) -> None:
        """Close what this process has open."""
        for server in self._running.values():
            _forget_clients(server.scheme)


@contextmanager
def all_stores(folder: Path) -> Iterator[Stores]:
    """Stores for the time of the block; what the environment says of any is afterwards as it was."""
    before = dict(os.environ)
    try:
        with ExitStack() as stack:
            stores = Stores(folder, stack)
            yield stores
    finally:
        _set(before)
        stores.forget()


@contextmanager
def at(server: Server) -> Iterator[None]:
    """While the block runs, this process talks to the server, with no client left from another."""
    before = dict(os.environ)
    _talk(server)
    try:
        yield
    finally:
        _set(before)
        _forget_clients(server.scheme)


def new_bucket(server: Server) -> str:
    """Make a bucket, and return its URL."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    fsspec.filesystem(server.scheme, use_listings_cache=False).mkdir(name)
    return f"{server.scheme}://{name}"


def _talk(server: Server) -> None:
    os.environ.update(server.environment())
    _forget_clients(server.scheme)


def _forget_clients(scheme: str) -> None:
    fsspec.get_filesystem_class(scheme).clear_instance_cache()


def _set(environment: dict[str, str]) -> None:
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
