"""Published scores of each format, in folders of a column's values or not, beside labels of each format: the same figures."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import feather
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from pipelines import evaluate, verify
from pipelines.cli.command_line import run_program
from pipelines.evaluating.tables import read_table
from tests.support.builders import tiny_package
from tests.support.format_files import write_lines
from tests.support.jobs import run_job, small_table, write_job, write_parquet
from tests.support.without_beam import run_without_beam
from transforms.formats.csv_dialect import CsvDialect

ROWS = 40
# With a letter that folders escape, and a missing one.
DAYS = [["a/b", "c d", None, "é"][row % 4] for row in range(ROWS)]
FORMATS = ["parquet", "csv", "jsonl", "arrow"]
FOLDERS = {"source.passthrough": ["day", "n"], "sink.partition_by": ["day", "n"]}
WRITERS: dict[str, Callable[[Path, pa.Table], Any]] = {
    "parquet": lambda path, rows: pq.write_table(rows, path),
    "csv": lambda path, rows: pacsv.write_csv(rows, path),
    "jsonl": write_lines,
    "arrow": lambda path, rows: feather.write_feather(rows, str(path)),
}


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    run_without_beam(monkeypatch)
    days = pa.array(DAYS)
    numbers = pa.array([row % 3 - 1 for row in range(ROWS)])
    write_parquet(tmp_path / "shards/0.parquet", small_table(ROWS, day=days, n=numbers))
    return write_job(tmp_path, tiny_package(tmp_path / "model"))


def figures_of(
    capsys: pytest.CaptureFixture[str], output: Path, labels: Path, *flags: str
) -> dict[str, Any]:
    capsys.readouterr()
    question = ["--output", str(output), "--labels", str(labels), "--key", "id", "--label", "y"]
    asked = [*question, "--prediction", "probability", "--json", *flags]
    assert run_program(evaluate.main, asked) == 0
    figures: dict[str, Any] = json.loads(capsys.readouterr().out)
    # Of which file they are.
    del figures["of"]
    return figures


@pytest.mark.parametrize("name", FORMATS)
def test_labels_are_joined_to_scores_in_folders(
    name: str, job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = run_job(job, output=tmp_path / "plain")
    wanted = {row["id"]: row["probability"] for row in plain.scored().to_pylist()}
    in_folders = run_job(
        job, output=tmp_path / "folders", settings={**FOLDERS, "sink.format": name}
    )
    assert in_folders.status == 0, in_folders.error
    assert run_program(verify.main, [str(in_folders.output)]) == 0
    labels = tmp_path / f"labels.{name}"
    truth = [wanted[row] + (0.25 if row % 2 else 0) for row in range(ROWS)]
    WRITERS[name](labels, pa.table({"id": range(ROWS), "y": truth}))
    figures = figures_of(capsys, in_folders.output, labels)
    assert figures["rows"] == ROWS
    assert figures == figures_of(capsys, plain.output, labels)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("group", ["day", "n"])
def test_a_column_that_is_the_name_of_folders_tells_groups(
    group: str, name: str, job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = {"postprocess.where": "day is not None"}
    labels = tmp_path / "labels.parquet"
    truth = [float(row % 5) for row in range(ROWS)]
    pq.write_table(pa.table({"id": range(ROWS), "y": truth}), labels)
    carried = {"source.passthrough": ["day", "n"], **keep}
    plain = run_job(job, output=tmp_path / "plain", settings=carried)
    folders = {**FOLDERS, **keep, "sink.format": name}
    in_folders = run_job(job, output=tmp_path / "folders", settings=folders)
    assert in_folders.status == 0, in_folders.error
    flags = ["--task", "ranking", "--group", group]
    figures = figures_of(capsys, in_folders.output, labels, *flags)
    assert figures["groups"] == 3
    assert figures == figures_of(capsys, plain.output, labels, *flags)


def test_labels_in_parquet_that_are_not_utf8_refuse_the_file(tmp_path: Path) -> None:
    path = str(tmp_path / "labels.parquet")
    labels = pa.array([b"yes", b"caf\xe9"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"id": range(2), "y": labels}), path)
    assert read_table(path, {"id": None}, CsvDialect())["id"].to_pylist() == [0, 1]
    with pytest.raises(InputError, match=r"labels.parquet: cannot be read: .*Invalid UTF8"):
        read_table(path, {"id": None, "y": None}, CsvDialect())
