"""Where in a Parquet file's footer the columns end, which come before all that differs from file to file.

A footer is a struct of Thrift's compact protocol: 1 version, 2 the columns, 3 rows, 4 row groups, and
more. Two footers that begin with the same version and columns, byte by byte, have the same columns;
to compare what Arrow made of them takes longer than to read a small one.
"""

from typing import NamedTuple

from storage.parquet_depth import find_end_of_columns

# A Parquet file ends with the length of its footer, and four letters.
_FOOTER_LENGTH_BYTES = 4
FILE_END_BYTES = 8


class FileEnd(NamedTuple):
    """A file from its footer on, or from before; all of one that ends with none.

    Attributes:
        url: the file.
    """

    url: str
    content: bytes

    @property
    def footer_bytes(self) -> int:
        """Return how long the file says that its footer is."""
        stored = self.content[-FILE_END_BYTES:][:_FOOTER_LENGTH_BYTES]
        return int.from_bytes(stored, "little")

    @property
    def footer(self) -> bytes:
        """Return the footer, of a file that Arrow has read."""
        first = self._find_footer()
        return self.content[first:-FILE_END_BYTES]

    def find_columns(self) -> bytes | None:
        """Return what the footer begins with, which is the same for the same columns; None where it has none.

        Of a file that Arrow has read.
        """
        footer = self.footer
        end = find_end_of_columns(footer)
        if end is None:
            return None
        return footer[:end]

    def has_columns(self, columns: bytes) -> bool:
        """Tell whether the footer begins with these, as `find_columns` gave them of another file."""
        first = self._find_footer()
        # Before the content, of a file that is cut.
        return first >= 0 and self.content.startswith(columns, first)

    def _find_footer(self) -> int:
        return len(self.content) - FILE_END_BYTES - self.footer_bytes
