"""What predictions are by their type, where neither the model nor the command line says."""

import pyarrow as pa
import pytest

from pipelines.evaluating.compared import _find_task


@pytest.mark.parametrize(
    ("dtype", "task"),
    [
        (pa.list_(pa.string()), "multi_label"),
        (pa.list_(pa.int32()), "multi_label"),
        (pa.list_(pa.float32(), 3), "regression"),
        (pa.list_(pa.struct({"label": pa.string()})), "tokens"),
        (pa.float32(), "regression"),
        (pa.decimal128(9, 2), "regression"),
        (pa.string(), "classification"),
        (pa.int64(), "classification"),
        (pa.bool_(), "classification"),
    ],
    ids=str,
)
def test_a_number_with_a_fraction_is_an_amount(dtype: pa.DataType, task: str) -> None:
    assert _find_task(dtype) == task
