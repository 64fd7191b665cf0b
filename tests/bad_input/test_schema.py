"""Shards whose columns are not those of the contract, or not those of the other shards."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch

from tests.support.builders import parquet, tiny_network, tiny_package
from tests.support.jobs import Outcome, small_table, write_job, write_parquet

Score = Callable[..., Outcome]


def two(folder: Path, second: pa.Table, first: pa.Table | None = None) -> Path:
    """A good shard and another one behind it."""
    return shards(folder, small_table() if first is None else first, second)


def shards(folder: Path, *tables: pa.Table) -> Path:
    for number, rows in enumerate(tables):
        write_parquet(folder / f"{number}.parquet", rows)
    return folder


def retyped(name: str, dtype: pa.DataType, rows: pa.Table | None = None) -> pa.Table:
    rows = small_table(4, first=4) if rows is None else rows
    at = rows.schema.get_field_index(name)
    return rows.set_column(at, name, rows[name].cast(dtype))


REFUSED: dict[str, tuple[pa.Table, list[str]]] = {
    "missing": (small_table().drop_columns("b"), ["has no column 'b'"]),
    "renamed": (
        small_table().rename_columns(["id", "a", "b_", "c"]),
        ["has no column 'b'", "did you mean b_?"],
    ),
    "renamed in case": (
        small_table().rename_columns(["ID", "a", "b", "c"]),
        ["has no column 'id'", "did you mean ID?"],
    ),
    "with spaces": (
        small_table().rename_columns(["id", "a", " b", "c"]),
        ["has no column 'b'", "' b', with spaces around it"],
    ),
    "duplicated": (
        small_table().append_column("b", pa.array([0.0] * 4)),
        ["has 2 columns called 'b'"],
    ),
    "number to text": (retyped("a", pa.string()), ["column 'a' is string, but must be float"]),
    "number to integer": (retyped("a", pa.int64()), ["column 'a' is int64, but must be float"]),
    "key retyped": (retyped("id", pa.int32()), ["column 'id' is int32, but must be int64"]),
    "key to text": (retyped("id", pa.string()), ["column 'id' is string, but must be int64"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_shard_without_the_contracts_columns_is_refused(
    case: str, score_it: Score, tmp_path: Path
) -> None:
    rows, words = REFUSED[case]
    score_it(two(tmp_path / "in", rows)).refused("1.parquet", *words)


def test_columns_that_nobody_asked_for_and_another_order_are_fine(
    score_it: Score, tmp_path: Path
) -> None:
    other = small_table(4, first=4)
    rows = pa.table(
        {"c": other["c"], "extra": ["x"] * 4, "b": other["b"], "a": other["a"], "id": other["id"]}
    )
    outcome = score_it(two(tmp_path / "in", rows))
    expected = score_it(two(tmp_path / "straight", other))
    assert outcome.rows().equals(expected.rows())


def contract(tmp_path: Path, dtype: str) -> Path:
    """A job whose model declares column `a` in another type."""
    columns = [
        {"name": name, "type": dtype if name == "a" else "float", "missing": "error"}
        for name in "abc"
    ]
    x = np.arange(24, dtype=np.float32).reshape(8, 3)
    network = tiny_network()
    with torch.inference_mode():
        logit = network(x=torch.from_numpy(x))["logit"].numpy()
    stacked = pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), 3)
    smoke = pa.table(
        {**dict(zip("abc", x.T, strict=True)), "input.x": stacked, "output.logit": logit}
    )
    smoke = smoke.set_column(0, "a", smoke["a"].cast(pa.type_for_alias(dtype)))
    package = tiny_package(
        tmp_path / "model", columns=columns, contents={"smoke.parquet": parquet(smoke)}
    )
    return write_job(tmp_path, package, postprocess={"keep": ["probability"]})


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("int64", ("int32", "int8", "uint8", "uint32")),
        ("uint64", ("uint8",)),
        ("int32", ("uint16",)),
        ("double", ("float",)),
    ],
    ids=lambda types: "" if isinstance(types, tuple) else types,
)
@pytest.mark.parametrize("carried", [False, True])
def test_a_narrower_number_is_widened_to_the_contracts_type(
    wide: str, narrow: tuple[str, ...], carried: bool, score_it: Score, tmp_path: Path
) -> None:
    """A shard of the contract's type is followed by one of each narrower type."""
    config, settings = contract(tmp_path, wide), {"source.passthrough": ["a"]} if carried else {}
    all_types = [(wide, *narrow), [wide] * (1 + len(narrow))]
    tables = [
        [
            retyped("a", pa.type_for_alias(t), small_table(4, first=4 * i))
            for i, t in enumerate(types)
        ]
        for types in all_types
    ]
    folders = [
        shards(tmp_path / name, *rows)
        for name, rows in zip(("mixed", "straight"), tables, strict=True)
    ]
    mixed, straight = (
        score_it(folder, config=config, settings=settings).rows() for folder in folders
    )
    assert mixed.num_rows == 4 + 4 * len(narrow)
    assert mixed.equals(straight)
    if carried:
        assert mixed.schema.field("a").type == pa.type_for_alias(wide)
        assert mixed["a"].to_pylist() == [0, 1, 2, 3] * (1 + len(narrow))


