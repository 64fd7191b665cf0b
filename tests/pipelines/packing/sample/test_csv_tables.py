"""Which rows of a CSV sample are read, of which types its columns are, and what its key is."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from configs.errors import InputError
from pipelines.packing.sample.csv_tables import convert_sample, read_fields


def write(folder: Path, text: str) -> str:
    file = folder / "a.csv"
    file.write_text(text)
    return str(file)


@pytest.mark.parametrize("most_rows", [1, 2, 3, 4])
def test_no_more_rows_are_read_than_are_wanted(most_rows: int, tmp_path: Path) -> None:
    url = write(tmp_path, "a,b\n1,x\n2,y\n3,z\n")
    found = read_fields(url, most_rows)
    assert found.fields.column("a").to_pylist() == [b"1", b"2", b"3"][:most_rows]
    assert found.broken == {}


@pytest.mark.parametrize(("most_rows", "broken"), [(1, []), (2, [1]), (3, [1, 3]), (9, [1, 3])])
def test_broken_rows_are_those_among_the_first(
    most_rows: int, broken: list[int], tmp_path: Path
) -> None:
    url = write(tmp_path, "a,b\n1,x\nbroken\n2,y\nbroken\n3,z\n")
    assert list(read_fields(url, most_rows).broken) == broken


def test_a_file_without_rows_has_its_columns(tmp_path: Path) -> None:
    found = read_fields(write(tmp_path, "a,b\n"), 5)
    assert found.fields.schema == pa.schema([("a", pa.binary()), ("b", pa.binary())])
    assert found.fields.num_rows == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b,a,b\n1,2,3,4\n", "several columns called 'a', 'b'"),
        ("a;b\n1;2\n", "separated by ';'"),
        ("a\tb\n", r"separated by '\\t'"),
        ("a|b\n", r"separated by '\|'"),
    ],
)
def test_a_header_that_is_none_is_refused(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        read_fields(write(tmp_path, text), 5)


@pytest.mark.parametrize("text", ["a\n1\n", "a;b,c\n1,2\n"])
def test_a_header_of_one_column_or_of_several_is_taken(text: str, tmp_path: Path) -> None:
    assert read_fields(write(tmp_path, text), 5).fields.num_rows == 1


TYPES: list[tuple[list[bytes | None], str, list[Any], pa.DataType]] = [
    ([b"1", None], ".", [1, None], pa.int64()),
    ([b"18446744073709551615"], ".", [2**64 - 1], pa.uint64()),
    ([b"1.5", b"2"], ".", [1.5, 2.0], pa.float64()),
    ([b"true"], ".", [True], pa.bool_()),
    ([b"a", b"1"], ".", ["a", "1"], pa.string()),
    ([b"\xff"], ".", [b"\xff"], pa.binary()),
    ([None, None], ".", [None, None], pa.null()),
    # With another mark a point makes a text.
    ([b"1,5", b"2"], ",", [1.5, 2.0], pa.float64()),
    ([b"1.5"], ",", ["1.5"], pa.string()),
    ([b"7"], ",", [7], pa.int64()),
    ([b"a"], ",", ["a"], pa.string()),
]


@pytest.mark.parametrize(("fields", "decimal", "values", "dtype"), TYPES)
def test_a_column_is_of_the_narrowest_type_that_fits(
    fields: list[bytes | None], decimal: str, values: list[Any], dtype: pa.DataType
) -> None:
    table = convert_sample(pa.table({"x": pa.array(fields, pa.binary())}), "id", decimal)
    assert table.schema.field("x").type == dtype
    assert table.column("x").to_pylist() == values


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ([b"7", b"8"], [7, 8]),
        ([b"007", b"8"], ["007", "8"]),
        ([b"1.50", b"2"], ["1.50", "2"]),
        ([b"a", b"007"], ["a", "007"]),
        ([b"true"], [True]),
    ],
)
def test_a_key_is_kept_to_the_letter(written: list[bytes], key: list[Any]) -> None:
    columns = {"id": pa.array(written, pa.binary()), "x": pa.array(written, pa.binary())}
    table = convert_sample(pa.table(columns), "id")
    assert table.column("id").to_pylist() == key
    as_number = convert_sample(pa.table(columns), None)
    assert as_number.column("id").to_pylist() == table.column("x").to_pylist()
