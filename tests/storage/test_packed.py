"""Sequences of very many values: the same as a tuple, and small."""

import pickle
import sys

import pytest

from storage.packed import Packed, Packing, pack_many, sort_many
from transforms.batches import WorkUnit

# On both sides of a block's end.
COUNTS = [0, 1, 511, 512, 513, 1_500]


@pytest.mark.parametrize("count", COUNTS)
def test_it_is_as_the_tuple_of_the_same_values(count: int) -> None:
    values = tuple(f"shard-{number}" for number in range(count))
    packed = Packed(iter(values))
    assert len(packed) == count
    assert tuple(packed) == values
    assert packed == values
    assert packed == list(values)
    assert values == packed
    assert hash(packed) == hash(values)
    assert repr(packed) == repr(values)
    assert [packed[number] for number in range(count)] == list(values)
    assert packed[3:-3] == values[3:-3]
    assert bool(packed) == bool(values)


def test_other_values_are_not_equal() -> None:
    assert Packed([1, 2]) != (1, 3)
    assert Packed([1, 2]) != Packed([1, 2, 3])
    assert Packed([1, 2]) != "12"


@pytest.mark.parametrize("index", [600, -601])
def test_what_is_not_there_is_refused_as_by_a_tuple(index: int) -> None:
    packed = Packed(range(600))
    assert packed[-1] == 599
    with pytest.raises(IndexError):
        packed[index]


def test_few_stay_a_tuple_and_many_are_packed() -> None:
    assert type(pack_many(iter(range(64)))) is tuple
    many = pack_many(iter(range(65)))
    assert isinstance(many, Packed)
    assert many == tuple(range(65))
    assert pack_many(many) is many


@pytest.mark.parametrize("count", [0, 1, 64, 65, 511, 512, 513, 1_500])
def test_what_is_appended_is_packed_as_it_comes(count: int) -> None:
    packing: Packing[int] = Packing()
    for number in range(count):
        assert len(packing) == number
        packing.append(number)
    assert list(packing) == list(range(count))
    packed = pack_many(packing)
    assert isinstance(packed, Packed) is (count > 64)
    assert packed == tuple(range(count))
    assert len(packed) == count


@pytest.mark.parametrize("count", [1, 64, 65, 1_500])
def test_what_is_sorted_stays_packed_and_all_else_is_sorted(count: int) -> None:
    numbers = list(range(count))
    for values in (numbers, numbers[::-1], [*numbers[1:], 0]):
        ordered = sort_many(iter(values), key="{:05}".format)
        assert ordered == numbers
        assert isinstance(ordered, Packed if count > 64 else list)
    # The same again is in order, too.
    twice = [*numbers, *numbers]
    assert sort_many(twice, key="{:05}".format) == sorted(twice)


def test_units_are_a_tenth_as_large_and_travel_so() -> None:
    units = [
        WorkUnit(number, f"/data/in/part-{number:05d}.parquet", "v", (0, 1), 0, 100, 6_000)
        for number in range(1_000)
    ]
    packed = Packed(units)
    content = pickle.dumps(packed)
    as_objects = sum(sys.getsizeof(unit) + sys.getsizeof(unit.shard) for unit in units)
    assert len(content) * 10 < as_objects
    assert pickle.loads(content) == tuple(units)
