"""Where the time of a run went: in its manifest and in the final table, whatever the format, the workers, and the way to the end."""

from collections.abc import Callable
import json
from pathlib import Path
import re
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from pipelines.scoring import summary as report
from tests.support.runs import manifest, published
from transforms import publish
from transforms.timing import STAGES

Score = Callable[..., int]
ONE_WORKER = "--direct_running_mode=in_memory"
CSV = ("--set", "source.format=csv", "--set", "source.types.id=int64")
SMALL = ("--set", "source.rows_per_batch=7")


def check_books(told: dict[str, Any], workers: int) -> None:
    """Every stage is there, the shares are shares, and the stages come to the workers' time, which is theirs alone."""
    assert list(told["stages"]) == list(STAGES)
    seconds = sum(entry["seconds"] for entry in told["stages"].values())
    assert sum(entry["share"] for entry in told["stages"].values()) == pytest.approx(1, abs=0.001)
    for entry in told["stages"].values():
        assert entry["share"] == pytest.approx(entry["seconds"] / seconds, abs=0.0001)
    # Within wide bounds: clocks of a busy machine are no reason to fail.
    assert 0.5 * told["seconds"] <= seconds <= 2 * workers * told["seconds"] + 1
    assert told["rows"]["in"] / told["rows_per_second"] == pytest.approx(
        told["seconds"], rel=0.01, abs=0.001
    )
    assert told["peak_memory_bytes"] > 10 << 20
    assert all(
        told["stages"][stage]["seconds"] > 0
        for stage in ("read", "preprocess", "model", "postprocess", "write")
    )


@pytest.mark.slow
@pytest.mark.beam
@pytest.mark.parametrize(("flag", "workers"), [(ONE_WORKER, 1), ("--direct_num_workers=2", 2)])
@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_the_stages_come_to_the_workers_time(
    format: str, flag: str, workers: int, run_score: Score, tmp_path: Path
) -> None:
    settings: tuple[str, ...] = ()
    if format == "csv":
        for path in Path("samples/breast_cancer/shards").glob("*.parquet"):
            pacsv.write_csv(pq.read_table(path), tmp_path / f"{path.stem}.csv")
        settings = ("--input", f"{tmp_path}/*.csv", *CSV)
    assert run_score(*SMALL, flag, *settings) == 0
    told = manifest(tmp_path / "scores")
    check_books(told, workers)
    assert told["stages"]["decode"] == {"seconds": 0.0, "share": 0.0}


@pytest.mark.slow
def test_decoding_images_is_a_stage_of_its_own(
    run_score: Score, tmp_path: Path, digits: Path
) -> None:
    paths = (
        "--config",
        "configs/digits.yaml",
        "--model",
        str(digits / "model"),
        "--input",
        str(digits / "shards"),
    )
    assert run_score(*paths, ONE_WORKER) == 0
    told = manifest(tmp_path / "scores")
    check_books(told, 1)
    assert told["stages"]["decode"]["seconds"] > 0


def test_the_final_table_shows_what_took_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipelines import score

    assert score.main(["--output", str(tmp_path / "scores")]) == 0
    (line,) = (
        text
        for text in capsys.readouterr().out.splitlines()
        if text.startswith("where the time went")
    )
    told = manifest(tmp_path / "scores")
    assert line == report.where_time_went(told)
    assert f"peak memory {told['peak_memory_bytes'] / 1e6:,.0f} MB" in line
    shown = re.findall(r"(\w+) [\d.]+ s \(", line)
    assert set() < set(shown) <= set(STAGES) - {"decode"}


def test_stages_as_the_table_shows_them() -> None:
    seconds = {"read": 1234.56, "decode": 0.0, "model": 0.0123, "wait": 0.00001}
    stages = {stage: {"seconds": s, "share": 0.126} for stage, s in seconds.items()}
    told = {"stages": stages, "rows_per_second": 2_000_000, "peak_memory_bytes": 1_076_400_000}
    assert report.where_time_went(told) == (
        "where the time went, all workers together: read 1,234.6 s (13 %), model 0.012 s (13 %); 2,000,000 rows/s without start-up and "
        "publishing; peak memory 1,076 MB"
    )
    assert "rows/s" not in report.where_time_went({**told, "rows_per_second": None})
    nothing = {"stages": {}, "rows_per_second": None, "peak_memory_bytes": None}
    assert (
        report.where_time_went(nothing)
        == "where the time went: not known, since all rows were scored by another run"
    )


