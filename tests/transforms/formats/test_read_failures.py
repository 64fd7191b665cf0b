"""A file that cannot be read: its column, the system's words and the way out are told, and no value."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from tests.support.builders import unit_of
from transforms.batches import RowRecord
from transforms.formats.parquet import ParquetFormat
from transforms.formats.parquet_footer import read_footer
from transforms.formats.read_failures import explain_failure, find_way_out

SCHEMA = pa.schema([("id", pa.int64()), ("größe in cm", pa.int64()), ("last", pa.int64())])


@pytest.mark.parametrize("name", SCHEMA.names)
def test_the_column_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    path, rows = tmp_path / "shard.parquet", 20_000
    columns = np.random.default_rng(1).integers(0, 2**62, (len(SCHEMA.names), rows))
    table = pa.table(list(columns), schema=SCHEMA)
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    pq.write_table(table, path, **options)
    chunk = pq.read_metadata(path).row_group(0).column(SCHEMA.names.index(name))
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 4
    path.write_bytes(content)
    batches = ParquetFormat().read(unit_of(path, rows), SCHEMA, 1_000, RowRecord())
    with pytest.raises(InputError) as told:
        list(batches)
    line = str(told.value)
    assert line.startswith(f"{path}: cannot be read from row ")
    assert f" on, in column {name!r}: " in line
    assert line.endswith("; replace the file")


def test_a_file_that_may_not_be_read_is_not_called_broken() -> None:
    """Memory of another process: nobody may open it, root included, unless it may trace processes."""
    with pytest.raises(InputError) as told:
        read_footer("/proc/1/mem")
    line = str(told.value)
    if "Errno" not in line:
        pytest.skip("this user may read the memory of all processes")
    assert line.startswith("/proc/1/mem: cannot be read: [Errno ")
    assert line.endswith(
        "; see that the file can be read from here, then run the same command again"
    )
    assert "***" not in line


@pytest.mark.parametrize(
    ("error", "why", "way_out"),
    [
        (PermissionError(13, "..."), "[Errno 13] Permission denied", "can be read from here"),
        (OSError(5, "Ann"), "[Errno 5] Input/output error", "can be read from here"),
        (pa.ArrowInvalid("bad 'Ann' in '/in/a.parquet'"), "bad *** in '/in/a.parquet'", "replace"),
        (OSError("Corrupt snappy in column 'b'"), "Corrupt snappy in column 'b'", "replace"),
        (pa.ArrowNotImplementedError("Nested"), "Nested", "without such a column"),
        (pa.ArrowMemoryError("malloc failed"), "malloc failed", "more memory"),
    ],
)
def test_replacing_the_file_is_advised_only_where_it_is_broken(
    error: Exception, why: str, way_out: str
) -> None:
    assert explain_failure(error, "/in/a.parquet", ["a", "b"]) == why
    assert way_out in find_way_out(error)
    assert ("replace the file" in find_way_out(error)) is (way_out == "replace")


def test_a_store_s_own_words_are_told() -> None:
    error = OSError("no such bucket")
    error.strerror = "no such bucket"
    assert explain_failure(error, "s3://b/a.parquet") == "no such bucket"
    assert "can be read from here" in find_way_out(error)
