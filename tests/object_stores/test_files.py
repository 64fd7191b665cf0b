"""Pictures in a store, by the paths of a table and as a folder: the scores of the same pictures on a disk; what is gone, changed or elsewhere."""

from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from pipelines import score, verify
from pipelines.cli.command_line import run_program
from storage import files
from storage.rooted import FileRoot
from tests.support.jobs import Outcome, run_job, write_job
from tests.support.pictures import (
    load_step,
    make_picture_package,
    make_png,
    write_paths,
    write_pictures,
)


def put_pictures(bucket: str, tmp_path: Path) -> dict[str, bytes]:
    pictures = write_pictures(tmp_path / "photos")
    for name, content in pictures.items():
        files.put(f"{bucket}/photos/{name}", content)
    return pictures


def table_job(tmp_path: Path, paths: list[str | None], root: str) -> Path:
    package = make_picture_package(tmp_path / f"model-{len(root)}")
    write_paths(tmp_path / "shards/a.parquet", paths)
    preprocess = {"steps": [load_step(root)]}
    errors = {"max_rejected_percent": 100.0}
    return write_job(tmp_path, package, preprocess=preprocess, errors=errors)


def scores(outcome: Outcome, key: str) -> list[tuple[Any, float]]:
    return [(row[key], row["probability"]) for row in outcome.scored().to_pylist()]


@pytest.mark.beam
def test_pictures_of_a_store_are_scored_as_those_of_a_disk(bucket: str, tmp_path: Path) -> None:
    pictures = put_pictures(bucket, tmp_path)
    paths = [*pictures, "gone.png", f"{bucket}/photos/even/000.png", f"{bucket}-other/x.png"]
    in_store = run_job(table_job(tmp_path, paths, f"{bucket}/photos"), output=tmp_path / "a")
    assert in_store.status == 0, in_store.error
    messages = [row["message"] for row in in_store.rejected()]
    assert messages == [
        "'path': gone.png: [Errno 2] No such file or directory",
        "'path': the path names another place than the root",
    ]
    in_store_scores = scores(in_store, "id")
    assert run_program(verify.main, [str(tmp_path / "a"), "--inputs"]) == 0
    files.put(f"{bucket}/photos/even/000.png", make_png(9))
    assert run_program(verify.main, [str(tmp_path / "a"), "--inputs"]) == 3
    on_disk = run_job(
        table_job(tmp_path, [*pictures, None, "even/000.png"], f"{tmp_path}/photos"),
        output=tmp_path / "b",
    )
    assert in_store_scores == scores(on_disk, "id")


def test_a_folder_in_a_store_is_scored_and_its_list_published_there(
    bucket: str, tmp_path: Path
) -> None:
    pictures = put_pictures(bucket, tmp_path)
    files.put(f"{bucket}/photos/notes.txt", b"no picture")
    package = make_picture_package(tmp_path / "model")
    source = {"paths": f"{bucket}/photos", "format": "files", "recursive": True, "key": "path"}
    source |= {"files": {"content": "photo"}}
    job = write_job(tmp_path, package, source=source, sink={"path": f"{bucket}/scores"})
    assert run_program(score.main, ["--config", str(job), "--quiet"]) == 0
    current = files.read(f"{bucket}/scores/CURRENT") or b""
    folder = f"{bucket}/scores/runs/{current.decode().strip()}"
    with fsspec.open(f"{folder}/_files/files.parquet") as stored:
        assert pq.read_table(stored)["name"].to_pylist() == list(pictures)
    assert run_program(verify.main, [f"{bucket}/scores", "--inputs"]) == 0


def test_an_object_that_was_replaced_is_refused(bucket: str) -> None:
    files.put(f"{bucket}/photos/a.png", b"12345")
    root = FileRoot(f"{bucket}/photos")
    found = root.describe("a.png")
    assert root.read(found) == b"12345"
    files.put(f"{bucket}/photos/a.png", b"54321")
    with pytest.raises(InputError, match=r"photos/a\.png: changed after the run was planned"):
        root.read(found)
