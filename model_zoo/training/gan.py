"""Train a discriminator against a generator: it then tells rows of training's kind from any others.

Both learn in turns, mini-batch by mini-batch:

    real rows ----------------------\
                                     discriminator: real, or made?
    noise -- generator -- made rows -/        |
                 ^---- what looks real -------/

Half of the made rows come from earlier in the training (Shrivastava et al., 2017): a discriminator
that sees the latest alone forgets how to tell the others, and those are what outliers look like.
"""

from collections.abc import Callable
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from configs.errors import ModelError
from model_zoo.tensors import to_tensor
from model_zoo.training.epoch import Epoch
from model_zoo.training.examples import Examples
from model_zoo.training.mini_batches import Rows, cut_mini_batches
from model_zoo.training.recipe import Recipe
from model_zoo.training.repeatable import repeatable

# Of real rows the discriminator need not be surer (Salimans et al., 2016): what it is sure of no
# generator learns from.
_REAL = 0.9
# Of Adam, as Radford et al. found: with 0.9 the two swing past each other.
_MOMENTA = (0.5, 0.999)
# Some ten epochs of a small data set.
_HISTORY_ROWS = 8192
# Of targets: rows of the kind that is learned; others are for the test alone.
_OF_THE_KIND = 0.5


def train_gan(
    discriminator: nn.Module,
    generator: nn.Module,
    noise_numbers: int,
    training: Examples,
    validation: Examples,
    recipe: Recipe,
    on_epoch: Callable[[Epoch], None],
) -> tuple[Epoch, ...]:
    """Fit a discriminator, and leave it in eval mode with the weights of the last epoch.

    The losses of two networks that learn against each other tell of no best epoch.

    Args:
        discriminator: takes the examples' only input, and gives a logit a row.
        generator: takes `noise` (rows, noise_numbers), and gives rows as that input has them.
        noise_numbers: random numbers that a row is made of.
        training, validation: of whose rows those of target 1 are real; others are never looked at.
        recipe: learning rate, rows of a mini-batch, epochs, and seed.
        on_epoch: called after each epoch.

    Returns:
        All epochs. The validation loss is that of the validation's real rows and of rows just made.

    Raises:
        ModelError: the networks do not go together, or not with the examples.
    """
    with repeatable(recipe.seed, recipe.threads):
        name, real = _take_real(training)
        _, held_out = _take_real(validation)
        adversaries = _Adversaries(
            discriminator=discriminator,
            generator=generator,
            noise_numbers=noise_numbers,
            name=name,
            learning_rate=recipe.learning_rate,
        )
        adversaries.try_out(real)
        epochs = []
        for number in range(1, recipe.epochs + 1):
            began = time.monotonic()
            batches = cut_mini_batches(len(real), recipe.batch_rows, recipe.seed, number)
            loss = adversaries.train_epoch(real, batches)
            validation_loss = adversaries.validate(held_out)
            epoch = Epoch(
                number=number,
                training_loss=loss,
                validation_loss=validation_loss,
                # The latest is what is kept.
                best=True,
                learning_rate=recipe.learning_rate,
                seconds=time.monotonic() - began,
            )
            epochs.append(epoch)
            on_epoch(epoch)
    discriminator.eval()
    return tuple(epochs)


