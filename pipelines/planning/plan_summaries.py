"""From a Job to what is computed beside the scores."""

from collections.abc import Mapping
from dataclasses import replace

from configs.errors import JobError, ModelError
from configs.job import AnyJob
from configs.monitor import DEFAULT
from configs.suggest import nearest
from model_zoo.architectures.users_own import hash_source, module_of
from model_zoo.package.package import PROFILE, Package
from pipelines.planning.jobs import ScoringJob
from transforms.summaries.reference import NO_REFERENCE, Place, Reference, read_training_profile
from transforms.summaries.summary import Summary
from transforms.summaries.table import SUMMARIES, import_maker
from transforms.summaries.users_own import UsersSummary, find_users_summary


def plan_summaries(job: ScoringJob, package: Package) -> tuple[Summary, ...]:
    """Return the summaries that a job asks for, in its order; nothing of most jobs.

    Args:
        job: the job.
        package: its model, whose profile of training says what numbers are counted by.

    Raises:
        JobError: a column that is neither the model's nor carried, or a user's summary that is none.
        ModelError: the profile cannot be read.
    """
    monitor = job.monitor
    if not monitor.summaries:
        return ()
    carried = job.source.carried
    of_model = [column.name for column in package.card.columns]
    named = [name for name in monitor.columns if name != DEFAULT]
    for name in named:
        if name not in carried and name not in of_model:
            hint = nearest(name, [*of_model, *carried])
            raise JobError(
                f"monitor.columns names {name!r}, which is no column of the model, and no key or "
                f"pass-through column{hint}"
            )
    # Those that are the model's are there already.
    inputs = tuple(dict.fromkeys([*of_model, *named]))
    reference = _read_reference(package)
    renamed = _rename(reference, job.postprocess.rename)
    words = dict.fromkeys(monitor.summaries)
    contract = package.card.columns
    steps = (*job.preprocess.steps, *package.steps)
    # How many rows a filter leaves of a large unit only reading tells: it may be very few.
    every_row = monitor.every_row or job.source.where is not None
    summaries = []
    for name in words:
        if name in SUMMARIES:
            made = import_maker(name)(inputs, renamed, contract, steps, every_row)
            summaries.append(made)
        else:
            # Before a worker does.
            find_users_summary(name)
            summaries.append(UsersSummary(name))
    return tuple(summaries)


def hash_users_summaries(job: AnyJob) -> dict[str, str]:
    """Return the sha256 of the module of each summary that is a user's own, by the summary; nothing of most jobs.

    Raises:
        JobError: there is no such module.
    """
    users_own = [name for name in job.monitor.summaries if name not in SUMMARIES]
    return {name: hash_source(module_of(name)) for name in users_own}


def _read_reference(package: Package) -> Reference:
    # Packages that were made by hand may have none.
    if PROFILE not in package.card.files:
        return NO_REFERENCE
    content = package.read_file(PROFILE)
    try:
        return read_training_profile(content)
    except ValueError as error:
        raise ModelError(f"{package.url}/{PROFILE}: {error}; pack the model again") from error


def _rename(reference: Reference, new_names: Mapping[str, str]) -> Reference:
    """Return what is known of scores by the names that the job gives them."""
    known = {}
    for (kind, name, measure), found in reference.known.items():
        new_name = new_names.get(name, name) if kind == "score" else name
        place: Place = (kind, new_name, measure)
        known[place] = found
    return replace(reference, known=known)
