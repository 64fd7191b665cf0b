"""Sorted rows against Python's sorting, and row groups whose dictionaries a reader can take, read back by pyarrow."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.output.row_groups import can_sort, cut_into_row_groups, sort_rows

SMALL = pa.dictionary(pa.int8(), pa.string())


def batch(prefix: str, first: int) -> pa.RecordBatch:
    """A hundred rows with a dictionary of a hundred values of their own."""
    words = pa.DictionaryArray.from_arrays(
        pa.array(range(100), pa.int8()), pa.array([f"{prefix}{n:03}" for n in range(100)])
    )
    return pa.record_batch({"word": words, "n": pa.array(range(first, first + 100))})


def write_and_read(table: pa.Table, schema: pa.Schema) -> pa.Table:
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, schema) as writer:
        for row_group in cut_into_row_groups(table, schema):
            writer.write_table(row_group)
    sink.seek(0)
    return pq.read_table(sink)


@pytest.mark.parametrize("sort_by", [[], [("word", "descending")], [("n", "descending")]])
def test_more_values_than_an_index_counts_come_in_several_row_groups(
    sort_by: list[tuple[str, str]],
) -> None:
    """A hundred in one row group and a hundred others fit int8 each, and not together."""
    table = pa.Table.from_batches([batch("x", 0), batch("y", 100), batch("x", 200)])
    rows = table.to_pylist()
    for name, _ in sort_by:
        rows.sort(key=lambda row: row[name], reverse=True)
    arranged = sort_rows(table, sort_by) if sort_by else table
    back = write_and_read(arranged, table.schema)
    assert back.schema.field("word").type == SMALL
    assert back.to_pylist() == rows


def test_what_fits_is_one_row_group() -> None:
    table = pa.Table.from_batches([batch("x", 0), batch("x", 100)])
    groups = list(cut_into_row_groups(table, table.schema))
    assert [group.num_rows for group in groups] == [200]


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["b", None, "a", "b"], pa.string_view()),
        pa.array([b"b", None, b"a", b"b"], pa.binary_view()),
        pa.array(["b", None, "a", "b"]).dictionary_encode(),
        pa.array([2, None, -0.5, 2], pa.float16()),
        pa.array([2, None, 1, 2], pa.decimal32(5, 2)),
        pa.array([2, None, 1, 2], pa.timestamp("s")),
        pa.nulls(4),
    ],
    ids=lambda values: str(values.type),
)
def test_rows_are_sorted_by_every_type_that_has_an_order(values: pa.Array) -> None:
    """Nulls last, equal values in their order."""
    assert can_sort(values.type)
    chunks = [values.slice(0, 2), values.slice(2)]
    table = pa.table({"s": pa.chunked_array(chunks), "n": [0, 1, 2, 3]})
    plain = values.to_pylist()
    expected = sorted(range(4), key=lambda n: (plain[n] is None, plain[n] or 0, n))
    if plain == [None] * 4:
        expected = [0, 1, 2, 3]
    elif isinstance(plain[0], str | bytes):
        expected = [2, 0, 3, 1]
    ordered = sort_rows(table, [("s", "ascending"), ("n", "ascending")])
    assert ordered["n"].to_pylist() == expected
    assert ordered["s"].to_pylist() == [plain[n] for n in expected]


@pytest.mark.parametrize(
    "dtype",
    [
        pa.list_(pa.int8()),
        pa.struct([("a", pa.int8())]),
        pa.uuid(),
        pa.json_(),
        pa.month_day_nano_interval(),
        pa.dictionary(pa.int8(), pa.list_(pa.int8())),
        pa.run_end_encoded(pa.int16(), pa.int8()),
    ],
    ids=str,
)
def test_what_has_no_order_is_told_before(dtype: pa.DataType) -> None:
    assert not can_sort(dtype)


def test_a_slice_with_views_inside_is_written() -> None:
    values = pa.array([{"a": "x"}, None, {"a": "y"}], pa.struct([("a", pa.string_view())]))
    table = pa.table({"s": values}).slice(1)
    assert write_and_read(table, table.schema)["s"].to_pylist() == [None, {"a": "y"}]
