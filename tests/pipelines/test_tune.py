"""pipelines.tune: what it measures, what it leaves, what scoring makes of that, and what it refuses."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.errors import JobError
from model_zoo.engines.machine import cores
from model_zoo.package.package import read_package
from model_zoo.scoring.scored import Scored
from model_zoo.scoring.scorer import load_scorer
from pipelines import score, tune
from pipelines.cli.command_line import run_program
from pipelines.tuning.bench import Bench
from pipelines.tuning.measured import Measured
from pipelines.tuning.report import store_report
from pipelines.tuning.search import Search
from pipelines.tuning.turns import Comparison
from tests.support.runs import manifest, table

Arrays = dict[str, np.ndarray]
Score = Callable[..., int]
DIGITS = "configs/digits.yaml"
QUICK = ("--without", "compile", "--quiet")
LOOSE = (
    "--set",
    "model.tolerance.max_difference=1",
    "--set",
    "model.tolerance.label_agreement=0.5",
)


def job_flags(folder: Path, report: Path, *more: str) -> list[str]:
    return [
        "--config", DIGITS, "--input", f"{folder}/shards/*.parquet", "--model", f"{folder}/model",
        "--set", f"model.tuning_report={report}", "--set", "model.dtype=auto", *more,
    ]  # fmt: skip


def run_tune(*arguments: str) -> int:
    return run_program(tune.main, list(arguments))


def tuned(folder: Path, report: Path, *more: str) -> dict[str, Any]:
    assert run_tune(*job_flags(folder, report), *more) == 0
    return json.loads(report.read_text())  # type: ignore[no-any-return]


@pytest.fixture(scope="module", autouse=True)
def _short() -> Iterator[None]:
    """Time each setting for a moment: which is the fastest is not asked here."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("bench", "trials"):
            patch.setattr(f"pipelines.tuning.{module}.SECONDS", 0.05)
        patch.setattr("pipelines.tuning.turns._ROUNDS", 3)
        yield


