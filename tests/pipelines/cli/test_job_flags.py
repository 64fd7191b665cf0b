"""Paths on a command line are taken letter by letter, whatever letters YAML knows otherwise."""

import argparse
from typing import Any

import pytest

from configs.errors import JobError
from pipelines import train
from pipelines.cli.job_flags import add_job_flags, load_job
from pipelines.planning.jobs import ScoringJob

ODD = ["a, b] #c", "größe 😀", "line\nbreak", "'\"\\", "~", "01", "{a: 1}", " "]


def load_with(*words: str) -> ScoringJob:
    parser = argparse.ArgumentParser()
    add_job_flags(parser)
    return load_job(parser.parse_args(words))


@pytest.mark.parametrize("path", ODD)
def test_a_path_is_what_was_written(path: str) -> None:
    job = load_with("--input", path, "--input", "b", "--model", path, "--output", path)
    assert job.source.paths == (path, "b")
    assert (job.model.package, job.sink.path) == (path, path)
    config = ["--config", "configs/train_breast_cancer.yaml", "--output", path]
    assert train._load_job(train._parse(config)).output == path


def test_a_flag_of_its_own_has_the_last_word() -> None:
    job = load_with("--set", "sink.path=a", "--output", "b", "--set", "model.batch_rows=7")
    assert (job.sink.path, job.model.batch_rows) == ("b", 7)
    assert load_with().name == "breast_cancer"


@pytest.mark.parametrize("flag", ["--input", "--model", "--output"])
def test_a_path_that_is_no_text_is_refused_by_its_escaped_name(flag: str) -> None:
    def load() -> Any:
        return load_with(flag, "a\udcff")

    with pytest.raises(JobError, match="this path is not UTF-8; rename the file or folder"):
        load()
