"""The files of a sample, and which format they have."""

from collections.abc import Sequence

from configs.errors import InputError
from pipelines.planning.shards import list_shards
from storage import files
from storage.input_file import InputFile
from transforms.formats.csv_bytes import is_csv


def is_csv_sample(paths: Sequence[str]) -> bool:
    """Tell whether the files of a sample, or of a folder, are CSV."""
    return is_csv(list_sample_files(paths)[0].url)


def list_sample_files(paths: Sequence[str]) -> Sequence[InputFile]:
    """Return the files of a sample.

    Raises:
        InputError: a path that matches nothing.
    """
    absolute = [files.to_absolute(path) for path in paths]
    try:
        listed, _ = list_shards(absolute)
    except InputError as error:
        # The listing speaks of a job's field.
        raise InputError(str(error).replace("source.paths", "sample", 1)) from error
    return listed
