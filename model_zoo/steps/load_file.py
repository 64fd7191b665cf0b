"""Step `load_file`: the content of the file that a path column names, below a declared folder.

It is a word of jobs alone: a package must not say which files are read. The files are read with the
rows (`transforms/formats/loading.py`), so that batches are cut by their sizes and each file must be
what it was when the run was planned; nothing is left to do here.
"""

from typing import Annotated, Literal

from pydantic import Field

from configs.errors import JobError
from model_zoo.steps.columns import Columns, NewColumns
from model_zoo.steps.step import StepModel

# Of a column of Arrow's, whose places in it are of 31 bits.
_MOST_BYTES = 1 << 30


class LoadFile(StepModel):
    """Read files into the binary column `into`.

    A path is relative to `root`, or begins with it. A missing path stays missing; a file that is
    missing, unreadable, too large or outside the root rejects its row.

    Attributes:
        column: the source's column of paths.
        root: folder on a disk or in a store below which all files are.
        max_bytes: a larger file rejects its row.
    """

    step: Literal["load_file"]
    column: str
    into: str
    root: Annotated[str, Field(min_length=1)]
    max_bytes: Annotated[int, Field(ge=1, le=_MOST_BYTES)] = 64 << 20

    def apply(self, columns: Columns, rows: int) -> NewColumns:
        """Return nothing new: the contents came with the rows.

        Raises:
            JobError: they did not, as this is not a job's own step.
        """
        if self.into not in columns:
            raise JobError(
                f"load_file makes {self.into!r}: it must stand in the preprocess.steps of the job, "
                "before its other steps, as no package may say which files are read"
            )
        return {}
