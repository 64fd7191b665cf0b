"""How a library's network wants its pictures: the settings that it was trained with, as an `image` step.

Comes in: the job's `image`, a column. Goes out: the step, made of what torchvision says with its
weights and timm with its networks.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
import hashlib
import math
import re
from typing import Any, TypeAlias

from configs.errors import JobError
from configs.fields import Fields, Names
from configs.packaging import PackagingJob
from configs.suggest import nearest, nearest_at_all
from model_zoo.architectures.libraries import import_library
from model_zoo.architectures.library_names import is_of_library
from model_zoo.steps.image import Image
from model_zoo.steps.table import AnyStep
from storage import files

Job: TypeAlias = PackagingJob[AnyStep]

_OWN_STEP = (
    "say it as a step: preprocess: [{step: image, column: ..., into: ..., height: ..., width: ..., "
    "resize: shorter, resize_height: ..., mean: ..., std: ...}]"
)
# torchvision writes a file's digest into its name, resnet50-0676ba61.pth.
_DIGEST = re.compile(r"-([0-9a-f]{8,})\.pth$")
# Their builders turn this on with their own weights, and no weight tells.
_TRANSFORM_INPUT = ("googlenet", "inception_v3")
_INTERPOLATIONS = ("bilinear", "bicubic")
# By the number of channels.
_MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True)
class Pictures:
    """What a library says of a network's pictures.

    Attributes:
        step: the image step's fields, but for column and argument.
        parameters: of the network, which go with the weights.
        labels: class names, where the weights file is the library's own.
        note: whose settings these are, in words.
    """

    step: Fields
    note: str
    parameters: Fields = field(default_factory=dict)
    labels: Names = ()


def add_image_step(job: Job) -> tuple[Job, Names]:
    """Return the job with an image step for its column `image`, and whose settings it has, in words.

    Raises:
        JobError: nothing tells how the network wants its pictures.
    """
    if job.image is None:
        return job, ()
    network = str(job.network)
    library, _, name = network.partition(":")
    find = _FINDERS.get(library)
    if find is None or not is_of_library(network):
        raise JobError(
            f"image: nothing tells how {network} wants its pictures; instead of image, {_OWN_STEP}"
        )
    pictures = find(job, name)
    fields = {
        "step": "image",
        "column": job.image,
        # The argument of all networks of both libraries that take pictures.
        "into": "x",
        **pictures.step,
    }
    step = Image.model_validate(fields)
    changes = {
        "columns": job.columns or (job.image,),
        "preprocess": (step, *job.preprocess),
        "parameters": pictures.parameters | job.parameters,
        "labels": job.labels or pictures.labels,
    }
    changed = job.model_copy(update=changes)
    return changed, (pictures.note,)


def _find_for_torchvision(job: Job, name: str) -> Pictures:
    models = import_library("torchvision", "torchvision.models")
    there = models.list_models()
    if name not in there:
        hint = nearest_at_all(name, there)
        raise JobError(f"network: torchvision has no {name!r}{hint}")

    known = {weights.name: weights for weights in models.get_model_weights(name)}
    settings = {weights: _describe_torchvision(known[weights]) for weights in known}
    own = _find_own_weights(job, known)
    chosen = job.settings or own
    problems = []
    if chosen is None:
        chosen, is_only_one = _choose_any(settings)
        # Without a file, it may still become one of the library's own.
        if not is_only_one and job.weights:
            question = _ask_for_settings(job, name, known)
            problems.append(question)
    if chosen is not None and chosen not in known:
        hint = nearest(chosen, sorted(known))
        problems.append(f"settings: {name} has no {chosen!r}{hint}")
    if own is None:
        problems += _ask_for_transform_input(job, name)
    if problems or chosen is None:
        raise JobError("; ".join(problems))
    fields = settings[chosen]
    if fields is None:
        raise JobError(
            f"image: {name} takes pictures in another way; instead of image, {_OWN_STEP}"
        )

    note = f"pictures as of torchvision's {chosen}"
    pictures = Pictures(fields, note)
    # Classes and changed inputs come with the library's own file; of another one nothing is known.
    if own is None:
        return pictures
    meta = known[chosen].meta
    return _add_what_comes_along(pictures, name, meta)


def _choose_any(settings: Mapping[str, Fields | None]) -> tuple[str | None, bool]:
    """Return weights whose pictures are as those of others, and whether all are alike; None of none."""
    # Dicts are no keys: alike are those of the same text.
    different = {repr(fields): weights for weights, fields in settings.items()}
    chosen = next(iter(different.values()), None)
    return chosen, len(different) == 1


def _add_what_comes_along(
    pictures: Pictures,
    name: str,
    meta: Mapping[str, Any],
) -> Pictures:
    """Return what is known of torchvision's own weights beside their pictures.

    Args:
        pictures: settings of the pictures.
        name: of the network.
        meta: what the library says of the weights.
    """
    parameters = {}
    if name in _TRANSFORM_INPUT:
        parameters["transform_input"] = True
    categories = meta.get("categories", ())
    return replace(
        pictures,
        parameters=parameters,
        labels=tuple(categories),
    )


def _ask_for_settings(job: Job, name: str, known: Iterable[str]) -> str:
    options = " or ".join(sorted(known))
    return (
        f"settings: {job.weights} is none of torchvision's own files, and "
        f"{name} was trained with several settings: --settings {options}"
    )


def _ask_for_transform_input(job: Job, name: str) -> list[str]:
    if name not in _TRANSFORM_INPUT:
        return []
    # A file that is not there yet may still become one of the library's own.
    if not job.weights or "transform_input" in job.parameters:
        return []
    return [
        f"parameters.transform_input: true where {name} began with torchvision's own weights, "
        "and else false"
    ]


def _find_own_weights(job: Job, known: Mapping[str, Any]) -> str | None:
    """Return whose file the weights are, told by its digest, which the library's addresses hold."""
    # They are asked for elsewhere.
    if not job.weights:
        return None
    url = files.to_absolute(job.weights)
    content = files.read(url)
    if content is None:
        raise JobError(f"weights {job.weights}: there is no such file")
    digest = hashlib.sha256(content).hexdigest()
    for name, weights in known.items():
        found = _DIGEST.search(weights.url)
        # An address holds the first characters of it.
        if found and digest.startswith(found.group(1)):
            return name
    return None


