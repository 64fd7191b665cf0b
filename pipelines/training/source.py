"""A job's rows, all of them in memory: of its files, or of a data set that scikit-learn bundles."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from configs.errors import InputError, JobError
from configs.job import Csv
from configs.suggest import nearest
from configs.training_data import Data
from model_zoo.training.datasets import DATASETS
from pipelines.packing.sample.tables import read_sample
from transforms.formats.csv import parse_dialect

# As many as a 64-bit integer holds: training takes all rows that there are.
_ALL = 2**62


@dataclass(frozen=True)
class Source:
    """Rows that a network may be trained on.

    Attributes:
        rows: all columns.
        name: where they are from, in words.
        notes: what was left out, in words.
    """

    rows: pa.Table
    name: str
    notes: tuple[str, ...] = ()


def read_source(data: Data) -> Source:
    """Return the rows of a job.

    Raises:
        JobError: it names no rows, or a data set that there is not.
        InputError: files that cannot be read.
    """
    if data.dataset is not None:
        return _read_bundled(data.dataset)
    return read_files(data, data.paths)


def read_files(data: Data, paths: Sequence[str]) -> Source:
    """Return the rows of some files.

    Args:
        data: how they are read.
        paths: files, folders and globs.

    Raises:
        InputError: files that cannot be read.
    """
    csv = data.csv or Csv()
    dialect = parse_dialect(**csv.model_dump(), max_expansion=None)
    try:
        sample = read_sample(paths, data.key, _ALL, dialect)
    except InputError as error:
        raise InputError(_in_words_of_training(str(error))) from error
    name = ", ".join(paths)
    return Source(sample.rows, name, sample.notes)


def _in_words_of_training(text: str) -> str:
    """Return what the reader of samples says, in words of a training job."""
    words = text.replace("sample", "data.paths", 1)
    # A sample must be written again, where training can be told.
    before, told, _ = words.partition("; write the sample with")
    return f"{before}; say data.csv.delimiter" if told else words


def _read_bundled(name: str) -> Source:
    if name not in DATASETS:
        hint = nearest(name, list(DATASETS))
        raise JobError(f"data.dataset: there is no data set {name!r}{hint}")
    return Source(DATASETS[name](), f"data set {name}")