@pytest.fixture
def interrupted(run_score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The done-records of a run that ended when all units were written and nothing was published."""

    def full_disk(*_: Any) -> bool:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(publish, "_create_manifest", full_disk)
        assert run_score(*SMALL) == 5
    return sorted(tmp_path.glob("scores/_tmp/*/done/*"))


def test_a_resumed_run_tells_of_both_its_parts(
    interrupted: list[Path], run_score: Score, tmp_path: Path
) -> None:
    assert run_score(*SMALL, output=tmp_path / "clean") == 0
    for number, path in enumerate(
        interrupted[1:]
    ):  # three units were done long ago, one after the other, in 100 s each
        stages = {**dict.fromkeys(STAGES, 0.0), "read": 60.0, "wait": 40.0}
        spans = {"began": 1_000.0 + 100 * number, "ended": 1_100.0 + 100 * number}
        path.write_text(
            json.dumps(
                {**json.loads(path.read_text()), "stages": stages, **spans, "peak_memory": 1 << 40}
            )
        )
    interrupted[0].unlink()
    assert run_score(*SMALL) == 0
    told = manifest(tmp_path / "scores")
    assert [
        told["stages"][stage]["seconds"] > least
        for stage, least in (("read", 180), ("wait", 120), ("model", 0))
    ] == [True] * 3
    assert 300 < told["seconds"] < 10_000, "the years between the two launches are in nobody's time"
    assert told["peak_memory_bytes"] == 1 << 40
    assert sum(entry["share"] for entry in told["stages"].values()) == pytest.approx(1, abs=0.001)
    assert published(tmp_path / "scores") == published(tmp_path / "clean")
    assert told["content_sha256"] == manifest(tmp_path / "clean")["content_sha256"]


def test_records_of_an_older_version_are_published(
    interrupted: list[Path], run_score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in interrupted:
        record = json.loads(path.read_text())
        for name in ("stages", "began", "ended", "peak_memory"):
            del record[name]
        path.write_text(json.dumps(record))
    assert run_score(*SMALL) == 0
    told = manifest(tmp_path / "scores")
    assert told["rows"]["scored"] == 143
    assert (told["seconds"], told["rows_per_second"], told["peak_memory_bytes"]) == (
        0.0,
        None,
        None,
    )
    assert set(told["stages"]) == set(STAGES)
    assert "not known" in report.where_time_went(told)


def test_rows_that_are_reused_took_this_run_no_time(run_score: Score, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    for path in sorted(Path("samples/breast_cancer/shards").glob("*.parquet")):
        (shards / path.name).write_bytes(path.read_bytes())
    changed = shards / "part-00000.parquet"
    rows = pq.read_table(changed)
    broken = rows.set_column(
        1, rows.schema.field(1), pa.array([float("inf"), *rows.column(1).to_pylist()[1:]])
    )
    pq.write_table(broken, changed)
    job = ("--input", str(shards), "--set", "errors.max_rejected_rows=5")
    assert run_score(*job) == 0
    assert manifest(tmp_path / "scores")["rows"]["rejected"] == 1
    pq.write_table(rows, changed)
    assert run_score(*job, "--reuse_from", "current") == 0
    told = manifest(tmp_path / "scores")
    assert told["rows"] == {"in": 143, "scored": 143, "filtered": 0, "rejected": 0}
    check_books({**told, "rows": {"in": rows.num_rows}}, 2)


def test_the_second_launcher_leaves_what_the_first_one_told(
    run_score: Score, tmp_path: Path
) -> None:
    assert run_score(*SMALL, ONE_WORKER) == 0
    before = manifest(tmp_path / "scores")
    assert run_score(*SMALL) == 0
    assert manifest(tmp_path / "scores") == before
