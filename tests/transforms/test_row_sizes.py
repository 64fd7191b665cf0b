"""Sizes of rows as if every value were plain, against a loop over the values; and rows cut by them."""

import pyarrow as pa
import pytest

from tests.support.sizes import count_letters
from transforms.row_sizes import count_decoded_bytes, cut_rows, find_longest, has_plain_sizes

LONG = "z" * 10_000
TEXTS = [LONG, "a", None, LONG] * 25
LISTS = [[LONG, LONG], [], None, ["a"]] * 25


def dictionary(index: pa.DataType, values: pa.DataType) -> pa.DataType:
    return pa.dictionary(index, values)


def make_columns() -> dict[str, pa.Array]:
    encoded = pa.array(TEXTS).dictionary_encode()
    views = pa.array(TEXTS, pa.string_view())
    lists = pa.array(LISTS)
    counts = pa.array([0, *lists.value_lengths().fill_null(0).to_pylist()])
    offsets = pa.compute.cumulative_sum(counts).cast(pa.int32())
    inside = lists.flatten().dictionary_encode()
    nested = pa.ListArray.from_arrays(offsets, inside)
    return {
        "plain": pa.array(TEXTS),
        "dictionary": encoded,
        "small index": encoded.cast(dictionary(pa.int8(), pa.string())),
        "large": encoded.cast(dictionary(pa.int32(), pa.large_string())),
        "bytes": pa.array([LONG.encode(), b""] * 50).dictionary_encode(),
        "views": views,
        "lists": lists,
        "dictionary in lists": nested,
        "dictionary in structs": pa.StructArray.from_arrays([encoded, views], ["a", "b"]),
        "views in lists": lists.cast(pa.list_(pa.string_view())),
    }


@pytest.mark.parametrize("name", make_columns())
def test_sizes_are_those_of_the_values(name: str) -> None:
    rows = pa.record_batch({"c": make_columns()[name]})
    for part in (rows, rows.slice(13, 40), rows.slice(99), rows.slice(0, 0)):
        letters = count_letters(part.column(0).to_pylist())
        size = count_decoded_bytes(part)
        # Beside letters a value has its place, and whether it is there.
        assert letters <= size <= letters + 60 * part.num_rows + 20
        assert count_decoded_bytes(pa.Table.from_batches([part])) == size


@pytest.mark.parametrize("name", make_columns())
@pytest.mark.parametrize("most_bytes", [1, 25_000, 10**9])
def test_slices_are_as_small_as_asked_or_one_row(name: str, most_bytes: int) -> None:
    rows = pa.record_batch({"c": make_columns()[name]})
    slices = list(cut_rows(rows, most_bytes))
    values = [value for part in slices for value in part.column(0).to_pylist()]
    assert values == rows.column(0).to_pylist()
    assert all(len(part) == 1 or count_decoded_bytes(part) <= most_bytes for part in slices)
    # And no smaller than they need be: two neighbours would be too large.
    assert len(slices) == 1 or most_bytes < 10**9


def test_nothing_is_one_slice() -> None:
    nothing = pa.record_batch({"c": pa.array([], pa.string())})
    assert [len(part) for part in cut_rows(nothing, 1)] == [0]
    no_dictionary = pa.array([], dictionary(pa.int32(), pa.string()))
    assert count_decoded_bytes(pa.record_batch({"c": no_dictionary})) == 0
    assert count_decoded_bytes(pa.record_batch({"c": pa.nulls(5)})) == 0


ENCODED = pa.array(["abc", "abc", None]).dictionary_encode()
NUMBERS = pa.array([1, 1, 2], pa.int64()).dictionary_encode()
VIEWS = pa.array(["abc", "a text of 20 letters"], pa.string_view())
OFFSETS = pa.array([0, 1, 3], pa.int32())


@pytest.mark.parametrize(
    ("column", "size"),
    [
        (pa.array([1, 2, 3], pa.int64()), 24),
        # A value has eight bytes for its place, and a view sixteen.
        (ENCODED, 3 + 3 + 0 + 3 * 8),
        (VIEWS, 3 + 20 + 2 * 16),
        # Numbers of a dictionary have a byte more, in which they may be missing.
        (NUMBERS, 3 * 9 + 3 * 8),
        (pa.ListArray.from_arrays(OFFSETS, NUMBERS), 3 * 9 + 3 * 8 + 2 * 8),
        (pa.StructArray.from_arrays([NUMBERS, ENCODED], ["a", "b"]), 51 + 30),
    ],
)
def test_the_size_of_a_few_values_to_the_byte(column: pa.Array, size: int) -> None:
    assert count_decoded_bytes(pa.record_batch({"c": column})) == size


@pytest.mark.parametrize(
    ("most_bytes", "lengths"),
    [(32, [4]), (31, [2, 2]), (16, [2, 2]), (15, [1, 1, 1, 1]), (1, [1, 1, 1, 1])],
)
def test_rows_are_cut_by_halves(most_bytes: int, lengths: list[int]) -> None:
    rows = pa.record_batch({"c": pa.array([1, 2, 3, 4], pa.int64())})
    assert [len(part) for part in cut_rows(rows, most_bytes)] == lengths


@pytest.mark.parametrize(
    ("column", "longest"),
    [
        (pa.array(["abcd"]), None),
        (ENCODED, 3),
        (ENCODED.slice(2), 3),
        (pa.array([], dictionary(pa.int32(), pa.string())), 0),
        (pa.array([["abcd"]]), None),
        (pa.ListArray.from_arrays(OFFSETS, ENCODED), 3),
        (pa.StructArray.from_arrays([NUMBERS, ENCODED, pa.array(["abcd"] * 3)], list("abc")), 9),
        (pa.StructArray.from_arrays([ENCODED, NUMBERS], ["a", "b"]), 9),
    ],
)
def test_the_longest_value_is_one_of_a_dictionary(column: pa.Array, longest: int | None) -> None:
    assert find_longest(column) == longest


@pytest.mark.parametrize(
    ("dtype", "is_plain"),
    [
        (pa.int64(), True),
        (pa.string(), True),
        (pa.list_(pa.string()), True),
        (pa.string_view(), False),
        (dictionary(pa.int8(), pa.string()), False),
        (pa.list_(pa.string_view()), False),
        (pa.list_view(pa.int64()), False),
        (pa.uuid(), False),
    ],
)
def test_what_stands_for_more_has_no_plain_size(dtype: pa.DataType, is_plain: bool) -> None:
    assert has_plain_sizes(pa.schema([("a", pa.int64()), ("b", dtype)])) is is_plain
