"""The file operations on real object stores: what publishing, resuming and the identity of a run rest on."""

from contextlib import suppress
import gc
import threading
import uuid

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage import files
from storage.inputs import read_version
from tests.object_stores.proxy import Fault, Proxy
from tests.object_stores.servers import PAGE, Server, missing
from tests.object_stores.stores import Stores, at, new_bucket
from tests.support.listing import list_inputs

# gcsfs hands aiohttp the bytes as they are.
pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")


@pytest.fixture(
    scope="module", params=["s3", "gs", *(["minio"] if missing("minio") is None else [])]
)
def any_bucket(request: pytest.FixtureRequest, servers: Stores) -> tuple[str, str]:
    """A bucket of every kind of server that is there, and that kind: they word the same refusal differently."""
    if reason := missing(request.param):
        pytest.skip(reason)
    return request.param, new_bucket(servers.talk_to(request.param))


@pytest.fixture
def folder(any_bucket: tuple[str, str], servers: Stores) -> str:
    kind, bucket = any_bucket
    servers.talk_to(kind)
    return f"{bucket}/{uuid.uuid4().hex}"


def test_parts_of_a_file_are_read_in_the_order_in_which_they_are_asked_for(folder: str) -> None:
    url = f"{folder}/a"
    files.put(url, b"0123456789")
    assert files.read_ranges(url, [(7, 9), (0, 3), (8, 20)]) == [b"78", b"012", b"89"]
    with pytest.raises(FileNotFoundError):
        files.read_ranges(f"{folder}/b", [(0, 1), (1, 2)])
    # Behind the end there is nothing, or an error, but never anything else.
    with suppress(OSError):
        assert files.read_ranges(url, [(0, 1), (50, 60)]) == [b"0", b""]


def test_create_writes_only_what_is_not_there(folder: str) -> None:
    url = f"{folder}/sub/a.json"
    assert files.create(url, b"first")
    assert not files.create(url, b"second")
    assert files.read(url) == b"first"
    assert files.create(url, b"first")  # as a client does whose answer was lost
    files.replace(url, b"third")
    assert files.read(url) == b"third"


@pytest.mark.parametrize(
    "size", [0, 1, 20 << 20, 110 << 20], ids=["empty", "byte", "20 MB", "110 MB"]
)
def test_create_is_one_conditional_request_whatever_the_size(folder: str, size: int) -> None:
    url = f"{folder}/_manifest.json"
    assert files.create(url, bytes(size))
    assert not files.create(url, bytes(size) + b"x")
    assert files.read(url) == bytes(size)


