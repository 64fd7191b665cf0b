from dataclasses import asdict
from pathlib import Path
import time
from typing import Any
import uuid

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import PublishError
from storage import files
from storage.run_folder import RunFolder
from tests.support.builders import make_unit, planned_run, scored_batch
from tests.transforms.written_units import (
    SCHEMA,
    file_format,
    rejected_rows,
    stored,
    whole_unit,
    write_units,
)
from transforms.formats.output import FileFormat
from transforms.output import part_writer, sorted_rows
from transforms.output.done_record import (
    is_done,
    read_done_record,
    remove_torn_records,
)
from transforms.output.manifest import describe_schema
from transforms.output.part_file import count_rows
from transforms.timing import STAGES


def test_a_unit_becomes_one_file_and_a_done_record(run: RunFolder) -> None:
    unit = make_unit(7, 30)
    (part,) = write_units(run, whole_unit(unit, [10, 15, 5]))
    (table,) = stored(run, part)
    assert table["id"].to_pylist() == list(range(30))
    assert (
        part.unit,
        part.first_row,
        part.rows_in,
        part.rows_scored,
        part.rows_filtered,
        part.rows_rejected,
    ) == (
        7,
        0,
        30,
        30,
        0,
        0,
    )
    assert part.last
    assert part.rejected == ()
    assert read_done_record(run, 7) == part
    assert read_done_record(run, 7).placement == "cpu float32"  # type: ignore[union-attr]
    assert files.list_names(run.attempts) == [part.scored[0].path]


def test_files_carry_the_schema_and_the_models_name(run: RunFolder) -> None:
    (part,) = write_units(run, whole_unit(make_unit(), [3]))
    (table,) = stored(run, part)
    assert table.schema.equals(SCHEMA)
    assert table.schema.metadata[b"model.name"] == b"m"


@settings(deadline=None, max_examples=25)
@given(sizes=st.lists(st.integers(0, 12), min_size=1, max_size=6), rows_per_file=st.integers(1, 15))
def test_files_hold_at_most_rows_per_file_and_all_rows_in_order(
    sizes: list[int], rows_per_file: int
) -> None:
    run = RunFolder(f"memory:///{uuid.uuid4().hex}", "run1")
    (part,) = write_units(
        run, whole_unit(make_unit(rows=sum(sizes)), sizes), file_format(rows_per_file=rows_per_file)
    )
    tables = stored(run, part)
    total = sum(sizes)
    assert [t.num_rows for t in tables] == [rows_per_file] * (total // rows_per_file) + [
        total % rows_per_file
    ] * (total % rows_per_file > 0 or total == 0)
    assert [i for t in tables for i in t["id"].to_pylist()] == list(range(total))
    assert part.rows_scored == total


def test_many_rows_make_several_row_groups(tmp_path: Path) -> None:
    run, unit, size = planned_run(str(tmp_path), []), make_unit(), 50_000
    columns = [
        {"id": np.arange(i * size, (i + 1) * size), "p": np.zeros(size, dtype=np.float32)}
        for i in range(6)
    ]
    batches = [
        scored_batch(unit, i * size, [], columns=c, last=i == 5) for i, c in enumerate(columns)
    ]
    (part,) = write_units(run, batches, file_format(rows_per_file=10**6))
    assert pq.read_metadata(f"{run.attempts}/{part.scored[0].path}").num_row_groups == 2
    assert stored(run, part)[0]["id"].to_pylist() == list(range(300_000))


