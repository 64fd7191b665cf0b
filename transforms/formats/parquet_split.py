"""Cut a Parquet file into units: row groups that are put together, and parts of large ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
import math
from typing import Any, NamedTuple

from transforms.formats.format import Piece, Span

# Of a part of a row group, decoded bytes and what its rows cost behind that: less is not worth a unit.
_LEAST_PART_BYTES = 1 << 20
# Where pages cannot be found, each part decodes what stands before it in its row group.
_MOST_PARTS = 8
# A part has whole blocks of rows, and at least so many of them, so that parts are nearly equal.
_BLOCKS = 16
# The last number of the span of a part that is not decoded from the first row of its row group on.
_BY_PAGES = 1


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows of one row group, and its bytes before they are compressed.

    Attributes:
        most_parts: into how many parts it may be cut.
    """

    rows: int
    bytes: int
    most_parts: int = 1

    # There are as many as shards; see `InputFile`.
    def __reduce__(self) -> Any:
        return RowGroup, (self.rows, self.bytes, self.most_parts)


class _Cut(NamedTuple):
    """A piece, but for its place in the file.

    Attributes:
        bytes: before they are compressed.
    """

    span: Span
    rows: int
    bytes: int


def count_parts(decoded_bytes: int, work_bytes: int, fetched_bytes: int = 0) -> int:
    """Return into how many parts a row group may be cut.

    Args:
        decoded_bytes: of the row group.
        work_bytes: what its rows cost behind reading, as bytes that a store gives in that time.
        fetched_bytes: of a row group in a store: what each part fetches again.
    """
    worth_bytes = decoded_bytes + work_bytes
    worthwhile = worth_bytes // _LEAST_PART_BYTES
    parts = min(_MOST_PARTS, worthwhile)
    if fetched_bytes:
        # All parts but one fetch in vain, which together shall not take longer than the work itself.
        fetched_in_vain = work_bytes // fetched_bytes
        parts = min(parts, 1 + fetched_in_vain)
    return max(1, parts)


def limit_parts(
    groups: Sequence[RowGroup],
    fetched_bytes: Mapping[int, int],
    row_work: int,
) -> list[RowGroup]:
    """Return row groups of a store, cut into fewer parts where those would fetch too much in vain.

    Args:
        groups: as they would be cut on a disk.
        fetched_bytes: what each part fetches again, by number of the row group.
        row_work: what a row costs behind reading, see `InputOptions`.
    """
    limited = []
    for number, group in enumerate(groups):
        work_bytes = group.rows * row_work
        most_parts = count_parts(group.bytes, work_bytes, fetched_bytes[number])
        limited.append(replace(group, most_parts=most_parts))
    return limited


def split_groups(groups: Sequence[RowGroup], rows: int, file_bytes: int) -> list[Piece]:
    """Return the pieces of a file, in order, of up to `rows` rows each.

    A row group that has more is cut, unless that may not be, or it is too small for that.

    Args:
        groups: those of the file.
        rows: rows of a piece, at most.
        file_bytes: size of the file.
    """
    # As most files of very many are, for which all that follows would take as long as their footers.
    if len(groups) == 1 and groups[0].rows <= rows:
        return [Piece((0, 1), 0, groups[0].rows, file_bytes)]
    # At least 1, since row groups without rows may hold nothing.
    decoded_bytes = sum(group.bytes for group in groups)
    all_bytes = max(1, decoded_bytes)
    count = len(groups)
    whole_file = (0, count)
    pieces: list[Piece] = []
    first_row = 0
    for cut in _cut(groups, rows):
        # Its share of the file, since a footer tells sizes before compression only.
        stored_bytes = file_bytes * cut.bytes // all_bytes
        # Of one that is read whole, its size itself.
        if cut.span == whole_file and count <= 1:
            stored_bytes = file_bytes
        cut_rows = cut.rows
        piece = Piece(cut.span, first_row, cut_rows, stored_bytes)
        pieces.append(piece)
        first_row += cut_rows
    return pieces


def is_part_of_group(span: Span) -> bool:
    """Tell whether a unit is a part of a row group: (row group, 1, its first row there)."""
    return len(span) > 2


def cut_by_pages(number: int, first_row: int) -> Span:
    """Return the span of a part of a row group that is read by pages, where those are what the index says.

    Args:
        number: of the row group.
        first_row: number of the part's first row there.
    """
    return (number, 1, first_row, _BY_PAGES)


def is_read_by_pages(span: Span) -> bool:
    """Tell whether a unit is such a part."""
    return span[3:] == (_BY_PAGES,)


def _cut(groups: Sequence[RowGroup], rows: int) -> Iterator[_Cut]:
    # A file without row groups is one piece without rows.
    if not groups:
        yield _Cut(span=(0, 0), rows=0, bytes=0)
    first = 0
    count = len(groups)
    while first < count:
        group = groups[first]
        part_rows = _choose_part_rows(group, rows)
        if part_rows < group.rows:
            yield from _cut_group(first, group, part_rows)
            first += 1
            continue
        stop = _find_end_of_piece(groups, first, rows)
        together = groups[first:stop]
        yield _Cut(
            span=(first, stop - first),
            rows=sum(group.rows for group in together),
            bytes=sum(group.bytes for group in together),
        )
        first = stop


def _choose_part_rows(group: RowGroup, rows: int) -> int:
    """Return the rows of each part of a row group; all of them where it is not cut."""
    all_rows = group.rows
    if all_rows <= rows:
        return all_rows
    by_rows = math.ceil(all_rows / rows)
    parts = min(by_rows, group.most_parts)
    if parts <= 1:
        return all_rows
    even_rows = math.ceil(all_rows / parts)
    most_block_rows = even_rows // _BLOCKS
    # Mini-batches have a power of two of rows, so that as a rule none of them has places left over.
    bits = most_block_rows.bit_length()
    exponent = max(0, bits - 1)
    block_rows = 1 << exponent
    blocks = math.ceil(even_rows / block_rows)
    whole_rows = blocks * block_rows
    if whole_rows > rows:
        return even_rows
    return whole_rows


def _cut_group(number: int, group: RowGroup, part_rows: int) -> Iterator[_Cut]:
    all_rows = group.rows
    for row in range(0, all_rows, part_rows):
        left = all_rows - row
        rows = min(part_rows, left)
        yield _Cut(
            span=(number, 1, row),
            rows=rows,
            bytes=group.bytes * rows // all_rows,
        )


def _find_end_of_piece(groups: Sequence[RowGroup], first: int, rows: int) -> int:
    """Return the row group behind the last one that fits into a piece.

    At least one does, however large.

    Args:
        groups: those of the file.
        first: the first one of the piece.
        rows: rows of a piece, at most.
    """
    stop = first + 1
    rows_so_far = groups[first].rows
    count = len(groups)
    while stop < count:
        rows_so_far += groups[stop].rows
        if rows_so_far > rows:
            break
        stop += 1
    return stop
