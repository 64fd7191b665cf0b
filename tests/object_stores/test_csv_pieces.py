"""A large CSV file in a store is cut by ranges of bytes: the same rows as on a disk, and nothing is fetched that nobody reads."""

from pathlib import Path

import pytest

from pipelines import score
from pipelines.cli.command_line import run_program
from storage import files
from storage.layout import find_current_run
from storage.run_folder import RunFolder
from tests.object_stores.readers import content
from tests.support.builders import tiny_package
from tests.support.listing import list_inputs
from transforms.formats import csv_split
from transforms.formats.csv_bytes import CsvPiece
from transforms.formats.csv_dialect import CsvDialect
from transforms.formats.csv_split import split_csv

JOB = """
name: pieces
source: {{paths: '{paths}', format: csv, key: id, types: {{id: int64}}, csv: {{newlines_in_values: false}}}}
model: {{package: '{package}'}}
postprocess: {{keep: [probability]}}
sink: {{path: none}}
errors: {{max_rejected_percent: 50}}
"""


def text(rows: int) -> bytes:
    lines = (f"{i},{i % 7}.5,{i % 11},1" if i % 61 else f"{i},short" for i in range(rows))
    return ("id,a,b,c\n" + "\n".join(lines) + "\n").encode()


@pytest.fixture
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_split, "PIECE_BYTES", 10_000)


def pieces_of(url: str) -> tuple[CsvPiece, ...]:
    (file,), _ = list_inputs(url)
    return split_csv(file, ["id", "a", "b", "c"], CsvDialect(newlines_in_values=False))


@pytest.mark.beam
@pytest.mark.usefixtures("_small_pieces")
def test_scores_of_a_file_in_a_store_are_those_of_a_file_on_a_disk(
    bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(text(3_000))
    files.put(f"{bucket}/in/a.csv", text(3_000))
    package = tiny_package(tmp_path / "model")
    published = []
    for paths, output in (
        (f"{bucket}/in", f"{bucket}/scores"),
        (str(tmp_path / "a.csv"), str(tmp_path / "scores")),
    ):
        (tmp_path / "job.yaml").write_text(JOB.format(paths=paths, package=package))
        assert (
            run_program(
                score.main, ["--config", str(tmp_path / "job.yaml"), "--output", output, "--quiet"]
            )
            == 0
        )
        run = RunFolder(output, find_current_run(output) or "")
        published.append(
            {name: stored for name, stored in content(run).items() if name.startswith("scored/")}
        )
    assert len(published[0]) > 2
    assert published[0] == published[1]
    assert pieces_of(f"{bucket}/in/a.csv") == pieces_of(str(tmp_path / "a.csv"))


def test_no_byte_is_fetched_that_is_not_read(bucket: str) -> None:
    files.put(f"{bucket}/a.csv", bytes(600_000))
    with files.open_read(f"{bucket}/a.csv", ahead=False) as file:
        asked, fetch = [], file.cache.fetcher
        file.cache.fetcher = lambda start, stop: asked.append((start, stop)) or fetch(start, stop)
        assert file.read(50) + file.read(10) == bytes(60)
        file.seek(500_000)
        assert file.read(2_000) == bytes(2_000)
    assert asked == [(0, 50), (50, 60), (500_000, 502_000)]
