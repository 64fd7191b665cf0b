"""Files of any format, read as a run reads them: looked into, cut into units, and each unit read."""

from pathlib import Path

import pyarrow as pa

from storage import inputs
from storage.input_file import InputFile
from transforms.batches import RawBatch, RowRecord
from transforms.formats.column import Column
from transforms.formats.format import Format, make_unit
from transforms.read_unit import read_unit


def describe(path: Path) -> InputFile:
    version = inputs.read_version(str(path))
    assert version is not None
    return InputFile(str(path), path.stat().st_size, version)


def read_units(
    path: Path,
    format: Format,
    schema: pa.Schema | None = None,
    rows_per_unit: int = 1_000,
    rows_per_batch: int = 300,
) -> list[list[RawBatch]]:
    """The batches of each unit; of all columns as the file has them where no schema is said."""
    wanted = [] if schema is None else [Column(field.name, field.type) for field in schema]
    shard, found = format.inspect(describe(path), wanted)
    schema = found if schema is None else schema
    units = []
    next_row = 0
    for number, piece in enumerate(format.split(shard, rows_per_unit)):
        unit = make_unit(number, shard, piece)
        assert piece.first_row == next_row
        batches = list(read_unit(unit, schema, format, rows_per_batch, RowRecord()))
        assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
        assert all(batch.rows_in <= rows_per_batch for batch in batches)
        for batch in batches:
            assert batch.id.first_row == next_row
            next_row += batch.rows_in
        units.append(batches)
    assert next_row == shard.rows
    return units


def table_of(units: list[list[RawBatch]]) -> pa.Table:
    return pa.Table.from_batches([batch.rows for batches in units for batch in batches])


def rejected_of(units: list[list[RawBatch]]) -> dict[int, str]:
    return {
        record["row"]: record["message"]
        for batches in units
        for batch in batches
        for rejected in batch.rejected
        for record in rejected.rows.to_pylist()
    }


def make_rows(count: int = 5_000) -> pa.Table:
    texts = [None if row % 5 == 0 else f"text {row % 7}\u00e9" for row in range(count)]
    return pa.table(
        {
            "id": pa.array(range(count), pa.int64()),
            "x": pa.array([None if row % 11 == 0 else row / 7 for row in range(count)]),
            "s": texts,
            "l": pa.array([[row, None] for row in range(count)], pa.list_(pa.int32())),
            "at": pa.array(range(count), pa.timestamp("us")),
            "m": pa.array(range(count), pa.int64()).cast(pa.decimal128(21, 2)),
        }
    )
