"""Rows name files below a root and nothing else; what is read is what was looked at."""

import errno
import os
from pathlib import Path
import threading

import fsspec
from hypothesis import given
from hypothesis import strategies as st
import pytest

from configs.errors import InputError, RowError
from storage import retries
from storage.rooted import FileRoot
from storage.rooted_file import RootedFile

OUTSIDE = {
    "../secret": "holds ..",
    "a/../../secret": "holds ..",
    "a/..": "holds ..",
    "/etc/passwd": "is absolute",
    "//etc/passwd": "is absolute",
    ".//etc/passwd": "is absolute",
    "file:///etc/passwd": "another place",
    "s3://bucket/key": "another place",
    "https://host/x?sig=secret": "another place",
    "zip://a::b": "another place",
    "data:image/png;base64,iVBORw0": "the content itself",
    "a::b": "another place",
    "a\0b": "control character",
    "a\nb": "control character",
    "a\x7fb": "control character",
    "": "is empty",
    ".": "names a folder",
    "./": "names a folder",
    "a/": "names a folder",
    "x" * 5_000: "more than 4,096",
}


@pytest.fixture
def root(tmp_path: Path) -> FileRoot:
    """A folder with the file `a.png`."""
    (tmp_path / "root/folder").mkdir(parents=True)
    (tmp_path / "root/a.png").write_bytes(b"12345")
    (tmp_path / "secret").write_bytes(b"secret")
    return FileRoot(str(tmp_path / "root"))


@pytest.mark.parametrize("text", OUTSIDE)
@pytest.mark.parametrize("url", ["/data/photos", "s3://bucket/photos", "memory://photos"])
def test_no_text_leads_out_and_none_is_told(text: str, url: str) -> None:
    with pytest.raises(RowError, match=OUTSIDE[text]) as refused:
        FileRoot(url).find_name(text)
    assert not text or text[:20] not in str(refused.value) or text in (".", "./", "a/..", "..")


@pytest.mark.parametrize(
    ("url", "text", "name"),
    [
        ("/data/photos", "a/b.png", "a/b.png"),
        ("/data/photos", "./a.png", "a.png"),
        ("/data/photos", "/data/photos/a.png", "a.png"),
        ("/data/photos/", "/data/photos/a.png", "a.png"),
        ("/data/photos", "%2e%2e/a.png", "%2e%2e/a.png"),
        ("/data/photos", "Shot 9.41\u202fAM.png", "Shot 9.41\u202fAM.png"),
        ("/data/photos", "..a/...png", "..a/...png"),
        ("s3://bucket/photos", "s3://bucket/photos/a.png", "a.png"),
        ("s3://bucket/photos", "a//b.png", "a//b.png"),
    ],
)
def test_names_below_the_root(url: str, text: str, name: str) -> None:
    assert FileRoot(url).find_name(text) == name


def test_a_path_has_4096_characters_at_most() -> None:
    root = FileRoot("/data/photos")
    longest = "a/" * 2_000 + "x" * 96
    assert root.find_name(longest) == longest
    with pytest.raises(RowError, match="more than 4,096 characters"):
        root.find_name(longest + "x")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        # It begins with the letters of the root, and is another folder.
        ("/data/photos", "/data/photos-of-others/a.png"),
        ("s3://bucket/photos", "s3://bucket/photosx/a.png"),
        ("s3://bucket/photos", "a.png?versionId=3"),
        ("s3://bucket/photos", "a.png#123"),
        ("https://host/photos", "%2e%2e/secret"),
        ("https://host/photos", "a.png?x=1"),
        ("https://host/photos", "a#b"),
        ("https://host/photos", "a//b"),
    ],
)
def test_a_store_s_own_signs_are_no_part_of_a_name(url: str, text: str) -> None:
    pytest.importorskip({"s3": "s3fs", "https": "aiohttp"}.get(url.partition(":")[0], "os"))
    with pytest.raises(RowError):
        FileRoot(url).find_name(text)


@given(st.text(alphabet="./ab\\:%~*\0", max_size=12))
def test_whatever_is_taken_is_below_the_root(text: str) -> None:
    try:
        name = FileRoot("/data/photos").find_name(text)
    except RowError:
        return
    place = os.path.normpath(os.path.join("/data/photos", name))
    assert place.startswith("/data/photos/")


def test_a_file_is_read_as_it_was_looked_at(root: FileRoot) -> None:
    found = root.describe("a.png")
    assert found.bytes == 5
    assert root.read(found) == b"12345"


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"6")


def replace(path: Path) -> None:
    path.with_name("new").write_bytes(b"54321")
    path.with_name("new").replace(path)


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("change", [grow, replace, make_pipe, Path.unlink])
def test_a_file_that_changed_is_refused_by_its_name(root: FileRoot, change) -> None:
    found = root.describe("a.png")
    change(Path(root.url, "a.png"))
    with pytest.raises(InputError, match=r"root/a\.png: changed after the run was planned"):
        root.read(found)


