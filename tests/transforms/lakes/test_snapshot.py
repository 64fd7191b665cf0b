"""What a table's log says of a data file: what tells two readings apart, and what workers are given."""

from dataclasses import replace
import hashlib
import json

import pyarrow as pa

from transforms.bounds import Bounds
from transforms.lakes.snapshot import (
    DataFile,
    Deletions,
    Snapshot,
    TableColumn,
    decode_files,
    encode_files,
)

DELETED = Deletions("delta", url="/t/d.bin", offset=1, bytes=2, rows=3)
FILE = DataFile("/t/a.parquet", {"day": "1", "other": None}, (DELETED,))
DAY = TableColumn("day", pa.int64(), "long", "col-7", field_id=7)
# Runs are named by digests of it.
DIGESTED = (
    '[{"day": ["col-7", 7]}, {"day": "1"}, '
    '[{"bytes": 2, "inline": "", "kind": "delta", "offset": 1, "rows": 3, "url": "/t/d.bin"}]]'
)


def test_a_file_is_digested_as_it_always_was() -> None:
    assert FILE.digest([DAY]) == hashlib.sha256(DIGESTED.encode()).hexdigest()[:16]


def test_another_reading_has_another_digest() -> None:
    renamed = TableColumn("day", pa.int64(), "long", "day")
    other = TableColumn("other", pa.string(), "string", "other")
    whole = DataFile(FILE.url, FILE.values)
    readings = [FILE.digest([DAY]), FILE.digest([renamed]), FILE.digest([DAY, other])]
    readings += [whole.digest([DAY]), whole.digest([])]
    assert len(set(readings)) == len(readings)


def test_what_is_told_of_values_is_no_part_of_a_file() -> None:
    told = DataFile(FILE.url, FILE.values, FILE.deletions, {"day": Bounds(may_be_null=False)})
    assert told == FILE
    assert told.digest([DAY]) == FILE.digest([DAY])


def test_workers_read_what_the_launcher_has_written() -> None:
    plain = DataFile("/t/b.parquet", {})
    content = encode_files([FILE, plain])
    assert decode_files(content) == {FILE.url: FILE, plain.url: plain}
    assert b" " not in content
    assert len(json.loads(content)) == 2


def test_a_snapshot_is_described_by_its_version_alone() -> None:
    snapshot = Snapshot("delta", "/t", 0, (DAY,), (FILE,))
    assert snapshot.describe() == {"format": "delta", "url": "/t", "version": 0}
    assert snapshot.pruned == 0


def test_a_file_is_the_same_whatever_its_log_tells_of_its_values() -> None:
    told = replace(FILE, bounds={"day": Bounds(may_be_null=False)})
    assert told == FILE
    assert replace(FILE, url="/t/b.parquet") != FILE


def test_what_a_log_does_not_say_is_nothing() -> None:
    vector = Deletions("delta")
    assert (vector.offset, vector.bytes, vector.rows) == (0, 0, None)
    assert not DAY.is_widened
    assert Snapshot("delta", "/t", 1, (DAY,), (FILE,)).pruned == 0
