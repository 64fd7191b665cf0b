"""The main job, refused: what is wrong is said in one line before any work, and nothing is written; and what it shows without work."""

from collections.abc import Callable
from pathlib import Path
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import score, verify
from pipelines.cli.command_line import run_program
from tests.support.repository import REPOSITORY

Score = Callable[..., int]


def rewritten(tmp_path: Path, change: Callable[[pa.Table], pa.Table]) -> str:
    """A copy of the sample shards of which one is changed."""
    shutil.copytree("samples/breast_cancer/shards", tmp_path / "shards")
    path = tmp_path / "shards/part-00002.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    return str(tmp_path / "shards")


REFUSED = {
    "missing column": (
        lambda t: t.rename_columns([n.replace("mean area", "mean_area") for n in t.column_names]),
        "'mean area'; did you mean mean_area?",
    ),
    "retyped column": (
        lambda t: t.set_column(4, "mean area", t["mean area"].cast(pa.string())),
        "'mean area' is string, but must be double",
    ),
    "retyped key": (
        lambda t: t.set_column(0, "id", t["id"].cast(pa.int32())),
        "'id' is int32, but must be int64",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_shard_that_breaks_the_contract_is_refused_before_any_work(
    case: str, run_score: Score, tmp_path: Path, capsys
) -> None:
    change, message = REFUSED[case]
    assert run_score("--input", rewritten(tmp_path, change)) == 3
    error = capsys.readouterr().err
    assert "part-00002.parquet" in error
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "scores").exists()


def test_files_that_are_not_shards_are_refused(run_score: Score, tmp_path: Path, capsys) -> None:
    (tmp_path / "nothing.parquet").touch()
    (tmp_path / "text.parquet").write_text("id,probability\n1,2\n")
    for path, words in {
        "nothing.parquet": "0 bytes",
        "text.parquet": "not a readable Parquet",
        "*.pq": "matches no file",
    }.items():
        assert run_score("--input", str(tmp_path / path)) == 3
        assert words in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--reuse_from", "--only_rejected"])
@pytest.mark.parametrize("is_dry", [True, False])
def test_a_run_that_cannot_be_reused_is_refused_before_anything_is_written(
    flag: str, is_dry: bool, run_score: Score, tmp_path: Path, capsys
) -> None:
    flags = ["--dry_run"] if is_dry else []
    assert run_score(flag, "no-such-run", *flags) == 3
    error = capsys.readouterr().err
    assert "no-such-run" in error
    assert not (tmp_path / "scores").exists()


def test_bad_usage_names_the_nearest(run_score: Score, capsys) -> None:
    cases = {
        ("--confg", "x"): "--config",
        ("--direct_num_worker=2",): "--direct_num_workers",
        ("--flink_master", ""): "--flink_master: its value is empty",
        ("--set", "model.batchrows=2"): "batch_rows",
        ("--set", "postprocess.keep=[probabilty]"): "probability",
        ("--set", "model.batch_rows=0", "--set", "sink.format=xml"): "sink.format",
    }
    for flags, words in cases.items():
        assert run_score(*flags) == 2, flags
        assert words in capsys.readouterr().err


def test_dry_run_writes_nothing_and_shows_the_plan(tmp_path: Path, capsys) -> None:
    assert run_program(score.main, ["--dry_run", "--output", str(tmp_path / "scores")]) == 0
    shown = capsys.readouterr().out
    assert "nothing was written" in shown
    assert "probability: float" in shown
    assert not (tmp_path / "scores").exists()


def test_help_explains_options_and_runner_options(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # In a narrow terminal a path is broken at its hyphens.
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        run_program(score.main, ["--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "--config",
        "without these configs/breast_cancer.yaml is",
        "runner options:",
        "--direct_num_workers",
        "exit status:",
    ):
        assert words in shown


def test_verify_finds_what_was_altered(run_score: Score, tmp_path: Path, capsys) -> None:
    assert run_score() == 0
    output = tmp_path / "scores"
    part = next((output / "current").iterdir())
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    assert run_program(verify.main, [str(output)]) == 3
    assert "sha256 differs" in capsys.readouterr().err
    part.unlink()
    assert run_program(verify.main, [str(output)]) == 3
    assert "is missing" in capsys.readouterr().err


def test_a_swapped_model_is_refused(run_score: Score, tmp_path: Path, capsys) -> None:
    shutil.copytree("samples/breast_cancer/model", tmp_path / "model")
    weights = tmp_path / "model/weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert run_score("--model", str(tmp_path / "model")) == 3
    assert "weights.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "scores").exists()


def test_a_missing_gpu_is_an_error_and_auto_is_not(run_score: Score, capsys) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    assert run_score("--set", "model.device=cuda") == 3
    assert "cuda" in capsys.readouterr().err
    assert run_score("--set", "model.device=auto") == 0


def test_the_repository_holds_the_default_job() -> None:
    assert (
        (REPOSITORY / "configs/breast_cancer.yaml")
        .read_text()
        .startswith("# python -m pipelines.score")
    )
    assert (
        (REPOSITORY / "configs/digits.yaml").read_text().startswith("# python -m pipelines.train")
    )


def test_names_that_are_not_written_are_refused(run_score: Score, capsys) -> None:
    assert run_score("--set", "postprocess.rename={probabilty: p}") == 2
    assert "did you mean probability?" in capsys.readouterr().err
    assert run_score("--set", "postprocess.dtypes={p: double}") == 2
    assert "postprocess.dtypes" in capsys.readouterr().err
