"""`load_file` is a word of jobs alone: the contents come with the rows, and no package may ask for them."""

import pyarrow as pa
from pydantic import ValidationError
import pytest

from configs.errors import JobError
from model_zoo.steps.load_file import LoadFile

STEP = LoadFile(step="load_file", column="path", root="photos", into="photo")


def test_contents_that_came_with_the_rows_stay() -> None:
    assert STEP.apply({"photo": pa.array([b"x"])}, 1) == {}


def test_anywhere_else_it_is_refused() -> None:
    with pytest.raises(JobError, match="'photo': it must stand in the preprocess"):
        STEP.apply({"path": pa.array(["a"])}, 1)


def test_a_place_without_a_name_is_none() -> None:
    with pytest.raises(ValidationError, match="root"):
        LoadFile(step="load_file", column="path", root="", into="photo")
