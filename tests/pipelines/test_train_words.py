"""What training says while it goes on and at its end, without any training."""

import io
import sys
from typing import Any

import pytest

from model_zoo.training.epoch import Epoch
from pipelines import train
from pipelines.cli.command_line import run_program
from pipelines.training.progress import shown_progress

EPOCHS = [Epoch(n, 1 / n, 2 / n, n in (1, 2, 11), 0.001, 1.0) for n in range(1, 21)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "quiet", "shown"),
    [
        (Terminal(), False, "bar"),
        (io.StringIO(), False, "lines"),
        (Terminal(), True, ""),
        (io.StringIO(), True, ""),
    ],
)
def test_a_bar_is_drawn_on_a_terminal_and_elsewhere_a_line_comes_every_ten_epochs(
    stream: io.StringIO, quiet: bool, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with shown_progress(20, quiet) as show:
        for epoch in EPOCHS:
            show.on_epoch(epoch)
    said = stream.getvalue()
    lines = [
        "epoch 10 of at most 20: training loss 0.1000, validation loss 0.2000",
        "epoch 20 of at most 20: training loss 0.0500, validation loss 0.1000",
    ]
    assert said.splitlines() == (lines if shown == "lines" else said.splitlines())
    assert ("training:" in said and "20/20" in said) is (shown == "bar")
    assert (said == "") is (shown == "")


def test_all_that_is_missing_is_asked_for_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    arguments: Any = ["--quiet"]
    assert run_program(train.main, arguments) == 2
    told = capsys.readouterr().err
    for flag in ("--data", "--output", "--label", "--key"):
        assert flag in told
    assert told.count("\n") == 1
