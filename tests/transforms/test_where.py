from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError
from transforms.where import where_columns, where_mask

COLUMNS = {
    "p": pa.array([0.1, 0.5, None, 0.9, float("inf"), 0.5]),
    "n": pa.array([1, None, 3, -4, 5, 0], type=pa.int32()),
    "label": pa.array(["a", "b", None, "it's", "", "b"]),
    "ok": pa.array([True, False, None, True, False, None]),
    "mean area": pa.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
}
ALL_ROWS = pa.table({"row": range(6), **COLUMNS})

# Ours, and what SQL says.
CASES = [
    ("p >= 0.5", "p >= 0.5"),
    ("p > 0.5", "p > 0.5"),
    ("p < 0.5", "p < 0.5"),
    ("p <= 0.5", "p <= 0.5"),
    ("p == 0.5", "p = 0.5"),
    ("p != 0.5", "p <> 0.5"),
    ("0.5 <= p", "0.5 <= p"),
    ("n == -4", "n = -4"),
    ("n < p", "n < p"),
    ("label == 'b'", "label = 'b'"),
    ('label == "it\'s"', "label = 'it''s'"),
    ("label in ['a', 'b']", "label in ('a', 'b')"),
    ("label in ('a',)", "label in ('a')"),
    ("label not in ['a', 'b']", "label not in ('a', 'b')"),
    ("n in [1, 3, 99]", "n in (1, 3, 99)"),
    ("not n in [1, 3, 99]", "not (n in (1, 3, 99))"),
    ("p in [1, 0.9]", "p in (1, 0.9)"),
    ("label is None", "label is null"),
    ("label is not None", "label is not null"),
    ("ok", "ok"),
    ("not ok", "not ok"),
    ("ok == True", "ok = true"),
    ("p >= 0.5 and label == 'b'", "p >= 0.5 and label = 'b'"),
    ("p >= 0.5 or label == 'a'", "p >= 0.5 or label = 'a'"),
    ("not (p >= 0.5 and ok)", "not (p >= 0.5 and ok)"),
    (
        "p >= 0.5 and n > 0 or label == 'a' and not ok",
        "p >= 0.5 and n > 0 or label = 'a' and not ok",
    ),
    ("p > 0.2 and p < 0.95 and n is not None", "p > 0.2 and p < 0.95 and n is not null"),
    ("`mean area` > 3.5", '"mean area" > 3.5'),
    ("True", "true"),
    ("False", "false"),
    ("  p >=\n0.5  ", "p >= 0.5"),
]


@pytest.mark.parametrize(("where", "sql"), CASES, ids=lambda x: x)
def test_rows_kept_are_those_that_sql_keeps(where: str, sql: str) -> None:
    kept = duckdb.sql(f"select row from ALL_ROWS where {sql} order by row").fetchnumpy()["row"]
    mask = where_mask(where, COLUMNS, 6)
    assert mask.dtype == np.bool_
    assert mask.shape == (6,)
    np.testing.assert_array_equal(np.flatnonzero(mask), kept)


CASES_OF_FLOAT = st.floats(width=32, allow_nan=False)


@settings(deadline=None, max_examples=30)
@given(
    values=st.lists(CASES_OF_FLOAT | st.none(), min_size=1, max_size=20),
    bound=CASES_OF_FLOAT,
    op=st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
)
def test_comparisons_of_float32_are_exact(
    values: list[float | None], bound: float, op: str
) -> None:
    if not np.isfinite(bound):
        return
    compare: dict[str, Any] = {
        "<": np.less,
        "<=": np.less_equal,
        ">": np.greater,
        ">=": np.greater_equal,
        "==": np.equal,
        "!=": np.not_equal,
    }
    expected = [v is not None and bool(compare[op](float(v), bound)) for v in values]
    assert (
        where_mask(
            f"p {op} {bound!r}", {"p": pa.array(values, type=pa.float32())}, len(values)
        ).tolist()
        == expected
    )


def test_no_rows() -> None:
    empty = {n: c.slice(0, 0) for n, c in COLUMNS.items()}
    for where, _ in CASES:
        assert where_mask(where, empty, 0).shape == (0,)


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("p >= 0.5 and label == 'b'", ["label", "p"]),
        ("`mean area` > n", ["mean area", "n"]),
        ("True", []),
        ("p > 0 or p < 9", ["p"]),
    ],
)
def test_the_columns_that_it_reads(where: str, names: list[str]) -> None:
    assert where_columns(where) == names


@pytest.mark.parametrize(
    "where",
    [
        "p >=",
        "",
        "p = 0.5",
        "__import__('os').system('true')",
        "p.real > 0",
        "label[0] == 'a'",
        "p + 1 > 2",
        "0 < p < 1",
        "lambda: p",
        "[p for p in label]",
        "p if ok else n",
        "(x := 3) > 2",
        "f'{p}' == 'a'",
        "p is 1",
        "p > None",
        "p; n",
        "label > 3",
        "label in [1.5, 'a']",
        "n in [0.5]",
        "p in [n]",
        "p in [None]",
        "label in 'abc'",
        "not p",
        "p and ok",
        "p",
        "0.5",
        "'yes'",
        "p > 10e400 ** 2",
    ],
)
def test_anything_else_is_refused(where: str) -> None:
    with pytest.raises(JobError, match=r"postprocess\.where"):
        where_mask(where, COLUMNS, 6)


def test_a_number_too_large_for_arrow_is_refused() -> None:
    with pytest.raises(JobError, match=r"postprocess\.where"):
        where_mask(f"n < {2**70}", COLUMNS, 6)


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(JobError, match="names column 'q'; there are"):
        where_mask("q > 1", COLUMNS, 6)
