"""How far a training is: a bar on a terminal, plain lines elsewhere, both with the time that is left.

epoch 3 of at most 20: training loss 0.4113, validation loss 0.3921, at most 2 min left
epoch 4 of at most 20: step 120 of 900, at most 2 min left
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import math
import sys
import time
from typing import Never

from tqdm import tqdm

from model_zoo.training.epoch import Epoch, Step
from pipelines.cli.command_line import say_aside
from pipelines.cli.terminal import LenientStream

# In a log that nobody watches, a line per epoch would be noise; but one that says nothing for longer
# looks as if the program hung.
_EPOCHS_PER_LINE = 10
_SECONDS_PER_LINE = 30.0
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total} epochs [{elapsed}<{remaining}{postfix}]"
_MINUTE = 60
_HOUR = 3600


class Progress:
    """Told of epochs and steps, it shows them.

    Args:
        bar: which shows epochs, unless it is disabled.
        epochs: how many there are at most.
        with_lines: whether lines are written.
        clock: tells seconds.
    """

    def __init__(
        self,
        bar: "tqdm[Never]",
        epochs: int,
        with_lines: bool,
        clock: Callable[[], float],
    ) -> None:
        self._bar = bar
        self._epochs = epochs
        self._with_lines = with_lines
        self._clock = clock
        self._began = clock()
        self._told = self._began
        # Epochs that were done before, of the last one a share; None until the first step here.
        self._first: float | None = None

    def on_step(self, step: Step) -> None:
        """Show that a step is over."""
        done = _count_epochs(step, step.number)
        if self._first is None:
            self._begin(step)
        self._show(done)
        # The end of the epoch is told with its losses.
        is_last = step.number == step.steps
        if self._with_lines and not is_last and self._is_time():
            name = self._name(step.epoch)
            where = _say_where(step)
            self._say(f"{name}: {where}", done)

    def on_epoch(self, epoch: Epoch) -> None:
        """Show that an epoch is over."""
        number = epoch.number
        training = f"{epoch.training_loss:.4f}"
        validation = f"{epoch.validation_loss:.4f}"
        self._show(number)
        self._bar.set_postfix(training=training, validation=validation)
        if not self._with_lines:
            return
        is_round = number % _EPOCHS_PER_LINE == 0
        if is_round or self._is_time():
            name = self._name(number)
            losses = f"training loss {training}, validation loss {validation}"
            self._say(f"{name}: {losses}", number)

    def _show(self, done: float) -> None:
        # The bar takes what is new.
        new = done - self._bar.n
        self._bar.update(new)

    def _begin(self, step: Step) -> None:
        """Note how far the training was before; say so where it was stopped."""
        before = _count_epochs(step, step.number - 1)
        self._first = before
        if not before:
            return
        if self._with_lines:
            where = _say_where(step)
            say_aside(f"resumed from its checkpoint: epoch {step.epoch}, {where}")
        # What was done elsewhere says nothing about how fast it goes here.
        self._bar.initial = before
        self._bar.n = before

    def _is_time(self) -> bool:
        since = self._clock() - self._told
        return since >= _SECONDS_PER_LINE

    def _name(self, epoch: int) -> str:
        return f"epoch {epoch} of at most {self._epochs}"

    def _say(self, text: str, done: float) -> None:
        """Write a line with the time that is left.

        Args:
            text: how far it is.
            done: epochs, of the latest a share.
        """
        self._told = self._clock()
        first = self._first or 0.0
        left = ""
        if self._epochs > done > first:
            spent = self._told - self._began
            to_do = self._epochs - done
            done_here = done - first
            seconds = spent * to_do / done_here
            duration = describe_duration(seconds)
            left = f", at most {duration} left"
        say_aside(f"{text}{left}")


@contextmanager
def shown_progress(
    epochs: int, quiet: bool, clock: Callable[[], float] = time.monotonic
) -> Iterator[Progress]:
    """Give what is to be told of each epoch and step.

    Args:
        epochs: how many there are at most.
        quiet: whether nothing is shown.
        clock: tells seconds.
    """
    is_terminal = sys.stderr.isatty()
    # A terminal that is closed meanwhile ends no training.
    stream = LenientStream(sys.stderr)
    is_hidden = quiet or not is_terminal
    with_lines = not quiet and not is_terminal
    bar = tqdm(
        total=epochs,
        desc="training",
        file=stream,
        disable=is_hidden,
        bar_format=_BAR,
    )
    with bar:
        yield Progress(bar, epochs, with_lines, clock)


def _say_where(step: Step) -> str:
    return f"step {step.number} of {step.steps}"


def _count_epochs(step: Step, steps: int) -> float:
    """Return how many epochs are over, of the one that a step is in a share.

    Args:
        step: of that epoch.
        steps: how many of it are over.
    """
    before = step.epoch - 1
    share = steps / step.steps
    return before + share


def describe_duration(seconds: float) -> str:
    """Return about how long that is, in words.

    >>> describe_duration(7.2), describe_duration(130), describe_duration(5000)
    ('8 s', '3 min', '1 h 24 min')
    """
    whole = math.ceil(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    minutes = math.ceil(whole / _MINUTE)
    if whole < _HOUR:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min"
