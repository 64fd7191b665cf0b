"""What a pattern takes of a bucket is what it takes of a disk: the same rules, and keys that only a store has."""

from pathlib import Path
import uuid

import fsspec
import pytest

from configs.errors import InputError
from pipelines.planning.shards import list_shards
from storage import files
from tests.object_stores.proxy import Proxy
from tests.object_stores.servers import PAGE, Server
from tests.object_stores.stores import at
from tests.support.listing import list_inputs

# gcsfs hands aiohttp the bytes as they are.
pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
KEYS = (
    "dt=1/p.x",
    "dt=1/_SUCCESS",
    "dt=1/p.x.crc",
    "dt=2/_temporary/0/p.x",
    "dt=2/region=a b/p.x",
    "_day=3/p.x",
    ".hidden/p.x",
    "top.x",
)


@pytest.fixture
def folder(bucket: str) -> str:
    return f"{bucket}/{uuid.uuid4().hex}"


def put(folder: str, *keys: str) -> None:
    for key in keys:
        files.put(f"{folder}/{key}", b"1")


@pytest.mark.parametrize(
    "pattern", ["", "/", "/*", "/**", "/**/*.x", "/dt=*", "/dt=*/*.x", "/*/[pq].?", "/**/p*"]
)
def test_a_bucket_is_listed_like_a_disk(pattern: str, folder: str, tmp_path: Path) -> None:
    put(folder, *KEYS)
    put(str(tmp_path), *KEYS)
    taken, left_out = list_shards([f"{folder}{pattern}"])
    expected, expected_left_out = list_shards([f"{tmp_path}{pattern}"])
    assert [file.url.removeprefix(folder) for file in taken] == [
        file.url.removeprefix(str(tmp_path)) for file in expected
    ]
    assert [url.removeprefix(folder) for url in left_out] == [
        url.removeprefix(str(tmp_path)) for url in expected_left_out
    ]
    assert taken


def test_a_plain_folder_is_refused_or_read(folder: str) -> None:
    put(folder, "a.x", "late/b.x")
    for pattern in ("", "/*"):
        with pytest.raises(InputError, match=r"/late: is a folder .* source\.recursive=true"):
            list_inputs(folder + pattern)
        found, _ = list_inputs(folder + pattern, recursive=True)
        assert [file.url for file in found] == [f"{folder}/a.x", f"{folder}/late/b.x"]


@pytest.mark.parametrize("log", ["_delta_log/0.json", ".hoodie/x", "metadata/1.metadata.json"])
def test_a_table_is_refused(log: str, folder: str) -> None:
    put(folder, "t/data/dt=1/p.x", f"t/{log}")
    for pattern in ("t/data/dt=1/p.x", "t/data", "t/data/dt=*/*.x", "**/*.x"):
        with pytest.raises(InputError, match=r"/t: is an? (Delta|Hudi|Iceberg) table"):
            list_inputs(f"{folder}/{pattern}")


def test_a_key_that_is_also_a_folder_is_a_file_and_a_folder(folder: str) -> None:
    put(folder, "in/a", "in/a/dt=1/b", "in/c")
    with pytest.raises(InputError, match="/in/a: is a folder"):
        list_inputs(f"{folder}/in")
    found, _ = list_inputs(f"{folder}/in", recursive=True)
    assert [file.url for file in found] == [f"{folder}/in/{key}" for key in ("a", "a/dt=1/b", "c")]


def test_a_marker_of_a_folder_is_no_file(folder: str, server: Server) -> None:
    put(folder, "in/a.x")
    fs = fsspec.filesystem(server.scheme, use_listings_cache=False)
    for marker in ("in/", "in/dt=1/"):
        fs.pipe_file(f"{folder}/{marker}", b"")
    for pattern in ("/in", "/in/*", "/**/*.x"):
        found, left_out = list_inputs(folder + pattern)
        assert ([file.url for file in found], left_out) == ([f"{folder}/in/a.x"], [])


def test_a_spelling_that_names_another_key_elsewhere_is_refused(folder: str) -> None:
    put(folder, "in/a.x")
    for path in ("in/../in/*", "./in/*"):
        with pytest.raises(InputError, match="one file has two names"):
            list_inputs(f"{folder}/{path}")


def test_more_folders_than_a_page_are_listed(folder: str, server: Server, proxy: Proxy) -> None:
    count = PAGE + 10
    fs = fsspec.filesystem(server.scheme, use_listings_cache=False)
    fs.pipe({f"{folder}/dt={number:05d}/p.x": b"1" for number in range(count)})
    with at(Server(server.scheme, proxy.address)):
        found, _ = list_inputs(f"{folder}/*/*.x")
    assert len(found) == count
    # One for each folder, and some for the pages, the root, and what is above.
    assert len(proxy.requests) < count + 60
