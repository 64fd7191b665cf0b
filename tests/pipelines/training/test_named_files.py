"""What the files hold that rows name is a column, and the job that is written reads them again."""

from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from configs.errors import InputError, JobError
from model_zoo.steps.load_file import LoadFile
from pipelines.training.described import describe_job
from pipelines.training.fitting_job import FittingJob
from pipelines.training.named_files import load_named_files
from pipelines.training.source import Source


def make_job(root: Path, into: str = "picture", column: str = "photo") -> FittingJob:
    step = {"step": "load_file", "column": column, "into": into, "root": str(root)}
    return FittingJob.model_validate(
        {
            "data": {"paths": ["table.csv"], "key": "id", "label": "kind"},
            "preprocess": [step],
            "output": "models/p/1",
        }
    )


def make_source(*photos: str | None) -> Source:
    columns = {"id": range(len(photos)), "photo": photos, "kind": ["a"] * len(photos)}
    return Source(pa.table(columns), "table.csv")


def test_contents_take_the_place_of_paths(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(b"first")
    (tmp_path / "two.png").write_bytes(b"second")
    (tmp_path.parent / "outside.png").write_bytes(b"nobody's")
    source = make_source("two.png", "one.png", "three.png", None, "../outside.png")
    job, loaded = load_named_files(make_job(tmp_path), source)
    assert loaded.rows.column_names == ["id", "kind", "picture"]
    assert loaded.rows["picture"].to_pylist() == [b"second", b"first", None, None, None]
    (note,) = loaded.notes
    assert note.startswith("2 files cannot be read, the first: three.png")
    # The steps behind are chosen by the columns' types, as nobody says others.
    assert job.preprocess is None


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"key": "photo", "label": "kind"}},
        {"data": {"key": "id", "label": "kind", "group": "photo"}, "split": {"by": "group"}},
        {"split": {"by": "fixed", "column": "photo"}},
    ],
)
def test_a_path_that_names_rows_or_their_parts_stays(
    changes: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "one.png").write_bytes(b"first")
    fields = make_job(tmp_path).model_dump(exclude_defaults=True) | changes
    job = FittingJob.model_validate(fields)
    rows = load_named_files(job, make_source("one.png", "one.png")).source.rows
    assert rows.column_names == ["id", "photo", "kind", "picture"]


def test_a_job_without_such_steps_stays_as_it_is(tmp_path: Path) -> None:
    job = make_job(tmp_path).model_copy(update={"preprocess": None})
    source = make_source("one.png")
    assert load_named_files(job, source) == (job, source)


@pytest.mark.parametrize(
    ("into", "column", "refusal", "message"),
    [
        ("picture", "foto", JobError, "table.csv has no column 'foto'; did you mean photo"),
        ("kind", "photo", JobError, "table.csv has a column 'kind' already"),
        ("picture", "photo", InputError, "no row has a file that can be read, the first: one.png"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_line(
    into: str, column: str, refusal: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(refusal, match=message):
        load_named_files(make_job(tmp_path, into, column), make_source("one.png"))


def test_the_written_job_reads_the_files_again(tmp_path: Path) -> None:
    written = make_job(tmp_path)
    image = {"step": "image", "column": "picture", "into": "x", "height": 8, "width": 8}
    settled = FittingJob.model_validate({"preprocess": [image], "output": "models/p/1"})
    fields = yaml.safe_load(describe_job(settled, written))
    first, second = fields["preprocess"]
    assert LoadFile.model_validate(first) == written.preprocess[0]
    assert second == image


def test_steps_behind_those_that_load_stay(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(b"first")
    image = {"step": "image", "column": "picture", "into": "x", "height": 4, "width": 4}
    fields = make_job(tmp_path).model_dump(exclude_defaults=True)
    fields["preprocess"] = [*fields["preprocess"], {**image, "mode": "L"}]
    whole = FittingJob.model_validate(fields)
    job, _ = load_named_files(whole, make_source("one.png"))
    assert whole.preprocess is not None
    # In their order, and without what has been done already.
    assert job.preprocess == whole.preprocess[1:]
