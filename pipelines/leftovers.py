"""Temporary files of earlier runs that were killed: removed once a newer run of the same job is published, because nobody wants them
any more, and never while the launcher of such a run lives. A killed run that is not superseded stays, so that it can be resumed.

Runs on clusters or stores leave no lock that proves anything; `pipelines.prune` removes theirs by age.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from configs.errors import PublishError
from storage import files
from storage.layout import RunFolder, remove_temporary
from storage.lock import found_free, held


@contextmanager
def marked_as_live(run: RunFolder, job: str, workers_elsewhere: bool) -> Iterator[None]:
    """While the block runs, no other launcher takes this run for dead.

    Raises:
        PublishError: the output cannot be written.
    """
    with ExitStack() as stack:
        if files.is_local(run.output) and not workers_elsewhere:
            try:
                stack.enter_context(held(run, job))
            except OSError as error:
                raise PublishError(
                    f"{run.output}: cannot be written: {error.strerror}; mend the folder, or choose another --output"
                ) from error
        yield


def remove_superseded(run: RunFolder, job: str) -> None:
    """Remove what dead runs of the same job left, now that this one is published; whatever cannot be removed stays for another time."""
    if not files.is_local(run.output):
        return
    for other in _others(run):
        with found_free(other) as its_job:
            if its_job == job:
                with suppress(OSError):
                    remove_temporary(other)


def _others(run: RunFolder) -> Iterator[RunFolder]:
    names = files.names_in(files.join(run.output, "_tmp"))
    return (RunFolder(run.output, name) for name in names if name != run.run_id)
