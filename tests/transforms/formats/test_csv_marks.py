"""Numbers with a decimal comma, as R's write.csv2, pandas and spreadsheets write them: each is the number that pandas reads, or none."""

from decimal import Decimal
import io

import pandas as pd
import pyarrow as pa
import pytest

from configs.errors import InputError, RejectedRows
from transforms.formats.csv_marks import exchange_marks, use_points
from transforms.formats.csv_values import convert_fields, refuse_other_types

SCHEMA = pa.schema([("x", pa.float64()), ("m", pa.decimal128(9, 2)), ("s", pa.string())])


def fields_of(**columns: list[str | None]) -> pa.RecordBatch:
    arrays = {
        name: pa.array([None if text is None else text.encode() for text in texts], pa.binary())
        for name, texts in columns.items()
    }
    return pa.RecordBatch.from_pydict(arrays)


def test_numbers_are_those_that_pandas_reads() -> None:
    texts = ["1,5", "-0,25", "7", "1,5e3", ",5", "1e-3"]
    fields = fields_of(x=[*texts, None], m=[*["1,25"] * 6, None], s=[*["a,b.c"] * 6, None])
    rows = convert_fields(use_points(fields, SCHEMA, ","), SCHEMA)
    read = pd.read_csv(io.StringIO("\n".join(["x", *texts])), sep=";", decimal=",")
    assert rows["x"].to_pylist() == [*read["x"], None]
    assert rows["m"].to_pylist() == [*[Decimal("1.25")] * 6, None]
    assert rows["s"].to_pylist() == [*["a,b.c"] * 6, None]


@pytest.mark.parametrize("text", ["1.5", "1.234,5", "1.234", "1,2,3", "1,2.3", "\x01", "1\x015"])
def test_a_number_with_a_point_or_two_commas_is_none(text: str) -> None:
    fields = fields_of(x=["1,5", text])
    schema = pa.schema([("x", pa.float64())])
    with pytest.raises(RejectedRows) as rejected:
        convert_fields(use_points(fields, schema, ","), schema)
    assert list(rejected.value.reasons) == [1]


def test_with_a_point_nothing_is_touched() -> None:
    fields = fields_of(x=["1.5"])
    assert use_points(fields, SCHEMA, ".") is fields


def test_marks_are_exchanged_twice_for_nothing() -> None:
    texts = pa.array([b"1.2,3", b"", None], pa.binary())
    assert exchange_marks(exchange_marks(texts)).equals(texts)


@pytest.mark.parametrize(("decimal", "text", "other"), [(".", "1,5", ","), (",", "1.5", ".")])
def test_a_column_with_the_other_mark_is_refused_with_the_fix(
    decimal: str, text: str, other: str
) -> None:
    schema = pa.schema([("x", pa.float64())])
    fields = use_points(fields_of(x=[text] * 20), schema, decimal)
    with pytest.raises(InputError, match=f'source.csv.decimal="{other}"\''):
        refuse_other_types(fields, schema, True, decimal)
    wrong = use_points(fields_of(x=["word"] * 20), schema, decimal)
    with pytest.raises(InputError) as refused:
        refuse_other_types(wrong, schema, True, decimal)
    assert "decimal" not in str(refused.value)
