"""Parquet as output: what nobody could read back is refused before a row is scored."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.formats.parquet_output import ParquetOutput

STRUCT = pa.struct([("x", pa.int64())])
REQUIRED = pa.struct([pa.field("x", pa.int64(), nullable=False)])
UNSTORABLE = [
    pa.run_end_encoded(pa.int32(), pa.string()),
    pa.dense_union([pa.field("a", pa.int64())]),
    pa.month_day_nano_interval(),
    pa.struct([]),
    pa.struct([pa.field("x", pa.struct([]), nullable=False)]),
    # Arrow says of these only what it minds about a value.
    pa.dictionary(pa.int32(), STRUCT),
    pa.list_(pa.int64(), 0),
    pa.list_(pa.list_(pa.int64(), 0)),
    # And of these what it minds as if the disk had failed.
    pa.binary(0),
    pa.decimal128(10, -2),
]


@pytest.mark.parametrize("dtype", UNSTORABLE, ids=str)
def test_a_type_that_parquet_has_no_place_for_is_refused_by_name(dtype: pa.DataType) -> None:
    schema = pa.schema([("a", pa.string()), ("b", dtype)])
    problem = ParquetOutput().find_problem(schema, False)
    assert problem is not None
    assert problem.startswith("sink.format parquet cannot hold column 'b' of type ")
    assert problem.endswith("; leave it out, or try sink.format=arrow")


STORABLE = [
    pa.string_view(),
    pa.dictionary(pa.uint8(), pa.string()),
    pa.dictionary(pa.int8(), pa.decimal128(5, 2)),
    pa.list_(pa.dictionary(pa.int32(), pa.string())),
    pa.list_(pa.int64(), 2),
    pa.map_(pa.string(), STRUCT),
    pa.duration("s"),
    pa.decimal256(76, 3),
    pa.float16(),
    pa.uuid(),
    # As Avro and Spark have them: the whole may be missing, and no part of it alone.
    REQUIRED,
    pa.struct([pa.field("inner", REQUIRED, nullable=False)]),
    pa.list_(REQUIRED),
    pa.list_(pa.field("item", REQUIRED, nullable=False), 2),
    pa.map_(pa.string(), pa.field("value", REQUIRED, nullable=False)),
]


@pytest.mark.parametrize("dtype", STORABLE, ids=str)
def test_all_others_are_taken_also_where_none_may_be_missing(dtype: pa.DataType) -> None:
    for nullable in (True, False):
        schema = pa.schema([pa.field("b", dtype, nullable=nullable)])
        assert ParquetOutput().find_problem(schema, False) is None


def test_columns_of_which_each_can_be_stored_can_be_stored_together() -> None:
    schema = pa.schema([(str(number), dtype) for number, dtype in enumerate(STORABLE)])
    assert ParquetOutput().find_problem(schema, False) is None
    missing = pa.schema([("b", pa.null())])
    assert ParquetOutput().find_problem(missing, False) is None
    sink = pa.BufferOutputStream()
    pq.ParquetWriter(sink, schema).close()
    assert pq.read_schema(pa.BufferReader(sink.getvalue())).names == schema.names


def test_apostrophes_are_for_spreadsheets() -> None:
    assert "spreadsheets" in str(ParquetOutput().find_problem(pa.schema([]), True))
