"""The tables of formats are closed; which types a shard may hold a column in, against what numpy casts safely; and what check_columns says of the others."""

import itertools
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import InputError
from transforms.formats.column import Column
from transforms.formats.columns import check_columns, keeps_form, takes_type
from transforms.formats.format import InputOptions, Piece, find_input_format, group_parts, no_rows
from transforms.formats.output import find_output_format
from transforms.formats.table import INPUT_FORMATS, OUTPUT_FORMATS

NUMBERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")


def arrow(name: str) -> pa.DataType:
    return pa.from_numpy_dtype(np.dtype(name))


CSV = {"delimiter": ",", "encoding": "utf-8", "null_values": (), "newlines_in_values": True}


def test_every_format_of_the_tables_is_found_by_its_name() -> None:
    inputs = {name: find_input_format(name, InputOptions(CSV)) for name in INPUT_FORMATS}
    outputs = {name: find_output_format(name) for name in OUTPUT_FORMATS}

    assert {name: made.needs_types for name, made in inputs.items()} == {
        "parquet": False,
        "csv": True,
        "jsonl": True,
        "delta": False,
        "iceberg": False,
        "arrow": False,
        "orc": False,
        "avro": False,
        "files": False,
    }
    schema = pa.schema([("a", pa.list_(pa.int64()))])
    assert {name: made.find_problem(schema, False) is None for name, made in outputs.items()} == {
        "parquet": True,
        "csv": False,
        "jsonl": True,
        "arrow": True,
    }


def test_what_is_in_no_table_is_not_imported() -> None:
    with pytest.raises(KeyError, match="os:getcwd"):
        find_output_format("os:getcwd")
    with pytest.raises(KeyError, match="os:getcwd"):
        find_input_format("os:getcwd", InputOptions({}))


@pytest.mark.parametrize(("actual", "wanted"), list(itertools.product(NUMBERS, NUMBERS)))
def test_an_integer_may_be_narrower_where_every_value_fits(actual: str, wanted: str) -> None:
    column = Column("a", arrow(wanted), castable=True)
    assert takes_type(column, arrow(actual)) == np.can_cast(actual, wanted, casting="safe")
    assert takes_type(Column("a", arrow(wanted)), arrow(actual)) == (actual == wanted)


@pytest.mark.parametrize(("actual", "wanted"), list(itertools.product(FLOATS, FLOATS)))
def test_a_float_may_be_narrower_and_a_double_may_be_rounded_unless_it_is_carried(
    actual: str, wanted: str
) -> None:
    widens = np.can_cast(actual, wanted, casting="safe")
    rounded = (actual, wanted) == ("float64", "float32")
    assert takes_type(Column("a", arrow(wanted), castable=True), arrow(actual)) == (
        widens or rounded
    )
    carried = Column("a", arrow(wanted), castable=True, carried=True)
    assert takes_type(carried, arrow(actual)) == widens


@pytest.mark.parametrize(("actual", "wanted"), [("int32", "float64"), ("float32", "int64")])
def test_integers_and_floats_are_not_taken_for_each_other(actual: str, wanted: str) -> None:
    assert not takes_type(Column("a", arrow(wanted), castable=True), arrow(actual))


def test_whatever_the_first_file_has_is_taken_where_nobody_says_a_type() -> None:
    assert takes_type(Column("a", None), pa.list_(pa.string()))


def test_the_first_wrong_column_is_named_with_what_is_near() -> None:
    schema = pa.schema([("a", pa.int64()), (" b", pa.int64()), ("c", pa.string())])
    for column, words in {
        Column("b", None): "with spaces around it",
        Column("aa", None): r"did you mean a\?",
        Column("c", pa.int64()): "is string, but must be int64; write the file with that type$",
        Column("c", pa.int64(), castable=True): "with that type, or retrain$",
        Column("c", pa.int64(), stated=True): "or state another one in source.types$",
        Column("c", pa.int64(), carried=True): "must be int64 in every file, because it is copied",
    }.items():
        with pytest.raises(InputError, match=words):
            check_columns("s", schema, [Column("a", None), column])
    twice = pa.schema([("a", pa.int64()), ("a", pa.int64())])
    with pytest.raises(InputError, match="has 2 columns called 'a'"):
        check_columns("s", twice, [Column("a", None)])


