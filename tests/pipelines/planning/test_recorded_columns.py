"""Columns with which no row could be rejected are refused before one has to be."""

import pyarrow as pa
import pytest

from configs.errors import JobError
from pipelines.planning.recorded_columns import refuse_unrecorded

UNION = pa.dense_union([pa.field("a", pa.int64())])
RUNS = pa.run_end_encoded(pa.int32(), pa.string())


def test_a_key_and_recorded_values_must_have_a_place_in_parquet() -> None:
    schema = pa.schema({"id": pa.int64(), "u": UNION})
    refuse_unrecorded(schema, "id", False)
    refuse_unrecorded(schema, None, False)
    with pytest.raises(JobError, match=r"column 'u' is dense_union.*; name another key"):
        refuse_unrecorded(schema, "u", False)
    with pytest.raises(JobError, match=r"column 'u' is dense_union.*store_values out"):
        refuse_unrecorded(schema, "id", True)


@pytest.mark.parametrize("dtype", [RUNS, pa.struct([("x", RUNS)])], ids=str)
def test_what_no_single_row_can_be_taken_of_is_refused(dtype: pa.DataType) -> None:
    schema = pa.schema({"id": pa.int64(), "r": dtype})
    with pytest.raises(JobError, match=r"column 'r' is .*run_end_encoded.*no single row"):
        refuse_unrecorded(schema, "id", False)


def test_what_files_hold_as_a_rule_is_taken() -> None:
    types = [
        pa.string_view(),
        pa.list_view(pa.binary_view()),
        pa.dictionary(pa.int8(), pa.string_view()),
        pa.map_(pa.string(), pa.float16()),
        pa.list_(pa.int8(), 2),
        pa.null(),
        pa.uuid(),
    ]
    refuse_unrecorded(pa.schema([(str(at), dtype) for at, dtype in enumerate(types)]), "0", False)
