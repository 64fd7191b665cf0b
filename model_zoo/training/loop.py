"""The training loop: a network and two sets of examples in, the weights of the best epoch out.

The same seed gives the same bits, also when the training was stopped at any moment and resumed: what
an epoch and a mini-batch draw hangs on their numbers alone (`repeatable`), and a checkpoint holds all
that an epoch changes. Knows no Beam.
"""

import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.scoring.devices import resolve_devices
from model_zoo.training.called_network import CalledNetwork
from model_zoo.training.checkpoints import Checkpoints
from model_zoo.training.epoch import Epoch, OnEpoch, OnStep, Step
from model_zoo.training.examples import Augment, Examples
from model_zoo.training.fitting import Fitting
from model_zoo.training.mini_batches import transfer_rows
from model_zoo.training.objective import Objective
from model_zoo.training.precision import make_scaler
from model_zoo.training.recipe import Recipe
from model_zoo.training.repeatable import repeatable
from model_zoo.training.resuming import Resuming, describe_origin
from model_zoo.training.trained_parts import list_trained, make_optimiser, trained_parts

# Enough rows to see shapes by; batch normalisation would not take one.
_TRIED_ROWS = 2


def train(
    network: nn.Module,
    training: Examples,
    validation: Examples,
    objective: Objective,
    recipe: Recipe,
    on_epoch: OnEpoch,
    checkpoints: Checkpoints | None = None,
    augment: Augment | None = None,
    on_step: OnStep | None = None,
) -> tuple[Epoch, ...]:
    """Fit a network, and leave it in eval mode with the weights of the epoch of lowest validation loss.

    Args:
        network: with the weights that training begins with; fresh ones are drawn within `repeatable`.
            It is on the CPU before and afterwards.
        training, validation: rows to fit on, and rows that tell when to stop.
        objective: what is to be learned.
        recipe: how to train.
        on_epoch: called after each epoch, for progress; of a training that is resumed not with those before.
        checkpoints: where a training that was stopped goes on from; None to keep none.
        augment: changes the inputs of a mini-batch.
        on_step: called after each step, for progress within long epochs.

    Returns:
        All epochs.

    Raises:
        ModelError: the network does not fit the examples, the loss is not finite, or there is no such
            device.
        JobError: weights to be trained that there are not, or a checkpoint of another training.
        InputError: a damaged checkpoint.
    """
    device = resolve_devices(recipe.device, "training.device")[0]
    with (
        repeatable(
            recipe.seed,
            recipe.threads,
            device,
        ),
        trained_parts(network, recipe.train_only),
    ):
        # All in this block: what is drawn and how it is rounded decides the bits.
        called = CalledNetwork(network, list(training.inputs), objective.output)
        _try_out(called, training, objective)
        origin = {}
        if checkpoints is not None:
            origin = describe_origin(network, training, validation, objective, recipe)
            origin["job"] = checkpoints.job
        network.to(device)
        optimiser = make_optimiser(list_trained(network), recipe)
        scaler = make_scaler(recipe, device)
        resuming = Resuming(checkpoints, origin, network, optimiser, scaler)
        fitting = Fitting(called, training, validation, objective, recipe, resuming, device)
        epochs = fitting.run(on_epoch, augment, on_step or _tell_nobody)
        # Packing computes there, and its proof is about a CPU.
        network.to("cpu")
        network.load_state_dict(resuming.best_weights)
    network.eval()
    return tuple(epochs)


def _tell_nobody(step: Step) -> None:
    """Take what nobody asked for."""


def _try_out(
    called: CalledNetwork,
    training: Examples,
    objective: Objective,
) -> None:
    """Refuse, before anything is learned, a network that does not fit the examples.

    It also gives layers their shapes that take them from the first rows, which an optimiser needs.
    """
    if not len(training):
        raise ModelError("there are no training rows; lower split.validation and split.test")
    called.network.eval()
    rows = slice(0, _TRIED_ROWS)
    with torch.no_grad():
        tensors = transfer_rows(
            training.inputs,
            rows,
            torch.device("cpu"),
        )
        output = called.compute(tensors)
    objective.check(output, training.targets)
