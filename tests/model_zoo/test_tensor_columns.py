"""Arrays as Arrow columns, and back."""

import numpy as np
import pyarrow as pa
import pytest

from model_zoo.tensor_columns import from_column, to_column, to_nested_column


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3)])
@pytest.mark.parametrize("rows", [0, 1, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_what_was_an_array_is_one_again(rows: int, shape: tuple[int, ...], dtype: type) -> None:
    numbers = np.arange(rows * int(np.prod(shape)), dtype=dtype).reshape(rows, *shape)
    for values in (numbers, np.asfortranarray(numbers), numbers[::-1]):
        column = to_column(values)
        assert column.to_pylist() == [
            row.ravel().tolist() if shape else row for row in (values if shape else values.tolist())
        ]
        back = from_column(column, shape)
        assert back.dtype == dtype
        np.testing.assert_array_equal(back, values)


def test_a_null_is_no_number() -> None:
    column = pa.array([1.0, None])
    np.testing.assert_array_equal(from_column(column, ()), [1.0, np.nan])


@pytest.mark.parametrize(
    ("column", "shape", "error"),
    [
        (pa.array([[1.0, 2.0]], pa.list_(pa.float64(), 2)), (3,), ValueError),
        (pa.array([1.0, 2.0]), (2,), AttributeError),
    ],
)
def test_numbers_that_do_not_make_up_the_shape_are_refused(
    column: pa.Array, shape: tuple[int, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        from_column(column, shape)


@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 3, 4)])
def test_a_nested_column_has_the_shape_of_a_row(shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    assert to_nested_column(values).to_pylist() == values.tolist()