def test_large_rows_make_row_groups_of_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row has 12 bytes, and a row group is written once it has 300."""
    monkeypatch.setattr(part_writer, "_ROW_GROUP_BYTES", 300)
    run, unit = planned_run(str(tmp_path), []), make_unit()
    batches = whole_unit(unit, [10] * 7)
    (part,) = write_units(run, batches, file_format())
    footer = pq.read_metadata(f"{run.attempts}/{part.scored[0].path}")
    groups = [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]
    assert groups == [30, 30, 10]
    assert stored(run, part)[0]["id"].to_pylist() == list(range(70))


@pytest.mark.parametrize(
    ("sort_by", "order"),
    [
        ((("p", "descending"),), "p desc, row"),
        ((("s", "ascending"), ("p", "descending")), "s nulls last, p desc, row"),
    ],
)
def test_sort_by_is_a_stable_sort_inside_each_file(
    run: RunFolder, sort_by: Any, order: str
) -> None:
    random = np.random.default_rng(2)
    rows = pa.table(
        {
            "row": np.arange(90),
            "p": random.integers(0, 6, 90),
            "s": [None if i % 7 == 0 else "xyz"[i % 3] for i in random.integers(0, 99, 90)],
        }
    )
    batches = [
        scored_batch(
            make_unit(),
            i,
            [],
            columns={n: rows[n].combine_chunks().slice(i, 30) for n in rows.column_names},
            last=i == 60,
        )
        for i in (0, 30, 60)
    ]
    how = FileFormat("parquet", rows.schema, ("s",), sort_by, 40)
    (part,) = write_units(run, batches, how)
    for number, table in enumerate(stored(run, part)):
        expected = duckdb.sql(
            f"select row from rows where row >= {40 * number} and row < {40 * number + 40} order by {order}"
        ).fetchnumpy()
        assert table["row"].to_pylist() == expected["row"].tolist()


def test_rows_that_were_put_aside_are_sorted_in_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 900 rows in two files, 12 bytes each, 100 are sorted at a time, and 200 or more are a row group."""
    monkeypatch.setattr(sorted_rows, "_RUN_BYTES", 1_200)
    monkeypatch.setattr(sorted_rows, "_BLOCK_BYTES", 120)
    monkeypatch.setattr(sorted_rows, "_LOADED_BYTES", 1_200)
    monkeypatch.setattr(part_writer, "_ROW_GROUP_BYTES", 2_400)
    run = planned_run(str(tmp_path), [])
    ids = np.random.default_rng(0).permutation(900)
    columns = [{"id": part, "p": (part % 7).astype(np.float32)} for part in np.split(ids, 30)]
    batches = [
        scored_batch(make_unit(), i * 30, [], columns=c, last=i == 29)
        for i, c in enumerate(columns)
    ]
    how = file_format(sort_by=(("p", "descending"), ("id", "ascending")), rows_per_file=600)
    (part,) = write_units(run, batches, how)
    groups = []
    for number, table in enumerate(stored(run, part)):
        in_file = ids[600 * number : 600 * number + 600]
        expected = sorted(in_file.tolist(), key=lambda row: (-(row % 7), row))
        assert table["id"].to_pylist() == expected
        footer = pq.read_metadata(f"{run.attempts}/{part.scored[number].path}")
        groups += [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
    assert len(groups) > 2
    assert max(groups) < 500


def test_the_values_of_rejected_rows_are_put_aside(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorted_rows, "_RUN_BYTES", 1_200)
    monkeypatch.setattr(sorted_rows, "_BLOCK_BYTES", 120)
    unit = make_unit(2, 600, first_row=100)
    batches = [
        scored_batch(
            unit, first, [], bad=tuple(range(first + 29, first - 1, -1)), last=first == 670
        )
        for first in range(100, 700, 30)
    ]
    (part,) = write_units(run, batches)
    assert part.rows_rejected == 600
    assert rejected_rows(run, part)["row"].to_pylist() == list(range(100, 700))


def test_the_same_rows_give_the_same_bytes_however_they_are_cut(run: RunFolder) -> None:
    digests = set()
    for sizes in ([30], [10, 20], [1] * 30, [0, 30, 0]):
        (part,) = write_units(run, whole_unit(make_unit(0), sizes))
        digests.add(part.scored[0].sha256)
        files.remove(run.done_record(0))
    assert len(digests) == 1


def test_rejected_rows_have_a_file_of_their_own_in_row_order(run: RunFolder) -> None:
    unit = make_unit(2, 10, first_row=100)
    batches = [
        scored_batch(unit, 100, [100, 103], bad=(102, 101), filtered=1),
        scored_batch(unit, 105, [], bad=(106, 105), filtered=3, last=True),
    ]
    (part,) = write_units(run, batches)
    assert (part.rows_in, part.rows_scored, part.rows_filtered, part.rows_rejected) == (10, 2, 4, 4)
    records = rejected_rows(run, part)
    assert records["row"].to_pylist() == records["key"].to_pylist() == [101, 102, 105, 106]
    assert set(records["source"].to_pylist()) == {"s.parquet"}
    assert records["message"].to_pylist() == [f"row {n}" for n in (101, 102, 105, 106)]
    assert sum(t.num_rows for t in stored(run, part)) == 2


def test_an_empty_unit_gives_an_empty_file_with_the_full_schema(run: RunFolder) -> None:
    (part,) = write_units(run, [scored_batch(make_unit(rows=0), 0, [], last=True)])
    (table,) = stored(run, part)
    assert table.num_rows == 0
    assert table.schema.equals(SCHEMA)
    assert part.last
    assert part.rows_in == 0


def test_csv_output_is_read_back_by_pandas(run: RunFolder) -> None:
    texts = ['quote " in', "new\nline", "com,ma", "", None, "007", "é"]
    columns = {
        "id": pa.array(range(7)),
        "s": pa.array(texts),
        "p": pa.array([0.1, None, 1e-30, 3, 4, 5, 6], type=pa.float32()),
    }
    schema = pa.RecordBatch.from_pydict(columns).schema
    (part,) = write_units(
        run,
        [scored_batch(make_unit(rows=7), 0, [], columns=columns, last=True)],
        file_format(format="csv", schema=schema),
    )
    with files.open_read(f"{run.attempts}/{part.scored[0].path}") as file:
        frame = pd.read_csv(file, dtype={"s": "str"}, keep_default_na=False, na_values={"p": [""]})
    assert frame["id"].tolist() == list(range(7))
    assert frame["s"].tolist() == [t or "" for t in texts]
    np.testing.assert_array_equal(
        frame["p"].astype(np.float32), columns["p"].to_numpy(zero_copy_only=False)
    )
    assert part.scored[0].rows == 7


def test_csv_text_that_looks_like_numbers_for_a_long_while_is_counted(tmp_path: Path) -> None:
    """A reader that guesses types from the first block would fail on the last row."""
    run = planned_run(str(tmp_path), [])
    texts = ["12345"] * 300_000 + ["K1A 0B6"]
    columns = {"s": pa.array(texts)}
    how = file_format(format="csv", schema=pa.schema([("s", pa.string())]), rows_per_file=10**6)
    (part,) = write_units(
        run, [scored_batch(make_unit(rows=300_001), 0, [], columns=columns, last=True)], how
    )
    assert part.rows_scored == 300_001


def test_a_unit_of_which_a_bundle_saw_only_a_piece_is_not_done(run: RunFolder) -> None:
    batches = whole_unit(make_unit(0, 30), [10, 10, 10])
    (first,) = write_units(run, batches[:2])
    assert (first.first_row, first.rows_in, first.last) == (0, 20, False)
    assert read_done_record(run, 0) is None
    (second,) = write_units(run, batches[2:])
    assert (second.first_row, second.rows_in, second.last) == (20, 10, True)
    assert read_done_record(run, 0) is None
    assert [
        i for p in (first, second) for t in stored(run, p) for i in t["id"].to_pylist()
    ] == list(range(30))


def test_a_gap_inside_a_bundle_starts_a_new_piece(run: RunFolder) -> None:
    batches = whole_unit(make_unit(0, 30), [10, 10, 10])
    parts = write_units(run, [batches[0], batches[2]])
    assert [(p.first_row, p.rows_in, p.last) for p in parts] == [(0, 10, False), (20, 10, True)]
    assert read_done_record(run, 0) is None


def test_units_may_take_turns_in_one_bundle(run: RunFolder) -> None:
    one, two = whole_unit(make_unit(1, 20), [10, 10]), whole_unit(make_unit(2, 20), [10, 10])
    parts = write_units(run, [one[0], two[0], one[1], two[1]])
    assert [(p.unit, p.rows_in, p.last) for p in parts] == [(1, 20, True), (2, 20, True)]
    assert all(read_done_record(run, n) is not None for n in (1, 2))


@pytest.mark.parametrize("kept", ["nothing", "zeros", "half", "half, then zeros", "binary"])
def test_a_torn_done_record_counts_as_none_and_is_written_again(kept: str, run: RunFolder) -> None:
    """As a disk keeps it of a machine that crashed: the name, and not all of the bytes."""
    batch = scored_batch(make_unit(0, 3), 0, [0, 1, 2], last=True)
    (first,) = write_units(run, [batch])
    whole = files.read(run.done_record(0)) or b""
    size, half = len(whole), whole[: len(whole) // 2]
    contents = {
        "nothing": b"",
        "zeros": bytes(size),
        "half": half,
        "half, then zeros": half + bytes(size - len(half)),
        "binary": b"\xff\xfe\x00\x81" * 40,
    }
    files.replace(run.done_record(0), contents[kept])
    assert is_done(run, 0) is False
    assert read_done_record(run, 0) is None
    (second,) = write_units(run, [batch])
    assert second.attempt != first.attempt
    assert read_done_record(run, 0) == second
    assert is_done(run, 0) is True
    files.replace(run.done_record(0), contents[kept])
    assert remove_torn_records(run) == (1 if files.is_local(run.output) else 0)
    assert remove_torn_records(run) == 0


def test_a_part_tells_what_its_batches_took_and_the_record_too(run: RunFolder) -> None:
    batches = whole_unit(make_unit(), [3, 4])
    for nanoseconds, batch in enumerate(batches, start=1):
        batch.times.add("read", 2_000_000 * nanoseconds)
        batch.times.add_before("model", 1_000_000_000)
    (part,) = write_units(run, batches)
    assert list(part.stages) == list(STAGES)
    assert (part.stages["read"], part.stages["model"], part.stages["decode"]) == (0.006, 2.0, 0.0)
    assert part.stages["write"] > 0
    assert part.ended - part.began > 1
    assert part.peak_memory > 1 << 20
    recorded = read_done_record(run, 0)
    assert recorded is not None
    assert asdict(recorded) == asdict(part)


def test_what_recording_a_unit_took_is_counted_in_the_next_one(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_disk(*arguments: Any, **flags: Any) -> bool:
        started = time.perf_counter_ns()
        while time.perf_counter_ns() - started < 50_000_000:
            pass
        return create(*arguments, **flags)

    create = files.create
    monkeypatch.setattr(files, "create", slow_disk)
    first, second = write_units(
        run, (batch for n in range(2) for batch in whole_unit(make_unit(n), [3]))
    )
    assert second.stages["write"] > 0.05
    assert first.ended <= second.began + 0.001, "the two spans do not overlap"
    assert second.ended - second.began > 0.05


def test_a_file_that_lost_rows_on_its_way_is_refused(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "transforms.output.part_file.count_rows", lambda url, kind: count_rows(url, kind) - 1
    )
    with pytest.raises(PublishError, match="10 rows were written, but 9 are in the file"):
        write_units(run, whole_unit(make_unit(), [10]))


def test_types_as_the_manifest_tells_them() -> None:
    schema = pa.schema(
        [
            ("a", pa.int64()),
            ("b", pa.list_(pa.field("item", pa.string()), 3)),
            ("c", pa.list_(pa.field("element", pa.float32()))),
            ("d", pa.large_list(pa.list_(pa.int8()))),
            ("e", pa.timestamp("us", tz="UTC")),
        ]
    )
    described = describe_schema(schema)
    assert [d["type"] for d in described] == [
        "int64",
        "fixed_size_list<string>[3]",
        "list<float>",
        "large_list<list<int8>>",
        "timestamp[us, tz=UTC]",
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), sink, store_schema=True)
    assert describe_schema(pq.read_table(sink.getvalue()).schema) == described
