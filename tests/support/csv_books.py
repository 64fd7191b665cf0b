"""The books of CSV files as the product reads them: by its number, each row or why it is rejected."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from pipelines.planning.shards import cut_into_units
from storage.input_file import InputFile
from tests.support.builders import unit_of
from transforms.batches import RowRecord, WorkUnit
from transforms.formats import csv_split
from transforms.formats.csv import CsvFormat
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.format import Shard
from transforms.read_unit import read_unit

_ROWS_PER_BATCH = 3
# A row's fields, or the message of its rejection.
Entry: TypeAlias = list[bytes | None] | str


def read_entries(
    units: Sequence[WorkUnit], names: Sequence[str], dialect: CsvDialect
) -> list[Entry]:
    """Return what becomes of each row of some units, in the order of their numbers.

    Args:
        units: of one file.
        names: its columns, all of bytes.
        dialect: what its text means.

    Raises:
        InputError: the file is refused.
    """
    schema = pa.schema([(name, pa.binary()) for name in names])
    found: dict[int, Entry] = {}
    for unit in units:
        for batch in read_unit(unit, schema, CsvFormat(dialect), _ROWS_PER_BATCH, RowRecord(None)):
            here: list[tuple[int, Entry]] = []
            for rejected in batch.rejected:
                here += [(row["row"], row["message"]) for row in rejected.rows.to_pylist()]
            rows = [list(row.values()) for row in batch.rows.to_pylist()]
            here += zip(batch.row_numbers.tolist(), rows, strict=True)
            for number, entry in here:
                assert number not in found
                found[number] = entry
    assert sorted(found) == list(range(len(found)))
    return [found[number] for number in range(len(found))]


def cut_file(path: Path, names: Sequence[str], dialect: CsvDialect) -> tuple[WorkUnit, ...]:
    """Return the units of a file that is cut where its dialect lets it be."""
    file = InputFile(str(path), path.stat().st_size, unit_of(path, None).version)
    pieces = csv_split.split_csv(file, names, dialect)
    return cut_into_units([Shard(file, None, pieces)], CsvFormat(dialect), 1_000)
