"""A file that is hashed while it is written: libraries are told what it can do, and its digest is of all that was written."""

import hashlib
import io

import pyarrow as pa
import pyarrow.parquet as pq

from storage.hashing_writer import HashingFile


def test_the_digest_is_of_what_was_written_whoever_wrote_it() -> None:
    sink = io.BytesIO()
    file = HashingFile(sink)
    # Arrow asks a file what it can do before it writes.
    pq.write_table(pa.table({"a": range(1_000)}), file)
    file.write(b"more")
    content = sink.getvalue()
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert file.tell() == file.bytes == len(content)


def test_it_is_written_and_neither_read_nor_rewound() -> None:
    file = HashingFile(io.BytesIO())
    assert file.writable()
    assert not file.readable()
    assert not file.seekable()
    # Whoever opened the file closes it.
    file.close()
    assert file.write(b"more") == 4
