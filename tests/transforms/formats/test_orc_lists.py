"""Lists and maps of ORC: a stripe whose lengths are broken ends a process, and not the one that reads; all others are read as pyarrow does it."""

import io
import json
from pathlib import Path
import queue
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import orc
import pytest

from configs.errors import InputError, ModelError, WorkerError
from model_zoo.engines.child.messages import Arrays
from model_zoo.engines.child.process import ChildError
from tests.transforms.formats.decoded_here import Here, decode_here
from tests.transforms.formats.spans import describe, read_units, table_of
from transforms.batches import RowRecord, WorkUnit
from transforms.formats import orc_child, orc_lists
from transforms.formats.format import make_unit
from transforms.formats.orc import OrcFormat
from transforms.formats.orc_child import _Part, _PartsOfFile, decode
from transforms.formats.orc_footer import list_stripe_places, list_stripe_rows, read_footer
from transforms.lost_rows import read_around_broken

ORC = OrcFormat()
ROWS = 30_000
TABLE = pa.table(
    {
        "id": pa.array(range(ROWS)),
        "s": pa.array([f"text {row % 7}" for row in range(ROWS)]),
        "m": pa.array([[("k", row)] for row in range(ROWS)], pa.map_(pa.string(), pa.int32())),
        "st": pa.array([{"a": {"b": [row]}} for row in range(ROWS)]),
    }
)
# Lengths that a writer puts down as runs, so that one which is broken leads to values that are not there.
LISTS = [[row, None] if row % 4 else ([] if row % 8 else None) for row in range(ROWS)]
RUN, LONGER_RUN = b"\x03\x02\x40\x00", b"\x23\x02\x40\x00"


def write(path: Path, rows: pa.Table, compression: str = "uncompressed") -> Path:
    orc.write_table(rows, str(path), compression=compression, stripe_size=50_000)
    return path


def break_lists(path: Path, number: int) -> tuple[int, int]:
    """Break a stripe of a file of lists, and return the numbers of its first row, and of the one behind it."""
    stored = orc.ORCFile(path)
    with path.open("rb") as file:
        footer = read_footer(file, stored)
    place = list_stripe_places(footer)[number]
    counts = list_stripe_rows(footer)
    content = bytearray(path.read_bytes())
    run = content.index(RUN, place.start, place.stop)
    content[run : run + len(RUN)] = LONGER_RUN
    path.write_bytes(content)
    return sum(counts[:number]), sum(counts[: number + 1])


def whole_unit(path: Path) -> WorkUnit:
    shard, _ = ORC.inspect(describe(path), [])
    (piece,) = ORC.split(shard, ROWS)
    return make_unit(0, shard, piece)


