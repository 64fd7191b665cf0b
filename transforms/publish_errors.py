"""An error of the storage, told as one of the publication that it has ended."""

from collections.abc import Iterator
from contextlib import contextmanager

from configs.errors import PublishError
from storage.run_folder import RunFolder


@contextmanager
def storage_errors(run: RunFolder, what: str = "cannot be published") -> Iterator[None]:
    """Tell an error of the storage, in this block, as one of the publication.

    Args:
        run: the run.
        what: cannot be done.

    Raises:
        PublishError: for each such error.
    """
    try:
        yield
    except OSError as error:
        raise PublishError(
            f"{run.published}: {what}: {error}; mend the folder and run again to resume"
        ) from error
