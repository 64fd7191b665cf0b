"""What training says while it goes on and at its end, without any training."""

import io
import sys
from typing import Any

import pytest

from configs.load import load
from model_zoo.training.epoch import Epoch
from pipelines import train
from pipelines.cli.command_line import run_program
from pipelines.planning.jobs import FittingJob

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
    with train._shown_progress(20, quiet) as show:
        for epoch in EPOCHS:
            show(epoch)
    said = stream.getvalue()
    lines = [
        "epoch 10 of at most 20: training loss 0.1000, validation loss 0.2000",
        "epoch 20 of at most 20: training loss 0.0500, validation loss 0.1000",
    ]
    assert said.splitlines() == (lines if shown == "lines" else said.splitlines())
    assert ("training:" in said and "20/20" in said) is (shown == "bar")
    assert (said == "") is (shown == "")


def test_the_end_says_which_epoch_was_the_best_and_where_the_model_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = load(FittingJob, "configs/train_breast_cancer.yaml", [("output", "/out")])
    train._say_result(job, EPOCHS, {}, "0123456789abcdef")
    said = capsys.readouterr().out
    assert "trained 20 epochs; kept the weights of epoch 11, validation loss 0.1818\n" in said
    assert "model package  /out/model  (digest 0123456789ab)\n" in said
    assert "held-out rows  /out/shards\n" in said


def test_the_job_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    arguments: Any = ["--quiet"]
    assert run_program(train.main, arguments) == 2
    assert "the following arguments are required: --config;" in capsys.readouterr().err
