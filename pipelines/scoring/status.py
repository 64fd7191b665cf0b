"""How far an earlier launch of the same work came."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from configs.errors import PublishError
from storage import current, files, layout
from storage.run_folder import RunFolder


def take_plan_time(output: str) -> datetime:
    """Return the time of a launch that begins now: see `storage.current`.

    Raises:
        PublishError: the output cannot be read.
    """
    with told_plainly(output):
        return current.take_plan_time(output)


def is_published(run: RunFolder) -> bool:
    """Tell whether the run stands, so that nothing is left to score.

    Raises:
        PublishError: the output cannot be read.
    """
    with told_plainly(run.output):
        return layout.is_published(run)


def is_left_to_clean_up(run: RunFolder) -> bool:
    """Tell whether the run was killed once it was published, and only its temporary files are left.

    `current` may stand for this very run by then.
    """
    return is_published(run) and files.exists(run.temporary)


@contextmanager
def told_plainly(output: str) -> Iterator[None]:
    """Let what a disk or a store fails with in the block name the output.

    Raises:
        PublishError: it cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise PublishError(
            f"{output}: cannot be read: {error.strerror}; "
            "check the address and credentials, or choose another --output"
        ) from error
