"""A job's rows, all of them in memory: of its files, or of a data set that scikit-learn bundles."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from configs.csv_text import Csv
from configs.errors import InputError, JobError
from configs.suggest import nearest
from configs.training_data import Data, Split
from model_zoo.training.datasets import DATASETS
from pipelines.packing.sample.named_files import are_pictures
from pipelines.packing.sample.schemas import to_one_schema
from pipelines.packing.sample.tables import read_sample
from pipelines.training.picture_folders import read_picture_folders
from pipelines.training.source import Source
from transforms.formats.csv import parse_dialect

# As many as a 64-bit integer holds: training takes all rows that there are.
_ALL = 2**62


def read_source(data: Data, split: Split | None = None) -> Source:
    """Return the rows of a job.

    Args:
        data: where they are.
        split: which may name files of their own for a part.

    Raises:
        JobError: it names no rows, or a data set that there is not.
        InputError: files that cannot be read, or that differ in columns.
    """
    if data.dataset is not None:
        return _read_bundled(data.dataset)
    source = read_files(data, data.paths)
    if split is None:
        return source
    if not split.validation_paths and not split.test_paths:
        return source

    sources = [source]
    zeros = np.zeros(source.rows.num_rows, dtype=np.int64)
    numbers = [zeros]
    of_parts = (split.validation_paths, split.test_paths)
    for number, paths in enumerate(of_parts, start=1):
        if not paths:
            continue
        more = read_files(data, paths)
        sources.append(more)
        of_rows = np.full(more.rows.num_rows, number)
        numbers.append(of_rows)
    tables = [each.rows for each in sources]
    alike = to_one_schema(tables)
    rows = pa.concat_tables(alike).combine_chunks()
    notes: list[str] = []
    for each in sources:
        notes += each.notes
    part = np.concatenate(numbers)
    return Source(rows, source.name, tuple(notes), part)


def read_files(data: Data, paths: Sequence[str]) -> Source:
    """Return the rows of some files.

    Args:
        data: how they are read.
        paths: files, folders and globs.

    Raises:
        InputError: files that cannot be read.
    """
    name = ", ".join(paths)
    is_of_files = data.format == "files"
    # Where the job does not say it, endings tell it.
    if is_of_files or (data.format is None and are_pictures(paths)):
        table, notes = read_picture_folders(paths)
        return Source(table, name, notes)

    csv = data.csv or Csv()
    dialect = parse_dialect(**csv.model_dump(), max_expansion=None)
    try:
        sample = read_sample(paths, data.key, _ALL, dialect)
    except InputError as error:
        text = _in_words_of_training(str(error))
        raise InputError(text) from error
    return Source(sample.rows, name, sample.notes)


def _in_words_of_training(text: str) -> str:
    """Return what the reader of samples says, in words of a training job."""
    words = text.replace("sample", "data.paths", 1)
    # A sample must be written again, where training can be told.
    before, told, _ = words.partition("; write the sample with")
    if not told:
        return words
    return f"{before}; say data.csv.delimiter"


def _read_bundled(name: str) -> Source:
    if name not in DATASETS:
        hint = nearest(name, list(DATASETS))
        raise JobError(f"data.dataset: there is no data set {name!r}{hint}")
    load = DATASETS[name]
    return Source(load(), f"data set {name}")
