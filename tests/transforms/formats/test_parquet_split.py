"""Units of a Parquet file: row groups put together, and large ones cut."""

from hypothesis import given
from hypothesis import strategies as st
import pytest

from transforms.formats.parquet_split import RowGroup, count_parts, is_part_of_group, split_groups

MIB = 1 << 20


def test_small_row_groups_are_put_together_and_large_ones_cut() -> None:
    groups = [
        RowGroup(400, 4 * MIB, 8),
        RowGroup(500, 4 * MIB, 8),
        RowGroup(2_500, 40 * MIB, 8),
        RowGroup(300, MIB, 8),
    ]
    pieces = split_groups(groups, 1_000, 49_000)
    assert [piece.span for piece in pieces] == [
        (0, 2),
        (2, 1, 0),
        (2, 1, 864),
        (2, 1, 1_728),
        (3, 1),
    ]
    assert [piece.rows for piece in pieces] == [900, 864, 864, 772, 300]
    assert [piece.first_row for piece in pieces] == [0, 900, 1_764, 2_628, 3_400]
    assert [is_part_of_group(piece.span) for piece in pieces] == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("rows", "most", "parts"),
    [
        # As even as 16 blocks of a power of two of rows are, and as large as a piece may be.
        (2_000, 1_024, [1_024, 976]),
        (2_000, 1_023, [1_000, 1_000]),
        (2_000, 1_000, [1_000, 1_000]),
        (2_000, 1_999, [1_024, 976]),
        (2_000, 2_000, [2_000]),
        (5, 2, [2, 2, 1]),
        (16, 8, [8, 8]),
    ],
)
def test_parts_of_a_row_group_are_whole_blocks_where_those_fit(
    rows: int, most: int, parts: list[int]
) -> None:
    pieces = split_groups([RowGroup(rows, MIB, 8)], most, 49_000)
    assert [piece.rows for piece in pieces] == parts


def test_what_may_not_be_cut_or_is_small_stays_whole() -> None:
    (piece,) = split_groups([RowGroup(2_000, 40 * MIB)], 100, 7)
    assert (piece.span, piece.rows, piece.bytes) == ((0, 1), 2_000, 7)


@pytest.mark.parametrize(
    ("decoded", "work", "fetched", "parts"),
    [
        # By what is decoded, on a disk, and by what the rows cost behind that.
        (MIB, 0, 0, 1),
        (3 * MIB, 0, 0, 3),
        (100, 5 * MIB, 0, 5),
        (100 * MIB, 100 * MIB, 0, 8),
        # Of a store each part fetches it again, which the work must be worth.
        (100 * MIB, 0, 20 * MIB, 1),
        (100 * MIB, 19 * MIB, 20 * MIB, 1),
        (100 * MIB, 60 * MIB, 20 * MIB, 4),
        (MIB, 1 << 40, MIB, 8),
        (0, 0, 0, 1),
    ],
)
def test_parts_are_worth_what_they_cost(decoded: int, work: int, fetched: int, parts: int) -> None:
    assert count_parts(decoded, work, fetched) == parts


@pytest.mark.parametrize(
    ("groups", "rows"), [([], 0), ([RowGroup(0, 0)], 0), ([RowGroup(5, 0)], 5)]
)
def test_a_file_that_is_read_whole_is_one_piece_of_its_size(
    groups: list[RowGroup], rows: int
) -> None:
    # Whatever its footer says of what is in it.
    (piece,) = split_groups(groups, 100, 7)
    assert (piece.span, piece.rows, piece.bytes) == ((0, len(groups)), rows, 7)


@given(
    st.lists(
        st.builds(
            RowGroup,
            st.integers(0, 5_000),
            st.integers(0, 100 * MIB),
            st.integers(1, 8),
        ),
        max_size=8,
    ),
    st.integers(1, 2_000),
)
def test_every_row_is_in_one_piece(groups: list[RowGroup], rows: int) -> None:
    pieces = split_groups(groups, rows, 1_000)
    next_row = 0
    for piece in pieces:
        assert piece.first_row == next_row
        next_row += piece.rows or 0
        # Only what cannot be cut is larger.
        if is_part_of_group(piece.span):
            group = groups[piece.span[0]]
            assert group.most_parts > 1
            fewest_rows = -(-group.rows // group.most_parts)
            assert (piece.rows or 0) <= max(rows, fewest_rows * 2)
    assert next_row == sum(group.rows for group in groups)
