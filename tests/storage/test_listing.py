"""Every path under a pattern is read, left out by a stated rule, or refused: links, permissions, second names."""

import os
from pathlib import Path
import socket
import stat
from types import SimpleNamespace

import pytest

from configs.errors import InputError
from storage import files, inputs, listing
from tests.support.listing import list_inputs


def names(pattern: str, recursive: bool = False) -> tuple[list[str], list[str]]:
    """The paths below `in` that are read, and those that are left out."""
    root = pattern.partition("*")[0].partition("[")[0].rstrip("/")
    taken, left_out = list_inputs(pattern, recursive)
    return [f.url.removeprefix(f"{root}/") for f in taken], [
        url.removeprefix(f"{root}/") for url in left_out
    ]


def write(folder: str, *paths: str) -> None:
    for path in paths:
        files.put(f"{folder}/{path}", b"1")


def test_what_is_hidden_is_left_out_wherever_it_is_below_the_root(folder: str) -> None:
    write(
        folder,
        "dt=1/p.x",
        "dt=1/_temporary/0/p.x",
        "dt=1/.checkpoints/p.x",
        "_day=2/p.x",
        "dt=1/_SUCCESS",
        "dt=1/p.x.crc",
        "dt=1/q.x._COPYING_",
        "._d=1/p.x",
    )
    hidden = ["._d=1", "dt=1/.checkpoints", "dt=1/_temporary"]
    assert names(f"{folder}/**/*.x") == (["_day=2/p.x", "dt=1/p.x"], hidden)
    everything = sorted([*hidden, "dt=1/_SUCCESS", "dt=1/p.x.crc", "dt=1/q.x._COPYING_"])
    for pattern in (folder, f"{folder}/", f"{folder}/**", f"{folder}/*"):
        assert names(pattern) == (["_day=2/p.x", "dt=1/p.x"], everything)


def test_what_stands_above_the_pattern_or_is_named_in_full_is_read_whatever_it_is_called(
    folder: str,
) -> None:
    write(folder, "_x/.y/_z.x", "_x/.y/a.x")
    assert names(f"{folder}/_x/.y/*.x") == (["a.x"], ["_z.x"])
    (named,) = list_inputs(f"{folder}/_x/.y/_z.x")[0]
    assert named.url == f"{folder}/_x/.y/_z.x"


@pytest.mark.parametrize("pattern", ["", "/*", "/**/x", "/[ab]*"])
def test_a_plain_folder_with_files_that_the_pattern_does_not_name_is_refused_or_read(
    pattern: str, folder: str
) -> None:
    write(folder, "a.x", "b/x/c.x", "b/x/_SUCCESS")
    with pytest.raises(InputError, match=r"/b(/x)?: is a folder .* source\.recursive=true"):
        list_inputs(folder + pattern)
    taken, left_out = names(folder + pattern, recursive=True)
    below = [path.removeprefix("b/x/") for path in taken]
    assert below == (["c.x"] if "x" in pattern else ["a.x", "c.x"])
    assert [path.removeprefix("b/x/") for path in left_out] == ["_SUCCESS"]


RUN = ("run/_manifest.json", "run/_rejected/part-0.x", "run/scored/part-0.x")


@pytest.mark.parametrize("pattern", ["/run", "/run/", "/run/*", "/run/**", "/run/**/*.x"])
def test_the_scored_rows_of_a_run_are_read_with_its_folder(pattern: str, folder: str) -> None:
    write(folder, *RUN, "run/scored/dt=1/part-1.x")
    taken, _ = list_inputs(f"{folder}{pattern}")
    parts = ["dt=1/part-1.x", "part-0.x"]
    assert [file.url for file in taken] == [f"{folder}/run/scored/{name}" for name in parts]


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("run/part-0.x", "run/scored"),
        ("run/late/p.x", "run/late"),
        ("run/scored/late/p.x", "run/scored/late"),
    ],
)
def test_no_other_folder_of_a_run_is(path: str, refused: str, folder: str) -> None:
    """Nor one of that name beside the parts of an earlier version's run, which are all that it scored."""
    write(folder, *RUN, path)
    with pytest.raises(InputError, match=f"{refused}: is a folder with files"):
        list_inputs(f"{folder}/run")


