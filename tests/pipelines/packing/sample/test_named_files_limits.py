"""How many files a sample of files takes, and what is said of those that it leaves out."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from configs.errors import InputError
from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.packing.sample import named_files
from pipelines.packing.sample.named_files import (
    _describe_source,
    _list_notes,
    _read,
    _read_members,
    are_pictures,
    load_named,
    read_folder,
)
from storage.input_file import InputFile, make_folder
from storage.rooted import FileRoot

MEBIBYTE = 1 << 20
LOAD = {"step": "load_file", "column": "path", "into": "content"}


def make_job(**fields: Any) -> PackagingJob[AnyStep]:
    return PackagingJob[AnyStep].model_validate({"network": "mlp", **fields})


def read_stated(monkeypatch: pytest.MonkeyPatch, sizes: list[int]) -> int:
    """Return how many files are read of those that state some sizes."""
    monkeypatch.setattr(named_files, "_read", lambda root, name, problems: b"x")
    stated = [InputFile(f"/in/{number}", size, "v") for number, size in enumerate(sizes)]
    folder = make_folder("/in", stated)
    members = [(folder, member) for member in stated]
    return len(_read_members(members, []))


@pytest.mark.parametrize(
    ("sizes", "read"),
    [
        ([128 * MEBIBYTE, 128 * MEBIBYTE, 1], 2),
        ([256 * MEBIBYTE, 0], 2),
        ([256 * MEBIBYTE, 1], 1),
        # The first is taken, however large it is.
        ([1_024 * MEBIBYTE, 0], 1),
        ([], 0),
        ([1] * 1_000, 1_000),
        ([1] * 1_001, 1_000),
    ],
)
def test_a_folders_files_are_taken_up_to_256_mebibytes_and_1000(
    sizes: list[int], read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_stated(monkeypatch, sizes) == read


def test_a_file_is_read_up_to_256_mebibytes(tmp_path: Path) -> None:
    # Sparse: it takes no room on the disk, and nothing of it is read.
    with open(tmp_path / "large.bin", "wb") as file:
        file.truncate(256 * MEBIBYTE + 1)
    problems: list[str] = []
    assert _read(FileRoot(str(tmp_path)), "large.bin", problems) is None
    (problem,) = problems
    assert "has 268,435,457 bytes, more than 268,435,456" in problem


@pytest.mark.parametrize(("most_bytes", "content"), [(5, b"12345"), (4, None)])
def test_a_file_of_as_many_bytes_as_a_step_allows_is_read(
    most_bytes: int, content: bytes | None, tmp_path: Path
) -> None:
    (tmp_path / "a.bin").write_bytes(b"12345")
    assert _read(FileRoot(str(tmp_path)), "a.bin", [], most_bytes) == content


@pytest.mark.parametrize(
    ("names", "answer"),
    [
        (["a.png", "b.JPG"], True),
        (["a.png", "b.png", "notes.txt"], True),
        # As many of the one as of the other.
        (["a.png", "notes.txt"], False),
        (["kinds/cat/a.png"], True),
        (["a.parquet"], False),
    ],
)
def test_a_folder_is_of_pictures_where_more_files_are_than_are_not(
    names: list[str], answer: bool, tmp_path: Path
) -> None:
    for name in names:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert are_pictures([str(tmp_path / "in")]) is answer
    # What the first path is decides.
    assert are_pictures([str(tmp_path / "in"), str(tmp_path / "nowhere")]) is answer
    assert are_pictures([str(tmp_path / "nowhere")]) is False


@pytest.mark.parametrize(
    ("names", "source"),
    [
        (["a.png"], {"format": "files"}),
        (["a.png", "cat/b.png"], {"format": "files", "recursive": True}),
    ],
)
def test_the_starter_job_reads_folders_below_where_the_sample_has_some(
    names: list[str], source: dict[str, Any]
) -> None:
    assert _describe_source([{"path": name} for name in names]) == source


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ("path", ("bytes",), None)),
        ({"key": "size"}, ("size", ("bytes",), None)),
        ({"columns": ["size"]}, ("path", ("size",), None)),
        ({"image": "bytes"}, ("path", ("bytes",), "bytes")),
        ({"network": "timm:resnet18"}, ("path", ("bytes",), "bytes")),
        ({"network": "timm:resnet18", "image": "size"}, ("path", ("bytes",), "size")),
    ],
)
def test_what_the_author_says_of_a_folders_columns_holds(
    said: dict[str, Any], expected: tuple[Any, ...], tmp_path: Path
) -> None:
    (tmp_path / "in/cat").mkdir(parents=True)
    (tmp_path / "in/cat/a.png").write_bytes(b"1")
    taken = read_folder(make_job(sample=str(tmp_path / "in"), **said))
    assert (taken.job.key, taken.job.columns, taken.job.image) == expected
    assert taken.table.to_pylist() == [{"path": "cat/a.png", "size": 1, "bytes": b"1"}]
    assert taken.reading.source == {"format": "files", "recursive": True}
    assert taken.notes == ()


@pytest.mark.parametrize(
    ("said", "columns"), [({}, ("x", "content")), ({"columns": ["content"]}, ("content",))]
)
def test_the_model_sees_contents_and_no_paths_unless_it_is_said(
    said: dict[str, Any], columns: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    rows = pa.table({"id": [1, 2], "path": ["a", "b"], "x": [0.5, 1.5], "kind": ["u", "v"]})
    job = make_job(key="id", label="kind", preprocess=[{**LOAD, "root": str(tmp_path)}], **said)
    taken = load_named(job, rows, job.preprocess)
    assert taken.job.columns == columns
    assert taken.job.preprocess == ()
    assert taken.table.equals(rows.append_column("content", pa.array([b"1", b"2"])))
    assert taken.notes == ()
    (step,) = taken.reading.steps
    assert step.root == str(tmp_path)


def test_rows_behind_the_last_file_that_is_read_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named_files, "_MOST_FILES", 2)
    (tmp_path / "a").write_bytes(b"1")
    rows = pa.table({"path": ["a", None, "a"], "x": [1, 2, 3]})
    job = make_job(preprocess=[{**LOAD, "root": str(tmp_path)}])
    taken = load_named(job, rows, job.preprocess)
    assert taken.table["x"].to_pylist() == [1, 2]
    assert taken.table["content"].to_pylist() == [b"1", None]
    assert taken.notes == ("the first 2 of 3 rows, as their files are read",)


@pytest.mark.parametrize(
    ("seen", "count", "problems", "notes"),
    [
        (4, 4, [], ()),
        (3, 4, [], ("the first 3 of 4 rows, as their files are read",)),
        (4, 4, ["a: gone"], ("1 files cannot be read, the first: a: gone",)),
        (4, 4, ["a: 1", "b: 2", "c: 3"], ("3 files cannot be read, the first: a: 1",)),
    ],
)
def test_what_was_left_out_is_told(
    seen: int, count: int, problems: list[str], notes: tuple[str, ...]
) -> None:
    assert _list_notes(seen, count, problems) == notes


def test_a_sample_of_which_nothing_can_be_read_is_refused() -> None:
    with pytest.raises(InputError, match="none of its files can be read, the first: a: gone"):
        _list_notes(2, 2, ["a: gone", "b: gone"])