@pytest.mark.parametrize("compression", ["uncompressed", "zlib", "zstd", "snappy", "lz4"])
def test_lists_come_as_pyarrow_reads_them(
    compression: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode_here(monkeypatch)
    path = write(tmp_path / "a.orc", TABLE.slice(0, 5_000), compression)
    assert orc.ORCFile(path).nstripes > 1 or compression != "uncompressed"
    for names in (TABLE.column_names, ["st", "id"], ["m"]):
        schema = pa.schema([TABLE.schema.field(name) for name in names])
        expected = orc.ORCFile(path).read().select(names)
        assert table_of(read_units(path, ORC, schema)).equals(expected)


def test_lists_of_a_file_that_says_what_it_is_at_its_begin_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hive 0.11 wrote such files."""
    decode_here(monkeypatch)
    path = write(tmp_path / "a.orc", TABLE.slice(0, 50))
    content = path.read_bytes()
    assert content[-4:-1] == b"ORC"
    path.write_bytes(content[:-4] + b"OLD" + content[-1:])
    assert table_of(read_units(path, ORC)).equals(TABLE.slice(0, 50))


def test_other_columns_of_the_same_file_need_no_process(tmp_path: Path) -> None:
    path = write(tmp_path / "a.orc", TABLE.slice(0, 50))
    names = ["s", "id"]
    schema = pa.schema([TABLE.schema.field(name) for name in names])
    # A test without the mark `program` fails where it starts one.
    assert table_of(read_units(path, ORC, schema)).equals(TABLE.slice(0, 50).select(names))


@pytest.mark.program
def test_a_stripe_that_ends_its_process_costs_its_own_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orc_lists, "_idle", queue.LifoQueue())
    path = write(tmp_path / "a.orc", pa.table({"l": pa.array(LISTS, pa.list_(pa.int32()))}))
    first, behind = break_lists(path, 1)
    schema = pa.schema([("l", pa.list_(pa.int32()))])
    unit = whole_unit(path)

    def read(part: WorkUnit) -> Any:
        return ORC.read(part, schema, 1_000, RowRecord())

    batches = list(read_around_broken(unit, read, lambda _: None, ORC, schema, record=RowRecord()))
    rows = pa.Table.from_batches([batch.rows for batch in batches])
    assert rows["l"].to_pylist() == LISTS[:first] + LISTS[behind:]
    (broken,) = [broken for batch in batches for broken in batch.broken]
    assert (broken.row, broken.rows) == (first, behind - first)
    assert "a.orc: stripe 1 cannot be read" in broken.message
    assert "the process that decoded it was ended by SIGSEGV" in broken.message
    # Another has taken its place, and waits for the next file.
    assert orc_lists._idle.qsize() == 1


def fail_with(patch: pytest.MonkeyPatch, error: Exception) -> None:
    decode_here(patch)

    def fail(*_: Any) -> Arrays:
        raise error

    patch.setattr(Here, "__call__", fail)


def test_a_stripe_that_takes_for_ever_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.orc", TABLE.slice(0, 50))
    late = ModelError("late")
    late.__cause__ = TimeoutError()
    fail_with(monkeypatch, late)
    with pytest.raises(
        InputError, match=r"stripe 0 cannot be read: to decode it takes longer than"
    ):
        read_units(path, ORC)


@pytest.mark.parametrize(
    ("error", "refusal", "words"),
    [
        (MemoryError("ArrowMemoryError"), InputError, "stripe 0 takes more than 4 GiB of memory"),
        # Of which file it was started for, it says itself.
        (
            WorkerError("first.orc: ended"),
            WorkerError,
            "the process that decodes its lists was ended",
        ),
    ],
)
def test_what_is_no_fault_of_the_lists_is_told_of_the_file_that_is_read(
    error: Exception,
    refusal: type[Exception],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail_with(monkeypatch, error)
    path = write(tmp_path / "a.orc", TABLE.slice(0, 50))
    with pytest.raises(refusal, match=rf"a\.orc: {words}"):
        read_units(path, ORC)


def test_memory_that_is_short_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any) -> None:
        raise pa.ArrowMemoryError("malloc of 7 failed")

    monkeypatch.setattr(orc_child, "_dump", refuse)
    file = io.BytesIO()
    orc.write_table(TABLE.slice(0, 5), file)
    content = file.getvalue()
    with pytest.raises(MemoryError, match=r"^ArrowMemoryError$"):
        decode(ask_of(content, "m"))


def ask_of(content: bytes, name: str) -> dict[str, np.ndarray]:
    """Return what a child is asked of a file of one stripe, all of which is sent as that."""
    asked = {
        "stripe_start": 0,
        "end_start": len(content),
        "file_bytes": len(content),
        "number": 0,
        "names": [name],
    }
    return {
        "stripe": np.frombuffer(content, np.uint8),
        "end": np.empty(0, np.uint8),
        "asked": np.frombuffer(json.dumps(asked).encode(), np.uint8),
    }


def test_what_arrow_says_of_a_stripe_is_told_without_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, ChildError("OSError"))
    path = write(tmp_path / "a.orc", TABLE.slice(0, 50))
    with pytest.raises(
        InputError, match=r"a\.orc: cannot be read as ORC: OSError; replace the file$"
    ):
        read_units(path, ORC)
    # Its process lives, and goes on with the next file.
    assert orc_lists._idle.qsize() == 1


def test_the_process_tells_the_kind_of_an_error_alone() -> None:
    with pytest.raises(ValueError, match=r"^ArrowInvalid$|^OSError$"):
        decode(ask_of(b"no file", "l"))


def test_a_process_that_does_not_start_is_no_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.orc", TABLE.slice(0, 50))

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no more processes")

    decode_here(monkeypatch)
    monkeypatch.setattr(orc_lists, "start_child", refuse)
    with pytest.raises(WorkerError, match="cannot be started: no more processes; run again"):
        read_units(path, ORC)


def test_a_process_that_ended_while_it_waited_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode_here(monkeypatch)
    ended = Here()
    ended.how_ended = "by SIGKILL"
    monkeypatch.setattr(ended, "decode", None)
    orc_lists._idle.put(ended)  # type: ignore[arg-type]
    path = write(tmp_path / "a.orc", TABLE.slice(0, 50))
    assert table_of(read_units(path, ORC)).num_rows == 50


def test_a_stripe_that_is_too_large_to_be_sent_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode_here(monkeypatch)
    monkeypatch.setattr(orc_lists, "_MOST_STRIPE_BYTES", 1_000)
    path = write(tmp_path / "a.orc", TABLE)
    with pytest.raises(InputError, match=r"stripe 0 takes [\d,]+ bytes, .*with stripes of 64 MiB"):
        read_units(path, ORC)


def test_parts_of_a_file_are_read_as_the_file_is() -> None:
    content = bytes(range(1, 101))
    whole = io.BytesIO(content[:20] + bytes(40) + content[60:])
    parts = (_Part(0, content[:20]), _Part(60, content[60:]))
    file = _PartsOfFile(100, parts)
    for start in range(0, 110, 7):
        for size in (0, 1, 10, 55, 200, -1):
            assert file.seek(start) == whole.seek(start)
            assert file.read(size) == whole.read(size)
            assert file.tell() == whole.tell()
    assert file.seek(-5, io.SEEK_END) == 95
    assert file.seek(2, io.SEEK_CUR) == 97
