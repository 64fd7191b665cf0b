"""A file is looked at before its rows are read and behind them, and the last batch says that it is."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from configs.errors import InputError
from tests.support.builders import make_unit, raw_batch, unit_of
from transforms.batches import RawBatch
from transforms.formats.unchanged import check_unchanged, mark_last

SCHEMA = pa.schema({"a": pa.int64()})


def make_batches(count: int) -> list[RawBatch]:
    return [raw_batch({"a": [number]}, first_row=number, last=False) for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_last_batch_alone_is_marked(count: int) -> None:
    marked = list(mark_last(make_unit(), SCHEMA, iter(make_batches(count))))
    assert [batch.last for batch in marked] == [False] * (count - 1) + [True]
    assert [batch.rows.column("a").to_pylist() for batch in marked] == [[n] for n in range(count)]


def test_a_file_without_rows_is_one_batch_without_rows() -> None:
    (batch,) = mark_last(make_unit(), SCHEMA, iter([]))
    assert (len(batch), batch.last, batch.rows.schema) == (0, True, SCHEMA)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_rows_before_a_break_come_and_none_of_them_is_the_last(count: int, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"rows")
    unit = unit_of(path, None)

    def read() -> Iterator[RawBatch]:
        yield from make_batches(count)
        raise InputError("is cut")

    marked = mark_last(unit, SCHEMA, read())
    came = [next(marked) for _ in range(count)]
    assert [batch.last for batch in came] == [False] * count
    with pytest.raises(InputError, match="is cut"):
        next(marked)


def test_a_file_that_changed_explains_its_break(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"rows")
    unit = unit_of(path, None)
    check_unchanged(unit)
    path.write_bytes(b"other rows")
    with pytest.raises(InputError, match="changed after the run was planned"):
        check_unchanged(unit)

    def read() -> Iterator[RawBatch]:
        yield from make_batches(0)
        raise InputError("is cut")

    with pytest.raises(InputError, match="changed after the run was planned"):
        next(mark_last(unit, SCHEMA, read()))
    # Of a folder each file is looked at when it is read.
    check_unchanged(make_unit(shard=str(tmp_path / "gone"), version="files=0123"))
