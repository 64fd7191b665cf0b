"""How many rows wait in memory, are loaded again and are merged at once, to the byte."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import PublishError
from storage.scratch import Span
from transforms.output import sorted_rows
from transforms.output.sorted_rows import (
    SortedRows,
    _count_next,
    _cut_blocks,
    _drop_unused,
    _explained,
    _Head,
)
from transforms.row_bytes import dump_rows
from transforms.row_sizes import count_decoded_bytes

BY_ID = [("id", "ascending")]
# Of one whole number.
ROW_BYTES = 8
RUN_BYTES = 64 << 20


def batch(*ids: int) -> pa.RecordBatch:
    return pa.record_batch({"id": pa.array(ids, pa.int64())})


class _Kept:
    """Stands in for the file beside the memory."""

    def __init__(self, blocks: Sequence[pa.RecordBatch]) -> None:
        self.contents = [dump_rows(block) for block in blocks]
        self.spans = [Span(number, 1) for number in range(len(blocks))]

    def read(self, span: Span) -> bytes:
        return self.contents[span.start]


class Run:
    """A run of blocks that are put aside, and what is loaded of it."""

    def __init__(self, *blocks: pa.RecordBatch) -> None:
        scratch: Any = _Kept(blocks)
        self.head = _Head(scratch, scratch.spans)

    def fill(self, rows: float) -> int:
        """Load as many bytes as some rows are, and return the rows that are there."""
        self.head.fill(int(rows * ROW_BYTES))
        return len(self.head)


def weigh_by_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each row have as many bytes as its id says."""

    def count(rows: pa.RecordBatch) -> int:
        return int(np.sum(rows.column(0).to_numpy()))

    monkeypatch.setattr(sorted_rows, "count_decoded_bytes", count)