def test_a_folder_called_scored_is_a_run_s_only_beside_a_manifest(folder: str) -> None:
    write(folder, "run/scored/part-0.x")
    with pytest.raises(InputError, match="run/scored: is a folder with files"):
        list_inputs(f"{folder}/run")


def test_a_plain_folder_without_a_file_is_nothing(folder: str) -> None:
    write(folder, "a.x", "b/_temporary/c.x")
    assert names(folder) == (["a.x"], ["b/_temporary"])


def test_a_link_to_a_file_is_read_and_one_to_a_folder_or_to_nothing_is_refused(
    tmp_path: Path,
) -> None:
    write(str(tmp_path), "elsewhere/a.x", "in/b.x")
    (tmp_path / "in/c.x").symlink_to("../elsewhere/a.x")
    assert names(f"{tmp_path}/in") == (["b.x", "c.x"], [])
    (tmp_path / "in/_d").symlink_to("../elsewhere")
    assert names(f"{tmp_path}/in") == (["b.x", "c.x"], ["_d"])
    (tmp_path / "in/d").symlink_to("../elsewhere")
    for pattern in ("in", "in/*", "in/*/a.x", "in/**/*.x"):
        with pytest.raises(InputError, match=r"in/d: is a link to the folder .*elsewhere"):
            list_inputs(f"{tmp_path}/{pattern}")
    # The pattern does not lead there.
    assert names(f"{tmp_path}/in/*.x") == (["b.x", "c.x"], [])
    # Whoever names the link wants it.
    assert names(f"{tmp_path}/in/d/*") == (["a.x"], [])
    (tmp_path / "in/d").unlink()
    (tmp_path / "in/e.x").symlink_to("nowhere")
    for pattern in ("in", "in/*", "in/e.x", "in/*/a.x"):
        with pytest.raises(InputError, match=r"in/e\.x: is a link that leads nowhere"):
            list_inputs(f"{tmp_path}/{pattern}")


def test_a_link_in_a_circle_is_refused(tmp_path: Path) -> None:
    write(str(tmp_path), "in/a.x")
    (tmp_path / "in/b.x").symlink_to("b.x")
    (tmp_path / "in/c").symlink_to("../in")
    with pytest.raises(InputError, match=r"in/b\.x: is a link that leads nowhere"):
        list_inputs(f"{tmp_path}/in/*.x")
    (tmp_path / "in/b.x").unlink()
    with pytest.raises(InputError, match=r"in/c: is a link to the folder"):
        list_inputs(f"{tmp_path}/in/*/a.x")


def test_what_is_neither_a_file_nor_a_folder_is_refused(tmp_path: Path) -> None:
    write(str(tmp_path), "in/b/a.x")
    os.mkfifo(tmp_path / "in/pipe.x")
    for pattern in ("in", "in/*.x", "in/pipe.x"):
        with pytest.raises(InputError, match=r"pipe\.x: is neither a file nor a folder"):
            list_inputs(f"{tmp_path}/{pattern}")
    # As nothing can be in it.
    assert names(f"{tmp_path}/in/*/*.x") == (["b/a.x"], [])
    (tmp_path / "in/pipe.x").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{os.open(tmp_path, os.O_RDONLY)}/in/s.x")
        with pytest.raises(InputError, match=r"s\.x: is neither a file nor a folder"):
            list_inputs(f"{tmp_path}/in/*.x")


