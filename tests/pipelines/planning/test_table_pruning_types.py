"""What a table's log tells of a file's values, once these are read in another type."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from configs.errors import InputError
from pipelines.planning.table_pruning import _cast, _cast_end, prune_table
from transforms.bounds import Bounds
from transforms.formats.column import Column
from transforms.lakes.snapshot import DataFile, Snapshot, TableColumn

MOMENT = dt.datetime(2024, 5, 6, 7, 8, 9)


@pytest.mark.parametrize(
    ("value", "stored", "wanted"),
    [
        (7, pa.int8(), pa.int64()),
        (7, pa.int64(), pa.float64()),
        (0.5, pa.float32(), pa.float64()),
        (Decimal("1.50"), pa.decimal128(5, 2), pa.float64()),
        (7, pa.int32(), pa.decimal128(12, 2)),
        (MOMENT, pa.timestamp("us"), pa.timestamp("s")),
        ("a", pa.string(), pa.string()),
        (True, pa.bool_(), pa.bool_()),
    ],
)
def test_ends_are_known_in_types_that_keep_their_order(
    value: Any, stored: pa.DataType, wanted: pa.DataType
) -> None:
    end = _cast_end(pa.scalar(value, stored), wanted)
    assert end is not None
    assert end.type == wanted
    assert end.as_py() == value


@pytest.mark.parametrize(
    ("value", "stored", "wanted"),
    [
        # Arrow could cast these, and 10 is less than 9 as a text.
        (7, pa.int64(), pa.string()),
        (7, pa.int64(), pa.timestamp("us")),
        (MOMENT, pa.timestamp("us"), pa.int64()),
        (MOMENT, pa.timestamp("us"), pa.string()),
        (MOMENT, pa.timestamp("us"), pa.date32()),
        (True, pa.bool_(), pa.int64()),
        ("7", pa.string(), pa.int64()),
        # Too large for the type.
        (300, pa.int64(), pa.int8()),
    ],
)
def test_of_other_types_nobody_knows(value: Any, stored: pa.DataType, wanted: pa.DataType) -> None:
    assert _cast_end(pa.scalar(value, stored), wanted) is None


@pytest.mark.parametrize(
    ("least", "most", "known"),
    [(1, 100, True), (1, 300, False), (-300, 100, False), (None, None, False)],
)
def test_one_end_alone_tells_nothing(least: int | None, most: int | None, known: bool) -> None:
    ends = [None if end is None else pa.scalar(end, pa.int64()) for end in (least, most)]
    cast = _cast(Bounds(*ends, may_be_null=False), pa.int8())
    expected = (pa.scalar(least, pa.int8()), pa.scalar(most, pa.int8())) if known else (None, None)
    assert (cast.least, cast.most) == expected
    assert not cast.may_be_null


def make_snapshot(*ranges: tuple[int, int], pruned: int = 0) -> Snapshot:
    """Return a table of one column of whole numbers, a file for each range."""
    files = []
    for number, (least, most) in enumerate(ranges):
        bounds = Bounds(pa.scalar(least), pa.scalar(most), may_be_null=False)
        files.append(DataFile(f"/t/{number}.parquet", {}, bounds={"a": bounds}))
    column = TableColumn("a", pa.int64(), "long", "a")
    return Snapshot("delta", "/t", 3, (column,), tuple(files), pruned)


@pytest.mark.parametrize("dtype", [None, pa.int64(), pa.float64(), pa.int8()])
def test_files_in_whose_range_no_row_passes_are_left_out_and_counted(
    dtype: pa.DataType | None,
) -> None:
    snapshot = make_snapshot((0, 9), (10, 19), (20, 29), pruned=4)
    pruned = prune_table(snapshot, "a >= 19", [Column("a", dtype, stated=True)])
    assert [file.url for file in pruned.files] == ["/t/1.parquet", "/t/2.parquet"]
    assert pruned.pruned == 5
    # Workers need none of it.
    assert [file.bounds for file in pruned.files] == [{}, {}]


def test_a_file_whose_range_the_wanted_type_does_not_hold_is_kept() -> None:
    snapshot = make_snapshot((0, 9), (0, 300))
    pruned = prune_table(snapshot, "a >= 19", [Column("a", pa.int8(), stated=True)])
    assert [file.url for file in pruned.files] == ["/t/1.parquet"]


def test_a_column_that_is_not_read_tells_nothing() -> None:
    snapshot = make_snapshot((0, 9))
    assert len(prune_table(snapshot, "a >= 19", []).files) == 1
    # It is asked for, and the table has none.
    assert len(prune_table(snapshot, "b >= 19", [Column("b", None)]).files) == 1


def test_a_table_without_a_file_that_can_have_a_row_is_refused() -> None:
    snapshot = make_snapshot((0, 9), (10, 19), pruned=1_000)
    with pytest.raises(InputError, match="no row of any of the 1,002 data files of /t can pass"):
        prune_table(snapshot, "a > 19", [Column("a", None)])
