"""The line that reads the result reads it, wherever that is and whatever is published later."""

from contextlib import redirect_stderr, redirect_stdout
import io
from pathlib import Path
import re
from typing import Any
import uuid

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import score
from pipelines.cli.command_line import run_program
from pipelines.scoring import summary
from storage import files
from storage.run_folder import RunFolder
from tests.support.builders import make_unit, rejected, tiny_package
from tests.support.former_layouts import LAST, lay_out_as_before
from tests.support.jobs import run_job, small_table, write_job, write_parquet
from transforms.formats.output import FileFormat, find_output_format
from transforms.formats.table import OUTPUT_FORMATS


@pytest.fixture
def job(tmp_path: Path) -> Path:
    write_parquet(tmp_path / "job/shards/a.parquet", small_table(4))
    return write_job(tmp_path / "job", tiny_package(tmp_path / "model"))


def last_line(job: Path, output: str, *flags: str) -> str:
    """The last line that a run for people shows."""
    words = ["--config", str(job), "--output", output, *flags]
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(io.StringIO()):
        assert run_program(score.main, words) == 0
    return said.getvalue().splitlines()[-1]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_it_reads_the_run_that_it_is_about(kind: str, job: Path) -> None:
    output, flags = f"{job.parent}/scores", ("--set", f"sink.format={kind}")
    line = last_line(job, output, *flags)
    query = line.removeprefix("duckdb: ")
    assert len(duckdb.sql(query).fetchall()) == 4
    assert last_line(job, output, *flags) == line, "the same work again"
    write_parquet(job.parent / "shards/b.parquet", small_table(4, 4))
    assert run_job(job, *flags).status == 0
    assert len(duckdb.sql(query).fetchall()) == 4


def test_of_an_earlier_versions_run_it_reads_the_parts_where_they_are(job: Path) -> None:
    outcome = run_job(job)
    lay_out_as_before(outcome.run, LAST)
    query = last_line(job, str(outcome.output)).removeprefix("duckdb: ")
    assert query.endswith(f"/runs/{outcome.run.name}/*.parquet')")
    assert len(duckdb.sql(query).fetchall()) == 4


def test_on_a_store_it_names_what_is_there(job: Path) -> None:
    output = f"memory://{uuid.uuid4().hex}"
    found = re.search("'(.+)/[*].parquet'", last_line(job, output))
    assert found is not None
    assert len(files.list_names(found[1])) == 1


def lines_of_table(text: str) -> dict[str, str]:
    """Return the values of a table by their names."""
    return dict(line.strip().split("  ", 1) for line in text.splitlines())


@pytest.mark.parametrize(
    ("seconds", "resumed", "shown_seconds", "rate"),
    [(0.5, 0, "0.5", "2,000"), (2.0, 600, "2.0", "200"), (0.0, 0, "0.0", "1,000,000,000,000")],
)
def test_the_final_table_shows_what_this_launch_did(
    seconds: float, resumed: int, shown_seconds: str, rate: str
) -> None:
    """Rows per second are of its own rows; a clock may not have moved at all."""
    manifest: dict[str, Any] = {
        "rows": {"in": 1_000, "scored": 900, "filtered": 60, "rejected": 40},
        "ignored_inputs": ["in/_a"],
        "files": [{}] * 3,
        "computed_by": ["cpu float32", "cpu bfloat16"],
    }
    text = summary.final_table(RunFolder("/out", "r1"), manifest, seconds, resumed)
    found = {name: value.strip() for name, value in lines_of_table(text).items()}
    expected = {
        "rows in": "1,000",
        "scored": "900",
        "filtered": "60",
        "rejected": "40",
        "left out": "1 input path (1 hidden)",
        "files": "3",
        "seconds": shown_seconds,
        "rows/s": rate,
        "computed by": "cpu float32; cpu bfloat16",
        "output": "/out/runs/r1",
    }
    if resumed:
        expected["resumed"] = "600 rows were scored by an earlier run"
    assert found == expected
    assert len({line.index(expected[line[2:].split("  ")[0]]) for line in text.splitlines()}) == 1


