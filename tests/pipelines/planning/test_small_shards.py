"""Small shards become few units, whose ends move only where shards do."""

import hashlib
from typing import Any

import numpy as np
import pytest

from pipelines.planning import small_shards
from pipelines.planning.small_shards import (
    _choose_typical_size,
    _ends_group,
    _group,
    _is_small,
    _Sized,
    put_together,
)
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


def group(pieces: list[WorkUnit], row_work: int) -> list[list[WorkUnit]]:
    """Return small pieces in groups of up to 50 rows, which nothing else ends."""
    small = [_Sized(piece, True) for piece in pieces]
    return list(_group(small, typical=8, rows_per_file=50, row_work=row_work))


@pytest.mark.parametrize(
    ("count", "fewest", "most"),
    [
        (65, 16, 65),
        (1_000, 16, 64),
        (10_000, 16, 64),
        pytest.param(40_000, 40, 100, marks=pytest.mark.slow),
    ],
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


def test_more_than_64_small_shards_are_put_together() -> None:
    pieces = shards(65)
    assert len(put_together(pieces, FILE_ROWS)) < 65
    # Those that stay as they are do not count.
    pieces = [*shards(64), make_unit(64, 100, "/in/z", bytes=BIG)]
    assert put_together(pieces, FILE_ROWS) == tuple(pieces)


@pytest.mark.parametrize(
    ("changes", "pieces_of_shard", "is_small"),
    [
        ({}, 1, True),
        ({}, 2, False),
        ({"bytes": BIG - 1}, 1, True),
        ({"bytes": BIG}, 1, False),
        ({"rows": 49}, 1, True),
        ({"rows": 50}, 1, False),
        # Of CSV nobody knows the rows before they are read.
        ({"rows": None}, 1, True),
    ],
)
def test_what_is_small(changes: dict[str, Any], pieces_of_shard: int, is_small: bool) -> None:
    assert _is_small(make_unit(**changes), pieces_of_shard, 50) is is_small


@pytest.mark.parametrize(
    ("count", "size"),
    [(1, 1), (63, 1), (64, 2), (127, 2), (128, 4), (16_384, 512), (1_000_000, 512)],
)
def test_a_unit_has_a_power_of_two_of_shards_typically(count: int, size: int) -> None:
    assert _choose_typical_size(count) == size


def ends_by_digest(name: str, typical: int) -> bool:
    digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
    return int(digest, 16) % typical == 0


@pytest.mark.parametrize("typical", [1, 2, 8])
def test_a_digest_ends_a_unit_between_half_and_twice_its_size(typical: int) -> None:
    for number in range(40):
        piece = make_unit(shard=f"{number}")
        expected = ends_by_digest(piece.shard, typical)
        for size in range(1, 2 * typical + 2):
            may_end = typical <= 2 * size
            is_last = size >= 2 * typical
            ends = is_last or (may_end and expected)
            assert _ends_group(piece, size, typical) is ends


@pytest.mark.parametrize(
    ("rows", "size_bytes", "row_work", "most"),
    [
        # Exactly as much as may be is one unit; of one more, two.
        (10, 1, 0, 5),
        (11, 1, 0, 4),
        (1, (64 << 20) // 5, 0, 5),
        (1, (64 << 20) // 5 + 1, 0, 4),
        (1, 0, (1 << 30) // 5, 5),
        (1, 0, (1 << 30) // 5 + 1, 4),
        (1, 1 << 20, (1 << 30) // 5 - (1 << 20), 5),
        (1, 1 << 20, (1 << 30) // 5 - (1 << 20) + 1, 4),
    ],
)
def test_a_unit_is_as_large_as_its_limits(
    rows: int, size_bytes: int, row_work: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_shards, "_ends_group", lambda *_: False)
    pieces = shards(10, rows, size_bytes)
    groups = group(pieces, row_work)
    expected = [most, most, 10 - 2 * most] if most < 5 else [5, 5]
    assert [len(group) for group in groups] == expected
    assert [piece for group in groups for piece in group] == pieces


def test_a_unit_that_a_digest_ends_leaves_nothing_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(small_shards, "_ends_group", lambda piece, size, typical: size == 2)
    for pieces, work in ((shards(6, 25, 1), 0), (shards(6, 1, 32 << 20), 0)):
        groups = group(pieces, work)
        assert [len(group) for group in groups] == [2, 2, 2]
    assert group([], 0) == []
