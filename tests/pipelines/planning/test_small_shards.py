"""Small shards become few units, whose ends move only where shards do."""

import numpy as np
import pytest

from pipelines.planning.small_shards import put_together
from tests.support.builders import make_unit
from transforms.batches import WorkUnit
from transforms.unit_members import list_pieces

FILE_ROWS = 1_000_000
BIG = 1 << 20
ROW_COUNTS = [None, 0, 1, 30, 400]
SIZES = [0, 10, 5_000, BIG // 2, BIG - 1]


def shards(count: int, rows: int | None = 100, size_bytes: int = 3_000) -> list[WorkUnit]:
    return [
        make_unit(number, rows, f"/in/part-{number:06d}.parquet", bytes=size_bytes)
        for number in range(count)
    ]


def names(units: tuple[WorkUnit, ...]) -> set[tuple[str, ...]]:
    return {tuple(piece.shard for piece in unit.members or (unit,)) for unit in units}


@pytest.mark.parametrize(
    ("count", "fewest", "most"),
    [(65, 16, 65), (1_000, 16, 64), (10_000, 16, 64), (40_000, 40, 100)],
)
def test_many_shards_are_few_units(count: int, fewest: int, most: int) -> None:
    pieces = shards(count)
    units = put_together(pieces, FILE_ROWS)
    assert fewest <= len(units) <= most
    assert list_pieces(units) == pieces
    assert [unit.index for unit in units] == list(range(len(units)))
    assert put_together(pieces, FILE_ROWS) == units


def test_few_shards_and_large_ones_stay_as_they_are() -> None:
    few = shards(64)
    assert put_together(few, FILE_ROWS) == tuple(few)
    large = shards(200, size_bytes=BIG)
    assert put_together(large, FILE_ROWS) == tuple(large)
    long = shards(200, rows=50)
    assert put_together(long, 50) == tuple(long)


@pytest.mark.parametrize("change", ["new", "gone"])
def test_one_shard_moves_the_ends_near_it_alone(change: str) -> None:
    pieces = shards(2_000)
    before = names(put_together(pieces, FILE_ROWS))
    if change == "new":
        pieces.insert(1_000, make_unit(0, 100, "/in/part-000999-b.parquet", bytes=3_000))
    else:
        del pieces[1_000]
    after = names(put_together(pieces, FILE_ROWS))
    assert len(before - after) <= 3
    assert len(before & after) > 20


def test_large_shards_between_small_ones_keep_units_of_their_own() -> None:
    pieces = [
        make_unit(number, 100, f"{number:04d}", bytes=BIG if number % 2 else 10)
        for number in range(400)
    ]
    units = put_together(pieces, FILE_ROWS)
    alone = [unit for unit in units if unit.bytes >= BIG]
    assert [len(unit.members) for unit in alone] == [1] * 200
    assert len(units) - len(alone) < 100
    firsts = [unit.members[0].index for unit in units]
    assert firsts == sorted(firsts)


@pytest.mark.parametrize("row_work", [0, 100_000])
@pytest.mark.parametrize("seed", range(5))
def test_limits_hold_whatever_the_sizes(seed: int, row_work: int) -> None:
    chance = np.random.default_rng(seed)
    pieces = [
        make_unit(
            number,
            ROW_COUNTS[chance.integers(5)],
            f"{number}",
            bytes=SIZES[chance.integers(5)],
        )
        for number in range(300)
    ]
    units = put_together(pieces, 500, row_work)
    assert list_pieces(units) == pieces
    for unit in units:
        if len(unit.members) > 1:
            rows = sum(piece.rows or 0 for piece in unit.members)
            assert rows <= 500
            assert unit.bytes <= 64 << 20
            assert unit.bytes + rows * row_work <= 1 << 30
