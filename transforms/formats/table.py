"""The tables of formats: a new one is a file in this folder, and its line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from transforms.formats.csv import CsvFormat, parse_dialect
from transforms.formats.csv_output import CsvOutput
from transforms.formats.format import Format
from transforms.formats.output import OutputFormat
from transforms.formats.parquet import MAX_EXPANSION, ParquetFormat
from transforms.formats.parquet_output import ParquetOutput


@dataclass(frozen=True)
class InputOptions:
    """What a job says of its input files, beside their format.

    Attributes:
        csv: the section `source.csv`: delimiter, encoding, null_values, newlines_in_values.
        max_expansion: `source.max_expansion`; None for a format's own default.
    """

    csv: Mapping[str, Any]
    max_expansion: int | None = None


def _parquet(options: InputOptions) -> Format:
    return ParquetFormat(options.max_expansion or MAX_EXPANSION)


def _csv(options: InputOptions) -> Format:
    return CsvFormat(parse_dialect(**options.csv, max_expansion=options.max_expansion))


INPUT_FORMATS: dict[str, Callable[[InputOptions], Format]] = {
    "parquet": _parquet,
    "csv": _csv,
}
OUTPUT_FORMATS: dict[str, OutputFormat] = {
    "parquet": ParquetOutput(),
    "csv": CsvOutput(),
}
