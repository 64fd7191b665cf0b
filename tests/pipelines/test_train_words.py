"""What training says before it begins, without any training."""

from typing import Any

import pytest

from pipelines import train
from pipelines.cli.command_line import run_program
from pipelines.training.load_job import load_job


def test_all_that_is_missing_is_asked_for_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    arguments: Any = ["--quiet"]
    assert run_program(train.main, arguments) == 2
    told = capsys.readouterr().err
    for flag in ("--data", "--output", "--label", "--key"):
        assert flag in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("words", [["--output", "elsewhere"], ["--set", "output=elsewhere"]])
def test_another_output_leaves_the_held_out_rows_of_the_file_alone(words: list[str]) -> None:
    config = ["--config", "configs/train_breast_cancer.yaml"]
    assert load_job(train._parse(config)).held_out == "samples/breast_cancer"
    assert load_job(train._parse([*config, *words])).held_out is None