@pytest.mark.parametrize(
    ("pruned", "words"), [(0, None), (1, "1 file that"), (2_000, "2,000 files that")]
)
def test_rows_that_a_filter_left_out_have_their_line(pruned: int, words: str | None) -> None:
    manifest: dict[str, Any] = {
        "rows": {"in": 1_000, "scored": 900, "filtered": 0, "rejected": 0, "left_out": 100},
        "pruned_files": pruned,
        "ignored_inputs": [],
        "files": [{}],
        "computed_by": ["cpu float32"],
    }
    text = summary.final_table(RunFolder("/out", "r1"), manifest, 1.0, 0)
    found = lines_of_table(text)
    assert found["left out rows"] == "100, by source.where"
    assert ("pruned" in found) == (words is not None)
    assert words is None or found["pruned"].strip().startswith(words)


@pytest.mark.parametrize(
    ("urls", "words"),
    [
        ([], "no input path"),
        (["in/_a"], "1 input path (1 hidden)"),
        (["in/_a", "in/b.crc"], "2 input paths (1 checksum, 1 hidden)"),
    ],
)
def test_paths_that_are_left_out_are_counted_in_words(urls: list[str], words: str) -> None:
    assert summary.left_out_paths(urls) == words


@pytest.mark.parametrize(
    ("seconds", "share", "shown"),
    [
        (0.0004999, 1.0, None),
        (0.0005, 1.0, "read 0.001 s (100 %)"),
        (0.9994, 0.5, "read 0.999 s (50 %)"),
        (1.0, 1.0, "read 1.0 s (100 %)"),
        (1.06, 1.0, "read 1.1 s (100 %)"),
    ],
)
def test_a_stage_is_shown_from_half_a_millisecond_on(
    seconds: float, share: float, shown: str | None
) -> None:
    stages = {"read": {"seconds": seconds, "share": share}}
    manifest = {"stages": stages, "rows_per_second": 5, "peak_memory_bytes": 1e8}
    text = summary.where_time_went(manifest)
    assert ("not known" in text) is (shown is None)
    assert shown is None or f"together: {shown}; 5 rows/s" in text


def publish_parts(folder: Path, *tables: pa.Table) -> tuple[RunFolder, dict[str, Any]]:
    """Return a run, as far as its first rows are concerned, and its manifest."""
    run = RunFolder(str(folder), "r1")
    Path(run.scored).mkdir(parents=True)
    entries = []
    for number, table in enumerate(tables):
        pq.write_table(table, f"{run.scored}/part-{number}.parquet")
        entries.append({"path": f"scored/part-{number}.parquet", "rows": table.num_rows})
    return run, {"files": entries}


def test_the_first_five_rows_are_those_of_the_first_file_that_has_some(tmp_path: Path) -> None:
    tables = [pa.table({"id": pa.array(rows, pa.int64())}) for rows in ([], range(7), [99])]
    run, manifest = publish_parts(tmp_path, *tables)
    assert summary.first_rows(run, manifest).split() == ["id", "0", "1", "2", "3", "4"]
    run, manifest = publish_parts(tmp_path / "empty", tables[0])
    assert summary.first_rows(run, manifest) == "no rows"


@pytest.mark.parametrize("name", list(OUTPUT_FORMATS))
def test_files_of_every_format_are_shown_by_their_first_rows(name: str, tmp_path: Path) -> None:
    table = pa.table({"id": pa.array(["007", "8"]), "p": pa.array([0.25, 0.5])})
    run = RunFolder(str(tmp_path), "r1")
    Path(run.scored).mkdir(parents=True)
    look = FileFormat(name, table.schema, (), (), 10)
    with open(f"{run.scored}/part-0.{name}", "wb") as sink:
        writer = find_output_format(name).open_writer(sink, look)
        writer.write_table(table)
        writer.close()
    entry = {"path": f"scored/part-0.{name}", "rows": 2}
    shown = summary.first_rows(run, {"files": [entry]})
    assert shown.split() == ["id", "p", "007", "0.25", "8", "0.5"]


