"""Where a run's files go, and where its input and model are: paths and URLs as every process understands them."""

from configs.errors import InputError, JobError, Refusal
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.overlap import refuse_overlap
from storage import files


def find_output(job: ScoringJob) -> str:
    """Return the URL of the output folder.

    Raises:
        JobError: nothing can be published there.
    """
    if not files.can_publish_to(job.sink.path):
        raise JobError(
            f"sink.path {job.sink.path}: must be on a local disk, s3:// or gs://, "
            "where a file can be created only if there is none: publishing rests on that"
        )
    return to_absolute(job.sink.path, "sink.path", JobError)


def find_output_apart(job: ScoringJob) -> str:
    """Return the URL of the output folder, which no input leads to.

    Raises:
        JobError, InputError: nothing can be published there, or an input leads there.
    """
    output_url = find_output(job)
    paths = [to_absolute(path, "source.paths", InputError) for path in job.source.paths]
    refuse_overlap(paths, output_url)
    return output_url


def to_absolute(url: str, what: str, refusal: type[Refusal]) -> str:
    """Return a path or URL of a job as any process may open it.

    Args:
        url: as the job says it.
        what: the field of the job, for messages.
        refusal: what an address that is none is refused with.
    """
    try:
        return files.to_absolute(url)
    except (ImportError, ValueError) as error:
        raise refusal(
            f"{what} {url}: {error}; install the extra for this kind of storage (s3, gcs)"
        ) from error