def test_of_many_creators_one_wins(folder: str) -> None:
    for number in range(10):
        url, won = f"{folder}/record-{number}", []
        start = threading.Barrier(8)

        def race(
            racer: int, url: str = url, won: list[int] = won, start: threading.Barrier = start
        ) -> None:
            start.wait()
            if files.create(url, b"%d" % racer * 10_000):
                won.append(racer)

        threads = [threading.Thread(target=race, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert files.read(url) == b"%d" % won[0] * 10_000


def test_a_missing_bucket_is_not_made(folder: str) -> None:
    nowhere = f"{folder.partition('://')[0]}://missing-{uuid.uuid4().hex}/scores"
    files.make_folder(nowhere)
    with pytest.raises(FileNotFoundError, match="there is no bucket missing-") as caught:
        files.create(f"{nowhere}/a", b"x")
    assert caught.value.strerror == str(caught.value)
    with pytest.raises(OSError):
        files.put(f"{nowhere}/a", b"x")
    assert files.read(f"{nowhere}/a") is None
    assert not files.exists(f"{nowhere}/a")
    assert files.list_names(nowhere) == []
    assert list_inputs(nowhere) == list_inputs(f"{nowhere}/*.csv") == ([], [])


@pytest.mark.parametrize("size", [5, 60 << 20], ids=["small", "many parts"])
def test_a_version_is_the_same_however_the_file_is_listed(folder: str, size: int) -> None:
    url = f"{folder}/in/a.parquet"
    with files.open_synced(url) as file:
        for _ in range(5):
            file.write(bytes(size // 5))
    listed = [
        list_inputs(p)[0]
        for p in (
            url,
            f"{folder}/in",
            f"{folder}/in/",
            f"{folder}/in/*.parquet",
            f"{folder}/**/a.*",
        )
    ]
    assert [[(f.url, f.bytes, f.version) for f in found] for found in listed] == [
        [(url, size, read_version(url))]
    ] * 5


def test_a_version_is_of_the_content_and_nothing_else(folder: str) -> None:
    url = f"{folder}/a"
    assert read_version(url) is None
    files.put(url, b"one")
    before = read_version(url)
    assert before == read_version(url)
    assert "ETag=" in str(before) or "generation=" in str(before)
    files.put(url, b"two")
    assert read_version(url) != before


def test_what_another_program_wrote_is_seen_at_once(folder: str) -> None:
    """A file system that keeps listings would answer from its last one, or hand a thread what another one listed."""
    scheme = folder.partition("://")[0]
    files.put(f"{folder}/a", b"x")
    for number in range(3):
        files.list_names(folder)
        list_inputs(f"{folder}/*")
        another = fsspec.filesystem(scheme, skip_instance_cache=True)
        another.pipe_file(f"{folder}/a", b"x" * (number + 2))
        another.pipe_file(f"{folder}/new-{number}", b"x")
        assert str(read_version(f"{folder}/a")).startswith(f"size={number + 2},")
        assert files.exists(f"{folder}/new-{number}")
        assert f"new-{number}" in files.list_names(folder)


def test_move_copies_once_and_can_be_repeated(folder: str) -> None:
    files.put(f"{folder}/attempts/x", b"content")
    for _ in range(2):
        files.move(f"{folder}/attempts/x", f"{folder}/runs/part-x")
        assert files.read(f"{folder}/runs/part-x") == b"content"
    standing = read_version(f"{folder}/runs/part-x")
    files.put(f"{folder}/attempts/x", b"never copied: the name holds a digest")
    files.move(f"{folder}/attempts/x", f"{folder}/runs/part-x")
    assert read_version(f"{folder}/runs/part-x") == standing
    files.remove(f"{folder}/attempts")
    files.move(f"{folder}/attempts/x", f"{folder}/runs/part-x")
    with pytest.raises(FileNotFoundError):
        files.move(f"{folder}/attempts/x", f"{folder}/runs/part-y")


def test_a_large_object_is_copied_in_parts(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As s3fs does it above 150 MB, where a plain copy is possible up to 5 GB."""
    if folder.startswith("s3"):
        monkeypatch.setattr("s3fs.core.MANAGED_COPY_THRESHOLD", 5 << 20)
    content = bytes(60 << 20)
    with files.open_synced(f"{folder}/a") as file:
        file.write(content)
    files.move(f"{folder}/a", f"{folder}/b")
    assert files.compute_sha256(f"{folder}/b") == file.sha256


@pytest.mark.parametrize("size", [1000, 120 << 20], ids=["small", "many parts"])
def test_a_file_whose_writing_failed_is_not_stored(folder: str, size: int) -> None:
    with pytest.raises(RuntimeError, match="half way"):
        write_half(f"{folder}/a", size)
    gc.collect()  # a file that is not closed uploads when it is collected
    assert not files.exists(f"{folder}/a")
    fs = fsspec.filesystem(folder.partition("://")[0], use_listings_cache=False)
    if hasattr(fs, "list_multipart_uploads"):
        assert fs.list_multipart_uploads(folder.split("/")[2]) == []


def write_half(url: str, size: int) -> None:
    with files.open_synced(url) as file:
        file.write(bytes(size))
        raise RuntimeError("half way")


def test_open_synced_is_enough_of_a_file_for_parquet(folder: str) -> None:
    table = pa.table({"a": list(range(1000)), "b": ["x"] * 1000})
    with (
        files.open_synced(f"{folder}/t.parquet") as file,
        pq.ParquetWriter(pa.PythonFile(file, mode="w"), table.schema) as writer,
    ):
        writer.write_table(table)
    with files.open_read(f"{folder}/t.parquet") as stored:
        assert pq.read_table(stored).equals(table)
    assert file.sha256 == files.compute_sha256(f"{folder}/t.parquet")


@pytest.mark.parametrize(
    "name",
    ["with space", "per%20cent", "a#b", "a[1]", "a*b", "a?b", "日本", "it's", "a+b", "a=b&c"],
)
def test_strange_names(folder: str, name: str) -> None:
    url = f"{folder}/{name}/part"
    files.put(f"{folder}/a-neighbour/part", b"stays")
    assert files.create(url, b"x")
    assert files.read(url) == b"x"
    assert files.list_names(f"{folder}/{name}") == ["part"]
    (listed,) = list_inputs(f"{folder}/{name}")[0]
    assert (listed.url, listed.version) == (url, read_version(url))
    files.move(url, f"{url}-2")
    files.remove(f"{folder}/{name}")
    assert files.list_names(folder) == ["a-neighbour"]


def test_a_folder_of_more_than_a_page_is_listed_and_removed(folder: str) -> None:
    fs = fsspec.filesystem(folder.partition("://")[0], use_listings_cache=False)
    fs.pipe({f"{folder}/in/{n:05d}": b"x" for n in range(PAGE + 10)})
    files.put(f"{folder}/stays", b"x")
    assert len(files.list_names(f"{folder}/in")) == PAGE + 10
    files.remove(f"{folder}/in")
    assert files.list_names(f"{folder}/in") == []
    assert files.list_names(folder) == ["stays"]
    files.remove(f"{folder}/in")


def test_removing_many_objects_takes_few_requests(
    server: Server, bucket: str, proxy: Proxy
) -> None:
    fs = fsspec.filesystem(server.scheme, use_listings_cache=False)
    fs.pipe({f"{bucket}/in/{n:05d}": b"x" for n in range(120)})
    with at(Server(server.scheme, proxy.address)):
        files.remove(f"{bucket}/in")
    assert files.list_names(f"{bucket}/in") == []
    if (
        server.scheme == "s3"
    ):  # gcsfs removes 100 at a time on Google's servers, and one by one on an emulator
        assert len(proxy.requests) < 12


def test_a_lost_answer_to_create_is_no_other_writer(
    server: Server, bucket: str, proxy: Proxy
) -> None:
    """The client asks again, is told that the object exists, and yet wrote it itself."""
    proxy.fault = Fault("record", lambda: None, after=True)
    with at(Server(server.scheme, proxy.address)):
        assert files.create(f"{bucket}/record", b"mine")
    assert len([r for r in proxy.writes() if "record" in r or "/upload/" in r]) > 1
    assert files.read(f"{bucket}/record") == b"mine"


def test_a_refusal_in_other_words_is_understood(server: Server, bucket: str, proxy: Proxy) -> None:
    """MinIO does not say which condition was not met, and s3fs takes that for an invalid argument."""
    if server.scheme == "gs":
        pytest.skip("the words of S3 servers")
    files.put(f"{bucket}/record", b"another's")
    refusal = b"<Error><Code>PreconditionFailed</Code><Message>At least one pre-condition did not hold</Message></Error>"
    proxy.instead = lambda request: (412, refusal) if request.startswith("PUT") else None
    with at(Server(server.scheme, proxy.address)):
        assert not files.create(f"{bucket}/record", b"mine")


def test_a_put_that_met_another_one_is_tried_again(
    server: Server, bucket: str, proxy: Proxy
) -> None:
    if server.scheme == "gs":
        pytest.skip("the words of S3 servers")
    met = [
        (
            409,
            b"<Error><Code>ConditionalRequestConflict</Code><Message>A conflicting operation is under way</Message></Error>",
        )
    ] * 2
    proxy.instead = lambda request: met.pop() if met and request.startswith("PUT") else None
    with at(Server(server.scheme, proxy.address)):
        assert files.create(f"{bucket}/record", b"mine")
        met += [(409, b"<Error><Code>ConditionalRequestConflict</Code></Error>")] * 99
        with pytest.raises(OSError):
            files.create(f"{bucket}/other", b"mine")


@pytest.mark.slow
def test_a_connection_that_is_lost_again_and_again_is_an_oserror(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With as few attempts as a user can ask for: s3fs makes some of its own."""
    if reason := missing("s3"):
        pytest.skip(reason)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with at(Server("s3", "127.0.0.1:9")), pytest.raises(OSError, match="connect") as caught:
        files.exists("s3://bucket/a")
    assert caught.value.strerror is not None
