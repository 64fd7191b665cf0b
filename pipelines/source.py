"""What a job and a model's contract say of the input files, in the words of those that read them."""

from configs.errors import JobError
from configs.job import Job, Source
from model_zoo.card import ModelCard
from pipelines.arrow_types import parse_type
from pipelines.inputs import Column
from transforms.read_csv import CsvFormat


def column_names(job: Job, card: ModelCard) -> list[str]:
    """The columns to read: the contract's, key and pass-through, and others that the job gives a type."""
    return list(dict.fromkeys([*(c.name for c in card.columns), *job.source.carried, *job.source.types]))


def wanted_columns(job: Job, card: ModelCard) -> list[Column]:
    """Those columns with what a shard's type may be.

    Raises:
        JobError: a type that is missing, or not the contract's.
    """
    contract = {c.name: parse_type(c.type, f"model.yaml columns {c.name}") for c in card.columns}
    types = dict(contract)
    for name, text in job.source.types.items():
        declared = parse_type(text, f"source.types.{name}")
        if types.setdefault(name, declared) != declared:
            raise JobError(f"source.types.{name} is {declared}, but the model's contract says {types[name]}; leave it out")
    names = column_names(job, card)
    if job.source.format == "csv" and (untyped := [n for n in names if n not in types]):
        raise JobError(
            f"source.types must declare the CSV column {untyped[0]!r}, for example --set source.types.{untyped[0]}=int64"
        )
    return [Column(n, types.get(n), castable=n in contract, carried=n in job.source.carried) for n in names]


def csv_format(source: Source) -> CsvFormat:
    """What the job says of its files' content.

    Raises:
        JobError: a delimiter or an encoding that no file can be read with.
    """
    csv = source.csv
    if not csv.delimiter.isascii() or csv.delimiter in '\r\n"':
        raise JobError(
            f"source.csv.delimiter must be an ASCII character that no line ends with, and no quote, got {csv.delimiter!r}"
        )
    try:
        "".encode(csv.encoding)
    except (LookupError, UnicodeError) as error:
        raise JobError(
            f"source.csv.encoding {csv.encoding!r} is no encoding of text; write for example utf-16 or latin-1"
        ) from error
    return CsvFormat(csv.delimiter, csv.null_values, csv.encoding, source.max_expansion, csv.newlines_in_values)
