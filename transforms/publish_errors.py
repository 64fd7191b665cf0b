"""An error of the storage, told as one of the publication that it has ended."""

from collections.abc import Iterator
from contextlib import contextmanager

from configs.errors import PublishError
from storage.run_folder import RunFolder


def make_unwritable(output: str, error: OSError) -> PublishError:
    """Return the refusal of an output in which nothing can be written.

    Args:
        output: URL of the output folder.
        error: what the system says.

    >>> print(make_unwritable("/scores", FileExistsError(17, "File exists")))
    /scores: cannot be written: a file, or a link to nothing, stands where a folder belongs; mend the folder, or choose another --output
    """
    reason = error.strerror
    # The system's own words are of a file that somebody wants to make, and here somebody wants a folder.
    if isinstance(error, FileExistsError | NotADirectoryError):
        reason = "a file, or a link to nothing, stands where a folder belongs"
    return PublishError(
        f"{output}: cannot be written: {reason}; mend the folder, or choose another --output"
    )


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
        reason = error.strerror or error
        # What a store's client says has no file.
        if error.filename:
            reason = f"{error.filename}: {reason}"
        raise PublishError(
            f"{run.published}: {what}: {reason}; make room or mend the folder, and run again to resume"
        ) from error
