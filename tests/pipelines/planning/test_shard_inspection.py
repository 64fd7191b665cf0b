"""Files that are looked into before a run: in order, each once, and the one type of each column."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyarrow import Schema
import pytest

from configs.errors import InputError
from pipelines.planning import file_batches
from pipelines.planning.shard_inspection import read_shards
from storage.input_file import InputFile
from transforms.formats.column import Column
from transforms.formats.format import Shard

ID = Column("id", None)


class Inspected:
    """Stands in for a format: it knows the type of each file, and which it was asked for."""

    def __init__(self, types: Sequence[pa.DataType], broken: Sequence[int] = ()) -> None:
        self._types = types
        self._broken = broken
        self.asked: list[int] = []

    def inspect(self, file: InputFile, wanted: Sequence[Column]) -> tuple[Shard, Schema]:
        number = int(file.url)
        self.asked.append(number)
        if number in self._broken:
            raise InputError(f"{number}: broken")
        fields = [("other", pa.bool_()), ("id", self._types[number])]
        return Shard(file, number, ()), pa.schema(fields)


def read(format: Any, count: int, column: Column = ID) -> tuple[list[int], pa.DataType]:
    listed = [InputFile(str(number), 1, "v") for number in range(count)]
    shards, schema, _ = read_shards(listed, format, [column])
    assert schema.names == ["id"]
    return [int(shard.file.url) for shard in shards], schema.field("id").type


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_each_file_is_looked_into_once_and_stays_in_its_place(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_batches, "_FILES_AT_ONCE", 2)
    looked = Inspected([pa.int64()] * count)
    numbers, dtype = read(looked, count)
    assert numbers == list(range(count))
    assert sorted(looked.asked) == numbers
    assert dtype == pa.int64()


def test_where_the_first_does_not_fit_the_others_that_do_not_are_named_with_it() -> None:
    looked = Inspected([pa.int64()] * 5, broken=[0, 3])
    with pytest.raises(InputError, match=r": 0: broken \(the same of 3\)$"):
        read(looked, 5)
    assert sorted(looked.asked) == list(range(5))


def test_the_first_in_order_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_batches, "_FILES_AT_ONCE", 1)
    looked = Inspected([pa.int64()] * 9, broken=[7, 4])
    with pytest.raises(InputError, match="4: broken"):
        read(looked, 9)


@pytest.mark.parametrize(
    ("types", "settled"),
    [
        ([pa.string(), pa.large_string(), pa.string()], pa.large_string()),
        ([pa.null(), pa.int8()], pa.int8()),
        ([pa.decimal128(5, 2), pa.decimal128(7, 2)], pa.decimal128(7, 2)),
    ],
)
def test_a_form_holds_all_of_them(types: list[pa.DataType], settled: pa.DataType) -> None:
    assert read(Inspected(types), len(types))[1] == settled


def test_a_file_of_another_type_is_named() -> None:
    types = [pa.int64(), pa.int64(), pa.string(), pa.bool_()]
    with pytest.raises(InputError, match=r"^2: column 'id' is string, but must be int64"):
        read(Inspected(types), 4)


def test_what_is_declared_is_what_comes_out() -> None:
    declared = Column("id", pa.int64(), castable=True)
    assert read(Inspected([pa.int8(), pa.int16()]), 2, declared)[1] == pa.int64()
