"""Why a file cannot be read, in words that lead to what has to be mended.

Names that a user knows anyway (the file's, its columns', the kind of the error) are told; what
stands in the rows is not.
"""

from collections.abc import Sequence
import os

import pyarrow as pa

from configs.errors import ChangedError
from configs.redaction import shown
from storage.retries import is_transient


def explain_failure(
    error: Exception,
    url: str,
    names: Sequence[str] = (),
) -> str:
    """Return why, without values.

    Args:
        error: the system's, a store's, or Arrow's.
        url: the file.
        names: those of its columns.
    """
    # Arrow's own text of the same says the path again, and the system's words last.
    if isinstance(error, OSError) and error.errno is not None:
        return f"[Errno {error.errno}] {os.strerror(error.errno)}"
    # A store's words hold no rows.
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return shown(error, known=[url, *names])


def is_out_of_reach(error: Exception) -> bool:
    """Tell whether it was not the file that failed, but the disk, the store or a permission."""
    return isinstance(error, OSError) and bool(error.strerror)


def is_broken(failure: Exception) -> bool:
    """Tell whether it is the shard that fails, so that whoever reads it again fails again.

    It is not where a disk, a store, a permission or the memory failed, which may do better later; nor is
    a file that is gone or has changed, as that is other work than was planned.

    Args:
        failure: of a shard; the errors that it came from tell, too.
    """
    error: BaseException | None = failure
    while error is not None:
        if isinstance(error, ChangedError | MemoryError) or is_transient(error):
            return False
        if isinstance(error, OSError) and is_out_of_reach(error):
            return False
        error = error.__cause__ or error.__context__
    return True


def find_way_out(error: Exception) -> str:
    """Return what to do: only a file that is broken needs to be replaced."""
    if is_out_of_reach(error):
        return "see that the file can be read from here, then run the same command again"
    if isinstance(error, MemoryError):
        return "run the same command again where there is more memory"
    if isinstance(error, pa.ArrowNotImplementedError):
        return "write the file without such a column, or in another type"
    return "replace the file"
