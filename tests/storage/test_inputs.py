"""The version of an input file: whatever changed, it is another one."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler
import io
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from storage import disk, inputs
from storage.input_version import is_version_of
from tests.support.listing import list_inputs
from tests.support.loopback import LoopbackServer, run_server


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The address of a web server that shows a folder."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = LoopbackServer(handler)
    with run_server(server):
        yield f"http://{server.address}"


def wait_for_another_time(path: Path) -> None:
    """Wait until the clock of the file system has moved on, which ticks every few milliseconds."""
    probe = path.with_name("probe")
    before = path.stat().st_ctime_ns
    while True:
        probe.write_bytes(b"")
        if probe.stat().st_ctime_ns > before:
            return


def rewrite(path: Path, content: bytes) -> None:
    """Write other content of the same size into the same file, and set its time back."""
    times = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def swap(path: Path, content: bytes) -> None:
    """Put another file of the same size and time in its place."""
    other = path.with_name("other")
    other.write_bytes(content)
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [rewrite, swap])
def test_other_content_of_the_same_size_and_time_is_another_version(
    change: Callable[[Path, bytes], None], tmp_path: Path
) -> None:
    path = tmp_path / "a.x"
    path.write_bytes(b"one")
    (before,) = list_inputs(str(path))[0]
    wait_for_another_time(path)
    change(path, b"two")
    (after,) = list_inputs(str(path))[0]
    assert (after.bytes, after.url) == (before.bytes, before.url)
    assert after.version != before.version
    assert inputs.read_version(str(path)) == after.version
    assert not is_version_of(after.version, before.version)


def test_reading_a_file_changes_no_version(tmp_path: Path) -> None:
    path = tmp_path / "a.x"
    path.write_bytes(b"one")
    before = inputs.read_version(str(path))
    wait_for_another_time(path)
    assert path.read_bytes() == b"one"
    assert inputs.read_version(str(path)) == before


def test_a_file_that_is_gone_has_no_version(tmp_path: Path) -> None:
    assert inputs.read_version(str(tmp_path / "a.x")) is None


def test_files_of_a_web_server_are_listed(web: str, tmp_path: Path) -> None:
    """Its paths are whole URLs, and its listings tell no sizes."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.x").write_bytes(b"one")
    for pattern in (f"{web}/in/a.x", f"{web}/in/*.x", f"{web}/**/*.x"):
        (found,) = list_inputs(pattern)[0]
        assert (found.url, found.bytes) == (f"{web}/in/a.x", 3)


class _Miserly(io.RawIOBase):
    """A file that gives three bytes at a time, as a mounted store may."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._rest = content

    def read(self, size: int = -1) -> bytes:
        given, self._rest = self._rest[:3], self._rest[3:]
        return given


def test_a_place_that_gives_fewer_bytes_than_are_asked_for_is_asked_again() -> None:
    content = b"0123456789"
    assert disk.read_up_to(_Miserly(content), 10) == content
    assert disk.read_up_to(_Miserly(content), 12) == content
    assert disk.read_up_to(_Miserly(content), 9) == content[:9]


NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("known", "best"),
    [
        ({"generation": 0, "etag": "x", "mtime": NOON}, "generation=0"),
        ({"ETag": '"abc"', "LastModified": NOON}, "ETag=abc"),
        ({"ETag": None, "LastModified": NOON}, f"LastModified={NOON.timestamp()}"),
        ({}, ""),
    ],
)
def test_a_stored_object_is_known_by_the_best_that_its_listing_tells(
    known: dict[str, Any], best: str
) -> None:
    """Without another question: of a hundred thousand objects that would be as many requests."""
    store = SimpleNamespace(protocol=("s3", "s3a"))
    info = {"name": "b/k", "size": 3, **known}
    assert inputs.describe_version(store, info) == f"size=3,{best}"