@pytest.mark.parametrize(
    ("ids", "aside"),
    [
        ([RUN_BYTES], 1),
        ([RUN_BYTES - 1], 0),
        ([RUN_BYTES - 1, 1], 1),
        ([RUN_BYTES - 1, 0], 0),
        # What is put aside counts no more.
        ([RUN_BYTES, RUN_BYTES - 1], 1),
        ([RUN_BYTES, RUN_BYTES - 1, 1], 2),
    ],
)
def test_64_mebibytes_of_rows_are_put_aside(
    ids: list[int], aside: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    weigh_by_ids(monkeypatch)
    waiting = SortedRows(BY_ID)
    for number in ids:
        waiting.add(batch(number))
    assert len(waiting._runs) == aside
    waiting.close()
    waiting.add(batch(RUN_BYTES - 1))
    assert waiting._runs == [], "what is let go of counts no more"


def test_blocks_that_are_put_aside_are_of_a_mebibyte() -> None:
    rows = pa.table({"id": np.arange(400_000)})
    blocks = list(_cut_blocks(rows))
    sizes = [count_decoded_bytes(block) for block in blocks]
    assert max(sizes) <= 1 << 20
    assert min(sizes[:-1]) > 1 << 19
    assert pa.Table.from_batches(blocks).equals(rows)


@pytest.mark.parametrize(("runs", "merges"), [(1, 0), (31, 0), (32, 0), (33, 1), (64, 2)])
def test_up_to_32_runs_are_merged_at_once(
    runs: int, merges: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    weigh_by_ids(monkeypatch)
    shares: list[int] = []
    stored: list[int] = []
    fill, store = _Head.fill, SortedRows._store

    def note_share(head: _Head, most_bytes: int) -> None:
        shares.append(most_bytes)
        fill(head, most_bytes)

    def note_run(waiting: SortedRows, tables: Any) -> Any:
        stored.append(1)
        return store(waiting, tables)

    monkeypatch.setattr(_Head, "fill", note_share)
    monkeypatch.setattr(SortedRows, "_store", note_run)
    waiting = SortedRows(BY_ID)
    ids = [RUN_BYTES + number for number in range(runs)]
    for number in reversed(ids):
        waiting.add(batch(number))
    assert len(stored) == runs
    tables = list(waiting.drain())
    # A run that is left without neighbours is not stored again.
    assert len(stored) == runs + merges
    assert pa.concat_tables(tables)["id"].to_pylist() == ids
    # All that is loaded at once is shared among the runs.
    merged = min(runs, 32)
    assert shares[0] == (64 << 20) // merged


@pytest.mark.parametrize(
    ("most_rows", "loaded"), [(0, 1), (0.5, 1), (1, 1), (1.5, 2), (2, 2), (2.25, 3), (3, 3), (9, 3)]
)
def test_blocks_are_loaded_as_long_as_they_are_fewer_bytes(most_rows: float, loaded: int) -> None:
    run = Run(batch(1), batch(2), batch(3))
    assert run.fill(most_rows) == loaded
    assert run.head.is_all is (loaded == 3)


@pytest.mark.parametrize(
    ("most_rows", "loaded"),
    [
        # Two rows are there: more than half of what may be is enough.
        (3, 2),
        (3.75, 2),
        (4, 4),
        (5, 5),
        (2, 2),
    ],
)
def test_no_block_is_loaded_until_half_of_them_are_taken(most_rows: float, loaded: int) -> None:
    run = Run(*map(batch, range(6)))
    assert run.fill(2) == 2
    assert run.fill(most_rows) == loaded


def test_rows_that_are_taken_leave_in_their_order() -> None:
    run = Run(batch(1, 2), batch(3), batch(4))
    assert run.fill(3) == 3
    assert run.head.take(0)["id"].to_pylist() == []
    assert run.head.take(2)["id"].to_pylist() == [1, 2]
    assert len(run.head) == 1
    assert not run.head.is_all
    assert run.head.take(1)["id"].to_pylist() == [3]
    assert len(run.head) == 0
    assert run.fill(1) == 1
    assert run.head.is_all
    assert run.head.take(1)["id"].to_pylist() == [4]


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        # Both are loaded to their ends.
        (([1, 3], True), ([2, 4], True), [2, 2]),
        # Behind 3 of the first there may be a 3 again, and before 4 nothing.
        (([1, 3], False), ([2, 4], True), [2, 1]),
        (([1, 3], True), ([2, 4], False), [2, 2]),
        (([1, 5], False), ([2, 4], False), [1, 2]),
        (([5, 6], False), ([1, 2], False), [0, 2]),
        # Equal ones of the first run come first.
        (([2, 2], False), ([2, 2], False), [2, 0]),
        (([2, 2], True), ([2, 2], False), [2, 2]),
    ],
)
def test_rows_come_out_that_are_before_all_that_are_not_loaded(
    first: tuple[list[int], bool], second: tuple[list[int], bool], counts: list[int]
) -> None:
    heads = []
    for ids, is_all in (first, second):
        rest = () if is_all else (batch(9),)
        run = Run(batch(*ids), *rest)
        run.fill(0)
        heads.append(run.head)
    assert _count_next(heads, BY_ID) == counts


@pytest.mark.parametrize(
    ("letters", "indices", "kept"),
    [
        # Few values are not worth a look.
        ("abc", [2, 2, 2], "abc"),
        ("abcd", [2, 2, 2], "c"),
        ("abcd", [3, 0, 3], "ad"),
        ("abcd", [None, 1], "b"),
        ("ab", [None], ""),
    ],
)
def test_of_a_dictionary_that_is_longer_than_its_rows_only_what_is_used_stays(
    letters: str, indices: list[int | None], kept: str
) -> None:
    values = pa.array(list(letters), pa.string())
    column = pa.DictionaryArray.from_arrays(pa.array(indices, pa.int8()), values, ordered=True)
    small = _drop_unused(column)
    assert small.dictionary.to_pylist() == list(kept)
    assert small.to_pylist() == column.to_pylist()
    assert small.type == column.type


def test_what_is_no_dictionary_stays_as_it_is() -> None:
    column = pa.array(["a"])
    assert _drop_unused(column) is column


def fail(error: OSError) -> None:
    with _explained():
        raise error


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError(28, "No space left on device"), "No space left"), (OSError("cut off"), "cut off")],
)
def test_why_rows_cannot_be_kept_is_told(error: OSError, reason: str) -> None:
    with pytest.raises(PublishError, match=f"cannot be kept there: {reason}"):
        fail(error)
