"""How far a training is: a bar on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import sys
from typing import TypeAlias

from tqdm import tqdm

from model_zoo.training.epoch import Epoch
from pipelines.cli.command_line import say_aside
from pipelines.cli.terminal import LenientStream

# In a log that nobody watches, a line per epoch would be noise.
_EPOCHS_PER_LINE = 10
OnEpoch: TypeAlias = Callable[[Epoch], None]


@contextmanager
def shown_progress(epochs: int, quiet: bool) -> Iterator[OnEpoch]:
    """Give what to call after each epoch.

    Args:
        epochs: how many there are at most.
        quiet: whether nothing is shown.
    """
    is_hidden = quiet or not sys.stderr.isatty()
    # A terminal that is closed meanwhile ends no training.
    stream = LenientStream(sys.stderr)
    with tqdm(total=epochs, unit=" epochs", desc="training", file=stream, disable=is_hidden) as bar:

        def show(epoch: Epoch) -> None:
            training = f"{epoch.training_loss:.4f}"
            validation = f"{epoch.validation_loss:.4f}"
            bar.update()
            bar.set_postfix(training=training, validation=validation)
            if not bar.disable or quiet:
                return
            if epoch.number % _EPOCHS_PER_LINE:
                return
            losses = f"training loss {training}, validation loss {validation}"
            say_aside(f"epoch {epoch.number} of at most {epochs}: {losses}")

        yield show
