"""A sample's rows: those that scoring reads of the same files, in the types that their values have."""

from decimal import Decimal
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from pipelines.packing.sample.paths import is_csv_sample
from pipelines.packing.sample.schemas import to_one_schema
from pipelines.packing.sample.tables import read_sample
from tests.support.jobs import run_job
from tests.support.packaging import ROWS, Author, numbers

EVERY_TYPE = """\
whole,half,member,city,born,none
1,0.5,true,Bonn,2001-02-03,
-7,,false,"",2001-02-04,
,1e300,true,"a, ""b""\nc",,
"""


def write(path: Path, text: str | bytes) -> str:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def test_types_are_those_that_arrow_finds(tmp_path: Path) -> None:
    path = write(tmp_path / "sample.csv", EVERY_TYPE)
    found = read_sample([path]).rows
    options = pacsv.ConvertOptions(
        strings_can_be_null=True, null_values=[""], quoted_strings_can_be_null=False
    )
    parse = pacsv.ParseOptions(newlines_in_values=True)
    assert found.equals(pacsv.read_csv(path, convert_options=options, parse_options=parse))
    assert found["city"].to_pylist() == ["Bonn", "", 'a, "b"\nc']


def test_a_number_that_floats_would_round_stays_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "sample.csv", f"id,a\n{2**64 - 1},1\n3,0x1F\n")
    assert read_sample([path]).rows.to_pylist() == [
        {"id": 2**64 - 1, "a": "1"},
        {"id": 3, "a": "0x1F"},
    ]


def test_files_that_differ_by_a_fraction_are_one_sample(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a\n1\n2\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"a\n2.5\n"))
    pq.write_table(pa.table({"a": [9.0]}), tmp_path / "c.parquet")
    assert sorted(read_sample([str(tmp_path)]).rows["a"].to_pylist()) == [1.0, 2.0, 2.5, 9.0]
    assert is_csv_sample([str(tmp_path)])


def test_malformed_rows_are_left_out_and_told(tmp_path: Path) -> None:
    path = write(tmp_path / "sample.csv", 'a,b\n1,2\n3\n4,5,6\n"7"x,8\n9,10\n')
    sample = read_sample([path])
    assert sample.rows.to_pylist() == [{"a": 1, "b": 2}, {"a": 9, "b": 10}]
    (note,) = sample.notes
    assert note.startswith("3 rows of ")
    assert note.endswith("row 1: row has 1 fields, the header has 2")


def test_rows_behind_the_last_one_count_for_nothing(tmp_path: Path) -> None:
    lines = "".join(f"{row},1\n" for row in range(10_000))
    path = write(tmp_path / "sample.csv", f"a,b\n{lines}no row\n11,2\n")
    sample = read_sample([path])
    assert sample.rows.num_rows == 10_000
    assert sample.notes == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a;b\n1;2\n", "separated by ';'"),
        ("a,b,a\n1,2,3\n", "several columns called 'a'"),
        ("", "has 0 bytes"),
        ("a,b\n", "has no rows"),
        ('a,b\n"1,2\n', "a quote opens a field and does not close it"),
    ],
)
def test_what_is_no_sample_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_sample([write(tmp_path / "sample.csv", text)])
    assert "\n" not in str(caught.value)


def test_scoring_rejects_the_rows_that_packaging_left_out(author: Author, tmp_path: Path) -> None:
    """A folder of CSV files, whose job reads CSV too."""
    folder = tmp_path / "rows"
    folder.mkdir()
    text = pd.DataFrame(numbers()).to_csv(index=False, lineterminator="\n").splitlines()
    text.insert(3, "1,2")
    text.insert(9, "1,2,3,4,5,6")
    write(folder / "sample.csv", "\n".join(text))
    packaged = author.package(
        network=f"{author.module.__name__}:Net",
        weights=author.save(author.module.Net()),
        sample=str(folder),
        key="id",
        activation="none",
    )
    assert packaged.status == 0, packaged.error
    assert "sample     2 rows of " in packaged.said
    outcome = run_job(Path(packaged.said.splitlines()[-1]))
    assert [record["row"] for record in outcome.rejected()] == [2, 8]
    assert outcome.scored().num_rows == ROWS
    assert np.isfinite(outcome.scored()["output"].to_numpy()).all()


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["007", "7"], ["007", "7"]),
        (["+7", "8"], ["+7", "8"]),
        (["1.50", "2.5"], ["1.50", "2.5"]),
        (["7", "8"], [7, 8]),
        (["1.5", "2.5"], [1.5, 2.5]),
    ],
)
def test_a_key_is_a_number_where_that_is_written_alike(
    keys: list[str], expected: list[Any], tmp_path: Path
) -> None:
    file = tmp_path / "sample.csv"
    file.write_text("id,zip\n" + "".join(f"{key},01234\n" for key in keys))
    rows = read_sample([str(file)], "id").rows
    # A column of the model stays what it was trained on: libraries read numbers, too.
    assert rows.to_pydict() == {"id": expected, "zip": [1234] * len(keys)}


def test_decimals_of_files_with_other_digits_have_all_of_them() -> None:
    """pandas gives each file the digits of its largest value."""
    amounts = ["99.99", "100.5", "7.125"]
    types = [pa.decimal128(4, 2), pa.decimal128(4, 1), pa.decimal128(4, 3)]
    tables = [
        pa.table({"paid": pa.array([amount]).cast(dtype)})
        for amount, dtype in zip(amounts, types, strict=True)
    ]
    paid = pa.concat_tables(to_one_schema(tables)).column("paid")
    assert paid.type == pa.decimal128(6, 3)
    assert paid.to_pylist() == [Decimal(amount) for amount in amounts]


def test_a_row_of_parquet_whose_text_is_not_utf8_is_left_out_and_told(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    words = pa.array([b"a", b"caf\xe9", b"c", b"\xff"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"n": range(4), "t": words}), path)
    sample = read_sample([path])
    assert sample.rows.to_pylist() == [{"n": 0, "t": "a"}, {"n": 2, "t": "c"}]
    assert sample.notes == (
        f"2 rows of {path} are left out as a job rejects them: row 1: "
        "column 't': a text that is not UTF-8",
    )
