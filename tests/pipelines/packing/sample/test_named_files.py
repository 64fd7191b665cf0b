"""A sample of files: the package holds contents alone, and the starter job reads the files as the sample was read."""

from contextlib import redirect_stderr, redirect_stdout
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from safetensors.torch import save_file
import yaml

from configs.packaging import PackagingJob
from model_zoo.package.package import read_package
from model_zoo.steps.load_file import LoadFile
from model_zoo.steps.table import AnyStep
from pipelines import package
from pipelines.cli.command_line import run_program
from pipelines.packing.sample.named_files import _find_image, read_named
from tests.support.jobs import run_job
from tests.support.packaging import Packaged
from tests.support.pictures import (
    SIDE,
    find_scores,
    load_step,
    make_network,
    write_paths,
    write_pictures,
)

PARAMETERS = {"channels": 1, "height": SIDE, "width": SIDE, "classes": 3, "widths": [2]}


def image_step(column: str) -> dict[str, Any]:
    size = {"height": SIDE, "width": SIDE, "mode": "L"}
    return {"step": "image", "column": column, "into": "image", **size}


def pack(tmp_path: Path, sample: str, steps: list[dict[str, Any]], *flags: str) -> Packaged:
    """Package the network of `make_network`, as a user does."""
    save_file(make_network().state_dict(), tmp_path / "net.safetensors")
    job = {
        "network": "cnn",
        "parameters": PARAMETERS,
        "weights": str(tmp_path / "net.safetensors"),
        "preprocess": steps,
        "sample": sample,
        "activation": "softmax",
        "output": str(tmp_path / "model"),
    }
    (tmp_path / "package.yaml").write_text(json.dumps(job))
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        words = ["--config", str(tmp_path / "package.yaml"), *flags]
        status = run_program(package.main, words)
    return Packaged(status, out.getvalue(), err.getvalue())


def score_starter(tmp_path: Path, key: str) -> dict[Any, float]:
    outcome = run_job(tmp_path / "model.job.yaml", output=tmp_path / "scores")
    rows = outcome.scored().to_pylist()
    return {row[key]: row["probability"] for row in rows}


def check_scores(actual: dict[Any, float], expected: dict[Any, bytes]) -> None:
    assert list(actual) == list(expected)
    wanted = find_scores(list(expected.values()))
    np.testing.assert_allclose(list(actual.values()), wanted, atol=1e-6)


def test_a_folder_of_pictures_is_a_sample_and_its_starter_job_scores_the_folder(
    tmp_path: Path,
) -> None:
    pictures = write_pictures(tmp_path / "photos")
    (tmp_path / "photos/notes.txt").touch()
    packed = pack(tmp_path, str(tmp_path / "photos"), [image_step("bytes")])
    assert packed.status == 0, packed.error
    (column,) = read_package(str(tmp_path / "model")).card.columns
    assert (column.name, column.type) == ("bytes", "binary")
    check_scores(score_starter(tmp_path, "path"), pictures)


def test_a_table_of_paths_is_a_sample_and_no_step_of_the_package_reads_files(
    tmp_path: Path,
) -> None:
    pictures = write_pictures(tmp_path / "photos")
    write_paths(tmp_path / "paths.parquet", [*pictures, "gone.png"])
    steps = [load_step(tmp_path / "photos"), image_step("photo")]
    packed = pack(tmp_path, str(tmp_path / "paths.parquet"), steps, "--key", "id")
    assert packed.status == 0, packed.error
    assert "1 files cannot be read, the first: gone.png: [Errno 2] No such file" in packed.said
    assert [step.step for step in read_package(str(tmp_path / "model")).steps] == ["image"]
    job = yaml.safe_load((tmp_path / "model.job.yaml").read_text())
    assert job["preprocess"]["steps"] == [load_step(tmp_path / "photos")]
    check_scores(score_starter(tmp_path, "id"), dict(enumerate(pictures.values())))


def test_no_more_than_some_hundred_files_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.packing.sample.named_files._MOST_FILES", 4)
    write_pictures(tmp_path / "photos", 6)
    packed = pack(tmp_path, str(tmp_path / "photos"), [image_step("bytes")])
    assert "sample     the first 4 of 6 rows, as their files are read" in packed.said


@pytest.mark.parametrize(("most_bytes", "read"), [(0, 1), (4, 1), (5, 2), (9, 2), (10, 3), (99, 4)])
def test_files_are_read_until_they_are_more_than_the_limit(
    most_bytes: int, read: int, tmp_path: Path
) -> None:
    """One file more, as nobody knows its size before."""
    names = [f"{number}.bin" for number in range(4)]
    for name in names:
        (tmp_path / name).write_bytes(b"12345")
    step = LoadFile(step="load_file", column="path", root=str(tmp_path), into="content")
    problems: list[str] = []
    contents = list(read_named(step, pa.table({"path": names}), problems, 9, most_bytes))
    assert contents == [b"12345"] * read
    assert problems == []


@pytest.mark.parametrize(
    ("sample", "changes", "words", "status"),
    [
        ("photos", {}, "a sample of files has their contents already", 2),
        ("paths.parquet", {"column": "paths"}, "no column 'paths'; did you mean path?", 2),
        ("paths.parquet", {"column": "id"}, "load_file takes paths, which are texts", 2),
        ("paths.parquet", {"root": "nowhere"}, "nowhere: there is no such folder", 3),
    ],
)
def test_what_makes_no_sense_is_refused(
    sample: str, changes: dict[str, str], words: str, status: int, tmp_path: Path
) -> None:
    pictures = write_pictures(tmp_path / "photos", 2)
    write_paths(tmp_path / "paths.parquet", list(pictures))
    steps = [load_step(tmp_path / "photos") | changes, image_step("photo")]
    pack(tmp_path, str(tmp_path / sample), steps, "--key", "id").refused(words, status=status)


@pytest.mark.parametrize(
    ("network", "has_step", "column"),
    [
        ("torchvision:resnet18", False, "bytes"),
        ("timm:resnet18", False, "bytes"),
        # The job says by itself what becomes of pictures.
        ("torchvision:resnet18", True, None),
        ("cnn", False, None),
        ("cnn", True, None),
    ],
)
def test_a_librarys_network_of_pictures_takes_the_files_as_such(
    network: str, has_step: bool, column: str | None
) -> None:
    steps = [image_step("bytes")] if has_step else []
    job = PackagingJob[AnyStep].model_validate({"network": network, "preprocess": steps})
    assert _find_image(job) == column
