"""The job that flags and a file name together, and what is said where they do not."""

import argparse
from pathlib import Path

import pytest

from configs.errors import JobError
from pipelines import package, train
from pipelines.cli.job_flags import add_job_flags
from pipelines.cli.load_job import load_job
from pipelines.packing.load_job import load_job as load_packing
from pipelines.planning.jobs import ScoringJob
from pipelines.training.load_job import load_job as load_training

ODD = ["a, b] #c", "größe 😀", "line\nbreak", "'\"\\", "~", "01", "{a: 1}", " "]
OWN = ("--model", "models/churn/1", "--input", "in", "--output", "out")


def load(*words: str) -> ScoringJob:
    parser = argparse.ArgumentParser()
    add_job_flags(parser)
    return load_job(parser.parse_args(words))


@pytest.mark.parametrize("path", ODD)
def test_a_path_is_what_was_written(path: str) -> None:
    job = load("--input", path, "--input", "b", "--model", path, "--output", path)
    assert job.source.paths == (path, "b")
    assert (job.model.package, job.sink.path) == (path, path)
    config = ["--config", "configs/train_breast_cancer.yaml", "--output", path]
    assert load_training(train._parse(config)).output == path


def test_a_flag_of_its_own_has_the_last_word() -> None:
    job = load("--set", "sink.path=a", "--output", "b", "--set", "model.batch_rows=7")
    assert (job.sink.path, job.model.batch_rows) == ("b", 7)
    assert load().name == "breast_cancer"


@pytest.mark.parametrize("flag", ["--input", "--model", "--output"])
def test_a_path_that_is_no_text_is_refused_by_its_escaped_name(flag: str) -> None:
    with pytest.raises(JobError, match="this path is not UTF-8; rename the file or folder"):
        load(*OWN, flag, "a\udcff")


def test_training_and_packing_refuse_it_in_the_same_words() -> None:
    for flag in ("--data", "--output"):
        with pytest.raises(JobError, match="this path is not UTF-8; rename the file or folder"):
            load_training(train._parse([flag, "a\udcff"]))
    for flag in ("--sample", "--weights"):
        with pytest.raises(JobError, match="this path is not UTF-8; rename the file or folder"):
            load_packing(package._parse([flag, "a\udcff"]))


def test_the_sample_is_the_job_only_where_nothing_is_said_of_another() -> None:
    assert load().name == "breast_cancer"
    sample = load("--output", "elsewhere", "--set", "model.batch_rows=8")
    assert (sample.name, sample.sink.path, sample.model.batch_rows) == (
        "breast_cancer",
        "elsewhere",
        8,
    )


def test_flags_alone_are_a_job_with_nothing_of_the_sample() -> None:
    job = load(*OWN, "--key", "customer_id")
    assert (job.name, job.source.key, job.source.format) == ("churn", "customer_id", "parquet")
    assert (job.source.paths, job.sink.path) == (("in",), "out")
    unsaid = ScoringJob.model_validate(
        {
            "name": "churn",
            "source": {"paths": "in", "key": "customer_id"},
            "model": {"package": "models/churn/1"},
            "sink": {"path": "out"},
        }
    )
    assert job == unsaid


def test_the_format_is_that_of_the_files_unless_it_is_said() -> None:
    table = (*OWN[:2], "--input", "a.csv", "--input", "b.csv.gz", *OWN[4:])
    assert load(*table).source.format == "csv"
    assert load(*table, "--input", "folder").source.format == "parquet"
    assert load(*table, "--set", "source.format=parquet").source.format == "parquet"


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (("--model", "m"), "--input and --output: required"),
        (("--input", "i"), "--model and --output: required"),
        (("--key", "k", "--output", "o"), "--input and --model: required"),
        (("--model", "m", "--input", "i"), "--output: required"),
    ],
)
def test_what_is_missing_is_asked_for_at_once(words: tuple[str, ...], missing: str) -> None:
    with pytest.raises(JobError) as refused:
        load(*words)
    assert str(refused.value).startswith(missing)
    assert "--config" in str(refused.value)


def test_without_the_sample_beside_it_the_job_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JobError, match="not in this folder; name a job with --config"):
        load()


def test_a_flag_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("{name: own, source: {paths: a, key: b}, model: {package: c}, sink: {path: d}}")
    job = load("--config", str(file), "--key", "id", "--model", "m")
    assert (job.name, job.source.key, job.model.package) == ("own", "id", "m")
