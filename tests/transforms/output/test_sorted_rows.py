"""Rows that are sorted beside the memory come out as a stable sort in memory has them, whatever their types and however many runs there are."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from configs.errors import PublishError
from storage.scratch import ScratchFile
from transforms.output import sorted_rows
from transforms.output.sorted_rows import SortedRows
from transforms.row_sizes import count_decoded_bytes

ROWS = 280
SORTS: list[list[tuple[str, str]]] = [
    [("number", "ascending")],
    [("number", "descending")],
    [("text", "ascending"), ("number", "descending")],
    [("category", "ascending"), ("row", "descending")],
    [("row", "ascending")],
    [("row", "descending")],
]


def make_rows() -> pa.Table:
    random = np.random.default_rng(3)
    numbers = random.integers(0, 40, ROWS).astype(float)
    numbers[random.integers(0, ROWS, 50)] = np.nan
    letters = random.integers(0, 26, ROWS)
    texts = [None if letter % 7 == 0 else chr(97 + letter) * 20 for letter in letters.tolist()]
    categories = pd.Categorical.from_codes(letters, [f"c{code:02d}" for code in range(26)])
    return pa.table(
        {
            "row": np.arange(ROWS),
            "number": pa.array(numbers, mask=np.isnan(numbers)),
            "text": texts,
            "category": pa.array(categories).cast(pa.dictionary(pa.int8(), pa.string(), True)),
            "view": pa.array(texts, pa.string_view()),
            "words": pa.array([[text, "x"] for text in texts]),
            "wide": pa.array([f"{row:05d}" * 20 for row in range(ROWS)]),
        }
    )


def sort_slowly(rows: pa.Table, sort_by: list[tuple[str, str]]) -> list[int]:
    """Return the numbers of the rows as Python sorts them: by the last key first, missing values last."""
    values = rows.to_pydict()
    order = list(range(rows.num_rows))
    for name, direction in reversed(sort_by):
        column = values[name]
        there = [row for row in order if column[row] is not None]
        missing = [row for row in order if column[row] is None]
        # Stable in both directions: equal ones stay in their order.
        there.sort(key=column.__getitem__, reverse=direction == "descending")
        order = there + missing
    return order


def sort_in_runs(
    rows: pa.Table, sort_by: list[tuple[str, str]], batch_rows: int = 40
) -> list[pa.Table]:
    waiting = SortedRows(sort_by)
    for batch in rows.combine_chunks().to_batches(max_chunksize=batch_rows):
        waiting.add(batch)
    return list(waiting.drain())


def make_small(monkeypatch: pytest.MonkeyPatch, run_bytes: int, merged_runs: int) -> None:
    monkeypatch.setattr(sorted_rows, "_RUN_BYTES", run_bytes)
    monkeypatch.setattr(sorted_rows, "_BLOCK_BYTES", run_bytes // 6)
    monkeypatch.setattr(sorted_rows, "_LOADED_BYTES", run_bytes)
    monkeypatch.setattr(sorted_rows, "_MERGED_RUNS", merged_runs)


@pytest.mark.parametrize("sort_by", SORTS, ids=str)
@pytest.mark.parametrize("merged_runs", [2, pytest.param(3, marks=pytest.mark.slow), 16])
def test_rows_that_were_put_aside_come_in_the_same_order(
    sort_by: list[tuple[str, str]], merged_runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = make_rows()
    make_small(monkeypatch, 12_000, merged_runs)
    tables = sort_in_runs(rows, sort_by)
    assert len(tables) > 4
    together = pa.concat_tables(tables)
    order = sort_slowly(rows, sort_by)
    for name, values in rows.to_pydict().items():
        assert together[name].to_pylist() == [values[row] for row in order]
    # The writer narrows indexes again; nothing else may change.
    wide = rows.schema.set(3, pa.field("category", pa.dictionary(pa.int32(), pa.string(), True)))
    assert together.schema.types == wide.types


@pytest.mark.parametrize("sort_by", SORTS, ids=str)
def test_what_is_loaded_and_given_is_bounded(
    sort_by: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a table of many runs only so much is in memory, also where the rows were sorted before."""
    make_small(monkeypatch, 12_000, 2)
    loaded: list[int] = []
    fill = sorted_rows._Head.fill

    def note(head: Any, most_bytes: int) -> None:
        fill(head, most_bytes)
        loaded.append(sum(map(count_decoded_bytes, head._loaded)))

    monkeypatch.setattr(sorted_rows._Head, "fill", note)
    tables = sort_in_runs(make_rows(), sort_by)
    # A share, all where there is one run, and the block that goes beyond it; a sorted slice may be counted a little larger.
    assert max(loaded) <= 12_000 + 12_000 // 6 + 500
    assert max(map(count_decoded_bytes, tables)) <= 2 * 12_000


def test_few_rows_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("nothing was to be put aside")

    monkeypatch.setattr(ScratchFile, "append", refuse)
    rows = make_rows()
    (table,) = sort_in_runs(rows, [("row", "descending")])
    assert table["row"].to_pylist() == list(range(ROWS))[::-1]
    assert list(SortedRows([("row", "ascending")]).drain()) == []


def test_a_large_dictionary_is_not_put_aside_with_every_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A dictionary of 1,000 texts of 100 letters, of which each block uses some, in an order that means something."""
    make_small(monkeypatch, 24_000, 4)
    sizes: list[int] = []
    append = ScratchFile.append

    def note(scratch: ScratchFile, content: bytes) -> Any:
        sizes.append(len(content))
        return append(scratch, content)

    monkeypatch.setattr(ScratchFile, "append", note)
    texts = pa.array([os.urandom(50).hex() for _ in range(1_000)])
    column = pa.DictionaryArray.from_arrays(pa.array(np.arange(1_000)[::-1]), texts, ordered=True)
    rows = pa.table({"row": np.arange(1_000), "text": column})
    tables = sort_in_runs(rows, [("row", "ascending")])
    assert pa.concat_tables(tables)["text"].to_pylist() == texts.to_pylist()[::-1]
    assert max(sizes) < 20_000
    for table in tables:
        for chunk in table["text"].chunks:
            places = [texts.to_pylist().index(text) for text in chunk.dictionary.to_pylist()[:5]]
            assert places == sorted(places)


def test_a_full_disk_is_named_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_small(monkeypatch, 12_000, 4)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(ScratchFile, "append", full)
    with pytest.raises(PublishError, match=f"^{tmp_path}: .*No space left on device; make room"):
        sort_in_runs(make_rows(), [("row", "ascending")])
    assert list(tmp_path.iterdir()) == []
