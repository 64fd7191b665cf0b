"""Arrow IPC as other libraries write it, in spans; broken and hostile files are refused in one line."""

from contextlib import suppress
import io
from pathlib import Path
import random

import pyarrow as pa
from pyarrow import feather
import pytest

from configs.errors import InputError
from storage.input_file import InputFile
from tests.transforms.formats.spans import (
    describe,
    make_rows,
    read_units,
    rejected_of,
    table_of,
)
from transforms.batches import RowRecord
from transforms.formats import arrow_ipc
from transforms.formats.arrow_ipc import ArrowIpcFormat, make_arrow_ipc_format
from transforms.formats.column import Column
from transforms.formats.format import InputOptions, make_unit

ROWS = make_rows()
IPC = ArrowIpcFormat()


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_a_feather_file_is_read_by_its_record_batches(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.feather"
    feather.write_feather(ROWS, path, compression=compression, chunksize=700)
    units = read_units(path, IPC, rows_per_unit=1_500)
    assert [sum(batch.rows_in for batch in unit) for unit in units] == [1_400] * 3 + [800]
    assert table_of(units).equals(ROWS)


def test_a_stream_is_read_and_refused_where_nobody_ended_it(tmp_path: Path) -> None:
    path = tmp_path / "a.arrows"
    with pa.ipc.new_stream(path, ROWS.schema) as writer:
        writer.write_table(ROWS, max_chunksize=900)
    assert table_of(read_units(path, IPC)).equals(ROWS)
    whole = path.read_bytes()
    for cut in (9, 1_000, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError):
            read_units(path, IPC)


def test_dictionaries_that_grow_or_are_replaced_hold_from_where_they_stand(tmp_path: Path) -> None:
    dtype = pa.dictionary(pa.int8(), pa.string())
    columns = [["a", "b"], ["b", "c"], ["x"], ["a", "b", "c", "d"], ["a", "d", None]]
    batches = [
        pa.record_batch({"c": pa.array(values).dictionary_encode().cast(dtype)})
        for values in columns
    ]
    expected = [value for values in columns for value in values]
    path = tmp_path / "a.arrows"
    for deltas in (False, True):
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)
        with pa.ipc.new_stream(path, batches[0].schema, options=options) as writer:
            for batch in batches:
                writer.write_batch(batch)
        units = read_units(path, IPC, rows_per_unit=1)
        assert len(units) == len(columns)
        read = [value for unit in units for batch in unit for value in batch.rows["c"].to_pylist()]
        assert read == expected
        assert units[0][0].rows.schema == batches[0].schema


def test_as_polars_and_duckdb_know_it(tmp_path: Path) -> None:
    """Polars writes no schema before the rows of a file, but in its footer alone."""
    polars = pytest.importorskip("polars")
    frame = polars.from_arrow(ROWS)
    path = tmp_path / "a.arrow"
    for compression in ("uncompressed", "zstd", "lz4"):
        frame.write_ipc(path, compression=compression)
        assert table_of(read_units(path, IPC)).to_pydict() == ROWS.to_pydict()
    frame.write_ipc_stream(path)
    assert table_of(read_units(path, IPC)).to_pydict() == ROWS.to_pydict()


def test_columns_are_chosen_and_cast_and_a_value_that_does_not_fit_costs_its_row(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.arrow"
    rows = pa.table({"l": [[1.0, 2.0], [3.0], None], "x": [1.0, 1e300, -1.0], "id": [1, 2, 3]})
    feather.write_feather(rows, path)
    wanted = pa.schema([("x", pa.float32()), ("l", pa.list_(pa.float32(), 2)), ("id", pa.int64())])
    columns = [Column(field.name, field.type, castable=True) for field in wanted]
    shard, _ = IPC.inspect(describe(path), columns)
    (piece,) = IPC.split(shard, 10)
    (batch,) = IPC.read(make_unit(0, shard, piece), wanted, 10, RowRecord())
    assert batch.rows.to_pylist() == [{"x": 1.0, "l": [1.0, 2.0], "id": 1}]
    assert sorted(rejected_of([[batch]])) == [1, 2]
    with pytest.raises(InputError, match=r"has no column 'idd'; did you mean id\?"):
        IPC.inspect(describe(path), [Column("idd", None)])


def test_a_missing_list_of_a_fixed_size_costs_its_row(tmp_path: Path) -> None:
    """Arrow IPC holds one, and Parquet, into which rows are copied, does not."""
    path = tmp_path / "a.arrow"
    pairs = pa.array([[1, 2], None, [3, None]], pa.list_(pa.int64(), 2))
    feather.write_feather(pa.table({"id": [1, 2, 3], "pair": pairs}), path)
    units = read_units(path, IPC)
    assert table_of(units).to_pydict() == {"id": [1, 3], "pair": [[1, 2], [3, None]]}
    assert sorted(rejected_of(units)) == [1]


def test_a_category_that_is_missing_is_a_missing_value(tmp_path: Path) -> None:
    """R writes factors so; no value would count as missing, and Parquet has no place for it."""
    path = tmp_path / "a.arrow"
    levels = pa.array(["x", None])
    factor = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0], pa.int8()), levels)
    lists = pa.ListArray.from_arrays(range(5), factor)
    feather.write_feather(pa.table({"f": factor, "l": lists}), path, compression="uncompressed")
    ((batch,),) = read_units(path, IPC)
    assert batch.rows.schema.types == [factor.type, lists.type]
    assert batch.rows["f"].null_count == 2
    assert batch.rows["f"].dictionary.to_pylist() == ["x"]
    assert batch.rows["l"].to_pylist() == [["x"], [None], [None], ["x"]]
    assert batch.rows["l"].flatten().null_count == 2


