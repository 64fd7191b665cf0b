"""Parts of a piece: each row is in one of them, with its number, whether it could be read or not."""

from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest

from configs.errors import InputError, RejectedRows, RowError
from storage.input_file import InputFile
from transforms.batches import RawBatch, RowRecord, WorkUnit
from transforms.formats.column import Column
from transforms.formats.csv import CsvFormat
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.format import Piece, Shard, make_unit, number_rows
from transforms.formats.row_spans import cut_piece, find_whole, take_part
from transforms.rejected import reject_rows

SHARD = Shard(InputFile("/in/a", 1_000, "v"), 0)


def batches_of(unit: WorkUnit, sizes: list[int], broken: set[int]) -> Iterator[RawBatch]:
    """Batches of a piece, of whose rows some could not be read."""
    done = 0
    for size in sizes:
        rows = pa.record_batch({"x": np.arange(done, done + size)})
        batch = number_rows(unit, rows, done, last=done + size == sum(sizes))
        here = {number - done: RowError("no") for number in broken if done <= number < done + size}
        yield reject_rows(batch, RejectedRows(here), "read") if here else batch
        done += size


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=8),
    st.sets(st.integers(0, 40)),
    st.integers(1, 50),
    st.integers(0, 20),
)
def test_every_row_is_in_one_part(
    sizes: list[int], broken: set[int], rows: int, first_row: int
) -> None:
    count = sum(sizes)
    piece = Piece((7, 1), first_row, count, 1_000)
    parts = [make_unit(number, SHARD, part) for number, part in enumerate(cut_piece(piece, rows))]
    next_row = first_row
    seen: dict[int, int | None] = {}
    for part in parts:
        whole = find_whole(part)
        assert (whole.span, whole.first_row, whole.rows, whole.bytes) == (
            (7, 1),
            first_row,
            count,
            1_000,
        )
        batches = list(take_part(batches_of(whole, sizes, broken), part))
        assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
        for batch in batches:
            assert (batch.unit, batch.id.first_row) == (part, next_row)
            next_row += batch.rows_in
            values = batch.rows.column("x").to_pylist()
            seen |= dict(zip(batch.row_numbers.tolist(), values, strict=True))
            for records in batch.rejected:
                assert records.id == batch.id
                seen |= dict.fromkeys(records.rows.column("row").to_pylist())
        assert next_row == part.first_row + (part.rows or 0)
    expected = {first_row + row: None if row in broken else row for row in range(count)}
    assert seen == expected
    assert sum(part.bytes for part in parts) <= 1_000


def test_a_piece_of_few_rows_stays_as_it_is() -> None:
    piece = Piece((7, 1), 5, 10, 1_000)
    assert cut_piece(piece, 10) == [piece]
    unit = make_unit(0, SHARD, piece)
    assert find_whole(unit) is unit
    nothing = Piece((), 0, 0, 9)
    assert cut_piece(nothing, 1) == [nothing]


def test_a_piece_that_ends_too_early_is_refused() -> None:
    *_, last = cut_piece(Piece((0, 1), 0, 20, 1_000), 6)
    part = make_unit(0, SHARD, last)
    batches = batches_of(find_whole(part), [19], set())
    with pytest.raises(InputError, match=r"^/in/a: has fewer rows than when the run was planned"):
        list(take_part(batches, part))


def test_rows_of_a_csv_file_that_cannot_be_read_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = ["x,y", "0,a", "short", '2,"b\nb"', "x,c", "4,d", "5,e", "short", "short"]
    path.write_text("\n".join([*lines, ""]))
    csv = CsvFormat(CsvDialect())
    file = InputFile(str(path), path.stat().st_size, "v")
    wanted = [Column("x", pa.int64()), Column("y", pa.string())]
    shard, schema = csv.inspect(file, wanted)
    (piece,) = csv.split(shard, 1)
    found = []
    for part in cut_piece(Piece(piece.span, 0, 8, piece.bytes), 3):
        unit = make_unit(0, shard, part)
        whole = csv.read(find_whole(unit), schema, 2, RowRecord())
        good: list[int] = []
        bad: list[int] = []
        for batch in take_part(whole, unit):
            good += batch.row_numbers.tolist()
            for records in batch.rejected:
                bad += records.rows.column("row").to_pylist()
        found.append((good, sorted(bad)))
    assert found == [([0, 2], [1]), ([4, 5], [3]), ([], [6, 7])]