def test_no_more_is_read_than_was_listed_however_large_a_file_is(root: FileRoot) -> None:
    Path(root.url, "a.png").write_bytes(b"x" * 100)
    found = root.describe("a.png")
    assert root.read(RootedFile("a.png", 5, found.version)) == b"xxxxx"


def test_links_may_lead_anywhere_below_the_root_and_nowhere_else(root: FileRoot) -> None:
    folder = Path(root.url)
    (folder / "in.png").symlink_to(folder / "a.png")
    (folder / "out.png").symlink_to(folder.parent / "secret")
    (folder / "up").symlink_to(folder.parent)
    (folder / "loop").symlink_to("loop")
    assert root.read(root.describe("in.png")) == b"12345"
    for name in ("out.png", "up/secret"):
        with pytest.raises(RowError, match="leads out of the root"):
            root.describe(name)
    with pytest.raises(OSError, match="loop") as error:
        root.describe("loop")
    assert root.explain(error.value, "loop") == "loop: [Errno 40] Too many levels of symbolic links"


def test_a_link_that_is_put_in_the_place_of_a_file_is_refused(root: FileRoot) -> None:
    found = root.describe("a.png")
    path = Path(root.url, "a.png")
    path.unlink()
    path.symlink_to(path.parent.parent / "secret")
    with pytest.raises(RowError, match="leads out"):
        root.read(found)


def test_the_root_itself_may_be_a_link(root: FileRoot, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root.url)
    by_link = FileRoot(str(tmp_path / "link"))
    assert by_link.read(by_link.describe("a.png")) == b"12345"


def test_what_is_no_file_is_told_so_and_not_waited_for(root: FileRoot) -> None:
    os.mkfifo(Path(root.url, "pipe"))
    for name, words in {"folder": "is a folder", "pipe": "is a pipe"}.items():
        with pytest.raises(RowError, match=words):
            root.describe(name)


def test_long_names_are_the_row_s_problem(root: FileRoot) -> None:
    name = "x" * 290
    with pytest.raises(OSError, match="too long") as error:
        root.describe(name)
    assert root.explain(error.value, name).endswith("x: [Errno 36] File name too long")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.png?X-Amz-Signature=secret", "a.png?***: gone"),
        (" a.png", "' a.png': gone"),
        ("x" * 300, f"{'x' * 300}: gone"),
        ("x" * 301, f"{'x' * 300}...: gone"),
    ],
)
def test_a_message_leads_to_the_file_and_holds_no_secret(
    name: str, shown: str, root: FileRoot
) -> None:
    assert root.explain(RowError("gone"), name) == shown


def test_an_outage_is_no_row_s_problem(root: FileRoot) -> None:
    gone = OSError(errno.ESTALE, "Stale file handle")
    with pytest.raises(InputError, match=r"a\.png: cannot be read: Stale file handle; start the"):
        root.explain(gone, "a.png")


def test_a_read_that_fails_for_a_moment_is_tried_again(
    root: FileRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "pause", lambda _: None)
    found = root.describe("a.png")
    failures = [OSError(errno.EIO, "disk")] * 2
    really_look = os.fstat

    def fail_first(number: int) -> os.stat_result:
        if failures:
            raise failures.pop()
        return really_look(number)

    monkeypatch.setattr(os, "fstat", fail_first)
    assert root.read(found) == b"12345"


def test_a_look_that_fails_for_a_moment_is_tried_again(
    root: FileRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "pause", lambda _: None)
    failures = [OSError(errno.EIO, "disk")] * 2
    really_look = os.stat

    def fail_first(path: str, **options: bool) -> os.stat_result:
        if failures:
            raise failures.pop()
        return really_look(path, **options)

    monkeypatch.setattr(os, "stat", fail_first)
    found = root.describe("a.png")
    monkeypatch.undo()
    assert found.bytes == 5


def test_in_a_store_too() -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe("/rooted/photos/a.png", b"12345")
    fs.pipe("/rooted/photos/empty.png", b"")
    root = FileRoot("memory://rooted/photos")
    found = root.describe("a.png")
    assert (found.bytes, root.read(found)) == (5, b"12345")
    assert root.read(root.describe("empty.png")) == b""
    with pytest.raises(FileNotFoundError) as error:
        root.describe("gone.png")
    assert root.explain(error.value, "gone.png") == "gone.png: [Errno 2] No such file or directory"
    fs.pipe("/rooted/photos/a.png", b"123456")
    with pytest.raises(InputError, match="changed"):
        root.read(found)


def test_threads_may_share_a_root(root: FileRoot) -> None:
    found = root.describe("a.png")
    contents: list[bytes] = []
    threads = [threading.Thread(target=lambda: contents.append(root.read(found))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents == [b"12345"] * 8


def test_a_root_that_is_not_there_is_refused_on_a_disk_alone(
    root: FileRoot, tmp_path: Path
) -> None:
    root.refuse_missing()
    for name in ("gone", "secret"):
        with pytest.raises(InputError, match="there is no such folder; name the one"):
            FileRoot(str(tmp_path / name)).refuse_missing()
    # A store has no folders.
    FileRoot("memory://nobody/was/here").refuse_missing()