def test_a_file_without_rows_is_one_batch_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    for rows in (ROWS.slice(0, 0), pa.Table.from_batches([], ROWS.schema)):
        feather.write_feather(rows, path)
        ((batch,),) = read_units(path, IPC)
        assert batch.rows.schema == ROWS.schema
        assert not len(batch)


def test_an_empty_record_batch_among_others_is_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    with pa.ipc.new_file(path, ROWS.schema) as writer:
        for start, count in [(0, 0), (0, 10), (10, 0), (10, 20), (30, 0)]:
            writer.write_table(ROWS.slice(start, count))
            if not count:
                writer.write_batch(pa.RecordBatch.from_pylist([], ROWS.schema))
    for rows_per_unit in (1, 10, 100):
        units = read_units(path, IPC, rows_per_unit=rows_per_unit)
        assert table_of(units).equals(ROWS.slice(0, 30))


def test_what_says_that_it_holds_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    zeros = pa.table({"x": pa.array([0] * 100_000, pa.int64())})
    feather.write_feather(zeros, path, compression="zstd", chunksize=100_000)
    content = bytearray(path.read_bytes())
    size = (800_000).to_bytes(8, "little")
    place = content.index(size + b"\x28\xb5\x2f\xfd")
    content[place : place + 8] = (1 << 40).to_bytes(8, "little")
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=r"may be a bomb; if it is not, raise source.max_expansion"
    ):
        IPC.inspect(describe(path), [])


def test_a_record_batch_that_is_too_large_to_be_read_whole_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.arrow"
    numbers = pa.table({"x": pa.array(range(1_000), pa.int64())})
    feather.write_feather(numbers, path, compression="uncompressed", chunksize=500)
    monkeypatch.setattr(arrow_ipc, "_MOST_MESSAGE_BYTES", 4_100)
    IPC.inspect(describe(path), [])
    feather.write_feather(numbers, path, compression="uncompressed", chunksize=1_000)
    with pytest.raises(
        InputError, match=r"holds 8,000 bytes, and each is read whole.*100,000 rows"
    ):
        IPC.inspect(describe(path), [])


@pytest.mark.parametrize(
    "content",
    [
        b"ARROW1",
        b"ARROW1\0\0",
        b"ARROW1\0\0" + b"\xff" * 40 + b"ARROW1",
        b"\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\xff\xff\xff\xff\x08\0\0\0" + b"\xff" * 8,
        b"FEA1....",
        b"PAR1....PAR1",
        b"id,x\n1,2\n",
    ],
)
def test_what_is_no_arrow_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.arrow"
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        IPC.inspect(describe(path), [])
    assert "\n" not in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_a_file_with_wrong_bytes_is_read_or_refused_and_ends_nothing(
    tmp_path: Path, kind: str
) -> None:
    dice = random.Random(7)  # noqa: S311 - no secret
    path = tmp_path / "a.arrow"
    rows = ROWS.slice(0, 40).append_column("c", ROWS["s"].slice(0, 40).dictionary_encode())
    make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with make(path, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=20)
    whole = path.read_bytes()
    refusals = []
    for _ in range(400):
        content = bytearray(whole)
        for _ in range(dice.randint(1, 3)):
            content[dice.randrange(len(content))] = dice.choice([0, 1, 127, 128, 255])
        path.write_bytes(content)
        try:
            read_units(path, IPC)
        except InputError as error:
            refusals.append(str(error))
    assert 20 < len(refusals) < 400
    assert not any("\n" in refusal for refusal in refusals)


@pytest.mark.parametrize(("max_expansion", "times"), [(None, 1_000), (7, 7)])
def test_a_bomb_is_what_comes_to_more_than_so_many_times_its_size(
    tmp_path: Path, max_expansion: int | None, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = pa.table({"n": pa.array(range(7_000), pa.int64())})
    url = str(tmp_path / "a.arrow")
    with pa.OSFile(url, "wb") as sink, pa.ipc.new_file(sink, numbers.schema) as writer:
        writer.write_table(numbers)
    ipc = make_arrow_ipc_format(InputOptions({}, max_expansion=max_expansion))
    monkeypatch.setattr(arrow_ipc, "_BOMB_BYTES", 0)
    # Of 56,000 bytes, decoded.
    ipc.inspect(InputFile(url, 56_000 // times, "v"), [])
    with pytest.raises(InputError, match="so it may be a bomb"):
        ipc.inspect(InputFile(url, 56_000 // times - 1, "v"), [])
    monkeypatch.setattr(arrow_ipc, "_BOMB_BYTES", 56_000)
    ipc.inspect(InputFile(url, 0, "v"), [])


def test_a_type_that_python_has_no_class_for_is_refused_in_one_line(tmp_path: Path) -> None:
    file = io.BytesIO()
    intervals = pa.array([(1, 2, 3)] * 4, pa.month_day_nano_interval())
    with pa.ipc.new_stream(file, pa.schema([("v", intervals.type)])) as sink:
        sink.write_table(pa.table({"v": intervals}))
    written = file.getvalue()
    path = tmp_path / "a.arrow"
    # The unit of an interval is a number in the schema; of months alone nobody reads any.
    for place in range(200):
        path.write_bytes(written[:place] + b"\0" + written[place + 1 :])
        with suppress(InputError):
            _, schema = IPC.inspect(describe(path), [])
            if list(map(str, schema.types)) == ["month_interval"]:
                break
    with pytest.raises(InputError, match=r"a\.arrow: cannot be read, from row 0 on: KeyError"):
        read_units(path, IPC)
