"""Whole files as rows: batches of a unit, of which one is the last, whatever there is to read."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from storage.rooted import FileRoot
from tests.support.builders import make_unit
from transforms.formats.file_list import FileListWriter, Listed
from transforms.formats.files import FilesFormat
from transforms.rejected import RowRecord

SCHEMA = pa.schema([("path", pa.string()), ("size", pa.int64()), ("bytes", pa.binary())])


def make_format(folder: Path, count: int) -> FilesFormat:
    """Return the format of a folder with so many files, the first of them empty."""
    writer = FileListWriter()
    root = FileRoot(str(folder))
    for number in range(count):
        (folder / f"{number}.bin").write_bytes(b"x" * number)
    listed = [Listed(root.describe(f"{number}.bin")) for number in range(count)]
    writer.add(0, "bytes", str(folder), np.arange(count), listed)
    return FilesFormat(listing=writer.close())


@pytest.mark.parametrize(("files", "rows_per_batch"), [(5, 2), (4, 2), (3, 9), (1, 1)])
def test_every_file_is_a_row_and_the_last_batch_says_so(
    files: int, rows_per_batch: int, tmp_path: Path
) -> None:
    unit = make_unit(rows=files, shard=str(tmp_path))
    batches = list(make_format(tmp_path, files).read(unit, SCHEMA, rows_per_batch, RowRecord()))
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
    rows = pa.Table.from_batches([batch.rows for batch in batches]).to_pylist()
    assert rows == [
        {"path": f"{number}.bin", "size": number, "bytes": b"x" * number} for number in range(files)
    ]
    assert max(map(len, batches)) <= rows_per_batch


def test_no_files_are_one_batch_without_rows(tmp_path: Path) -> None:
    unit = make_unit(rows=0, shard=str(tmp_path))
    (batch,) = make_format(tmp_path, 0).read(unit, SCHEMA, 9, RowRecord())
    assert (len(batch), batch.last, batch.rows.schema.names) == (0, True, SCHEMA.names)


def test_a_file_may_be_as_large_as_the_page_says_unless_the_job_says_otherwise() -> None:
    # docs/input.md shows it as the default.
    assert FilesFormat().max_bytes == 67_108_864
