"""Rows of a training job from its files: those of each part, and what is said where they cannot be read."""

from pathlib import Path
from typing import Any

from PIL import Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError, JobError
from configs.training_data import Data, Split
from pipelines.training.reading import read_files, read_source

# How many rows each part has, by the number that a part has among them.
SIZES = {"training": 5, "validation": 3, "test": 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file of each part, whose rows have numbers of their own."""
    begin = 0
    for name, size in SIZES.items():
        numbers = range(begin, begin + size)
        pq.write_table(pa.table({"id": numbers, "y": ["a"] * size}), tmp_path / f"{name}.parquet")
        begin += size
    return tmp_path


def data_of(*paths: Path, **fields: Any) -> Data:
    named = [str(path) for path in paths]
    return Data.model_validate({"paths": named, "key": "id", "label": "y", **fields})


@pytest.mark.parametrize(
    ("held_out", "numbers", "rows"),
    [
        (("validation",), [0] * 5 + [1] * 3, range(8)),
        (("test",), [0] * 5 + [2] * 2, [0, 1, 2, 3, 4, 8, 9]),
        (("validation", "test"), [0] * 5 + [1] * 3 + [2] * 2, range(10)),
    ],
)
def test_rows_of_files_of_a_part_are_in_that_part(
    held_out: tuple[str, ...], numbers: list[int], rows: Any, folder: Path
) -> None:
    paths = {f"{name}_paths": [str(folder / f"{name}.parquet")] for name in held_out}
    split = Split.model_validate({"by": "fixed", **paths})
    source = read_source(data_of(folder / "training.parquet"), split)
    assert source.part is not None
    assert source.part.tolist() == numbers
    assert source.rows["id"].to_pylist() == list(rows)


@pytest.mark.parametrize("split", [None, Split(), Split(by="random"), Split(test=0.5)])
def test_without_files_of_a_part_nothing_says_which_part_a_row_is_in(
    split: Split | None, folder: Path
) -> None:
    source = read_source(data_of(folder / "training.parquet"), split)
    assert source.part is None
    assert source.rows["id"].to_pylist() == list(range(5))


def test_a_name_of_no_data_set_is_refused_with_the_nearest() -> None:
    data = Data.model_validate({"dataset": "breast_cancr", "key": "id", "label": "diagnosis"})
    with pytest.raises(JobError, match="no data set 'breast_cancr'; did you mean breast_cancer"):
        read_source(data)


def test_another_delimiter_is_asked_for_in_words_of_training(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id;x;y\n1;3;a\n2;4;b\n")
    with pytest.raises(InputError, match=r"^data\.paths.*; say data\.csv\.delimiter$"):
        read_source(data_of(path))
    read = read_source(data_of(path, csv={"delimiter": ";"}))
    assert read.rows["x"].to_pylist() == [3, 4]


@pytest.mark.parametrize("format", [None, "files"])
def test_a_folder_of_pictures_is_read_as_such_whether_or_not_the_job_says_so(
    format: str | None, tmp_path: Path
) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("L", (2, 3)).save(tmp_path / name / "1.png")
    fields = {"paths": [str(tmp_path)], "key": "path", "label": "label", "format": format}
    source = read_files(Data.model_validate(fields), [str(tmp_path)])
    assert sorted(source.rows["label"].to_pylist()) == ["cat", "dog"]
    assert source.name == str(tmp_path)
