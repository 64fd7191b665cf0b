"""Which columns of files' contents a job's steps make: `load_file`."""

from typing import TypeAlias

from configs.errors import JobError
from configs.job import AnyJob
from model_zoo.steps.load_file import LoadFile
from storage import files
from storage.rooted import FileRoot
from transforms.formats.load import Load

Loads: TypeAlias = tuple[Load, ...]


def list_loads(job: AnyJob) -> Loads:
    """Return the columns of contents that the job's steps make.

    Raises:
        JobError: a root that cannot be a folder of files, or a source without a path column.
    """
    all_steps = job.preprocess.steps
    steps = [step for step in all_steps if isinstance(step, LoadFile)]
    source = job.source
    if steps and source.format == "files":
        content = source.files.content
        raise JobError(
            "preprocess.steps load_file: a source of files has their contents already, in the "
            f"column {content!r}; leave the step out"
        )
    loads = map(_make_load, steps)
    return tuple(loads)


def _make_load(step: LoadFile) -> Load:
    try:
        # Two file systems in one address, of which nobody knows what is a folder of which.
        if "::" in step.root:
            raise ValueError("a chain of addresses (::)")
        root = files.to_absolute(step.root)
        FileRoot(root)
    except (ImportError, ValueError) as error:
        raise JobError(
            f"preprocess.steps load_file: root {step.root}: {error}; name a folder on a disk or in "
            "a store, and install the extra for that kind of storage (s3, gcs)"
        ) from error
    return Load(step.into, root, step.max_bytes, step.column)
