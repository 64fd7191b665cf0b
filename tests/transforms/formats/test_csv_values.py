"""Every type that a contract may name is read from text, or refused as a job error; against Python's own types, value by value."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import InputError, JobError, RejectedRows
from pipelines.planning.arrow_types import parse_type
from transforms.formats.csv_values import (
    convert_fields,
    convert_valid,
    refuse_other_types,
    refuse_unreadable_types,
)

READABLE: dict[str, tuple[bytes, Any]] = {
    "bool": (b"true", True),
    "int8": (b"-128", -128),
    "uint8": (b"255", 255),
    "int16": (b"7", 7),
    "uint16": (b"7", 7),
    "int32": (b"7", 7),
    "uint32": (b"7", 7),
    "int64": (b"-9223372036854775808", -(2**63)),
    "uint64": (b"18446744073709551615", 2**64 - 1),
    "halffloat": (b"0.5", np.float16(0.5)),
    "float": (b"0.5", 0.5),
    "double": (b"1e308", 1e308),
    "date32": (b"9999-12-31", dt.date(9999, 12, 31)),
    "date64": (b"1600-01-01", dt.date(1600, 1, 1)),
    "time32[s]": (b"23:59:59", dt.time(23, 59, 59)),
    "time32[ms]": (b"23:59:59.125", dt.time(23, 59, 59, 125_000)),
    "time64[us]": (b"00:00:00.000001", dt.time(0, 0, 0, 1)),
    "time64[ns]": (b"12:30", dt.time(12, 30)),
    "timestamp[s]": (b"1600-01-01 00:00:01", dt.datetime(1600, 1, 1, 0, 0, 1)),
    "timestamp[us, tz=UTC]": (
        b"2026-03-01T02:00:00+02:00",
        dt.datetime(2026, 3, 1, tzinfo=dt.UTC),
    ),
    "decimal128(9, 2)": (b"-1234567.89", Decimal("-1234567.89")),
    "decimal256(50, 1)": (b"1.5", Decimal("1.5")),
    "string": ("größe".encode(), "größe"),
    "large_string": ("größe".encode(), "größe"),
    "string_view": ("größe".encode(), "größe"),
    "binary": (b"\xff\0", b"\xff\0"),
    "large_binary": (b"\xff\0", b"\xff\0"),
    "binary_view": (b"\xff\0", b"\xff\0"),
}


def column_of(values: list[bytes | None], dtype: str) -> tuple[pa.RecordBatch, pa.Schema]:
    fields = pa.RecordBatch.from_arrays([pa.array(values, pa.binary())], names=["c"])
    return fields, pa.schema([("c", parse_type(dtype, "here"))])


@pytest.mark.parametrize("dtype", READABLE)
def test_a_type_is_read_exactly_and_null_stays_null(dtype: str) -> None:
    text, value = READABLE[dtype]
    fields, schema = column_of([text, None], dtype)
    refuse_unreadable_types(schema)
    rows = convert_fields(fields, schema)
    assert rows.schema == schema
    assert rows.column("c").to_pylist() == [value, None]


@pytest.mark.parametrize("dtype", ["duration[us]", "month_day_nano_interval", "null"])
def test_a_type_that_no_text_has_is_a_job_error(dtype: str) -> None:
    _, schema = column_of([], dtype)
    with pytest.raises(JobError, match=r"column 'c': CSV cannot be read as .*; declare another"):
        refuse_unreadable_types(schema)


MALFORMED = {
    "int64": ["0x1F", "-0x1f", "0X1F", "0x", "1.0", "1_000", "+1", "٣", "1x"],
    "uint8": ["256", "-1", "0x1"],
    "double": ["0x1p3", "1,5", "1e999"],
    "decimal128(9, 2)": ["0x1", "1.234", "12345678.9"],
    "bool": ["yes", "0x1"],
    "time32[s]": ["24:00:00", "12", "12:00:00.5", "12:00:00Z", " 12:00:00", "2026-01-01 12:00"],
    "time64[us]": ["12:00:60", "12:00:00.1234567"],
    "timestamp[ns]": ["9999-12-31"],
    "date32": ["2026-02-30"],
    "large_string": [b"\xe4"],
    "string_view": [b"\xe4"],
}


@pytest.mark.parametrize("dtype", MALFORMED)
def test_what_is_not_of_the_type_costs_its_row_alone(dtype: str) -> None:
    good, value = READABLE.get(dtype, (b"2026-01-01", dt.datetime(2026, 1, 1)))
    bad = [text if isinstance(text, bytes) else text.encode() for text in MALFORMED[dtype]]
    texts = [good]
    for text in bad:
        texts += [text, None, good]
    fields, schema = column_of(texts, dtype)
    with pytest.raises(RejectedRows) as caught:
        convert_fields(fields, schema)
    positions = [number for number, text in enumerate(texts) if text in bad]
    assert sorted(caught.value.reasons) == positions
    assert {str(reason) for reason in caught.value.reasons.values()} == {
        f"column 'c': not a valid {schema.field('c').type}"
    }
    kept = convert_valid(fields, schema).column("c").to_pylist()
    assert kept == [value if text == good else None for text in texts]


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 1_000])
def test_rows_that_are_all_malformed_are_rejected_one_by_one(rows: int) -> None:
    """Whatever a batch holds: where batches end must not decide whether a file is refused."""
    fields, schema = column_of([b"x"] * rows, "int64")
    with pytest.raises(RejectedRows) as caught:
        convert_fields(fields, schema)
    assert sorted(caught.value.reasons) == list(range(rows))


@pytest.mark.parametrize(
    ("texts", "refused"),
    [
        ([b"x"] * 8, True),
        ([b"x"] * 7, False),
        ([b"x"] * 8 + [None] * 3, True),
        ([b"x"] * 8 + [b"1"], False),
        ([None] * 9, False),
        ([], False),
    ],
)
def test_a_column_is_of_another_type_where_no_value_of_several_is(
    texts: list[bytes | None], refused: bool
) -> None:
    fields, schema = column_of(texts, "int64")
    if not refused:
        refuse_other_types(fields, schema, is_utf8=True)
        return
    with pytest.raises(
        InputError, match=r"column 'c' does not hold values of type int64, which .*"
    ):
        refuse_other_types(fields, schema, is_utf8=True)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("äöü", "latin-1"), ("€", "cp1252"), ("日本語", "shift_jis"), ("汉语", "gb18030")],
)
def test_encodings_that_the_bytes_fit_are_named(text: str, encoding: str) -> None:
    fields, schema = column_of([text.encode(encoding)] * 9, "string")
    with pytest.raises(InputError, match=r"its bytes are no UTF-8 but fit .*") as caught:
        refuse_other_types(fields, schema, is_utf8=True)
    named = str(caught.value).split(" fit ")[1].split(":")[0].split(", ")
    assert named[0] == str(caught.value).rpartition("=")[2]
    for name in named:
        assert text.encode(encoding).decode(name)
    if encoding in ("latin-1", "cp1252"):
        assert encoding in named
    with pytest.raises(InputError) as caught:
        refuse_other_types(fields, schema, is_utf8=False)
    assert "UTF-8" not in str(caught.value)
