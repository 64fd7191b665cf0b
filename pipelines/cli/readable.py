"""Say in one plain line that an output, which a command line names, cannot be read."""

from collections.abc import Iterator
from contextlib import contextmanager

from configs.errors import VerifyError


@contextmanager
def told_as_unreadable(output: str) -> Iterator[None]:
    """Let what a disk, a store or a scheme fails with in the block name the output.

    Args:
        output: as the command line names it.

    Raises:
        VerifyError: it cannot be read.
    """
    try:
        yield
    # No library for the scheme; a disk or a store; no such scheme, or a document that is none.
    except (ImportError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise VerifyError(
            f"{output}: cannot be read: {reason}; check the address and credentials"
        ) from error
