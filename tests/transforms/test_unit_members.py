import hashlib

import numpy as np
import pytest

from storage.packed import Packed
from tests.support.builders import make_unit
from transforms.unit_members import iterate_pieces, join_members, list_pieces


def test_a_unit_has_the_rows_and_bytes_of_its_members() -> None:
    unit = join_members(4, [make_unit(8, 3, "a"), make_unit(9, 5, "b", bytes=7)])
    assert (unit.index, unit.shard, unit.first_row, unit.rows, unit.bytes) == (4, "a", 0, 8, 107)
    assert unit.files == ""
    whole_csv = join_members(0, [make_unit(0, 3), make_unit(1, None)])
    assert whole_csv.rows is None


def test_pieces_come_back_by_their_numbers() -> None:
    pieces = [make_unit(number, 1, f"{number}") for number in range(5)]
    groups = [[0, 2], [1], [3, 4]]
    units = [
        join_members(index, [pieces[number] for number in numbers])
        for index, numbers in enumerate(groups)
    ]
    assert [[piece.shard for piece in unit.members] for unit in units] == [
        ["0", "2"],
        ["1"],
        ["3", "4"],
    ]
    assert list_pieces(units) == pieces
    assert list_pieces(pieces) == pieces


def test_files_that_rows_name_are_a_part_of_a_unit() -> None:
    one = [make_unit(0, files="x"), make_unit(1, files="y")]
    other = [make_unit(0, files="x"), make_unit(1, files="z")]
    assert join_members(0, one).files not in ("", join_members(0, other).files)


def test_a_unit_of_members_is_its_own() -> None:
    unit = join_members(3, [make_unit(1, 2, "b", first_row=9), make_unit(2, 0, "c")])
    assert (unit.version, unit.span, unit.first_row, unit.rows) == ("v", (), 0, 2)
    assert [member.first_row for member in unit.members] == [9, 0]


def test_a_digest_is_of_all_members_in_their_order() -> None:
    # Where one names files and another none, too.
    some = [make_unit(0, files=""), make_unit(1, files="y")]
    digest = join_members(0, some).files
    assert digest == hashlib.sha256(b"\ny").hexdigest()[:32]
    assert join_members(0, some[::-1]).files != digest


def test_pieces_are_sorted_whatever_the_order_of_units() -> None:
    pieces = [make_unit(number) for number in (3, 0, 2)]
    unit = join_members(0, pieces)
    assert [piece.index for piece in list_pieces([make_unit(1), unit])] == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("in_order", [True, False])
def test_pieces_of_units_that_lie_in_each_other_come_by_their_numbers(
    seed: int, in_order: bool
) -> None:
    chance = np.random.default_rng(seed)
    pieces = [make_unit(number) for number in range(200)]
    groups: list[list[int]] = [[] for _ in range(12)]
    for number, group in enumerate(chance.integers(12, size=200)):
        groups[group].append(number)
    units = [
        join_members(index, [pieces[number] for number in group])
        for index, group in enumerate(groups)
    ]
    if in_order:
        units.sort(key=lambda unit: unit.members[0].index)
    assert list(iterate_pieces(units)) == pieces
    assert list(iterate_pieces(Packed(units))) == pieces
    assert list(iterate_pieces(pieces)) == pieces
