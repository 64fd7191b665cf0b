"""Where a unit's rows are cut into files, row groups and folders, and what its part says of them."""

from dataclasses import replace
from pathlib import Path
import time
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.support.builders import make_unit, planned_run, scored_batch
from tests.transforms.written_units import SCHEMA, file_format
from transforms.batches import ScoredBatch, WorkUnit, WrittenPart
from transforms.formats.output import FileFormat
from transforms.output import part_writer
from transforms.output.part_writer import PartWriter

GROUP_BYTES = 128 << 20
GROUP_ROWS = 131_072
UNIT = make_unit(0, None)
Lists = list[list[Any]]


def write(tmp_path: Path, batches: list[ScoredBatch], how: FileFormat) -> WrittenPart:
    """Return what one attempt leaves."""
    writer = PartWriter(planned_run(str(tmp_path), [UNIT]), UNIT, 0, how)
    for batch in batches:
        writer.write(batch)
    return writer.close(last=True)


def open_files(tmp_path: Path, part: WrittenPart) -> list[pq.ParquetFile]:
    """Return the files of scored rows, as pyarrow opens them."""
    folder = planned_run(str(tmp_path), [UNIT]).attempts
    return [pq.ParquetFile(f"{folder}/{file.path}") for file in part.scored]


def list_groups(file: pq.ParquetFile) -> list[int]:
    """Return the rows of each row group."""
    metadata = file.metadata
    return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]


def batches_of(ids: Lists, unit: WorkUnit = UNIT) -> list[ScoredBatch]:
    """Return a batch for each list of ids."""
    return [scored_batch(unit, 0, of_batch) for of_batch in ids]


@pytest.mark.parametrize("sort_by", [(), (("id", "descending"),)])
@pytest.mark.parametrize(
    ("sizes", "files"),
    [
        ([2, 2, 2, 1], [3, 3, 1]),
        ([10], [3, 3, 3, 1]),
        ([3], [3]),
        ([3, 3], [3, 3]),
        ([1, 2, 0, 3], [3, 3]),
        ([2], [2]),
        # One file tells the schema of no rows.
        ([0], [0]),
        ([0, 0], [0]),
        ([], [0]),
    ],
)
def test_a_file_has_as_many_rows_as_it_may_and_no_empty_row_group(
    sizes: list[int], files: list[int], sort_by: tuple[tuple[str, str], ...], tmp_path: Path
) -> None:
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    ids = [list(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]
    part = write(tmp_path, batches_of(ids), file_format(rows_per_file=3, sort_by=sort_by))
    assert [file.rows for file in part.scored] == files
    assert part.rows_scored == sum(sizes)
    first = 0
    for file, rows in zip(open_files(tmp_path, part), files, strict=True):
        expected = list(range(first, first + rows))
        if sort_by:
            expected.reverse()
        assert file.read()["id"].to_pylist() == expected
        # Of no rows at all there is one, and else none.
        assert (0 in list_groups(file)) is (rows == 0)
        first += rows


def test_rows_of_folders_are_cut_into_files_folder_by_folder(tmp_path: Path) -> None:
    columns = [
        {"id": [0, 1, 2, 3], "k": ["b", "a", "b", "b"]},
        {"id": [4, 5, 6], "k": ["b", "a", "c"]},
    ]
    batches = [scored_batch(UNIT, 0, [], columns=of_batch) for of_batch in columns]
    schema = pa.schema([("id", pa.int64()), ("k", pa.string())])
    how = file_format(schema=schema, partition_by=("k",), rows_per_file=3)
    part = write(tmp_path, batches, how)
    found = []
    for stored, file in zip(part.scored, open_files(tmp_path, part), strict=True):
        rows = file.read()
        assert rows.column_names == ["id"]
        found.append((stored.partition, rows["id"].to_pylist()))
    assert found == [("k=a", [1, 5]), ("k=b", [0, 2, 3]), ("k=b", [4]), ("k=c", [6])]


def test_of_no_rows_in_folders_there_is_no_file(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64()), ("k", pa.string())])
    part = write(tmp_path, [], file_format(schema=schema, partition_by=("k",)))
    assert part.scored == ()


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ([65_536, 65_536, 1], [GROUP_ROWS, 1]),
        ([65_535, 65_536, 1], [GROUP_ROWS]),
        ([GROUP_ROWS, 1], [GROUP_ROWS, 1]),
        ([1, 1, 1], [3]),
        # As much begins anew behind each of them.
        ([GROUP_ROWS, GROUP_ROWS - 1, 1, 1], [GROUP_ROWS, GROUP_ROWS, 1]),
    ],
)
def test_a_row_group_ends_with_the_batch_that_makes_it_131072_rows(
    sizes: list[int], groups: list[int], tmp_path: Path
) -> None:
    batches = []
    for size in sizes:
        ids = pa.nulls(size, pa.int64())
        columns = {"id": ids, "p": pa.nulls(size, pa.float32())}
        batches.append(scored_batch(UNIT, 0, [], columns=columns))
    part = write(tmp_path, batches, file_format(rows_per_file=1 << 20))
    (file,) = open_files(tmp_path, part)
    assert list_groups(file) == groups


