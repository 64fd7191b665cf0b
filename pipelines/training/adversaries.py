"""A discriminator is trained against a generator, where the job has a section `gan`."""

from collections.abc import Mapping

from configs.errors import JobError
from model_zoo.architectures.builders import build
from model_zoo.training.epoch import Epoch, OnEpoch
from model_zoo.training.examples import Examples
from model_zoo.training.gan import train_gan
from model_zoo.training.repeatable import repeatable
from pipelines.training.fitting_job import FittingJob
from pipelines.training.network_sizes import Parameters
from pipelines.training.prepared import Prepared
from pipelines.training.recipe import make_recipe

_GENERATOR = "generator"
# What suits small pictures, where nothing is said.
_USUAL: Parameters = {"noise": 16, "hidden": [128, 128]}
_PICTURE_SIZES = ("channels", "height", "width")
_LABELS = 2


def learn_adversaries(
    job: FittingJob,
    prepared: Prepared,
    taught: Mapping[str, Examples],
    on_epoch: OnEpoch,
) -> tuple[Epoch, ...]:
    """Train the network, which is the discriminator, in place; the generator is let go.

    Args:
        job: complete.
        prepared: the network.
        taught: examples, by part.
        on_epoch: called after each epoch.

    Raises:
        JobError: the label does not say which rows the generator is to imitate.
        ModelError: the networks do not go together.
    """
    labels = job.data.labels
    if job.network.activation != "sigmoid" or len(labels) != _LABELS:
        raise JobError(
            "gan: the label must have two values, of which the second is learned, and the network one "
            "logit a row: say data.labels: [OTHERS, KIND], and a builder such as discriminator"
        )
    parameters = _size_generator(job, taught["training"])
    with repeatable(job.training.seed):
        generator = build(_GENERATOR, parameters)
    return train_gan(
        discriminator=prepared.called,
        generator=generator,
        noise_numbers=parameters["noise"],
        training=taught["training"],
        validation=taught["validation"],
        recipe=make_recipe(job.training),
        on_epoch=on_epoch,
    )


def _size_generator(job: FittingJob, training: Examples) -> Parameters:
    """Return the generator's parameters, with the sizes of the pictures that it is to make.

    Raises:
        JobError: the network takes no pictures.
    """
    assert job.gan is not None  # noqa: S101 - who calls this has looked
    shapes = [array.shape[1:] for array in training.inputs.values()]
    first, *others = shapes
    is_of_pictures = not others and len(first) == len(_PICTURE_SIZES)
    if not is_of_pictures:
        shown = ", ".join(map(str, shapes))
        raise JobError(
            f"gan: pictures are learned, and the network takes {shown}; say an image step"
        )
    sizes = dict(zip(_PICTURE_SIZES, first, strict=True))
    fields = job.gan.model_dump()
    said = {name: value for name, value in fields.items() if value is not None}
    return {**_USUAL, **said, **sizes}