@pytest.mark.parametrize(
    ("wanted", "actual"),
    [
        ("int32", "int64"),
        ("int64", "uint64"),
        ("uint8", "int8"),
        ("uint32", "int8"),
        ("double", "int64"),
    ],
)
def test_a_number_that_might_not_fit_is_refused(
    wanted: str, actual: str, score_it: Score, tmp_path: Path
) -> None:
    folder = two(
        tmp_path / "in",
        retyped("a", pa.type_for_alias(actual)),
        retyped("a", pa.type_for_alias(wanted), small_table()),
    )
    score_it(folder, config=contract(tmp_path, wanted)).refused(
        "1.parquet",
        f"column 'a' is {pa.type_for_alias(actual)}, but must be {pa.type_for_alias(wanted)}",
    )


def test_a_double_for_a_float_is_cast_and_what_overflows_is_rejected(
    score_it: Score, tmp_path: Path
) -> None:
    """Infinity and NaN stay what they are, and are the model's business."""
    values = [4.0, 1e39, -1e300, 0.1, 1e-300]
    doubles = small_table(5, first=4, a=pa.array(values)).select(["id", "a", "b", "c"])
    outcome = score_it(two(tmp_path / "in", doubles))
    reason = "column 'a': a double that does not fit float"
    assert [(r["row"], r["key"], r["stage"], r["message"]) for r in outcome.rejected()] == [
        (1, 5, "read", reason),
        (2, 6, "read", reason),
    ]
    floats = small_table(
        5, first=4, a=pa.array(np.array([4.0, 0, 0, 0.1, 1e-300], dtype=np.float32))
    )
    expected = score_it(two(tmp_path / "floats", floats)).rows()
    assert outcome.rows().equals(
        expected.filter(pc.invert(pc.is_in(expected["id"], pa.array([5, 6]))))
    )


def test_a_double_for_a_float_that_is_carried_is_refused(score_it: Score, tmp_path: Path) -> None:
    folder = two(tmp_path / "in", retyped("a", pa.float64()))
    score_it(folder, settings={"source.passthrough": ["a"]}).refused(
        "1.parquet", "'a' is double, but must be float", "copied to the output as it is"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.int32(), pa.int64()),
        (pa.int64(), pa.int32()),
        (pa.string(), pa.binary()),
        (pa.float32(), pa.float64()),
        (pa.timestamp("us"), pa.timestamp("ns")),
    ],
    ids=str,
)
def test_what_is_only_carried_has_one_type_in_all_shards(
    first: pa.DataType, second: pa.DataType, score_it: Score, tmp_path: Path
) -> None:
    folder = shards(
        tmp_path / "in",
        *(small_table(4, first=4 * i, extra=pa.nulls(4, t)) for i, t in enumerate((first, second))),
    )
    score_it(folder, settings={"source.passthrough": ["extra"]}).refused(
        "1.parquet", f"column 'extra' is {second}, but must be {first}"
    )


def test_fields_that_differ_in_what_is_no_type_are_fine(score_it: Score, tmp_path: Path) -> None:
    """Other writers number their fields, or say that there is no null."""
    fields = [
        pa.field(f.name, f.type, nullable=False, metadata={"PARQUET:field_id": "7"})
        for f in small_table().schema
    ]
    outcome = score_it(
        two(tmp_path / "in", small_table(4, first=4), small_table().cast(pa.schema(fields)))
    )
    assert outcome.rows()["id"].to_pylist() == list(range(8))
