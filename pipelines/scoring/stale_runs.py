"""Temporary files of earlier runs that were killed.

They are removed once a newer run of the same job is published, because nobody wants them any more,
and never while the launcher of such a run lives. A killed run that is not superseded stays, so that
it can be resumed. Runs on clusters or stores leave no lock that proves anything; `pipelines.prune`
removes theirs by age.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from storage import files
from storage.layout import remove_temporary
from storage.lock import claim_if_free, hold
from storage.run_folder import RunFolder
from transforms.publish_errors import make_unwritable


@contextmanager
def launcher_lock_held(
    run: RunFolder,
    job: str,
    workers_elsewhere: bool,
) -> Iterator[None]:
    """Hold the run's lock while the block runs, so that no other launcher takes it for dead.

    Where a lock would prove nothing, on a store or with workers elsewhere, none is held.

    Args:
        run: the run.
        job: name of its job.
        workers_elsewhere: whether its workers may outlive this process.

    Raises:
        PublishError: the output cannot be written.
    """
    with ExitStack() as stack:
        if files.is_local(run.output) and not workers_elsewhere:
            # Entered here, so that only the lock's own errors are told in these words.
            try:
                stack.enter_context(hold(run, job))
            except OSError as error:
                raise make_unwritable(run.output, error) from error
        yield


def remove_superseded(run: RunFolder, job: str) -> None:
    """Remove what dead runs of the same job left, now that this one is published.

    Args:
        run: the published run.
        job: name of its job.
    """
    if not files.is_local(run.output):
        return
    for other in _list_others(run):
        # Claimed while it is removed: a launcher that wants to resume it waits, and begins anew.
        with claim_if_free(other) as its_job:
            if its_job != job:
                continue
            # Whatever cannot be removed stays for another time.
            with suppress(OSError):
                remove_temporary(other)


def _list_others(run: RunFolder) -> Iterator[RunFolder]:
    folder = files.join(run.output, "_tmp")
    for name in files.list_names(folder):
        if name != run.run_id:
            yield RunFolder(run.output, name)
