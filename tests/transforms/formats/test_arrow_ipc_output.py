"""Arrow IPC files that are written: read back by pyarrow and Polars, with dictionaries that grow."""

import io
from pathlib import Path

import pyarrow as pa
import pytest

from configs.errors import PublishError
from tests.transforms.formats.spans import make_rows, read_units, table_of
from transforms.formats.arrow_ipc import ArrowIpcFormat
from transforms.formats.arrow_ipc_output import ArrowIpcOutput
from transforms.formats.output import FileFormat

OUTPUT = ArrowIpcOutput()


def write(*tables: pa.Table) -> bytes:
    sink = io.BytesIO()
    look = FileFormat("arrow", tables[0].schema, (), (), 10)
    writer = OUTPUT.open_writer(pa.PythonFile(sink, mode="w"), look)
    for table in tables:
        writer.write_table(table)
    writer.close()
    return sink.getvalue()


def test_rows_come_back_with_their_types_and_are_counted(tmp_path: Path) -> None:
    rows = make_rows(50)
    content = write(rows.slice(0, 20), rows.slice(20))
    assert pa.ipc.open_file(content).read_all().equals(rows)
    assert OUTPUT.count_rows("u", io.BytesIO(content)) == 50
    assert OUTPUT.read_schema(io.BytesIO(content)) == rows.schema
    path = tmp_path / "a.arrow"
    path.write_bytes(content)
    assert table_of(read_units(path, ArrowIpcFormat())).equals(rows)
    polars = pytest.importorskip("polars")
    assert polars.read_ipc(path).to_dicts() == rows.to_pylist()


def test_a_file_without_rows_has_the_schema() -> None:
    content = write(make_rows(0))
    assert pa.ipc.open_file(content).read_all().equals(make_rows(0))
    assert OUTPUT.count_rows("u", io.BytesIO(content)) == 0


@pytest.mark.parametrize("values", [pa.string(), pa.large_string()], ids=str)
@pytest.mark.parametrize("index", [pa.int8(), pa.uint16(), pa.int32()], ids=str)
def test_dictionaries_of_several_tables_become_one_that_grows(
    index: pa.DataType, values: pa.DataType, tmp_path: Path
) -> None:
    dtype = pa.dictionary(index, values)
    columns = [["b", None, "a"], ["c", "a"], [None], ["d", "b", "e", "d"]]
    tables = []
    for texts in columns:
        plain = pa.array(texts, pa.string()).dictionary_encode()
        cast = pa.DictionaryArray.from_arrays(
            plain.indices.cast(index), plain.dictionary.cast(values)
        )
        tables.append(pa.table({"c": cast}))
    content = write(*tables)
    stored = pa.ipc.open_file(content).read_all()
    assert stored.schema.field("c").type == dtype
    assert stored["c"].to_pylist() == [text for texts in columns for text in texts]
    path = tmp_path / "a.arrow"
    path.write_bytes(content)
    assert table_of(read_units(path, ArrowIpcFormat()))["c"].to_pylist() == stored["c"].to_pylist()


def test_more_categories_than_an_index_counts_are_refused_with_what_to_do() -> None:
    dtype = pa.dictionary(pa.int8(), pa.string())
    tables = [
        pa.table(
            {
                "c": pa.array([f"{start + row}" for row in range(100)])
                .dictionary_encode()
                .cast(dtype)
            }
        )
        for start in (0, 100)
    ]
    with pytest.raises(
        PublishError, match=r"more categories than int8 counts; write --set source.types.c=string"
    ):
        write(*tables)


def test_what_cannot_grow_is_refused_by_name() -> None:
    numbers = pa.dictionary(pa.int32(), pa.int64())
    texts = pa.dictionary(pa.int32(), pa.string())
    for dtype in (numbers, pa.list_(texts), pa.struct([("a", texts)])):
        problem = OUTPUT.find_problem(pa.schema([("c", dtype)]), False)
        assert str(problem).startswith("sink.format arrow cannot hold column 'c'")
    assert OUTPUT.find_problem(pa.schema([("c", texts), ("b", pa.binary())]), False) is None
    assert "spreadsheets" in str(OUTPUT.find_problem(pa.schema([]), True))


def test_what_is_not_whole_is_not_counted() -> None:
    content = write(make_rows(50))
    for cut in (0, 20, len(content) - 1):
        with pytest.raises(PublishError, match="u: cannot be read back"):
            OUTPUT.count_rows("u", io.BytesIO(content[:cut]))