def test_cells_are_cut_after_30_letters_and_end_below_each_other() -> None:
    rows = pa.table({"text": ["a" * 30, "b" * 31], "p": [0.123456789, 1e-7]})
    head, first, second = summary.shown_rows(rows).splitlines()
    assert first == f"{'a' * 30}  0.123457"
    assert second == f"{'b' * 27}...     1e-07"
    assert head == f"{'text':>30}  {'p':>8}"


def test_rejected_rows_are_told_by_stage_with_the_first_of_them() -> None:
    unit = make_unit()
    told = summary.rejected_rows([rejected(unit, 0, [3, 9]), rejected(unit, 0, [4], "predict")])
    assert told.splitlines() == [
        "  2 rows would be rejected in preprocess; row 3: RowError: row 3",
        "  1 rows would be rejected in predict; row 4: RowError: row 4",
    ]


def test_a_value_of_several_lines_stands_below_itself() -> None:
    text = summary.table({"a": "1", "longer": "first\nsecond"})
    assert text.splitlines() == [
        "  a       1",
        "  longer  first",
        "          second",
    ]


def test_an_earlier_versions_manifest_says_nothing_of_files_that_were_not_opened() -> None:
    manifest: dict[str, Any] = {
        "rows": {"in": 9, "scored": 8, "filtered": 0, "rejected": 0, "left_out": 1},
        "ignored_inputs": [],
        "files": [{}],
        "computed_by": ["cpu float32"],
    }
    text = summary.final_table(RunFolder("/out", "r1"), manifest, 1.0, 0)
    found = lines_of_table(text)
    assert "left out rows" in found
    assert "pruned" not in found


def test_where_the_time_went_is_told_in_shares_of_all_and_in_decimal_megabytes() -> None:
    stages = {
        "read": {"seconds": 0.75, "share": 0.75},
        "predict": {"seconds": 2.0, "share": 1.0},
    }
    manifest = {"stages": stages, "rows_per_second": None, "peak_memory_bytes": 2e12}
    text = summary.where_time_went(manifest)
    head = "where the time went, all workers together: "
    shares = "read 0.750 s (75 %), predict 2.0 s (100 %)"
    assert text == f"{head}{shares}; peak memory 2,000,000 MB"


def make_broken(url: str, rows: int | None) -> dict[str, Any]:
    return {"url": url, "rows": rows, "message": f"{url}: gone"}


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ([("a", 5)], "1 shard, 5 rows lost"),
        ([("a", 5), ("a", 6)], "1 shard, 11 rows lost"),
        ([("a", 5), ("b", 1_000)], "2 shards, 1,005 rows lost"),
        ([("a", None)], "1 shard, 0 rows lost, and of 1 nobody knows how many"),
        ([("a", 0), ("b", None)], "2 shards, 0 rows lost, and of 1 nobody knows how many"),
    ],
)
def test_broken_shards_are_counted_with_what_is_lost(
    broken: list[tuple[str, int | None]], told: str
) -> None:
    shards = [make_broken(url, rows) for url, rows in broken]
    assert summary.broken_shards(shards).splitlines()[0] == told


@pytest.mark.parametrize("more", [0, 1, 2_000])
def test_the_first_broken_shards_are_shown(more: int) -> None:
    shown = summary._SHOWN_BROKEN
    shards = [make_broken(f"s{number}", 1) for number in range(shown + more)]
    lines = summary.broken_shards(shards).splitlines()
    ends = [f"and {more:,} more: see broken_shards in the manifest"] if more else []
    assert len(lines) == 1 + shown + len(ends)
    assert lines[1 + shown :] == ends
