"""Which elements of a footer are of which column: those that a column has inside follow it."""

from itertools import islice

import pytest

from storage.thrift import I32, Struct
from transforms.formats.parquet_refused_column import _CHILDREN, _cut_columns
from transforms.formats.thrift_writing import make_int


def with_children(count: int) -> Struct:
    return {_CHILDREN: make_int(count, I32)}


VALUE: Struct = {}


@pytest.mark.parametrize(
    ("elements", "sizes"),
    [
        ([], []),
        ([VALUE, VALUE], [1, 1]),
        ([with_children(1), VALUE, VALUE], [2, 1]),
        ([with_children(2), with_children(1), VALUE, VALUE, with_children(0), VALUE], [4, 1, 1]),
    ],
)
def test_each_column_has_what_is_inside_of_it(elements: list[Struct], sizes: list[int]) -> None:
    # One more than there are, and not without end.
    columns = list(islice(_cut_columns(elements), len(elements) + 1))
    assert [len(column) for column in columns] == sizes
    assert [element for column in columns for element in column] == elements
