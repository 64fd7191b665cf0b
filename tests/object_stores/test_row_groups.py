"""A row group in a store is cut among workers, and into pages, as one on a disk is: the same rows, numbers and bytes."""

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines import score
from pipelines.cli.command_line import run_program
from storage import files
from storage.layout import find_current_run
from storage.run_folder import RunFolder
from tests.object_stores.readers import content
from tests.support.builders import tiny_package
from tests.support.jobs import small_table
from tests.transforms.formats.pages import (
    make_rows,
    make_small_files_worth_it,
    read_where,
    write,
)
from transforms.formats import parquet, parquet_split

ROWS = 3_000
JOB = """
name: parts
source: {{paths: '{paths}', key: id}}
model: {{package: '{package}'}}
postprocess: {{keep: [probability]}}
sink: {{path: none, rows_per_file: 1000}}
"""


def test_parts_of_a_row_group_are_those_of_a_file_on_a_disk(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The file is small, and the model, too.
    for module in (parquet, parquet_split):
        monkeypatch.setattr(module, "count_parts", lambda *_: 8)
    sink = io.BytesIO()
    pq.write_table(small_table(ROWS), sink, row_group_size=ROWS)
    (tmp_path / "a.parquet").write_bytes(sink.getvalue())
    files.put(f"{bucket}/in/a.parquet", sink.getvalue())
    package = tiny_package(tmp_path / "model")
    published = []
    for paths, output in (
        (f"{bucket}/in", f"{bucket}/scores"),
        (str(tmp_path / "a.parquet"), str(tmp_path / "scores")),
    ):
        job = tmp_path / "job.yaml"
        job.write_text(JOB.format(paths=paths, package=package))
        flags = ["--config", str(job), "--output", output, "--quiet"]
        assert run_program(score.main, flags) == 0
        run = RunFolder(output, find_current_run(output) or "")
        stored = content(run)
        published.append({name: stored[name] for name in stored if name.startswith("scored/")})
    assert len(published[0]) == 3
    assert published[0] == published[1]


def test_pages_that_a_filter_keeps_are_those_of_a_file_on_a_disk(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_small_files_worth_it(monkeypatch)
    monkeypatch.setattr("transforms.formats.parquet_given_file._NEAR_BYTES", 100)
    path = write(tmp_path / "a.parquet", make_rows())
    url = f"{bucket}/pages/a.parquet"
    files.put(url, path.read_bytes())
    for where in ("x >= 215 and x < 233", "x == 3 or x == 399"):
        assert read_where(url, where) == read_where(path, where)
