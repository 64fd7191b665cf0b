"""Parquet files that are broken: none of their rows can be read, or not even what is in them."""

from pathlib import Path

import pyarrow as pa

from tests.support.jobs import write_parquet

# Of the first page, which a checksum tells of.
_SPOILT = slice(40, 60)


def write_spoilt(path: Path, rows: pa.Table) -> Path:
    """Write a file that is planned as any other, and breaks at its first row when it is read."""
    write_parquet(path, rows, compression="none", write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[_SPOILT] = bytes(20)
    path.write_bytes(content)
    return path


def write_cut(path: Path, rows: pa.Table) -> Path:
    """Write a file without its last bytes, so that nobody knows its rows."""
    write_parquet(path, rows)
    path.write_bytes(path.read_bytes()[:-9])
    return path
