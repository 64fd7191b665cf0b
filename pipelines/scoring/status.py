"""How far an earlier launch of the same work came."""

from configs.errors import PublishError
from storage import files
from storage.layout import RunFolder


def is_published(run: RunFolder) -> bool:
    """Tell whether the run stands, so that nothing is left to score.

    Raises:
        PublishError: the output cannot be read.
    """
    try:
        return files.exists(run.manifest)
    except OSError as error:
        raise PublishError(
            f"{run.output}: cannot be read: {error.strerror}; "
            "check the address and credentials, or choose another --output"
        ) from error


def is_left_to_clean_up(run: RunFolder) -> bool:
    """Tell whether the run was killed once it was published, and only its temporary files are left.

    `current` may stand for this very run by then.
    """
    return is_published(run) and files.exists(run.temporary)
