"""Texts as bytes, and back, as Python encodes and decodes them."""

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError, RejectedRows
from model_zoo.engines.child.sklearn_model import make_table
from model_zoo.steps.text_bytes import TextBytes


class _OfTexts:
    """A model that counts words says nothing of columns."""


TEXTS = ["ab", None, "", "é火", "a\0b", "\U0010ffff"]


@pytest.mark.parametrize("dtype", [pa.string(), pa.large_string()])
def test_texts_come_back_as_they_were(dtype: pa.DataType) -> None:
    # A slice, whose texts do not begin where its memory does.
    column = pa.array(["before", *TEXTS], dtype)[1:]
    step = TextBytes(step="text_bytes", column="t", length=6)
    made = step.apply({"t": column}, len(TEXTS))["t"]
    assert (made.dtype, made.shape) == (np.uint8, (6, 6))
    back = make_table(_OfTexts(), {"t": made})
    assert [None if text is None or text != text else text for text in back] == TEXTS
    assert step.count_numbers({}) == {"t": 6}


def test_a_text_that_is_longer_rejects_its_row() -> None:
    step = TextBytes(step="text_bytes", column="t", length=2)
    with pytest.raises(RejectedRows) as rejected:
        # Two letters, of two bytes each.
        step.apply({"t": pa.array(["ab", "éé", None])}, 3)
    assert list(rejected.value.reasons) == [1]
    assert "more than 2 bytes" in str(rejected.value.reasons[1])


def test_no_rows_and_no_texts() -> None:
    step = TextBytes(step="text_bytes", column="t", length=2)
    assert step.apply({"t": pa.array([], pa.string())}, 0)["t"].shape == (0, 2)
    for column in (pa.array([1]), np.zeros((1, 2))):
        with pytest.raises(JobError, match="and no texts"):
            step.apply({"t": column}, 1)