@pytest.fixture(scope="module")
def report(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that allows whatever 8 bits do, and in which int8 has won, whatever the clock says."""
    path = tmp_path_factory.mktemp("report") / "digits.json"
    with pytest.MonkeyPatch.context() as patch:
        _let_win(patch, "int8 channels_last")
        tuned(digits, path, *QUICK, *LOOSE)
    return path


def _let_win(patch: pytest.MonkeyPatch, settings: str) -> None:
    """Have these settings win, whatever the clock says: on a busy machine they may be given up, too."""

    def wins(search: Search, finalists: Sequence[Measured]) -> Comparison:
        tried = search.trials.measured
        winner = next(m for m in tried if str(m.settings) == settings)
        best = [replace(winner, speed_up=2.0), replace(tried[0], speed_up=1.0)]
        return Comparison(best, turns=[])

    patch.setattr(Search, "_compare_in_turns", wins)
    _give_up_nothing(patch)


def _give_up_nothing(patch: pytest.MonkeyPatch) -> None:
    """Measure each setting to the end, though it may seem too slow."""
    patch.setattr("pipelines.tuning.search.can_win", lambda *_: True)
    patch.setattr("pipelines.tuning.trials._HOPELESS", 0.0)
    # Nor what takes longer to load than it saves on a few rows.
    patch.setattr("pipelines.tuning.night.Night.weigh", lambda night, measured, kept: measured)


@pytest.mark.slow
def test_every_setting_is_measured_against_float32_and_the_report_says_how_it_went(
    digits: Path, tmp_path: Path
) -> None:
    values = tuned(digits, tmp_path / "report.json", *QUICK)
    reference, *others = values["tried"]
    names = {t["settings"] for t in values["tried"]}
    assert names == {
        d + layout for d in ("float32", "bfloat16", "int8") for layout in ("", " channels_last")
    }
    assert reference["agreement"] == {
        "rows": 450,
        "max_difference": 0.0,
        "label_agreement": 1.0,
        "cosine": None,
    }
    assert all(
        0 < t["agreement"]["max_difference"] < 0.5
        for t in others
        if t["settings"] == "int8" and t["agreement"]
    )
    assert values["agreement"]["max_difference"] <= 0.01
    assert values["agreement"]["label_agreement"] >= 0.995
    assert values["model"] == {
        "name": "digits",
        "version": "1",
        "digest": read_package(f"{digits}/model").digest,
    }
    assert values["speed_up"] >= 1.0
    assert values["machine"]["cores"] == str(cores())


@pytest.mark.slow
def test_a_finalist_is_compared_on_the_whole_sample(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[list[int]] = []

    def compared(search: Search, finalists: Sequence[Measured]) -> Comparison:
        rows.append([m.agreement.rows for m in finalists if m.agreement])
        return Comparison(list(finalists), turns=[])

    monkeypatch.setattr(Search, "_compare_in_turns", compared)
    # On a busy machine, or within a narrow tolerance, only float32 might be left.
    _give_up_nothing(monkeypatch)
    monkeypatch.setattr(
        Bench, "choose_parts", lambda bench, rows_per_second, batch_rows: bench.sample.inputs[:2]
    )
    tuned(digits, tmp_path / "report.json", *QUICK, *LOOSE, "--set", "model.batch_rows=32")
    assert len(rows[0]) >= 2
    assert set(rows[0]) == {450}


@pytest.mark.slow
def test_a_model_of_less_than_a_row_a_second_is_measured_too(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Measured, "rate", property(lambda measured: 0.1))
    tuned(digits, tmp_path / "report.json", *QUICK, "--without", "int8")


@pytest.mark.slow
def test_rows_that_the_model_cannot_score_are_left_out(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = set[str]()

    def load(*arguments: Any) -> Callable[[Arrays], Scored]:
        scorer = load_scorer(*arguments)

        def score(inputs: Arrays) -> Scored:
            scored = scorer(inputs)
            ink = inputs["image"].reshape(len(inputs["image"]), -1).mean(axis=1)
            fails, nan = np.flatnonzero(ink > -0.22), np.flatnonzero(ink < -0.54)
            bad.update(f"{value:.7f}" for value in ink[[*fails, *nan]])
            scored.outputs["logits"][nan] = np.nan
            reasons = {int(row): ValueError("too much ink") for row in fails}
            return replace(scored, rejected=reasons)

        return score

    monkeypatch.setattr("pipelines.tuning.loading.load_scorer", load)
    values = tuned(
        digits,
        tmp_path / "report.json",
        *QUICK,
        "--without",
        "channels_last",
    )
    assert len(bad) > 1
    assert {t["agreement"]["rows"] for t in values["tried"] if t["agreement"]} == {450 - len(bad)}
    assert values["agreement"]["label_agreement"] >= 0.995


def test_a_model_that_scores_no_row_of_the_sample_is_refused(
    digits: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    nothing = {"logits": np.full((450, 10), np.nan, np.float32)}
    monkeypatch.setattr(
        "pipelines.tuning.loading.load_scorer",
        lambda *_: (
            lambda inputs: Scored(
                {name: values[: len(inputs["image"])] for name, values in nothing.items()}
            )
        ),
    )
    assert run_tune(*job_flags(digits, tmp_path / "c.json"), *QUICK) == 3
    assert "finite for none of the sample's rows" in capsys.readouterr().err
    assert not (tmp_path / "c.json").exists()


@pytest.mark.slow
def test_the_table_tells_how_many_workers_were_fastest(
    digits: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    only_float32 = [word for name in tune.WITHOUT for word in ("--without", name)]
    assert (
        run_tune(
            *job_flags(digits, tmp_path / "c.json"), *only_float32, "--set", "model.batch_rows=16"
        )
        == 0
    )
    lines = [
        line
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("with preprocessing, ")
    ]
    # The fastest first, whichever that is here.
    numbers = {line.split(" workers")[0] for line in lines}
    assert numbers == {f"with preprocessing, {n}" for n in (cores(), 1)}


@pytest.mark.slow
def test_without_any_tolerance_float32_or_what_has_its_bits_is_kept(
    digits: Path, tmp_path: Path
) -> None:
    values = tuned(
        digits, tmp_path / "report.json", *QUICK, "--set", "model.tolerance.max_difference=0"
    )
    assert values["settings"]["dtype"] == "float32"
    assert values["agreement"]["max_difference"] == 0.0


@pytest.mark.slow
def test_auto_scores_with_the_reports_settings_and_the_manifest_says_so(
    digits: Path, report: Path, run_score: Score, tmp_path: Path
) -> None:
    assert run_score(*job_flags(digits, report, *LOOSE)) == 0
    fast, how = table(tmp_path / "scores"), manifest(tmp_path / "scores")
    assert how["computing"]["dtype"] == "int8"
    assert how["agreement"] == json.loads(report.read_text())["agreement"]
    assert all("int8 channels_last" in text for text in how["computed_by"])
    assert run_score(*job_flags(digits, report, "--set", "model.dtype=float32")) == 0
    exact, plain = table(tmp_path / "scores"), manifest(tmp_path / "scores")
    assert plain["computing"]["dtype"] == "float32"
    assert plain["agreement"] is None
    assert plain["run_id"] != how["run_id"]
    difference = np.abs(fast["probability"] - exact["probability"]).max()
    assert 0 < difference < 0.2
    assert (fast["label"] == exact["label"]).mean() > 0.98


def test_auto_without_a_report_is_float32_and_says_so(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run_program(
            score.main,
            [*job_flags(digits, tmp_path / "none.json"), "--output", f"{tmp_path}/scores"],
        )
        == 0
    )
    assert "so float32, eager; pipelines.tune makes one" in capsys.readouterr().out
    assert manifest(tmp_path / "scores")["computing"]["dtype"] == "float32"


@pytest.mark.slow
def test_the_old_name_of_the_report_in_a_job_still_works_and_says_the_new_one(
    digits: Path, report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [flag.replace("tuning_report=", "certificate=") for flag in job_flags(digits, report)]
    assert any(flag.startswith("model.certificate=") for flag in flags)
    words = [*flags, *LOOSE, "--output", f"{tmp_path}/scores"]
    assert run_program(score.main, words) == 0
    said = "model.certificate is called model.tuning_report now; the old name still works"
    assert said in capsys.readouterr().out
    assert manifest(tmp_path / "scores")["computing"]["dtype"] == "int8"


def changed(path: Path, to: Path, *keys: str, value: object) -> Path:
    content = json.loads(path.read_text())
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    to.write_text(json.dumps(content))
    return to


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("model", "digest"), "0" * 64, "is the tuning report of another model, digits 1"),
        (
            ("machine", "processor"),
            "another one",
            "was made on another kind of machine: processor 'another one' there",
        ),
        (("machine", "torch"), "1.0", "was made on another kind of machine: torch '1.0' there"),
        (
            ("agreement", "max_difference"),
            2.0,
            "agrees with float32 less than model.tolerance asks for",
        ),
        (
            ("agreement", "label_agreement"),
            float("nan"),
            "says that agreement.label_agreement is nan, which nobody can have measured",
        ),
        (
            ("job", "preprocess.steps"),
            [{"step": "fill"}],
            "was made with another preprocess.steps than the job's",
        ),
        (
            ("job", "postprocess.activation"),
            "none",
            "was made with another postprocess.activation than the job's",
        ),
        (("settings", "batch_rows"), 7, "was made with model.batch_rows 7, and the job says 256"),
        (("settings", "batch_rows"), 0, "is not a tuning report of this version"),
        (("settings", "dtypes"), "int4", "is not a tuning report of this version"),
        (("settings", "dtype"), "int4", "is not a tuning report of this version"),
        (("format",), 99, "is not a tuning report of this version"),
    ],
)
def test_scoring_refuses_a_report_that_does_not_belong(
    digits: Path, report: Path, run_score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    keys: Sequence[str], value: object, message: str,
) -> None:  # fmt: skip
    other = changed(report, tmp_path / "other.json", *keys, value=value)
    loose = (
        "--set",
        "model.tolerance.max_difference=1",
        "--set",
        "model.tolerance.label_agreement=0.5",
    )
    assert run_score(*job_flags(digits, other, *loose)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "scores/CURRENT").exists()


def test_a_worker_refuses_settings_of_another_kind_of_machine(digits: Path, report: Path) -> None:
    from configs.errors import JobError
    from model_zoo.engines.tuning_report import parse_tuning_report
    from model_zoo.package.package import read_package
    from model_zoo.scoring.scorer import load_scorer

    found = parse_tuning_report(report.read_bytes(), "report")
    package = read_package(str(digits / "model"))
    with pytest.raises(JobError, match="cores '64' there"):
        load_scorer(package, "cpu", found.settings, 1, machine={**found.machine, "cores": "64"})


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ("--set", "model.tuning_report=null", "--set", "model.dtype=float32"),
            "model.tuning_report is not set",
        ),
        (("--set", "model.tuning_report=/proc/nowhere/x.json"), "cannot be written"),
        (("--rows", "0"), "--rows must be >= 1, got 0"),
        # The fewest that may be asked for, and fewer than are worth a sample.
        (("--rows", "1", "--set", "source.rows_per_batch=1"), "from fewer than 100 neither speed"),
        (
            ("--rows", "20", "--set", "source.rows_per_batch=10"),
            "rows, and from fewer than 100 neither speed nor agreement can be told",
        ),
        (("--without", "speed"), "invalid choice"),
        (("--set", "model.dtype=float16"), "float16 is for CUDA"),
    ],
)
def test_bad_usage_is_one_line(
    digits: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flags: Sequence[str],
    message: str,
) -> None:
    assert (
        run_tune(
            *job_flags(digits, tmp_path / "c.json"),
            "--quiet",
            "--without",
            "compile",
            "--rows",
            "128",
            *flags,
        )
        == 2
    )
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_report_that_cannot_be_written_leaves_the_old_one(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of one, or none, would end every night that scores with it."""
    report = tmp_path / "report.json"
    report.write_text("the old one")

    class Report:
        def to_json(self) -> bytes:
            return b"the new one"

    # It names no graph that would have to be kept beside it.
    monkeypatch.setattr("pipelines.tuning.report.keep_graphs", lambda report, url: report)

    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(report))

    def open_full(path: Path, *arguments: object) -> Any:
        path.write_bytes(b"half")
        fail()

    if call == "write":
        monkeypatch.setattr("storage.disk.open_new", open_full)
    else:
        monkeypatch.setattr(os, call, fail)
    with pytest.raises(JobError, match=r"cannot be written: .*No space left"):
        store_report(str(report), Report())  # type: ignore[arg-type]
    monkeypatch.undo()
    monkeypatch.setattr("pipelines.tuning.report.keep_graphs", lambda report, url: report)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert report.read_text() == "the old one"
    store_report(str(report), Report())  # type: ignore[arg-type]
    assert report.read_text() == "the new one"
