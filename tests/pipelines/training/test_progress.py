import io
import sys

import pytest

from model_zoo.training.epoch import Epoch, Step
from pipelines.training.progress import Progress, describe_duration, shown_progress

EPOCHS = [Epoch(n, 1 / n, 2 / n, n in (1, 2, 11), 0.001, 1.0) for n in range(1, 21)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def tell(progress: Progress, clock: Clock, seconds: float, first: int = 1, steps: int = 4) -> None:
    """Tell of all epochs from one on, each of some steps that take so long."""
    for epoch in EPOCHS[first - 1 :]:
        for number in range(1, steps + 1):
            clock.now += seconds
            progress.on_step(Step(epoch.number, number, steps))
        progress.on_epoch(epoch)


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
    stream: io.StringIO, quiet: bool, shown: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with shown_progress(20, quiet, clock) as progress:
        tell(progress, clock, 0.25)
    said = stream.getvalue()
    lines = [
        "epoch 10 of at most 20: training loss 0.1000, validation loss 0.2000, at most 10 s left",
        "epoch 20 of at most 20: training loss 0.0500, validation loss 0.1000",
    ]
    assert said.splitlines() == (lines if shown == "lines" else said.splitlines())
    assert ("training: 100%" in said and "20/20" in said) is (shown == "bar")
    assert (said == "") is (shown == "")


def test_long_epochs_are_told_step_by_step(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with shown_progress(20, False, clock) as progress:
        for number in range(1, 101):
            clock.now += 20
            progress.on_step(Step(1, number, 100))
        progress.on_epoch(EPOCHS[0])
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "epoch 1 of at most 20: step 2 of 100, at most 11 h 6 min left"
    assert len(said) == 50
    # Its last step is told with its losses.
    assert "training loss 1.0000, validation loss 2.0000, at most 10 h" in said[-1]


def test_what_was_done_before_says_nothing_about_how_fast_it_goes(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with shown_progress(20, False, clock) as progress:
        tell(progress, clock, 25.0, first=11)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "resumed from its checkpoint: epoch 11, step 1 of 4"
    # 9 epochs of 100 seconds each.
    assert "epoch 11 of at most 20: training loss" in said[2]
    assert "at most 15 min left" in said[2]


def test_a_bar_goes_on_where_the_training_was_stopped(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with shown_progress(20, False, clock) as progress:
        tell(progress, clock, 0.1, first=20)
    assert "20/20" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (59, "59 s"),
        (59.5, "1 min"),
        (61, "2 min"),
        (3599, "60 min"),
        (3600, "1 h 0 min"),
        (90000, "25 h 0 min"),
        (266400, "74 h 0 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert describe_duration(seconds) == words
