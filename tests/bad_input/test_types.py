"""Every type and its extreme values: what is published is what the file holds, or the row is rejected; whoever wrote it."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bad_input.forms import ROWS, every_type, forms_of_texts, same
from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, small_table, write_job, write_parquet

Score = Callable[..., Outcome]
CARRY = {"source.passthrough": ["s"]}


@pytest.fixture(scope="module")
def rejecting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job whose model rejects a row without a number."""
    folder = tmp_path_factory.mktemp("rejecting")
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in "abc"]
    return write_job(folder, tiny_package(folder / "model", columns=columns))


def shards(folder: Path, *columns: pa.Array) -> Path:
    """A shard of each column `s`, with ids that go on."""
    for number, column in enumerate(columns):
        rows = small_table(len(column), first=number * len(column), s=column)
        write_parquet(folder / f"{number}.parquet", rows)
    return folder


def as_rows(table: pa.Table) -> dict[int, Any]:
    return dict(zip(table["id"].to_pylist(), table["s"].to_pylist(), strict=True))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"row_group_size": 7, "use_dictionary": False},
        {"data_page_version": "2.0", "compression": "zstd"},
        {"use_byte_stream_split": False, "write_batch_size": 3, "data_page_size": 1},
    ],
    ids=str,
)
def test_every_type_that_pyarrow_writes_comes_out_bit_by_bit(
    options: dict[str, Any], score_it: Score, tmp_path: Path
) -> None:
    columns = every_type()
    source = write_parquet(tmp_path / "in.parquet", small_table(ROWS, **columns), **options)
    outcome = score_it(source, settings={"source.passthrough": list(columns)})
    # In their order, as it is one unit; pyarrow sorts no views.
    rows = outcome.scored()
    assert rows["id"].to_pylist() == list(range(ROWS))
    for name, given in columns.items():
        assert rows.schema.field(name).type == given.type, name
        assert same(rows[name], pa.chunked_array([given])), name


