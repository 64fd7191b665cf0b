"""Which unit an INT96 column comes out in, and what is said of values that it does not hold."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from transforms.formats.parquet_int96 import explain_inexact, list_int96_units

MOMENTS = pa.list_(pa.timestamp("ns"))


def test_a_column_comes_out_in_the_unit_that_is_asked_for_where_it_is_no_list() -> None:
    schema = pa.schema(
        [("plain", pa.timestamp("ns")), ("inside", MOMENTS), ("other", pa.timestamp("ns"))]
    )
    units = list_int96_units(schema, {"plain", "inside", "not read"})
    assert units == {"plain": "ns", "inside": "us"}


@pytest.mark.parametrize(
    ("dtype", "unit", "words"),
    [
        (pa.timestamp("us"), "us", "timestamp[us] cannot hold exactly; if all fit timestamp[ns]"),
        (pa.timestamp("s"), "s", "timestamp[s] cannot hold exactly; if all fit timestamp[ns]"),
        (pa.timestamp("ns"), "ns", "timestamp[ns] cannot hold exactly; if all fit timestamp[us]"),
        (MOMENTS, "us", "timestamp[us] cannot hold exactly"),
    ],
)
def test_each_row_is_told_what_would_hold_it(dtype: Any, unit: str, words: str) -> None:
    reasons = explain_inexact(np.array([2, 5]), pa.field("at", dtype), unit)
    assert list(reasons) == [2, 5]
    said = {str(reason) for reason in reasons.values()}
    assert len(said) == 1
    (text,) = said
    assert words in text
    assert ("source.types" in text) is (dtype != MOMENTS)
