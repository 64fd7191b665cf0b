"""Tables of every form whose rows name files: CSV with rows that cannot be read, dictionaries, several steps, several shards and units."""

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv
import pyarrow.parquet as pq
import pytest

from model_zoo.steps.load_file import LoadFile
from pipelines import score
from pipelines.cli.command_line import run_program
from tests.support.jobs import Outcome, run_job, write_job
from tests.support.pictures import (
    find_scores,
    load_step,
    make_picture_package,
    make_png,
    write_paths,
    write_pictures,
)


def write_named_job(tmp_path: Path, *more: dict[str, Any], **source: Any) -> Path:
    package = make_picture_package(tmp_path / "model")
    steps = [load_step(tmp_path / "photos"), *more]
    errors = {"max_rejected_percent": 100.0}
    return write_job(tmp_path, package, source=source, preprocess={"steps": steps}, errors=errors)


def scores_by_id(outcome: Outcome) -> dict[Any, float]:
    return {row["id"]: row["probability"] for row in outcome.scored().to_pylist()}


def expected(contents: dict[Any, bytes]) -> dict[Any, Any]:
    scores = find_scores(list(contents.values()))
    return {
        key: pytest.approx(score, abs=1e-6) for key, score in zip(contents, scores, strict=True)
    }


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_a_csv_file_with_rows_that_cannot_be_read(ending: str, tmp_path: Path) -> None:
    first, second, third = write_pictures(tmp_path / "photos", 3).items()
    lines = ["id,path", f"0,{first[0]}", "short", "2,gone.png", "3,", f"4,{second[0]}"]
    lines += ["x,even/000.png", f"6,{third[0]}"]
    text = "\n".join([*lines, ""]).encode()
    path = tmp_path / f"shards/a.{ending}"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(text) if ending.endswith("gz") else text)
    job = write_named_job(tmp_path, format="csv", types={"id": "int64"})
    outcome = run_job(job, settings={"errors.store_values": True, "source.rows_per_batch": 2})
    assert outcome.status == 0, outcome.error
    assert scores_by_id(outcome) == expected({0: first[1], 4: second[1], 6: third[1]})
    reasons = {row["row"]: row["message"] for row in outcome.rejected()}
    assert list(reasons) == [1, 2, 3, 5]
    assert reasons[2] == "'path': gone.png: [Errno 2] No such file or directory"
    assert reasons[3] == "column 'photo': missing value"
    values = {row["row"]: row["values"] for row in outcome.rejected()}
    assert values[2] == {"photo": None, "id": 2, "path": "gone.png"}
    assert set(values[1].values()) == {None}


@pytest.mark.parametrize(
    "dtype",
    [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
    ids=str,
)
def test_paths_may_be_texts_of_any_form(dtype: pa.DataType, tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "photos", 3)
    paths = pa.array(pictures).cast(dtype)
    (tmp_path / "shards").mkdir()
    pq.write_table(pa.table({"id": range(3), "path": paths}), tmp_path / "shards/a.parquet")
    outcome = run_job(write_named_job(tmp_path, passthrough=["path"]))
    assert outcome.status == 0, outcome.error
    assert scores_by_id(outcome) == expected(dict(enumerate(pictures.values())))
    assert outcome.scored()["path"].to_pylist() == list(pictures)


def test_a_path_that_is_no_utf_8_costs_its_row(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "photos", 1)
    paths = pa.array([b"\xff.png", b"even/000.png"]).view(pa.string())
    (tmp_path / "shards").mkdir()
    pq.write_table(pa.table({"id": range(2), "path": paths}), tmp_path / "shards/a.parquet")
    outcome = run_job(write_named_job(tmp_path))
    assert outcome.status == 0, outcome.error
    assert scores_by_id(outcome) == expected({1: pictures["even/000.png"]})
    assert [row["message"] for row in outcome.rejected()] == [
        "column 'path': a text that is not UTF-8"
    ]


def test_paths_that_are_no_texts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "shards").mkdir()
    pq.write_table(pa.table({"id": range(3), "path": range(3)}), tmp_path / "shards/a.parquet")
    run_job(write_named_job(tmp_path)).refused(
        "column 'path' is int64, and load_file takes paths, which are texts"
    )


def test_several_columns_of_files_may_come_from_several_roots(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "photos", 4)
    (tmp_path / "notes").mkdir()
    for number in (0, 1, 3):
        (tmp_path / f"notes/{number}.txt").write_text(f"note {number}")
    notes = pa.array([f"{number}.txt" for number in range(4)])
    write_paths(tmp_path / "shards/a.parquet", list(pictures), note=notes)
    more = load_step(tmp_path / "notes", column="note", into="text")
    outcome = run_job(write_named_job(tmp_path, more, passthrough=["text"]))
    assert outcome.status == 0, outcome.error
    assert outcome.scored()["text"].to_pylist() == [b"note 0", b"note 1", b"note 3"]
    assert [row["message"][:7] for row in outcome.rejected()] == ["'note':"]


