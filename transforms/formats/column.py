"""A column that is read of files: what a job and its model ask of it. Whether a file has it is decided in `columns.py`."""

from dataclasses import dataclass

from pyarrow import DataType


@dataclass(frozen=True)
class Column:
    """A column to read.

    Attributes:
        type: what it must be, in whatever physical form; None when the files decide.
        castable: the model's contract states the type, so a narrower number in a shard is widened.
        carried: it is copied to the output, so its values must stay exactly as they are.
        stated: the job states the type, so it is what the column comes out in.
    """

    name: str
    type: DataType | None
    castable: bool = False
    carried: bool = False
    stated: bool = False
