"""Say that a run is held back, and end the program that asked for it.

Apart from the publication itself, as the same work that is asked for again ends alike, without Beam.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

from configs.errors import HeldError, PublishError
from storage.layout import read_held, remove_temporary
from storage.run_folder import RunFolder
from transforms.publish_errors import storage_errors

# A line must be read; all of them are in the file.
_MOST_TOLD = 5


def end_as_held(run: RunFolder) -> NoReturn:
    """Say why a run is held back, once its temporary files are removed.

    Args:
        run: the run, which stands whole.

    Raises:
        HeldError: always, but where a file cannot be read or removed.
        PublishError: then.
    """
    with storage_errors(run, "is held back, but cannot be told of"):
        document = read_held(run)
    if document is None:
        raise PublishError(f"{run.held}: somebody removed it; run again to score anew")
    left = f"is held back, but its temporary files in {run.temporary} cannot be removed"
    with storage_errors(run, left):
        remove_temporary(run)
    raise HeldError(describe_held(run, document))


def describe_held(run: RunFolder, document: Mapping[str, Any]) -> str:
    """Return the one line that says why a run is held back, and what to do.

    Args:
        run: the run.
        document: what will be its manifest.
    """
    monitor = document.get("monitor", {})
    findings = monitor.get("findings", ())
    reasons = [finding["says"] for finding in findings if finding["level"] == "hold"]
    told = "; ".join(reasons[:_MOST_TOLD])
    left = len(reasons) - _MOST_TOLD
    more = f"; and {left} more in {run.held}" if left > 0 else ""
    release = f"python -m pipelines.release {run.output} {run.run_id}"
    return (
        f"{run.published}: held back by its monitor, and not published: {told}{more}; publish it all "
        f"the same with {release} --reason TEXT, or drop it with --discard"
    )