def weigh_by_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each row have as many bytes as its id says."""

    def count(rows: pa.RecordBatch | pa.Table) -> int:
        return pc.sum(rows.column("id")).as_py() or 0

    monkeypatch.setattr(part_writer, "count_decoded_bytes", count)


@pytest.mark.parametrize(
    ("ids", "groups"),
    [
        ([[GROUP_BYTES], [5]], [1, 1]),
        ([[GROUP_BYTES - 1], [1], [5]], [2, 1]),
        ([[GROUP_BYTES - 1], [0], [1], [5]], [3, 1]),
        ([[GROUP_BYTES // 2] * 2, [5]], [2, 1]),
        # What was written counts no more.
        ([[GROUP_BYTES], [GROUP_BYTES - 1], [1], [5]], [1, 2, 1]),
    ],
)
def test_a_row_group_ends_with_the_batch_that_makes_it_128_mebibytes(
    ids: Lists, groups: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weigh_by_ids(monkeypatch)
    part = write(tmp_path, batches_of(ids), file_format())
    (file,) = open_files(tmp_path, part)
    assert list_groups(file) == groups


class _File:
    """Stands in for a file: it keeps the rows of each row group."""

    def __init__(self) -> None:
        self.groups: list[int] = []

    def write(self, table: pa.Table) -> None:
        self.groups.append(table.num_rows)


@pytest.mark.parametrize(
    ("ids", "groups"),
    [
        ([], []),
        ([[1], [2]], [2]),
        ([[GROUP_BYTES - 1], [1], [5]], [2, 1]),
        ([[GROUP_BYTES - 2], [1], [5]], [3]),
        ([[GROUP_BYTES], [GROUP_BYTES - 1], [1]], [1, 2]),
        ([[GROUP_BYTES]], [1]),
    ],
)
def test_sorted_rows_come_in_row_groups_of_as_many_bytes(
    ids: Lists, groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    weigh_by_ids(monkeypatch)
    schema = pa.schema([("id", pa.int64())])
    tables = [pa.table({"id": of_table}, schema) for of_table in ids]
    file: Any = _File()
    part_writer._write_row_groups(file, tables, schema)
    assert file.groups == groups


def test_a_part_counts_what_became_of_each_row(tmp_path: Path) -> None:
    began = time.time()
    with_others = scored_batch(UNIT, 2, [2, 3, 4], filtered=2, bad=(7, 8))
    left_out = replace(scored_batch(UNIT, 9, [9]), rows_left_out=4, rows_in=5)
    part = write(tmp_path, [*batches_of([[0, 1]]), with_others, left_out], file_format())
    counts = (part.rows_in, part.rows_scored, part.rows_filtered, part.rows_rejected)
    assert counts == (2 + 7 + 5, 6, 2, 2)
    assert part.rows_left_out == 4
    assert (part.first_row, part.last, part.unit) == (0, True, 0)
    assert began <= part.began <= part.ended <= time.time()
    # Two attempts at one unit get the same name once in 2 ** 48.
    assert len(part.attempt) == 12
    assert int(part.attempt, 16) >= 0


def test_a_part_of_scored_rows_alone_has_no_others(tmp_path: Path) -> None:
    part = write(tmp_path, batches_of([[0, 1]]), file_format())
    assert (part.rows_in, part.rows_scored) == (2, 2)
    assert (part.rows_filtered, part.rows_rejected, part.rows_left_out) == (0, 0, 0)
    assert part.rejected == ()
    (file,) = open_files(tmp_path, part)
    assert file.schema_arrow.remove_metadata() == SCHEMA.remove_metadata()
