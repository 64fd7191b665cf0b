"""What forks share lies in large pages, as far as it can."""

from tests.support.forking import find_large_places

# Of 10 MiB and a bit, of 1 MiB between two large pages, of a file, and not to be written to.
MAPS = """\
001ff000-00c01000 rw-p 00000000 00:00 0          [heap]
7f0000100000-7f0000200000 rw-p 00000000 00:00 0
7f0000400000-7f0000800000 rw-p 00001000 fe:00 12   /usr/lib/c library.so
7f0000800000-7f0000c00000 r--p 00000000 00:00 0
7f0001000000-7f0001400000 rw-p 00000000 00:00 0
7ffe00000000-7ffe00400000 rw-p 00000000 00:00 0          [stack]
"""


def test_memory_of_no_file_is_told_in_whole_large_pages() -> None:
    mib = 1 << 20
    assert list(find_large_places(MAPS)) == [(2 * mib, 10 * mib), (0x7F0001000000, 4 * mib)]