def _describe_torchvision(weights: Any) -> Fields | None:
    """Return the step's fields; None for transforms of another kind, of videos for example."""
    transforms = weights.transforms()
    if type(transforms).__name__ != "ImageClassification":
        return None
    (crop,) = transforms.crop_size
    (shorter,) = transforms.resize_size
    return {
        "height": crop,
        "width": crop,
        "mean": tuple(transforms.mean),
        "std": tuple(transforms.std),
        "resize": "shorter",
        "resize_height": shorter,
        "interpolation": transforms.interpolation.value,
        "resize_with": "pillow",
    }


def _find_for_timm(job: Job, name: str) -> Pictures:
    timm = import_library("timm", "timm")
    data = import_library("timm", "timm.data")
    full = f"{name}.{job.settings}" if job.settings else name
    config = timm.get_pretrained_cfg(full)
    if config is None:
        known = timm.list_models()
        hint = nearest_at_all(full, known)
        raise JobError(f"network: timm has no {full!r}{hint}")
    wanted = {key: job.parameters.get(key) for key in ("in_chans", "img_size")}
    found = data.resolve_data_config(wanted, pretrained_cfg=config.to_dict())
    step = _describe_timm(found)
    if step is None:
        raise JobError(f"image: timm's {full} wants pictures of {found}; instead, {_OWN_STEP}")
    note = f"pictures as of timm's {full}"
    return Pictures(step, note)


def _describe_timm(found: Fields) -> Fields | None:
    """Return the step's fields; None for pictures that no such step makes."""
    interpolation = found["interpolation"]
    if interpolation not in _INTERPOLATIONS:
        return None
    channels, height, width = found["input_size"]
    color = _MODES.get(channels)
    if color is None:
        return None
    # Cut down, as timm does.
    share = found["crop_pct"]
    high = math.floor(height / share)
    wide = math.floor(width / share)
    step = {
        "height": height,
        "width": width,
        "mode": color,
        "mean": tuple(found["mean"])[:channels],
        "std": tuple(found["std"])[:channels],
        "resize_height": high,
        "interpolation": interpolation,
        "resize_with": "pillow",
    }
    way = found["crop_mode"]
    if way == "squash":
        step["resize"] = "exact"
        step["resize_width"] = wide
        return step
    # The image step's `shorter` has one length, whichever side of a picture it is.
    if way != "center" or high != wide:
        return None
    step["resize"] = "shorter"
    step["resize_width"] = None
    return step


_FINDERS: dict[str, Callable[[Job, str], Pictures]] = {
    "timm": _find_for_timm,
    "torchvision": _find_for_torchvision,
}