DUCKDB_TYPES = {
    "utinyint": "255",
    "bigint": "'-9223372036854775808'",
    "ubigint": "18446744073709551615",
    "double": "'-inf'",
    "date": "'5881580-07-10'",
    "timestamp": "'294247-01-10 04:00:54.775806'",
    "timestamptz": "'290309-12-22 (BC) 00:00:00+00'",
    "timestamp_ns": "'1677-09-22 00:00:00.000000001'",
    "time": "'23:59:59.999999'",
    "decimal(38,1)": "9999999999999999999999999999999999999.9",
    "varchar": "chr(1114111)",
    "blob": "'\\xFF\\x00'",
    "uuid": "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    "json": """'{"a": null}'""",
    "integer[]": "[1, NULL, 2147483647]",
    "map(varchar, date)": "map {'k': '0001-01-01'::date}",
    "struct(a integer, b varchar[])": "{'a': NULL, 'b': ['x']}",
}


def test_every_type_that_duckdb_writes_is_what_duckdb_reads(
    score_it: Score, tmp_path: Path
) -> None:
    values = [
        f"CASE WHEN id = 1 THEN NULL ELSE {value}::{dtype} END AS v{number}"
        for number, (dtype, value) in enumerate(DUCKDB_TYPES.items())
    ]
    model = "id::float AS a, id::float AS b, id::float AS c"
    duckdb.execute(
        f"COPY (SELECT id, {model}, {', '.join(values)} FROM range(3) t(id)) "
        f"TO '{tmp_path}/in.parquet'"
    )
    names = [f"v{number}" for number in range(len(DUCKDB_TYPES))]
    outcome = score_it(tmp_path / "in.parquet", settings={"source.passthrough": names})
    assert outcome.status == 0, outcome.error
    texts = ", ".join(f"{name}::varchar" for name in ["id", *names])
    query = "SELECT {} FROM read_parquet('{}') ORDER BY id"
    expected = duckdb.sql(query.format(texts, tmp_path / "in.parquet")).fetchall()
    assert len(expected) == 3
    published = outcome.run / "scored/*"
    assert duckdb.sql(query.format(texts, published)).fetchall() == expected


def test_every_type_that_polars_writes_is_what_polars_reads(
    score_it: Score, tmp_path: Path
) -> None:
    polars = pytest.importorskip("polars", reason="Polars is not installed")
    words = ["x", "y", None]
    columns = {
        "int8": (polars.Int8, [-128, 127, None]),
        "int64": (polars.Int64, [-(2**63), 2**63 - 1, None]),
        "uint64": (polars.UInt64, [0, 2**64 - 1, None]),
        "double": (polars.Float64, [-5e-324, float("inf"), None]),
        "boolean": (polars.Boolean, [True, False, None]),
        "text": (polars.String, ["", "\U0010ffff", None]),
        "bytes": (polars.Binary, [b"\xff", b"", None]),
        "date": (polars.Date, [date.min, date.max, None]),
        "moment": (polars.Datetime("us"), [datetime.min, datetime.max, None]),
        "time": (polars.Time, [time.min, time.max, None]),
        "span": (
            polars.Duration("us"),
            [timedelta(days=-100_000_000), timedelta(microseconds=1), None],
        ),
        "decimal": (polars.Decimal(38, 1), [Decimal("-0.1"), Decimal(10**36), None]),
        "category": (polars.Categorical, words),
        "enum": (polars.Enum(["y", "x"]), words),
        "list": (polars.List(polars.Int64), [[1, None], [], None]),
        "words": (polars.List(polars.Categorical), [["x", "y"], [], None]),
        "array": (polars.Array(polars.Int8, 2), [[1, 2], [3, 4], [5, 6]]),
        "struct": (polars.Struct({"a": polars.String}), [{"a": "x"}, {"a": None}, {"a": ""}]),
    }
    series = [polars.Series(n, values, dtype=dtype) for n, (dtype, values) in columns.items()]
    model = [polars.Series(name, [1.0, 2.0, 3.0], dtype=polars.Float32) for name in "abc"]
    frame = polars.DataFrame([polars.Series("id", [0, 1, 2]), *model, *series])
    frame.write_parquet(tmp_path / "in.parquet")
    outcome = score_it(tmp_path / "in.parquet", settings={"source.passthrough": list(columns)})
    assert outcome.status == 0, outcome.error
    (part,) = outcome.parts
    published = polars.read_parquet(part)
    for name in ("id", *columns):
        assert published[name].to_list() == frame[name].to_list(), name


FORMS = forms_of_texts()
ONE_REJECTED = [1, float("nan"), 3, 4]


@pytest.mark.parametrize(("where", "kept"), [(None, [0, 2, 3]), ("id >= 2", [2, 3])])
def test_carried_columns_keep_their_exact_types_beside_each_other(
    where: str | None, kept: list[int], rejecting: Path, score_it: Score, tmp_path: Path
) -> None:
    rows = small_table(4, **FORMS | {"a": pa.array(ONE_REJECTED, pa.float32())})
    source = write_parquet(tmp_path / "in.parquet", rows)
    settings = {"source.passthrough": list(FORMS), "errors.store_values": True}
    if where is not None:
        settings["postprocess.where"] = where
    outcome = score_it(source, config=rejecting, settings=settings)
    found = outcome.scored()
    assert found["id"].to_pylist() == kept
    (rejected,) = outcome.rejected()
    assert rejected["key"] == 1
    for form, column in FORMS.items():
        values = column.to_pylist()
        assert found[form].to_pylist() == [values[row] for row in kept], form
        assert found.schema.field(form).type == column.type
        assert rejected["values"][form] == values[1]


@pytest.mark.parametrize("form", FORMS)
def test_a_carried_column_keeps_its_exact_type(
    form: str, rejecting: Path, score_it: Score, tmp_path: Path
) -> None:
    """Beside a row that the model rejects, through a filter of it, and through sorting where there is an order."""
    column = FORMS[form]
    values = dict(enumerate(column.to_pylist()))
    rows = small_table(4, s=column, a=pa.array(ONE_REJECTED, pa.float32()))
    source = write_parquet(tmp_path / "in.parquet", rows)
    settings = CARRY | {"errors.store_values": True, "postprocess.where": "s is not None"}
    outcome = score_it(source, config=rejecting, settings=settings)
    found = as_rows(outcome.scored())
    assert found == {n: values[n] for n in (0, 3)}
    assert outcome.scored().schema.field("s").type == column.type
    (rejected,) = outcome.rejected()
    assert (rejected["key"], rejected["values"]["s"]) == (1, values[1])
    by_s = score_it(
        source, config=rejecting, settings=CARRY | {"postprocess.sort_by": ["s desc", "id desc"]}
    )
    if pa.types.is_nested(column.type):
        by_s.refused("column 's'", "has no order", status=2)
        return
    assert by_s.scored()["id"].to_pylist() == [3, 0, 2]
    assert by_s.scored().schema.field("s").type == column.type


@pytest.mark.parametrize("form", FORMS)
def test_csv_holds_texts_in_any_form_and_nothing_else_is_begun(
    form: str, score_it: Score, tmp_path: Path
) -> None:
    source = shards(tmp_path / "in", FORMS[form])
    outcome = score_it(source, settings=CARRY | {"sink.format": "csv"})
    if pa.types.is_nested(FORMS[form].type) or "bytes" in form or "binary" in form:
        outcome.refused("csv cannot hold column 's'", status=2)
        return
    (part,) = outcome.parts
    found = duckdb.sql(f"SELECT s FROM read_csv('{part}', all_varchar=true) ORDER BY id").fetchall()
    assert [row[0] for row in found] == FORMS[form].to_pylist()
    escaped = {"sink.format": "csv", "sink.escape_formulas": True}
    assert score_it(source, settings=CARRY | escaped).status == 0


@pytest.mark.parametrize("form", ["string_view", "dictionary", "small dictionary"])
@pytest.mark.parametrize("comparison", ["s == 'x'", "s in ['x', 'z']", "s not in ['y']"])
def test_a_filter_compares_texts_of_every_form(
    form: str, comparison: str, score_it: Score, tmp_path: Path
) -> None:
    source = shards(tmp_path / "in", FORMS[form])
    outcome = score_it(source, settings=CARRY | {"postprocess.where": comparison})
    assert outcome.scored()["id"].to_pylist() == [0, 3]


SMALL = pa.dictionary(pa.int8(), pa.string())
NIGHTS: dict[str, tuple[list[pa.Array], pa.DataType]] = {
    "all missing first": ([pa.nulls(2), pa.array(["x", None])], pa.string()),
    "all missing last": ([pa.array([1, 2], pa.int16()), pa.nulls(2)], pa.int16()),
    "all missing always": ([pa.nulls(2), pa.nulls(2)], pa.null()),
    "large beside plain": (
        [pa.array(["x", "y"]), pa.array(["x", "y"], pa.large_string())],
        pa.large_string(),
    ),
    "views beside plain": (
        [pa.array(["x", "y"], pa.string_view()), pa.array(["x", "y"])],
        pa.string(),
    ),
    "dictionaries of two indices": (
        [pa.array(["x", "y"]).dictionary_encode(), pa.array(["y", "x"]).cast(SMALL)],
        pa.dictionary(pa.int32(), pa.string()),
    ),
    "a dictionary beside plain": (
        [pa.array(["x", "y"]).cast(SMALL), pa.array(["y", None])],
        pa.string(),
    ),
    "equal small dictionaries": ([pa.array(["x", "y"]).cast(SMALL)] * 2, SMALL),
    "lists": (
        [pa.array([["x"], None]), pa.array([[], ["y"]], pa.large_list(pa.string()))],
        pa.large_list(pa.string()),
    ),
    "empty lists": (
        [pa.array([[], None], pa.list_(pa.null())), pa.array([[1], []])],
        pa.list_(pa.int64()),
    ),
    "structs": (
        [
            pa.array([{"a": None}, None], pa.struct([("a", pa.null())])),
            pa.array([{"a": "x"}, {"a": None}], pa.struct([("a", pa.large_string())])),
        ],
        pa.struct([("a", pa.large_string())]),
    ),
}


@pytest.mark.parametrize("case", NIGHTS)
@pytest.mark.parametrize("order", [1, -1])
def test_shards_of_other_forms_come_out_in_one_type(
    case: str, order: int, score_it: Score, tmp_path: Path
) -> None:
    columns, expected = NIGHTS[case]
    columns = columns[::order]
    outcome = score_it(shards(tmp_path / "in", *columns), settings=CARRY)
    found = outcome.scored()
    assert found.schema.field("s").type == expected
    values = [value for column in columns for value in column.to_pylist()]
    assert as_rows(found) == dict(enumerate(values))


def test_small_dictionaries_of_many_row_groups_can_be_read_back(
    score_it: Score, tmp_path: Path
) -> None:
    """A hundred values in each of three row groups: int8 counts no two of them together."""
    path = tmp_path / "in.parquet"
    words = [[f"{prefix}{n}" for n in range(100)] for prefix in "abc"]
    groups = [
        small_table(100, first=100 * n, s=pa.array(texts).cast(SMALL))
        for n, texts in enumerate(words)
    ]
    with pq.ParquetWriter(path, groups[0].schema) as writer:
        for group in groups:
            writer.write_table(group)
    for more in ({}, {"postprocess.sort_by": ["id desc"]}):
        found = score_it(path, settings=CARRY | more).scored()
        assert found.schema.field("s").type == SMALL
        assert as_rows(found) == {
            100 * g + n: text for g, texts in enumerate(words) for n, text in enumerate(texts)
        }


def test_dictionaries_inside_lists_are_read_from_every_row_group(
    score_it: Score, tmp_path: Path
) -> None:
    words = pa.array(["a", "b", "a", "c"])
    lists = pa.ListArray.from_arrays([0, 1, 2, 3, 4], words.dictionary_encode())
    path = write_parquet(tmp_path / "in.parquet", small_table(4, s=lists), row_group_size=2)
    found = score_it(path, settings=CARRY).scored()
    assert found.schema.field("s").type == lists.type
    assert found["s"].to_pylist() == [["a"], ["b"], ["a"], ["c"]]


def test_a_missing_list_of_a_fixed_size_costs_its_row(score_it: Score, tmp_path: Path) -> None:
    """pyarrow cannot read a file with one, so it is neither refused as a whole nor published."""
    fixed = pa.array([[1, 2], None, [3, None], [5, 6]], pa.list_(pa.int64(), 2))
    views = pa.array(["a", "b", "c", "d"], pa.string_view())
    inside = pa.StructArray.from_arrays([fixed, views], ["x", "y"])
    for column in (fixed, inside):
        folder = shards(tmp_path / str(column.type)[:5], column)
        outcome = score_it(folder, settings=CARRY | {"errors.store_values": True})
        assert as_rows(outcome.scored()) == {n: column[n].as_py() for n in (0, 2, 3)}
        (rejected,) = outcome.rejected()
        assert rejected["row"] == 1
        assert rejected["source"].endswith("0.parquet")
        assert rejected["message"].startswith("column 's': a list in ")
    with pytest.raises(pa.ArrowInvalid):
        pq.read_table(folder / "0.parquet")


def test_columns_that_nobody_wants_need_not_be_readable(score_it: Score, tmp_path: Path) -> None:
    fixed = pa.array([[1, 2], None], pa.list_(pa.int64(), 2))
    assert score_it(shards(tmp_path / "fixed", fixed)).scored().num_rows == 2


INTERVALS = {"s": "interval 1 month", "n": "{'x': [interval 1 day]}"}


@pytest.mark.parametrize("name", INTERVALS)
def test_an_interval_is_refused_by_name_where_it_is_wanted(
    name: str, score_it: Score, tmp_path: Path
) -> None:
    columns = "1::bigint AS id, 1::float AS a, 1::float AS b, 1::float AS c"
    path = tmp_path / "in.parquet"
    duckdb.execute(f"COPY (SELECT {columns}, {INTERVALS[name]} AS {name}) TO '{path}'")
    assert score_it(path).status == 0
    outcome = score_it(path, settings={"source.passthrough": [name]})
    outcome.refused("in.parquet", f"column '{name}' is an INTERVAL")


# Julian days and nanoseconds hold more than 64 bits of nanoseconds; the largest years that datetime has.
MOMENTS = {
    "us": [0, 253_402_300_799_999_999, -62_135_596_800_000_000, None, -1],
    "ns": [1, 2**63 - 1, -(2**63) + 1, None, 1_000],
}


@pytest.mark.parametrize("written", MOMENTS)
@pytest.mark.parametrize(
    # A job declares no nested type.
    ("wanted", "nested"),
    [(None, True), (None, False), ("ms", False), ("us", False), ("ns", False)],
)
def test_an_int96_timestamp_is_exact_or_its_row_is_rejected(
    written: str, wanted: str | None, nested: bool, score_it: Score, tmp_path: Path
) -> None:
    values = MOMENTS[written]
    column = pa.array(values, pa.timestamp(written))
    if nested:
        offsets = pa.array(range(len(values) + 1), pa.int32())
        column = pa.ListArray.from_arrays(offsets, column)
    path = write_parquet(
        tmp_path / "in.parquet",
        small_table(len(values), s=column),
        use_deprecated_int96_timestamps=True,
        row_group_size=2,
    )
    types = {"source.types": {"s": f"timestamp[{wanted}]"}} if wanted else {}
    outcome = score_it(path, settings=CARRY | types)
    unit = wanted or "us"
    nanoseconds = {"ms": 10**6, "us": 10**3, "ns": 1}
    expected = {}
    for row, value in enumerate(values):
        exact = None if value is None else value * nanoseconds[written]
        whole, rest = divmod(exact or 0, nanoseconds[unit])
        if rest == 0 and -(2**63) <= whole < 2**63:
            expected[row] = None if exact is None else whole
    found = outcome.scored()
    stored = found["s"].combine_chunks()
    flat = (stored.flatten() if nested else stored).cast(pa.int64()).to_pylist()
    assert dict(zip(found["id"].to_pylist(), flat, strict=True)) == expected
    rejected = outcome.rejected()
    assert [record["row"] for record in rejected] == sorted(set(range(5)) - set(expected))
    assert all(f"timestamp[{unit}] cannot hold exactly" in r["message"] for r in rejected)


def test_an_int96_key_of_a_rejected_row_is_not_a_wrong_one(score_it: Score, tmp_path: Path) -> None:
    at = pa.array([0, 1], pa.timestamp("ns"))
    path = write_parquet(
        tmp_path / "in.parquet", small_table(2, at=at), use_deprecated_int96_timestamps=True
    )
    outcome = score_it(path, settings={"source.key": "at"})
    assert outcome.scored()["at"].cast(pa.int64()).to_pylist() == [0]
    assert [(r["row"], r["key"]) for r in outcome.rejected()] == [(1, None)]


def test_a_date_that_csv_cannot_hold_costs_its_row(score_it: Score, tmp_path: Path) -> None:
    far = pa.array([0, 2**31 - 1, None], pa.date32())
    source = shards(tmp_path / "in", far)
    assert score_it(source, settings=CARRY).scored()["s"].combine_chunks().equals(far)
    outcome = score_it(source, settings=CARRY | {"sink.format": "csv"})
    (part,) = outcome.parts
    assert duckdb.sql(f"SELECT id FROM read_csv('{part}') ORDER BY id").fetchall() == [(0,), (2,)]
    (rejected,) = outcome.rejected()
    assert (rejected["row"], rejected["stage"]) == (1, "postprocess")
    assert rejected["message"] == "column 's': a date32[day] that CSV cannot hold"


@pytest.mark.parametrize("dtype", ["duration[s]", "null", "month_day_nano_interval"])
def test_a_type_that_no_text_can_be_read_as_is_refused(
    dtype: str, score_csv: Score, tmp_path: Path
) -> None:
    outcome = score_csv("id,a,b,c,s\n1,1,1,1,x\n", **{"source.types": {"id": "int64", "s": dtype}})
    outcome.refused(f"column 's': CSV cannot be read as {dtype}", status=2)


def test_columns_of_a_store_are_read_exactly_too(score_it: Score, tmp_path: Path) -> None:
    """Where a file is not opened by its path: a footer, and INT96 in three readings."""
    fixed = pa.array([[1], None, [2], [3]], pa.list_(pa.int8(), 1))
    at = pa.array([0, 0, 1, 2_000], pa.timestamp("ns"))
    table = small_table(4, f=fixed, s=at)
    local = write_parquet(
        tmp_path / "in.parquet", table, use_deprecated_int96_timestamps=True, row_group_size=3
    )
    fsspec.filesystem("memory").pipe(f"/{tmp_path.name}/in.parquet", local.read_bytes())
    settings = {"source.passthrough": ["f", "s"]}
    outcome = score_it(f"memory://{tmp_path.name}/in.parquet", settings=settings)
    expected = score_it(local, settings=settings)
    assert outcome.scored()["id"].to_pylist() == [0, 3]
    assert outcome.scored().equals(expected.scored())
    assert [record["row"] for record in outcome.rejected()] == [1, 2]