class _Adversaries:
    """The two networks, and rows that the generator has made.

    Args:
        discriminator, generator, noise_numbers: as for `train_gan`.
        name: of the discriminator's input.
        learning_rate: of both.
    """

    def __init__(
        self,
        discriminator: nn.Module,
        generator: nn.Module,
        noise_numbers: int,
        name: str,
        learning_rate: float,
    ) -> None:
        self._discriminator = discriminator
        self._generator = generator
        self._noise_numbers = noise_numbers
        self._name = name
        self._of_discriminator = _make_optimiser(discriminator, learning_rate)
        self._of_generator = _make_optimiser(generator, learning_rate)
        self._history: torch.Tensor | None = None

    def try_out(self, real: np.ndarray) -> None:
        """Refuse networks that do not go together.

        Raises:
            ModelError: they do not.
        """
        self._generator.eval()
        self._discriminator.eval()
        some = to_tensor(real[:2])
        try:
            with torch.no_grad():
                made = self._make(len(some))
                told = self._tell(some)
        except (TypeError, ValueError, RuntimeError, KeyError, AttributeError) as error:
            raise ModelError(f"the GAN's networks do not take its rows: {error}") from error
        if made.shape != some.shape:
            shape = tuple(made.shape[1:])
            wanted = tuple(some.shape[1:])
            raise ModelError(f"the generator makes rows of {shape}, and {self._name} is {wanted}")
        if told.shape != (len(some),):
            raise ModelError("the discriminator must give one logit a row")

    def train_epoch(self, real: np.ndarray, batches: list[Rows]) -> float:
        """Let both learn from all real rows once, and return the discriminator's mean loss.

        Args:
            real: rows of training.
            batches: numbers of rows.

        Raises:
            ModelError: the loss is not finite.
        """
        self._generator.train()
        self._discriminator.train()
        total = 0.0
        for rows in batches:
            some = to_tensor(real[rows])
            loss = self._teach_discriminator(some)
            self._teach_generator(len(some))
            total += loss * len(some)
        mean = total / len(real)
        if not np.isfinite(mean):
            raise ModelError("the loss is not finite; lower training.learning_rate")
        return mean

    def validate(self, real: np.ndarray) -> float:
        """Return the discriminator's loss of rows that it has not seen, and of as many made ones."""
        self._generator.eval()
        self._discriminator.eval()
        some = to_tensor(real)
        with torch.no_grad():
            made = self._make(len(some))
            loss = self._compute_loss(some, made)
        return float(loss)

    def _teach_discriminator(self, real: torch.Tensor) -> float:
        with torch.no_grad():
            made = self._make(len(real))
        shown = self._mix_with_history(made)
        loss = self._compute_loss(real, shown)
        self._of_discriminator.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._of_discriminator.step()
        return loss.item()

    def _teach_generator(self, rows: int) -> None:
        made = self._make(rows)
        told = self._tell(made)
        # As Goodfellow et al. have it: to be taken for real, and not just not for made.
        loss = _compare(told, 1.0)
        self._of_generator.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._of_generator.step()

    def _compute_loss(self, real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        of_real = _compare(self._tell(real), _REAL)
        of_made = _compare(self._tell(made), 0.0)
        return of_real + of_made

    def _mix_with_history(self, made: torch.Tensor) -> torch.Tensor:
        """Return made rows and as many earlier ones, and keep them for later."""
        rows = len(made)
        if self._history is None:
            self._history = made
        history = self._history
        earlier = history[torch.randint(len(history), (rows,))]
        if len(history) < _HISTORY_ROWS:
            self._history = torch.cat([history, made])
        else:
            # In place of any: some of the first ones stay to the end.
            history[torch.randint(len(history), (rows,))] = made
        return torch.cat([made, earlier])

    def _make(self, rows: int) -> torch.Tensor:
        noise = torch.randn(rows, self._noise_numbers)
        outputs = self._generator(noise=noise)
        (made,) = outputs.values()
        return made

    def _tell(self, rows: torch.Tensor) -> torch.Tensor:
        outputs = self._discriminator(**{self._name: rows})
        (told,) = outputs.values()
        return told


def _take_real(examples: Examples) -> tuple[str, np.ndarray]:
    """Return the input's name, and the rows of the kind that is learned.

    Raises:
        ModelError: there are several inputs, or no such rows.
    """
    if len(examples.inputs) != 1:
        names = ", ".join(examples.inputs)
        raise ModelError(f"a GAN learns rows of one input, and there are {names}")
    ((name, rows),) = examples.inputs.items()
    real = rows[examples.targets > _OF_THE_KIND]
    if not len(real):
        raise ModelError("there are no rows of the second label, which is what a GAN learns")
    return name, real


def _compare(told: torch.Tensor, truth: float) -> torch.Tensor:
    wanted = torch.full_like(told, truth)
    return functional.binary_cross_entropy_with_logits(told, wanted)


def _make_optimiser(network: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    weights = network.parameters()
    return torch.optim.Adam(weights, lr=learning_rate, betas=_MOMENTA)
