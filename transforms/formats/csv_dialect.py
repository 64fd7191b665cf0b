"""What the bytes of a job's CSV files mean."""

import codecs
from dataclasses import dataclass

# What a parser takes at a time, and so the longest record.
BLOCK_BYTES = 8 << 20


@dataclass(frozen=True)
class CsvDialect:
    """What a file's bytes mean.

    Attributes:
        delimiter: separates fields.
        null_values: unquoted texts that stand for null.
        encoding: of the text.
        max_expansion: how many times its stored size a file may hold, decoded, before it is refused
            as a bomb; None for 200 (Parquet files, for which only this counts: 1 000).
        newlines_in_values: whether a quoted value may hold a line break; where none does, each line
            is a record, and a file may be cut at any of them.
        quote: stands around a field that may hold delimiters and line breaks; None where none does.
        escape: inside quotes, takes its meaning from the quote or escape that follows; None where
            nothing does.
        double_quote: whether two quotes inside quotes are one that means nothing.
        decimal: stands before the fraction of a number.
    """

    delimiter: str = ","
    null_values: tuple[str, ...] = ("",)
    encoding: str = "utf-8"
    max_expansion: int | None = None
    newlines_in_values: bool = True
    quote: str | None = '"'
    escape: str | None = None
    double_quote: bool = True
    decimal: str = "."

    @property
    def is_utf8(self) -> bool:
        """Tell whether text needs no decoding.

        Malformed texts are then found value by value, and cost their rows only.
        """
        # An encoding has several spellings, and one name.
        name = codecs.lookup(self.encoding).name
        return name in ("utf-8", "utf-8-sig")
