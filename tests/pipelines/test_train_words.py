"""What training says before it begins, without any training."""

from typing import Any

import pytest

from pipelines import train
from pipelines.cli.command_line import run_program


def test_all_that_is_missing_is_asked_for_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    arguments: Any = ["--quiet"]
    assert run_program(train.main, arguments) == 2
    told = capsys.readouterr().err
    for flag in ("--data", "--output", "--label", "--key"):
        assert flag in told
    assert told.count("\n") == 1
