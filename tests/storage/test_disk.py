"""What is on the disk when the machine stops: content before its name, the name before whoever follows it, and nothing half."""

import errno
import os
from pathlib import Path

import pytest

from storage import disk, files


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files and folders that are synced from now on, one after the other."""
    real, names = os.fsync, list[str]()

    def sync(number: int) -> None:
        names.append(os.path.basename(os.readlink(f"/proc/self/fd/{number}")))
        real(number)

    monkeypatch.setattr(os, "fsync", sync)
    return names


def test_a_file_is_synced_before_it_has_its_name_and_its_folder_after(
    tmp_path: Path, synced: list[str]
) -> None:
    (tmp_path / "in").mkdir()
    for write in (files.create, files.replace):
        write(f"{tmp_path}/in/a.json", b"content")
        content, folder = synced
        assert content.startswith(".a.json.")
        assert folder == "in"
        synced.clear()


def test_a_file_that_can_be_made_again_is_not_synced(tmp_path: Path, synced: list[str]) -> None:
    assert files.create(f"{tmp_path}/a.json", b"content", synced=False)
    files.put(f"{tmp_path}/b.json", b"content")
    assert synced == []


def test_nothing_more_is_synced_for_a_name_that_is_taken(tmp_path: Path, synced: list[str]) -> None:
    (tmp_path / "a.json").write_bytes(b"first")
    assert not files.create(f"{tmp_path}/a.json", b"second")
    assert [name.startswith(".a.json.") for name in synced] == [True]


def test_folders_links_and_written_files_are_synced(tmp_path: Path, synced: list[str]) -> None:
    top = tmp_path.name
    files.make_folder(f"{tmp_path}/one/two")
    assert synced == [top, "one"]
    files.make_folder(f"{tmp_path}/one/two")
    assert synced == [top, "one"]
    with files.open_synced(f"{tmp_path}/one/a") as file:
        file.write(b"x")
    files.link_folder(f"{tmp_path}/link", "one", str(tmp_path / "one"))
    files.sync_folder(f"{tmp_path}/one")
    assert synced == [top, "one", "a", top, "one"]


def test_a_folder_that_is_there_is_found_made_and_a_file_is_none(
    tmp_path: Path, synced: list[str]
) -> None:
    (tmp_path / "folder").mkdir()
    disk.make_folder(tmp_path / "folder")
    assert synced == [tmp_path.name]
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        disk.make_folder(tmp_path / "file")


def test_a_file_that_fails_to_be_written_or_named_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    writes = {
        "fsync": lambda: files.replace(f"{tmp_path}/a", b"content"),
        "replace": lambda: files.replace(f"{tmp_path}/a", b"content"),
        "link": lambda: files.create(f"{tmp_path}/a", b"content"),
    }
    for step, write in writes.items():
        with monkeypatch.context() as patched:
            patched.setattr(os, step, fail)
            with pytest.raises(OSError, match="full"):
                write()
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="full"):
        files.link_folder(f"{tmp_path}/link", "target", str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_a_file_takes_the_name_of_no_device_and_of_no_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    output = tmp_path / "stdout"
    output.symlink_to("/proc/self/fd/1")
    null = tmp_path / "null"
    null.symlink_to(os.devnull)
    for name in (pipe, output, null):
        with pytest.raises(OSError, match="and no file"):
            files.replace(f"{name}", b"content")
    assert pipe.is_fifo()
    assert sorted(os.listdir(tmp_path)) == ["null", "pipe", "stdout"]


def test_a_file_takes_the_name_of_a_file_and_of_a_link_to_one(tmp_path: Path) -> None:
    first = tmp_path / "first"
    link = tmp_path / "link"
    link.symlink_to(first)
    for name in (first, link):
        files.replace(f"{name}", b"content")
        assert name.read_bytes() == b"content"
    assert not link.is_symlink()


@pytest.mark.parametrize(
    ("wanted", "expected"), [(1, b"d"), (3, b"bcd"), (4, b"abcd"), (9, b"abcd")]
)
def test_the_end_of_a_file_is_all_of_one_that_is_shorter(
    tmp_path: Path, wanted: int, expected: bytes
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abcd")
    assert files.read_end(str(path), wanted) == expected


@pytest.mark.parametrize(
    ("name", "leads"),
    [
        ("root", False),
        ("root/inner/not there", False),
        ("root/inside", False),
        ("root/inside/a", False),
        ("root/out", True),
        ("root/out/a", True),
        ("root/out/", True),
        ("root//out", True),
        ("root/./out", True),
        ("root/inside/", False),
        ("root/gone", True),
        ("root/inner/../../elsewhere", True),
        ("elsewhere", True),
        ("root/inside/../../elsewhere", True),
    ],
)
@pytest.mark.parametrize("root", ["root", "link to root"])
def test_a_name_leads_out_through_links_and_through_nothing_else(
    name: str, leads: bool, root: str, tmp_path: Path
) -> None:
    (tmp_path / "root/inner").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    links = {"inside": "inner", "out": "../elsewhere", "gone": "../nothing"}
    for link, target in links.items():
        (tmp_path / "root" / link).symlink_to(target)
    (tmp_path / "link to root").symlink_to("root")

    path = f"{tmp_path}/{name.replace('root', root, 1)}"
    assert disk.leads_out(path, f"{tmp_path}/{root}") is leads
    no_links: set[str] = set()
    # Where others were looked at before, nothing else is said.
    for other in ("inside/a", "inner/a", "out/a"):
        disk.leads_out(f"{tmp_path}/{root}/{other}", f"{tmp_path}/{root}", no_links)
    assert no_links == {f"{tmp_path}/{root}/inner"}
    assert disk.leads_out(path, f"{tmp_path}/{root}", no_links) is leads