TEXT_FORMS = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.dictionary(pa.uint16(), pa.large_string()),
    pa.null(),
]


@pytest.mark.parametrize(("wanted", "actual"), list(itertools.product(TEXT_FORMS[:3], TEXT_FORMS)))
def test_a_text_may_come_in_every_form(wanted: pa.DataType, actual: pa.DataType) -> None:
    assert takes_type(Column("a", wanted, castable=True), actual)
    assert takes_type(Column("a", wanted), actual)
    assert not takes_type(Column("a", wanted, castable=True), pa.binary())


def test_a_model_column_keeps_the_form_of_its_files_where_it_is_carried_and_no_number() -> None:
    texts, number = [pa.large_string(), pa.null()], [pa.int8(), pa.int8()]
    both = Column("a", pa.string(), castable=True, carried=True)
    assert keeps_form(both, texts)
    assert not keeps_form(both, [pa.null()])
    assert not keeps_form(Column("a", pa.string(), castable=True), texts)
    assert not keeps_form(Column("a", pa.string(), carried=True), texts)
    assert not keeps_form(Column("a", pa.int64(), castable=True, carried=True), number)


def test_columns_are_checked_in_linear_time() -> None:
    """Once a column each, all eight thousand names took seconds."""
    names = [f"column {number}" for number in range(8_000)]
    schema = pa.schema([(name, pa.float32()) for name in names])
    began = time.process_time()
    check_columns("s", schema, [Column(name, pa.float32()) for name in names])
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("parts", "rows", "spans"),
    [
        # Of no parts, none is read: no rows, and the bytes of the file.
        ([], 5, [((0, 0), 0, 0, 99)]),
        ([(5, 10)], 5, [((0, 1), 0, 5, 10)]),
        ([(2, 10), (3, 20), (1, 30)], 5, [((0, 2), 0, 5, 30), ((2, 1), 5, 1, 30)]),
        # One that has more stays whole.
        (
            [(6, 10), (1, 20), (9, 30)],
            5,
            [((0, 1), 0, 6, 10), ((1, 1), 6, 1, 20), ((2, 1), 7, 9, 30)],
        ),
    ],
)
def test_parts_are_put_together_up_to_so_many_rows(
    parts: list[tuple[int, int]], rows: int, spans: list[Any]
) -> None:
    assert group_parts(parts, rows, 99) == [Piece(*span) for span in spans]


def test_no_rows_have_any_type_that_a_file_may_have() -> None:
    views = pa.dictionary(pa.uint32(), pa.string_view())
    schema = pa.schema({"categories": views, "inside": pa.list_(views), "n": pa.null()})
    assert no_rows(schema).schema == schema
    assert not no_rows(schema).num_rows


def test_a_counting_index_of_pandas_is_no_column_and_told_to_be_one() -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": [1.0, 2.0]}, index=pd.RangeIndex(2, name="id"))
    schema = pa.Table.from_pandas(frame).schema
    wrong = [b"{", b"[]", b'{"index_columns": 3}', b'{"index_columns": [{}]}']
    for metadata in (schema.metadata, *({b"pandas": content} for content in wrong)):
        told = schema.with_metadata(metadata)
        is_told = metadata == schema.metadata
        with pytest.raises(InputError, match="f: has no column 'id'") as caught:
            check_columns("f", told, [Column("id", None)])
        ending = "; it is an index that pandas only counts; write the file after reset_index()"
        assert str(caught.value).endswith(ending) == is_told
