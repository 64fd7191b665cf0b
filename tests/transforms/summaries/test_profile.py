"""The profile of columns of every kind, against pandas, and as a table that merges."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from itertools import permutations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from model_zoo.evaluation.data_profile import profile_table
from model_zoo.steps.image import Image
from pipelines.training.held_out import to_parquet
from tests.support.pictures import make_png
from transforms.summaries.chosen_rows import RowPlaces, choose_rows
from transforms.summaries.column import measure_column, measure_pictures
from transforms.summaries.moments import weigh_moments
from transforms.summaries.numbers import count_numbers
from transforms.summaries.profile import Profile, make_profile
from transforms.summaries.profile_schema import SCHEMA
from transforms.summaries.reference import NO_REFERENCE, Reference, read_training_profile

RANDOM = np.random.default_rng(11)
ROWS = 3_000
GAPS = RANDOM.random(ROWS) < 0.1


def make_columns() -> dict[str, pa.Array]:
    """Columns of every kind, with missing values."""
    numbers = RANDOM.normal(5, 2, ROWS)
    integers = RANDOM.poisson(3, ROWS)
    texts = np.array(["red", "green", "blue"])[RANDOM.integers(0, 3, ROWS)]
    lists: list[Any] = [list(range(count)) for count in integers]
    lists[5] = None
    return {
        "double": pa.array(numbers, mask=GAPS),
        "float": pa.array(numbers.astype(np.float32), mask=GAPS),
        "half": pa.array(numbers.astype(np.float16)),
        "integer": pa.array(integers, mask=GAPS),
        "large": pa.array(integers.astype(np.uint64) + 2**63),
        "decimal": pa.array([Decimal(int(i)) / 100 for i in integers], pa.decimal128(9, 2)),
        "boolean": pa.array(integers > 2, mask=GAPS),
        "text": pa.array(texts.tolist(), mask=GAPS),
        "coded": pa.array(texts.tolist(), mask=GAPS).dictionary_encode(),
        "view": pa.array(texts.tolist()).cast(pa.string_view()),
        "bytes": pa.array([b"x" * int(i) for i in integers]),
        "list": pa.array(lists, pa.list_(pa.float32())),
        "fixed": pa.array([[i, i + 1] for i in integers], pa.list_(pa.int16(), 2)),
        "day": pa.array([date(2026, 1, 1 + int(i)) for i in integers]),
        "moment": pa.array([datetime(2026, 1, 1, int(i)) for i in integers], pa.timestamp("us")),
        "constant": pa.array(np.full(ROWS, 0.1)),
        "nothing": pa.nulls(ROWS),
        "all null": pa.nulls(ROWS, pa.float64()),
        "struct": pa.array([{"a": 1}] * ROWS),
        "texts": pa.array([["a", "b"]] * ROWS),
    }


COLUMNS = make_columns()


def reference_of(columns: dict[str, pa.Array]) -> Reference:
    # What training reads has no such types.
    plain = {name: column for name, column in columns.items() if name not in ("view", "nothing")}
    table = profile_table(plain, {})
    return read_training_profile(to_parquet(table))


def profile_of(columns: dict[str, pa.Array], reference: Reference = NO_REFERENCE) -> Profile:
    return make_profile(list(columns), reference)


def cut(columns: dict[str, pa.Array], first: int, rows: int) -> dict[str, pa.Array]:
    return {name: column.slice(first, rows) for name, column in columns.items()}


@pytest.mark.parametrize("name", ["double", "float", "integer", "constant", "decimal", "large"])
def test_figures_of_numbers_are_those_of_pandas(name: str) -> None:
    series = COLUMNS[name].to_pandas().astype("float64")
    state = measure_column(COLUMNS[name])["value"]
    numbers = state.numbers
    assert numbers is not None
    assert state.rows == ROWS
    assert state.missing == series.isna().sum()
    assert numbers.moments.count == series.count()
    tolerance = 1e-6 if name == "float" else 1e-12
    assert numbers.moments.mean == pytest.approx(series.mean(), rel=tolerance)
    assert numbers.moments.deviation == pytest.approx(series.std(ddof=0), rel=tolerance, abs=1e-9)
    assert (numbers.minimum, numbers.maximum) == (series.min(), series.max())


@pytest.mark.parametrize("name", ["text", "coded", "view", "boolean"])
def test_values_are_those_of_pandas(name: str) -> None:
    column = COLUMNS[name]
    series = column.to_pandas().dropna()
    state = measure_column(column)["value"]
    assert state.values is not None
    expected = {str(value): count for value, count in series.value_counts().items()}
    assert state.values.counts == expected
    assert state.missing == column.null_count


@pytest.mark.parametrize("name", ["text", "coded", "view", "bytes", "list"])
def test_lengths_are_those_of_python(name: str) -> None:
    lengths = [len(value) for value in COLUMNS[name].to_pylist() if value is not None]
    numbers = measure_column(COLUMNS[name])["length"].numbers
    assert numbers is not None
    assert numbers.moments.count == len(lengths)
    assert numbers.moments.mean == pytest.approx(np.mean(lengths))
    assert numbers.maximum == max(lengths)


def test_numbers_in_lists_are_told_as_if_side_by_side() -> None:
    state = measure_column(pa.array([[1.0, None], None, [3.0, 5.0]]))["value"]
    assert state.numbers is not None
    assert (state.rows, state.missing, state.numbers.moments.mean) == (3, 1, 3.0)
    fixed = measure_column(COLUMNS["fixed"])
    assert list(fixed) == ["value"]


def test_of_lists_of_booleans_the_share_of_true_ones_is_told() -> None:
    state = measure_column(pa.array([[True, None], [False], [True, True]]))["value"]
    assert state.numbers is not None
    assert (state.numbers.moments.count, state.numbers.moments.mean) == (4, 0.75)


def test_a_missing_value_of_a_dictionary_is_missing() -> None:
    codes = pa.array([0, 1, None, 0], pa.int8())
    texts = measure_column(pa.DictionaryArray.from_arrays(codes, pa.array(["a", None])))
    state, lengths = texts["value"], texts["length"]
    assert state.values is not None
    assert lengths.numbers is not None
    assert (state.rows, state.missing, state.values.counts) == (4, 2, {"a": 2})
    assert lengths.numbers.moments.count == 2
    numbers = measure_column(pa.DictionaryArray.from_arrays(codes, pa.array([5.0, 7.0])))
    assert list(numbers) == ["value"]
    assert numbers["value"].numbers is not None
    assert numbers["value"].numbers.moments.mean == pytest.approx(17 / 3)


@pytest.mark.parametrize(
    ("name", "most"), [("day", 20_454), ("moment", 1_767_225_600_000_000)], ids=["day", "moment"]
)
def test_moments_are_told_as_counts_of_their_unit(name: str, most: int) -> None:
    state = measure_column(COLUMNS[name].slice(0, 1))["value"]
    later = COLUMNS[name][0].as_py()
    assert state.numbers is not None
    step = later.day - 1 if name == "day" else later.hour * 3_600_000_000
    assert state.numbers.maximum == most + step


def test_of_other_types_rows_are_counted() -> None:
    for name in ("nothing", "struct", "texts"):
        state = measure_column(COLUMNS[name])["value"]
        assert (state.rows, state.numbers, state.values) == (ROWS, None, None)


@pytest.mark.parametrize("with_reference", [False, True])
def test_the_table_holds_all_of_a_state(with_reference: bool) -> None:
    known = reference_of(cut(COLUMNS, 0, 500)) if with_reference else NO_REFERENCE
    profile = profile_of(COLUMNS, known)
    state = profile.of("input", COLUMNS)
    table = profile.write(state)
    assert table.schema == SCHEMA
    read = profile.read(table)
    assert read == state
    assert to_parquet(profile.write(read)) == to_parquet(table)


@pytest.mark.parametrize("with_reference", [False, True])
def test_the_order_of_batches_changes_no_byte(with_reference: bool) -> None:
    known = reference_of(cut(COLUMNS, 0, 500)) if with_reference else NO_REFERENCE
    profile = profile_of(COLUMNS, known)
    pieces = [profile.of("input", cut(COLUMNS, first, 600)) for first in range(0, ROWS, 600)]
    expected = to_parquet(profile.write(reduce(profile.merge, pieces)))
    orders = list(permutations(pieces))
    for order in orders[::24]:
        # By way of files, as parts are merged.
        parts = [profile.read(profile.write(piece)) for piece in order]
        merged = profile.merge(reduce(profile.merge, parts[:2]), reduce(profile.merge, parts[2:]))
        assert to_parquet(profile.write(merged)) == expected


def test_batches_of_other_sizes_change_rounding_alone() -> None:
    profile = profile_of(COLUMNS, reference_of(cut(COLUMNS, 0, 500)))
    whole = profile.write(profile.of("input", COLUMNS)).drop_columns(["sum", "sum_of_squares"])
    for size in (177, ROWS - 1):
        pieces = [profile.of("input", cut(COLUMNS, f, size)) for f in range(0, ROWS, size)]
        merged = profile.write(reduce(profile.merge, pieces))
        for name in whole.column_names:
            found, expected = merged.column(name).to_pylist(), whole.column(name).to_pylist()
            if name in ("mean", "std"):
                known = [value for value in expected if value is not None]
                rounded = [value for value in found if value is not None]
                assert rounded == pytest.approx(known, rel=1e-6, abs=1e-9)
            else:
                assert found == expected, name


def test_no_rows_have_a_profile_and_change_none() -> None:
    profile = profile_of(COLUMNS, reference_of(COLUMNS))
    nothing = profile.of("input", cut(COLUMNS, 0, 0))
    some = profile.of("input", COLUMNS)
    assert profile.merge(nothing, some) == some == profile.merge(some, nothing)
    table = profile.write(nothing)
    assert set(table.column("rows").to_pylist()) == {0}
    assert profile.read(table) == nothing


def test_rows_are_compared_with_what_training_had() -> None:
    training = {"x": pa.array(np.arange(100.0)), "c": pa.array(["a", "b"] * 50)}
    night = {
        "x": pa.array([-1.0, 0.0, 99.0, 100.0, 500.0]),
        "c": pa.array(["a", "new", None] + ["b"] * 2),
    }
    profile = profile_of(night, reference_of(training))
    rows = {
        (row["column"], row["measure"]): row
        for row in profile.write(profile.of("input", night)).to_pylist()
    }
    x = rows["x", "value"]
    assert (x["below"], x["above"]) == (1, 2)
    assert x["cut_points"] == [0.99, 4.95, 24.75, 49.5, 74.25, 94.05, 98.01]
    assert x["counts"] == [2, 0, 0, 0, 0, 0, 0, 3]
    c = rows["c", "value"]
    assert (c["new"], c["missing"], c["distinct"]) == (1, 1, 3)
    assert rows["c", "length"]["cut_points"] is None


def test_of_very_many_values_of_training_none_is_new() -> None:
    training = {"c": pa.array([f"v{number}" for number in range(60)])}
    profile = profile_of(training, reference_of(training))
    night = {"c": pa.array(["other"])}
    table = profile.write(profile.of("input", night))
    assert table.column("new").to_pylist()[0] is None


def test_scores_are_all_told_and_inputs_that_are_named() -> None:
    profile = make_profile(["a"], NO_REFERENCE)
    columns = {"a": pa.array([1]), "b": pa.array([2])}
    assert list(profile.of("input", columns)) == [("input", "a", "value")]
    of_scores = profile.of("score", columns)
    assert list(of_scores) == [("score", "a", "value"), ("score", "b", "value")]
    merged = profile.merge(profile.of("input", columns), of_scores)
    assert len(merged) == 3


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_brightness_of_a_picture_does_not_depend_on_those_beside_it(dtype: str) -> None:
    pictures = RANDOM.integers(0, 255, (9, 3, 40, 50)).astype(dtype)
    for arranged in (pictures, np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))):
        whole = measure_pictures(arranged)
        assert whole.numbers is not None
        assert (whole.rows, whole.missing) == (9, 0)
        expected = pictures.astype(np.float64).mean(axis=(1, 2, 3))
        assert whole.numbers.moments.mean == pytest.approx(expected.mean(), rel=1e-6)
        assert whole.numbers.minimum == pytest.approx(expected.min(), rel=1e-6)
        pieces = [measure_pictures(arranged[number : number + 1]) for number in range(9)]
        assert {piece.numbers.minimum for piece in pieces if piece.numbers} >= {
            whole.numbers.minimum,
            whole.numbers.maximum,
        }
    profile = make_profile([], NO_REFERENCE)
    state = profile.of("network", {"x": pictures, "table": np.zeros((9, 4))})
    assert list(state) == [("network", "x", "brightness")]
    assert profile.read(profile.write(state)) == state


def test_pictures_are_told_by_their_stored_sizes() -> None:
    pictures = [make_png(seed, side) for seed, side in enumerate((8, 8, 20))]
    column = pa.array([*pictures, None, b"broken"], pa.binary())
    step = Image(step="image", column="photo", into="x", height=4, width=4)
    made = Image(step="image", column="made", into="y", height=4, width=4)
    profile = make_profile(["photo"], NO_REFERENCE, steps=[step, made])
    state = profile.of("input", {"photo": column})
    assert [measure for _, _, measure in state] == ["value", "length", "width", "height"]
    width = state["input", "photo", "width"]
    assert (width.rows, width.missing) == (5, 1)
    assert width.numbers == count_numbers(np.array([8, 8, 20]), None)
    assert state["input", "photo", "height"].numbers == width.numbers
    assert profile.read(profile.write(state)) == state


@pytest.mark.parametrize("content", [b"", b"PAR1", to_parquet(pa.table({"kind": ["feature"]}))])
def test_a_profile_of_training_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="is no profile of training"):
        read_training_profile(content)


def test_a_table_that_is_no_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="other columns"):
        Profile((), NO_REFERENCE).read(pa.table({"a": [1]}))
    profile = profile_of(COLUMNS)
    table = profile.write(profile.of("input", COLUMNS))
    place = table.schema.get_field_index("sum")
    forged = table.set_column(place, SCHEMA.field("sum"), pa.array(["1p999999999"] * len(table)))
    with pytest.raises(ValueError, match="more digits"):
        profile.read(forged)


def read_sum(text: str) -> int:
    """What a table with such a sum is read as."""
    profile = make_profile(["a"], NO_REFERENCE)
    table = profile.write(profile.of("input", {"a": pa.array([1.0])}))
    place = table.schema.get_field_index("sum")
    other = table.set_column(place, SCHEMA.field("sum"), pa.array([text]))
    (state,) = profile.read(other).values()
    assert state.numbers is not None
    return state.numbers.moments.total


def test_a_sum_has_so_many_digits_and_zeros_and_no_more() -> None:
    assert read_sum("1p10000") == 1 << 10_000
    assert read_sum("f" + "0" * 9_999 + "p0") == 15 << 39_996
    for text in ("1p10001", "1" * 10_001 + "p0"):
        with pytest.raises(ValueError, match="more digits"):
            read_sum(text)


@pytest.mark.parametrize(
    ("numbers", "total", "squares"),
    [([3.0, 2.0], "5p1074", "dp2148"), ([0.0], "0p0", "0p0"), ([-4.0], "-1p1076", "1p2152")],
    ids=str,
)
def test_sums_are_written_without_their_zeros(
    numbers: list[float], total: str, squares: str
) -> None:
    profile = make_profile(["a"], NO_REFERENCE)
    (row,) = profile.write(profile.of("input", {"a": pa.array(numbers)})).to_pylist()
    assert (row["sum"], row["sum_of_squares"]) == (total, squares)


def sampled(
    columns: dict[str, pa.Array], size: int = 600, rows: int = ROWS, knows: bool = True
) -> Any:
    """The profile of a unit of which one row in sixteen is counted, batch by batch."""
    reference = reference_of(cut(columns, 0, 500)) if knows else NO_REFERENCE
    profile = replace(profile_of(columns, reference), most_whole_rows=2_999)
    states = []
    for first in range(0, rows, size):
        places = RowPlaces(np.arange(first, min(first + size, rows)), rows)
        states.append(profile.of("input", cut(columns, first, size), places))
    return profile, reduce(profile.merge, states)


def test_of_a_large_unit_all_but_the_distribution_is_exact() -> None:
    profile, state = sampled(COLUMNS)
    whole = profile.of("input", COLUMNS)
    estimated = {"mean", "std", "counts", "bins", "sum", "sum_of_squares", "counted"}
    estimated.add("squared_weights")
    rows = profile.write(state).to_pylist()
    for row, expected in zip(rows, profile.write(whole).to_pylist(), strict=True):
        for name in row.keys() - estimated:
            assert row[name] == expected[name], (row["column"], name)
        if row["numbers"]:
            assert row["counted"] * 16 == sum(row["counts"]) + sum(b["count"] for b in row["bins"])
            assert row["squared_weights"] == row["counted"] * 256
            assert row["counted"] * 16 == pytest.approx(row["numbers"], rel=0.3)


@pytest.mark.parametrize("name", ["double", "float", "half", "integer", "decimal", "list", "day"])
def test_chosen_rows_are_counted_as_such(name: str) -> None:
    chosen = choose_rows(RowPlaces(np.arange(ROWS), ROWS), 2_999)
    assert chosen is not None
    profile, state = sampled({name: COLUMNS[name]}, size=ROWS)
    some = profile.of("input", {name: COLUMNS[name].take(pa.array(chosen.positions))})
    (found, expected) = (states["input", name, "value"].numbers for states in (state, some))
    assert found.moments == weigh_moments(expected.moments, 16)
    assert found.counts == tuple(16 * count for count in expected.counts)
    assert found.bins == {key: 16 * count for key, count in expected.bins.items()}
    assert found.counted == expected.counted == expected.finite


def test_however_a_large_unit_is_cut_the_same_rows_are_counted() -> None:
    columns = {name: COLUMNS[name] for name in ("float", "integer", "list", "text")}
    profile, whole = sampled(columns)
    expected = profile.write(whole).drop_columns(["mean", "std", "sum", "sum_of_squares"])
    for size in (50, 177):
        _, state = sampled(columns, size)
        assert (
            profile.write(state).drop_columns(["mean", "std", "sum", "sum_of_squares"]) == expected
        )
    assert profile.read(profile.write(whole)) == whole


def test_numbers_that_are_none_are_all_found_in_a_large_unit() -> None:
    numbers = np.arange(float(ROWS))
    numbers[[7, 8, 2_000]] = np.nan, np.inf, -np.inf
    _, state = sampled({"a": pa.array(numbers)})
    found = state["input", "a", "value"].numbers
    assert (found.nan, found.infinite, found.finite) == (1, 2, ROWS - 3)
    assert (found.minimum, found.maximum, found.above) == (0.0, ROWS - 1, ROWS - 501)
    assert ROWS // 16 - 3 <= found.counted <= ROWS // 16 + 1


def test_of_the_last_rows_of_a_large_unit_none_may_be_counted() -> None:
    chosen = choose_rows(RowPlaces(np.arange(ROWS), ROWS), 2_999)
    assert chosen is not None
    assert ROWS - 1 not in chosen.positions
    for reference in (NO_REFERENCE, reference_of({"a": pa.array([1.0, 2.0])})):
        profile = replace(profile_of({"a": pa.array([1.0])}, reference), most_whole_rows=2_999)
        places = RowPlaces(np.array([ROWS - 1]), ROWS)
        state = profile.of("input", {"a": pa.array([5.0])}, places)
        (row,) = profile.write(state).to_pylist()
        assert (row["numbers"], row["counted"], row["min"], row["mean"]) == (1, 0, 5.0, None)
        assert profile.read(profile.write(state)) == state


def keep(is_there: np.ndarray) -> dict[str, pa.Array]:
    """Columns of which some rows have a value, by what stands in the others."""
    numbers = np.arange(float(len(is_there)))
    doubles = pa.array(numbers, mask=~is_there)
    lists: list[list[float] | None] = [None] * len(is_there)
    for row in np.flatnonzero(is_there):
        lists[row] = [float(row)] * 50
    return {
        "double": doubles,
        "nan": pa.array(np.where(is_there, numbers, np.nan)),
        "decimal": doubles.cast(pa.decimal128(12, 2)),
        "text": doubles.cast(pa.string()),
        "list": pa.array(lists, pa.list_(pa.float64())),
    }


@pytest.mark.parametrize("size", [100, ROWS])
@pytest.mark.parametrize("are_known", [True, False], ids=["known", "unknown"])
def test_a_column_that_is_mostly_empty_is_counted_whole(size: int, are_known: bool) -> None:
    is_there = np.arange(ROWS) % 32 == 0
    columns = keep(is_there)
    profile, state = sampled(columns, size, knows=are_known)
    for row in profile.write(state).to_pylist():
        if row["numbers"] is None:
            continue
        each = 50 if (row["column"], row["measure"]) == ("list", "value") else 1
        expected = each * is_there.sum()
        assert row["numbers"] == row["counted"] == row["squared_weights"] == expected
        assert sum(row["counts"]) + sum(b["count"] for b in row["bins"]) == expected
    mean = state["input", "nan", "value"].numbers.moments.mean
    assert mean == np.arange(ROWS)[is_there].mean()


@pytest.mark.parametrize("name", ["double", "nan", "text", "list"])
@pytest.mark.parametrize(("filled", "weight"), [(750, 1), (751, 16)], ids=["a fourth", "more"])
def test_up_to_a_fourth_of_the_rows_are_few(name: str, filled: int, weight: int) -> None:
    is_there = np.arange(ROWS) < filled
    _, state = sampled({name: keep(is_there)[name]}, ROWS)
    counted = [of.numbers for of in state.values() if of.numbers is not None]
    for numbers in counted:
        assert numbers.squared_weights == numbers.counted * weight**2
    assert len(counted) == (2 if name == "list" else 1)


def test_a_column_that_is_empty_in_places_is_told_without_bias() -> None:
    is_there = RANDOM.random(ROWS) < np.where(np.arange(ROWS) < ROWS // 2, 0.9, 0.1)
    _, state = sampled({"a": keep(is_there)["double"]})
    numbers = state["input", "a", "value"].numbers
    assert numbers.counted < numbers.finite < numbers.squared_weights
    assert sum(numbers.counts) == pytest.approx(numbers.finite, rel=0.05)
    assert numbers.moments.mean == pytest.approx(np.arange(ROWS)[is_there].mean(), rel=0.05)


def test_units_of_other_weights_merge_without_bias() -> None:
    values = np.append(np.zeros(ROWS), np.ones(1_000))
    profile, state = sampled({"a": pa.array(values)}, rows=ROWS)
    small = profile.of("input", {"a": pa.array(values[ROWS:])}, RowPlaces(np.arange(1_000), 1_000))
    (row,) = profile.write(profile.merge(state, small)).to_pylist()
    assert row["mean"] == pytest.approx(0.25, rel=0.01)
    assert (row["numbers"], row["counted"]) == (4_000, 1_000 + ROWS // 16)


def test_a_profile_of_an_older_version_counts_each_number_once() -> None:
    profile = profile_of(COLUMNS)
    state = profile.of("input", COLUMNS)
    older = profile.write(state).drop_columns(["counted", "squared_weights"])
    assert profile.read(older) == state


def test_every_row_is_counted_where_the_job_asks_for_it() -> None:
    places = RowPlaces(np.arange(100), 1 << 30)
    columns = {"a": pa.array(np.arange(100.0))}
    for every_row, counted in ((True, 100), (False, 0)):
        profile = make_profile(["a"], NO_REFERENCE, every_row=every_row)
        (state,) = profile.of("input", columns, places).values()
        assert state.numbers is not None
        assert (state.numbers.counted == 100) is every_row
        assert state.numbers.counted >= counted
