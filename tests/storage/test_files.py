from collections.abc import Iterator
import errno
import hashlib
import os
from pathlib import Path
import threading
import uuid

import fsspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage import files, inputs
from tests.support.listing import list_inputs

STRANGE = [
    "with space",
    "per%20cent",
    "100%",
    "a#b",
    "a?b",
    "a[1]",
    "[x",
    "a*b",
    "zürich",
    "日本",
    "a:b",
    "it's",
    'q"q',
    "x{1,2}",
]


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty folder on a local disk, and one in memory."""
    if request.param == "local":
        yield str(tmp_path)
        return
    name = f"/{uuid.uuid4().hex}"
    memory = fsspec.filesystem("memory")
    memory.makedirs(name)
    yield f"memory://{name}"
    if memory.exists(name):
        memory.rm(name, recursive=True)


def names(pattern: str) -> list[str]:
    return [f.url.rsplit("/", 1)[1] for f in list_inputs(pattern)[0]]


def test_create_writes_only_what_is_not_there(folder: str) -> None:
    url = f"{folder}/sub/a.json"
    assert files.create(url, b"first")
    assert not files.create(url, b"second")
    assert files.read(url) == b"first"
    assert files.list_names(f"{folder}/sub") == ["a.json"]


def test_of_many_creators_one_wins_and_the_file_is_whole(tmp_path: Path) -> None:
    url, won = str(tmp_path / "record"), []
    start = threading.Barrier(8)

    def race(number: int) -> None:
        start.wait()
        if files.create(url, b"%d" % number * 100_000):
            won.append(number)

    threads = [threading.Thread(target=race, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert files.read(url) == b"%d" % won[0] * 100_000
    assert os.listdir(tmp_path) == ["record"]


def test_replace_writes_whatever_is_there(folder: str) -> None:
    url = f"{folder}/sub/CURRENT"
    files.replace(url, b"one")
    files.replace(url, b"two")
    assert files.read(url) == b"two"
    assert files.list_names(f"{folder}/sub") == ["CURRENT"]


def test_parts_of_a_file_are_read_in_the_order_in_which_they_are_asked_for(folder: str) -> None:
    url = f"{folder}/a"
    files.put(url, b"0123456789")
    assert files.read_ranges(url, [(7, 9), (0, 3), (8, 20)]) == [b"78", b"012", b"89"]
    with pytest.raises(FileNotFoundError):
        files.read_ranges(f"{folder}/b", [(0, 1), (1, 2)])


def test_a_reader_never_sees_half_a_replacement(tmp_path: Path) -> None:
    url, contents, seen = (
        str(tmp_path / "CURRENT"),
        [bytes([n]) * 300_000 for n in range(40)],
        set(),
    )
    files.replace(url, contents[0])
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(files.read(url))

    reader = threading.Thread(target=look)
    reader.start()
    for content in contents:
        files.replace(url, content)
    done.set()
    reader.join()
    assert seen <= set(contents)


def test_read_of_nothing_is_none(folder: str) -> None:
    assert files.read(f"{folder}/none") is None
    files.put(f"{folder}/file", b"x")
    if files.is_local(folder):
        assert files.read(f"{folder}/file/below") is None


def test_put_exists_and_remove(folder: str) -> None:
    url = f"{folder}/progress/unit"
    assert not files.exists(url)
    files.put(url, b"1")
    files.put(url, b"2")
    assert files.exists(url)
    assert files.read(url) == b"2"
    files.remove(f"{folder}/progress")
    assert not files.exists(url)
    files.remove(f"{folder}/progress")


def test_a_folder_that_somebody_removed_is_not_made_again(tmp_path: Path) -> None:
    gone = f"{tmp_path}/gone/below"
    for write in (
        lambda: files.put(f"{gone}/x", b"", above=False),
        lambda: files.make_folder(gone, above=False),
    ):
        with pytest.raises(FileNotFoundError):
            write()
    with pytest.raises(FileNotFoundError):
        files.create(f"{tmp_path}/x", b"", scratch=gone)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_made_is_there(folder: str) -> None:
    for _ in range(2):
        files.make_folder(f"{folder}/one/two")
        assert files.exists(f"{folder}/one/two")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for above in (True, False):
        with pytest.raises(OSError, match="file"):
            files.make_folder(f"{tmp_path}/file", above=above)


@pytest.mark.parametrize("ahead", [True, False])
def test_a_file_is_read_to_its_end_or_as_far_as_asked(folder: str, ahead: bool) -> None:
    files.put(f"{folder}/a", b"0123456789")
    with files.open_read(f"{folder}/a", ahead) as file:
        assert (file.read(4), file.read(), file.read()) == (b"0123", b"456789", b"")
        assert file.seek(8) == 8
        assert file.read(1) == b"8"


def test_names_in_a_folder_are_sorted_base_names(folder: str) -> None:
    for name in ("b", "a b", "c%20#"):
        files.put(f"{folder}/in/{name}", b"x")
    files.put(f"{folder}/in/sub/deep", b"x")
    assert files.list_names(f"{folder}/in") == ["a b", "b", "c%20#", "sub"]
    assert files.list_names(f"{folder}/in/") == ["a b", "b", "c%20#", "sub"]
    assert files.list_names(f"{folder}/none") == []


def test_move_gives_the_name_and_can_be_repeated(folder: str) -> None:
    files.put(f"{folder}/attempts/x", b"content")
    files.make_folder(f"{folder}/runs")
    for _ in range(3):
        files.move(f"{folder}/attempts/x", f"{folder}/runs/part-x")
        assert files.read(f"{folder}/runs/part-x") == b"content"


def test_move_of_nothing_is_an_error(folder: str) -> None:
    files.make_folder(f"{folder}/runs")
    with pytest.raises(FileNotFoundError):
        files.move(f"{folder}/attempts/x", f"{folder}/runs/part-x")


def test_open_synced_digests_what_was_written(folder: str) -> None:
    url = f"{folder}/file"
    with files.open_synced(url) as file:
        file.write(b"abc")
        file.write(memoryview(b"defg"))
        assert file.write(pa.array([1, 2], type=pa.int64()).buffers()[1]) == 16
        assert file.tell() == 23
    stored = files.read(url)
    assert stored is not None
    assert file.bytes == len(stored) == 23
    assert file.sha256 == hashlib.sha256(stored).hexdigest() == files.compute_sha256(url)


def test_what_is_written_can_only_be_written_on(folder: str) -> None:
    with files.open_synced(f"{folder}/file") as file:
        assert (file.writable(), file.readable(), file.seekable(), file.closed) == (
            True,
            False,
            False,
            False,
        )
        assert (file.bytes, file.tell()) == (0, 0)
        assert file.write(np.zeros((2, 3), np.float64)) == 48
        file.close()  # a writer of Parquet closes what it is given
        assert file.write(b"x") == 1
    assert files.read(f"{folder}/file") == bytes(48) + b"x"


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


def test_sha256_of_a_file_longer_than_one_piece(folder: str) -> None:
    content = os.urandom((1 << 20) + 17)
    files.put(f"{folder}/long", content)
    assert files.compute_sha256(f"{folder}/long") == hashlib.sha256(content).hexdigest()


def test_absolute_paths_and_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert files.to_absolute("a/b") == str(tmp_path / "a/b")
    assert files.to_absolute(f"file://{tmp_path}/a") == str(tmp_path / "a")
    assert files.to_absolute("memory://a/b").startswith("memory://")
    assert files.is_local("a")
    assert files.is_local("file:///a")
    assert not files.is_local("memory://a")
    assert files.join("a/", "b") == files.join("a", "b") == "a/b"


def test_a_link_points_where_it_was_last_told(tmp_path: Path) -> None:
    for run in ("one", "two"):
        (tmp_path / "runs" / run).mkdir(parents=True)
        files.link_folder(str(tmp_path / "current"), f"runs/{run}", str(tmp_path))
        assert os.readlink(tmp_path / "current") == f"runs/{run}"
    assert sorted(os.listdir(tmp_path)) == ["current", "runs"]
    assert files.read_link(str(tmp_path / "runs")) is None


def test_list_a_file_a_folder_and_a_glob(folder: str) -> None:
    for name in ("b.parquet", "a.parquet", "c.csv"):
        files.put(f"{folder}/in/{name}", b"12345")
    assert names(f"{folder}/in") == names(f"{folder}/in/") == ["a.parquet", "b.parquet", "c.csv"]
    files.put(f"{folder}/in/sub/d.parquet", b"x")
    assert names(f"{folder}/in/*.parquet") == ["a.parquet", "b.parquet"]
    assert names(f"{folder}/in/[ab].*") == ["a.parquet", "b.parquet"]
    assert names(f"{folder}/in/?.csv") == ["c.csv"]
    assert names(f"{folder}/in/**/d.parquet") == ["d.parquet"]
    assert names(f"{folder}/in/a.parquet") == ["a.parquet"]
    assert names(f"{folder}/in/none.parquet") == names(f"{folder}/in/*.none") == []
    (listed,) = list_inputs(f"{folder}/in/a.parquet")[0]
    assert listed.bytes == 5
    assert listed.url == f"{folder}/in/a.parquet"
    assert files.read(listed.url) == b"12345"


def test_hidden_files_markers_and_checksums_are_left_out_and_said(folder: str) -> None:
    for name in ("a.csv", ".hidden", "_SUCCESS", "a.csv.crc"):
        files.put(f"{folder}/in/{name}", b"x")
    taken, ignored = list_inputs(f"{folder}/in")
    assert [f.url for f in taken] == [f"{folder}/in/a.csv"]
    left_out = {u.rsplit("/", 1)[1] for u in ignored}
    assert {"_SUCCESS", "a.csv.crc"} <= left_out <= {"_SUCCESS", "a.csv.crc", ".hidden"}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_file_names_are_listed_and_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.parquet"
    path.write_bytes(b"content")
    for pattern in (str(path), str(tmp_path), f"{tmp_path}/*.parquet"):
        (listed,) = list_inputs(pattern)[0]
        assert listed.url == str(path)
    assert files.read(listed.url) == b"content"
    assert inputs.read_version(listed.url) == listed.version
    assert files.compute_sha256(listed.url) == hashlib.sha256(b"content").hexdigest()
    with files.open_read(listed.url) as file:
        assert file.read() == b"content"


@pytest.mark.parametrize("name", STRANGE)
def test_strange_folder_names_are_listed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.parquet").write_bytes(b"content")
    assert [f.url for f in list_inputs(str(tmp_path / name))[0]] == [
        str(tmp_path / name / "a.parquet")
    ]


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names_can_be_written(tmp_path: Path, name: str) -> None:
    url = str(tmp_path / name / "part")
    assert files.create(url, b"x")
    assert files.read(url) == b"x"
    files.move(url, f"{url}-2")
    assert files.list_names(str(tmp_path / name)) == ["part-2"]


@settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    name=st.text(
        st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/"),
        min_size=1,
        max_size=20,
    )
)
def test_any_file_name_is_found_in_its_folder(tmp_path: Path, name: str) -> None:
    home = tmp_path / uuid.uuid4().hex
    home.mkdir()
    (home / f"x{name}").write_bytes(b"1")
    (listed,) = list_inputs(str(home))[0]
    assert files.read(listed.url) == b"1"


def test_symlinks_stand_for_their_targets(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/blob").write_bytes(b"12345")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.parquet").symlink_to("../store/blob")
    (tmp_path / "linked").symlink_to("in")
    for pattern in ("in", "in/*.parquet", "in/a.parquet", "linked"):
        (listed,) = list_inputs(str(tmp_path / pattern))[0]
        assert listed.bytes == 5
        assert files.read(listed.url) == b"12345"
    before = inputs.read_version(str(tmp_path / "in/a.parquet"))
    (tmp_path / "store/blob").write_bytes(b"123456")
    assert inputs.read_version(str(tmp_path / "in/a.parquet")) != before


def test_the_version_changes_with_the_file(folder: str) -> None:
    url = f"{folder}/a"
    assert inputs.read_version(url) is None
    files.put(url, b"one")
    (listed,) = list_inputs(url)[0]
    assert inputs.read_version(url) == listed.version
    files.put(url, b"longer")
    longer = inputs.read_version(url)
    assert longer != listed.version
    files.remove(url)
    files.put(url, b"length")
    assert inputs.read_version(url) != longer


def test_the_version_changes_when_the_old_time_and_size_are_restored(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"one")
    other.write_bytes(b"two")
    before, stat = inputs.read_version(str(path)), path.stat()
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(path)
    assert inputs.read_version(str(path)) != before


@pytest.mark.parametrize(
    ("umask", "file", "folder"),
    [(0o000, 0o640, 0o750), (0o022, 0o640, 0o750), (0o077, 0o600, 0o700)],
)
def test_what_is_made_is_for_owner_and_group_whatever_the_umask_allows(
    umask: int, file: int, folder: int, tmp_path: Path
) -> None:
    before = os.umask(umask)
    try:
        files.create(f"{tmp_path}/made/created", b"x")
        files.replace(f"{tmp_path}/made/replaced", b"x")
        files.put(f"{tmp_path}/made/put", b"x")
        with files.open_synced(f"{tmp_path}/made/written") as written:
            written.write(b"x")
        files.make_folder(f"{tmp_path}/made/below/deep")
    finally:
        os.umask(before)
    modes = {p.name: p.stat().st_mode & 0o777 for p in tmp_path.rglob("*")}
    assert modes == {
        **dict.fromkeys(["created", "replaced", "put", "written"], file),
        **dict.fromkeys(["made", "below", "deep"], folder),
    }


def test_a_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("elsewhere")
    for write in (lambda url: files.put(url, b"x"), lambda url: files.open_synced(url).__enter__()):
        with pytest.raises(OSError, match="symbolic links"):
            write(str(tmp_path / "link"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_stored_file_gets_a_second_name(folder: str) -> None:
    files.put(f"{folder}/a", b"content")
    for _ in range(2):
        files.link_or_copy(f"{folder}/a", f"{folder}/b")
        assert files.read(f"{folder}/b") == b"content"


@pytest.mark.parametrize(
    ("error", "words"),
    [(errno.EXDEV, "are on different file systems, so no file"), (errno.EIO, "disk")],
)
def test_a_move_that_fails_says_why(
    error: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace(*_: object) -> None:
        raise OSError(error, "disk")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OSError, match=words) as caught:
        files.move(f"{tmp_path}/one/a", f"{tmp_path}/two/a")
    assert caught.value.errno == error