@pytest.mark.parametrize("name", [b"\xff.x", b"\xe4/a.x"])
def test_a_name_that_is_not_utf8_is_refused(name: bytes, tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"in", name)
    os.makedirs(os.path.dirname(path))
    Path(os.fsdecode(path)).write_bytes(b"1")
    for pattern in ("in", "in/**/*.x"):
        with pytest.raises(InputError, match="has a name that is not UTF-8") as caught:
            list_inputs(f"{tmp_path}/{pattern}")
        assert "\ufffd" in str(caught.value)
    hidden = os.path.join(os.fsencode(tmp_path), b"in", b"_\xff.x")
    Path(os.fsdecode(hidden)).write_bytes(b"1")
    assert list_inputs(f"{tmp_path}/in/_*") == ([], [os.fsdecode(hidden)])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not look")
@pytest.mark.parametrize("pattern", ["in", "in/**/*.x", "in/*/b.x", "in/dt=1", "in/dt=1/b.x"])
def test_a_folder_that_may_not_be_looked_into_is_never_passed_over(
    pattern: str, tmp_path: Path
) -> None:
    write(str(tmp_path), "in/a.x", "in/dt=1/b.x")
    # pytest's own folders are for one user alone.
    (tmp_path / "in").chmod(0o755)
    for place in (tmp_path, *tmp_path.parents):
        # Never the system's own: one that everybody may enter is above the first that pytest made.
        if place.stat().st_mode & stat.S_IXOTH:
            break
        place.chmod(0o755)
    (tmp_path / "in/dt=1").chmod(0)
    os.seteuid(65534)
    try:
        with pytest.raises(PermissionError) as caught:
            list_inputs(f"{tmp_path}/{pattern}")
    finally:
        os.seteuid(0)
    assert str(caught.value.filename).startswith(f"{tmp_path}/in/dt=1")


@pytest.mark.parametrize(
    "path",
    [
        "{0}//in/*.x",
        "{0}/./in/.//*.x",
        "{0}/in/../in",
        "{0}/y/../in",
        "{0}/y/../y/../in",
        # A bracket of a folder's own name.
        "{0}/[y]/../in",
    ],
)
def test_a_path_has_one_spelling(path: str, tmp_path: Path) -> None:
    write(str(tmp_path), "in/a.x", "y/b", "[y]/b")
    (found,) = list_inputs(path.format(tmp_path))[0]
    assert found.url == f"{tmp_path}/in/a.x"
    assert inputs.read_version(found.url) == found.version


def test_two_dots_behind_a_link_lead_where_the_system_goes(tmp_path: Path) -> None:
    write(str(tmp_path), "far/away/x", "far/a.x", "a.x")
    (tmp_path / "link").symlink_to("far/away")
    (found,) = list_inputs(f"{tmp_path}/link/../*.x")[0]
    assert found.url == f"{tmp_path}/far/a.x"
    assert os.path.samefile(f"{tmp_path}/link/../a.x", found.url)
    with pytest.raises(InputError, match=r"has \.\. behind a wildcard"):
        list_inputs(f"{tmp_path}/*/../*.x")


@pytest.mark.parametrize("path", ["a/../b/*", "a/./b/*", "a//b/*"])
def test_a_second_spelling_of_a_place_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="one file has two names"):
        list_inputs(f"memory://{path}")


def test_every_name_of_a_file_has_its_identity(tmp_path: Path) -> None:
    write(str(tmp_path), "in/a.x", "in/b.x")
    (tmp_path / "in/c.x").symlink_to("a.x")
    (tmp_path / "in/d.x").hardlink_to(tmp_path / "in/a.x")
    a, b, c, d = (file.identity for file in list_inputs(f"{tmp_path}/in")[0])
    assert a == c == d
    assert a != b


def test_what_a_store_lists_in_another_order_is_sorted() -> None:
    names = ("b", "a", "c")
    infos = [{"name": f"bucket/in/{name}", "type": "file", "size": 1} for name in names]
    store = SimpleNamespace(protocol="odd", ls=lambda path, detail: infos)
    listed = listing._list_folder(store, "bucket/in")
    assert list(listed.names) == ["a", "b", "c"]
    assert [info["name"] for info in listed.infos] == ["bucket/in/a", "bucket/in/b", "bucket/in/c"]
