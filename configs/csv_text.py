"""What the text of a CSV file means: a section of jobs that score, and of those that train."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from configs.fields import Character, Names


class Csv(BaseModel):
    """What a CSV file's text means.

    Attributes:
        encoding: one that Python knows, `utf-16` or `latin-1` for example.
        newlines_in_values: false declares that no value holds a line break, so that each line is a
            row. A large file is then scored by several workers, in pieces, once the launcher has
            read it to count its rows; compressed files, files of one column, and encodings of
            several bytes other than UTF-8, stay whole. A line that leaves a quote open is rejected.
            Where it is true, so is a file of more than 128 MiB on a disk in which the launcher finds
            no quote.
        quote: the character around fields that hold delimiters or line breaks; null where quotes
            are letters like any other.
        escape: the character that stands before a quote inside quotes, and before itself, as
            Spark writes it: a backslash. Outside quotes it is a letter.
        double_quote: whether two quotes inside quotes are one; false where only `escape` makes
            one. A row that is not quoted so is rejected.
        decimal: the character before the fraction of a number. Where it is a comma, a number with a
            point is none: it may be a thousand.
    """

    # An unknown key is a misspelt one, and what it was meant to say would be lost in silence.
    model_config = ConfigDict(frozen=True, extra="forbid")

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    null_values: Names = ("",)
    newlines_in_values: bool = True
    quote: Character | None = '"'
    escape: Character | None = None
    double_quote: bool = True
    decimal: Literal[".", ","] = "."
