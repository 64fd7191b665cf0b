"""Heads of Parquet's pages, each of which says how many bytes and values its page has, and so where the next one begins.

column chunk | head, dictionary | head, page of rows 0 ... 19 999 | head, page of rows 20 000 ... | ...
"""

from storage.thrift import Numbers, read_numbers
from transforms.formats.parquet_given_file import Source

# Fields of the head of a page: its kind, and its bytes behind the head.
KIND = 1
_PAGE_BYTES = 3
# Kinds of pages: of values in the first version, a dictionary, of values in the second version.
_FIRST_KIND = 0
DICTIONARY_KIND = 2
SECOND_KIND = 3
# Of either version, by kind: the field of the rest of its head, and the one in that of its encoding.
HEADS = {
    _FIRST_KIND: (5, 2),
    SECOND_KIND: (8, 4),
}
# Fields of that rest: how many values, and of the second version how many rows.
VALUES = 1
ROWS = 3
# So much holds the head of nearly every page, and of any that was not made to be long.
_HEAD_BYTES = 128
_MOST_HEAD_BYTES = 1 << 16


def read_head(source: Source, begin: int, stop: int) -> Numbers:
    """Return the head of a page.

    Args:
        source: the bytes of the file.
        begin: place of the page.
        stop: behind it, or behind the last one of its chunk.

    Raises:
        IndexError, KeyError, OverflowError, ValueError: there is none.
    """
    # So many bytes less than none would be all that follow.
    if begin >= stop:
        raise ValueError("is behind the end")
    try:
        return _read_numbers(source, begin, stop, _HEAD_BYTES)
    # Some writers put long texts into it.
    except IndexError:
        return _read_numbers(source, begin, stop, _MOST_HEAD_BYTES)


def _read_numbers(
    source: Source,
    begin: int,
    stop: int,
    most_bytes: int,
) -> Numbers:
    end = min(stop, begin + most_bytes)
    content = source.read(begin, end)
    return read_numbers(content)


def find_page_end(begin: int, head: Numbers) -> int:
    """Return the place behind a page.

    Raises:
        KeyError, ValueError: its head does not tell.
    """
    page_bytes = head.own[_PAGE_BYTES]
    if page_bytes < 0:
        raise ValueError("has less than no bytes")
    return begin + head.end + page_bytes
