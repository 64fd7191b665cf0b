from decimal import Decimal
from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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


@pytest.mark.parametrize(("where", "sql"), [case for case in CASES if "p " in case[0]])
def test_halves_are_compared_as_the_numbers_that_they_are(where: str, sql: str) -> None:
    halves = COLUMNS["p"].cast(pa.float16())
    # Wider by numpy: DuckDB has no halves either.
    wider = pa.array(halves.to_numpy(zero_copy_only=False).astype(np.float64))
    rows = pa.table({"row": range(6), **COLUMNS, "p": pc.if_else(halves.is_null(), None, wider)})
    kept = duckdb.from_arrow(rows).filter(sql).order("row").fetchnumpy()["row"]
    mask = where_mask(where, {**COLUMNS, "p": halves}, rows=6)
    np.testing.assert_array_equal(np.flatnonzero(mask), kept)


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


def keep(where: str, **columns: pa.Array) -> list[int]:
    rows = len(next(iter(columns.values())))
    return np.flatnonzero(where_mask(where, columns, rows)).tolist()


INTEGERS = [-(2**63), -(2**53) - 1, -1, 0, 1, 2**53, 2**53 + 1, 2**63 - 1]
FLOATS = [-1e300, -(2.0**63), -(2.0**53), -0.5, 0.0, 0.5, 1.0, 2.0**53, 9007199254740994.0, 2.0**63, 1e300]  # fmt: skip
OPERATORS: dict[str, Any] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


@pytest.mark.parametrize("op", OPERATORS)
def test_integers_are_compared_with_floats_exactly(op: str) -> None:
    """As Python does it, which rounds neither."""
    values = pa.array([*INTEGERS, None])
    for number in FLOATS:
        expected = [at for at, n in enumerate(INTEGERS) if OPERATORS[op](n, number)]
        assert keep(f"v {op} {number!r}", v=values) == expected
        mirrored = [at for at, n in enumerate(INTEGERS) if OPERATORS[op](number, n)]
        assert keep(f"{number!r} {op} v", v=values) == mirrored


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("dtype", [pa.int8(), pa.uint8(), pa.int64(), pa.uint64()], ids=str)
def test_integers_are_compared_with_numbers_out_of_their_range(dtype: pa.DataType, op: str) -> None:
    bits, is_signed = dtype.bit_width, pa.types.is_signed_integer(dtype)
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
    values = [ends[0], 1, ends[1]]
    for number in (-(2**63), -129, -1, 0, 1, 127, 128, 255, 256, 2**63 - 1):
        expected = [at for at, n in enumerate(values) if OPERATORS[op](n, number)]
        assert keep(f"v {op} {number}", v=pa.array(values, dtype)) == expected


def test_options_out_of_a_types_range_are_no_value_of_it() -> None:
    values = pa.array([1, None, 44], pa.int8())
    assert keep("v in (1, 300)", v=values) == [0]
    assert keep("v not in (1, 300)", v=values) == [2]


@pytest.mark.parametrize("op", OPERATORS)
def test_decimals_are_compared_with_floats_as_they_are_written(op: str) -> None:
    values = [Decimal("0.1"), Decimal("0.1000000000000000000001"), Decimal("9007199254740993.00")]
    column = pa.array([*values, None], pa.decimal128(38, 22))
    for number in ("0.1", "9007199254740992.0", "-3.5"):
        expected = [at for at, n in enumerate(values) if OPERATORS[op](n, Decimal(number))]
        assert keep(f"v {op} {number}", v=column) == expected


def test_small_integers_are_compared_with_columns_of_floats_and_large_ones_are_refused() -> None:
    """By their types, and not by their values: no row decides whether a job is one."""
    p = pa.array([0.5, 16777216.0, None], pa.float32())
    assert keep("v >= p", v=pa.array([1, 16777217, 3], pa.int32()), p=p) == [0, 1]
    for dtype in (pa.int64(), pa.uint64(), pa.decimal128(5, 2)):
        for rows in (0, 1):
            columns = {"v": pa.array([1] * rows, dtype), "p": pa.array([0.5] * rows, pa.float32())}
            with pytest.raises(JobError, match="would be rounded"):
                where_mask("v >= p", columns, rows)


def test_backticks_in_a_text_are_letters() -> None:
    values = pa.array(["`a`", "b", None, "a"])
    assert keep("v == '`a`'", v=values) == [0]
    assert keep("v in ('`a`', 'b')", v=values) == [0, 1]
    assert keep('v != "`a`"', v=values) == [1, 3]
    assert keep(r"v == '\'`' or `v` == 'b'", v=values) == [1]
    assert where_columns("v == '`a`' and `_quoted0` > 1") == ["_quoted0", "v"]


def test_names_that_look_alike_are_not_one() -> None:
    """Python takes a ligature for its letters, and a micro sign for a Greek letter."""
    columns = {"\ufb01": pa.array(["a", "b"]), "fi": pa.array(["x", "a"])}
    assert where_mask("\ufb01 == 'a'", columns, 2).tolist() == [True, False]
    assert where_mask("fi == 'a'", columns, 2).tolist() == [False, True]
    assert where_columns("\u00b5 > 1 and gr\u00f6\u00dfe < 2") == ["gr\u00f6\u00dfe", "\u00b5"]


@pytest.mark.parametrize("where", ["not " * 3000 + "ok", "(" * 3000 + "ok" + ")" * 3000, "ok\0"])
def test_what_python_gives_up_on_is_refused(where: str) -> None:
    with pytest.raises(JobError, match=r"postprocess\.where"):
        where_mask(where, COLUMNS, 6)


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(JobError, match="names column 'q'; there are"):
        where_mask("q > 1", COLUMNS, 6)


@pytest.mark.parametrize("dtype", [pa.float16(), pa.float32(), pa.float64()])
@pytest.mark.parametrize("option", ["0", "0.0", "-0.0", "-0"])
def test_zero_is_among_options_whatever_its_sign(dtype: pa.DataType, option: str) -> None:
    x = pa.array([-0.0, 0.0, 1.0, None], pa.float64()).cast(dtype)
    columns = {"x": x}
    assert where_mask(f"x in [{option}, 5]", columns, 4).tolist() == [True, True, False, False]
    assert where_mask(f"x not in [{option}, 5]", columns, 4).tolist() == [False, False, True, False]


@pytest.mark.parametrize("is_deep", [False, True])
def test_an_expression_is_nested_100_levels_deep_at_most(is_deep: bool) -> None:
    # The whole, each `not`, the column, and what Python says of how it is used.
    count = 100 - 3 + is_deep
    where = "not " * count + "ok"
    if is_deep:
        with pytest.raises(JobError, match="nested more than 100 levels deep"):
            where_mask(where, COLUMNS, 6)
        return
    # An odd number of them.
    expected = where_mask("not ok", COLUMNS, 6)
    assert where_mask(where, COLUMNS, 6).tolist() == expected.tolist()


def test_integers_that_have_no_type_in_common_are_options_of_any_column() -> None:
    """Arrow makes no array of -1 and 2**63, nor of 5 and the largest number of 64 bits."""
    largest = 2**64 - 1
    columns = {"x": pa.array([5, largest, 0, None], pa.uint64()), "y": pa.array([-1, 5, 0, None])}
    assert where_mask(f"x in [-1, 5, {largest}]", columns, 4).tolist() == [True, True, False, False]
    assert where_mask(f"y not in [-1, {largest}]", columns, 4).tolist() == [
        False,
        True,
        True,
        False,
    ]
    assert where_mask("x in []", columns, 4).tolist() == [False] * 4