def test_shards_and_units_find_their_own_files(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "photos", 12)
    names = list(pictures)
    for shard in range(3):
        path = tmp_path / f"shards/{shard}.parquet"
        write_paths(path, names[4 * shard :: 2])
        table = pq.read_table(path)
        ids = pa.array(range(100 * shard, 100 * shard + table.num_rows))
        pq.write_table(table.set_column(0, "id", ids), path, row_group_size=2)
    outcome = run_job(write_named_job(tmp_path), settings={"sink.rows_per_file": 2})
    assert outcome.status == 0, outcome.error
    wanted = {
        100 * shard + place: pictures[name]
        for shard in range(3)
        for place, name in enumerate(names[4 * shard :: 2])
    }
    assert scores_by_id(outcome) == expected(wanted)
    assert len(outcome.manifest["units"]) > 3


def test_units_whose_files_changed_are_scored_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = write_pictures(tmp_path / "photos", 6)
    (tmp_path / "photos/odd/001.png").write_bytes(b"broken")
    names = sorted(pictures)
    for shard in range(3):
        write_paths(tmp_path / f"shards/{shard}.parquet", names[2 * shard : 2 * shard + 2])
    job = write_named_job(tmp_path)
    assert run_job(job).status == 0
    (tmp_path / "photos/odd/001.png").write_bytes(make_png(7))
    assert run_program(score.main, ["--config", str(job), "--reuse_from", "current"]) == 0
    assert "reused from run current: 2 of 3 units" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (
            [
                {"step": "fill", "columns": ["path"], "values": ["x"]},
                {"step": "load_file", "column": "path", "root": "r", "into": "photo"},
            ],
            "load_file must stand before the other steps",
        ),
        (
            [{"step": "load_file", "column": "path", "root": "r", "into": "photo"}] * 2,
            "two load_file steps make the same column",
        ),
        (
            [{"step": "load_file", "column": "path", "root": "s3://me:secret@b/x", "into": "p"}],
            "must hold no credentials",
        ),
    ],
)
def test_steps_that_make_no_sense_are_refused(
    steps: list[dict[str, Any]], words: str, tmp_path: Path
) -> None:
    write_paths(tmp_path / "shards/a.parquet", ["a.png"])
    job = write_named_job(tmp_path)
    outcome = run_job(job, settings={"preprocess.steps": steps})
    outcome.refused(words, status=2)
    assert "secret" not in outcome.error


def test_a_file_that_has_the_column_already_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    write_paths(tmp_path / "shards/a.parquet", ["a.png"], photo=pa.array([b"x"]))
    run_job(write_named_job(tmp_path)).refused("has a column 'photo' already")


def test_no_package_says_which_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("secret")
    step = LoadFile(step="load_file", column="photo", root=f"{tmp_path}/etc", into="secret")
    package = make_picture_package(tmp_path / "model", more=(step,))
    job = write_job(tmp_path, package)
    write_paths(tmp_path / "shards/a.parquet", ["passwd"], photo=pa.array([make_png(1)]))
    run_job(job).refused(
        "its steps read files ('photo' -> 'secret'), and no package may say which", status=2
    )


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_small_table_of_many_files_is_many_units(kind: str, tmp_path: Path) -> None:
    """One row group, or one CSV file; with rows that cannot be read, and the same bytes in both."""
    pictures = list(write_pictures(tmp_path / "photos", 3).items())
    rows = 200
    named = [pictures[row % 3] for row in range(rows)]
    paths: list[str | None] = [name for name, _ in named]
    for row, path in {0: "gone.png", 70: None, 128: "../out.png", 199: "gone.png"}.items():
        paths[row] = path
    shards = tmp_path / "shards"
    write_paths(shards / "a.parquet", paths)
    types = {}
    if kind == "csv":
        table = pq.read_table(shards / "a.parquet")
        (shards / "a.parquet").unlink()
        csv.write_csv(table, shards / "a.csv")
        types = {"id": "int64"}
    outcome = run_job(write_named_job(tmp_path, format=kind, types=types))
    assert outcome.status == 0, outcome.error
    # The model is small and a unit has 64 files at least; the last one has 8.
    assert len(outcome.manifest["units"]) == 4
    kept = {row: content for row, (_, content) in enumerate(named) if row not in (0, 70, 128, 199)}
    assert scores_by_id(outcome) == expected(kept)
    assert [row["row"] for row in outcome.rejected()] == [0, 70, 128, 199]
