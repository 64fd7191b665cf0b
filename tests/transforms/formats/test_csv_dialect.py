"""What a job may say of its CSV files: three characters that do not meet, and an encoding that there is."""

from typing import Any

import pytest

from configs.errors import JobError
from transforms.formats.csv import parse_dialect
from transforms.formats.csv_dialect import CsvDialect

USUAL: dict[str, Any] = {
    "delimiter": ",",
    "encoding": "utf-8",
    "null_values": (),
    "newlines_in_values": True,
    "max_expansion": None,
}


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"delimiter": ";", "decimal": ","},
        {"quote": None},
        {"delimiter": "\t", "quote": "'", "escape": "\\"},
        {"encoding": "latin-1", "null_values": ("-", "NA")},
    ],
    ids=str,
)
def test_what_is_said_is_what_is_read_by(said: dict[str, Any]) -> None:
    fields = USUAL | said
    assert parse_dialect(**fields) == CsvDialect(**fields)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"delimiter": '"'}, "must be three characters"),
        ({"delimiter": "'", "quote": "'"}, "must be three characters"),
        ({"escape": '"'}, "where a quote is escaped by another one, leave escape out"),
        ({"escape": ","}, "must be three characters"),
        ({"quote": None, "escape": "\\"}, "means nothing without source.csv.quote"),
        ({"delimiter": "\n"}, r"source\.csv\.delimiter must be an ASCII character"),
        ({"delimiter": "\0"}, "and no NUL, got"),
        ({"quote": "\u00ab"}, r"source\.csv\.quote must be an ASCII character"),
        ({"escape": "\r"}, r"source\.csv\.escape must be an ASCII character"),
        ({"null_values": ("-", "a\0")}, "null_values must hold no NUL"),
    ],
    ids=str,
)
def test_what_no_file_can_be_read_by_is_refused(said: dict[str, Any], told: str) -> None:
    with pytest.raises(JobError, match=told):
        parse_dialect(**USUAL | said)
