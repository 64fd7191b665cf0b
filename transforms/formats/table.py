"""The tables of formats: a new one is a file in this folder, and its line here."""

from importlib import import_module
from typing import Any

# By name, what makes the format: `module:attribute`. Imported only when it is asked for, so that
# whoever needs the names alone, to check a job, imports no format.
INPUT_FORMATS = {
    "parquet": "transforms.formats.parquet:make_parquet_format",
    "csv": "transforms.formats.csv:make_csv_format",
    "jsonl": "transforms.formats.json_lines:make_json_lines_format",
    "arrow": "transforms.formats.arrow_ipc:make_arrow_ipc_format",
    "orc": "transforms.formats.orc:make_orc_format",
    "avro": "transforms.formats.avro:make_avro_format",
    # The data files of a table with a log, whose log `transforms/lakes` reads.
    "delta": "transforms.formats.parquet:make_parquet_format",
    "iceberg": "transforms.formats.parquet:make_parquet_format",
    "files": "transforms.formats.files:make_files_format",
}
# A file of theirs without a byte has no rows; one of another format was not written to its end.
MAY_BE_EMPTY = ("jsonl",)
OUTPUT_FORMATS = {
    "parquet": "transforms.formats.parquet_output:ParquetOutput",
    "csv": "transforms.formats.csv_output:CsvOutput",
    "jsonl": "transforms.formats.json_lines_output:JsonLinesOutput",
    "arrow": "transforms.formats.arrow_ipc_output:ArrowIpcOutput",
}


def import_maker(place: str) -> Any:
    """Import what makes a format from its place in a table, `module:attribute`."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
