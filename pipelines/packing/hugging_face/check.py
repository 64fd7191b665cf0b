"""Compare what was made of a Hugging Face folder with what the library makes of it, on rows of the sample."""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from PIL import ImageOps
import pyarrow as pa
import torch

from configs.errors import InputError, ModelError
from model_zoo.architectures.builders import build
from model_zoo.architectures.libraries import import_transformers
from model_zoo.architectures.named_tensors import name_tensors
from model_zoo.pictures import open_picture
from model_zoo.steps.image import Image, decode_images
from model_zoo.steps.tokenize import Tokenize, tokenize
from pipelines.packing.hugging_face.folder import Folder
from pipelines.packing.networks.state import load_weights

# Enough texts and pictures to meet what is special about some, few enough for a minute.
_TEXTS = 1000
_PICTURES = 32
_COMPUTED = 32
# torch rounds a byte of one number in a thousand otherwise; 1/255, divided by the least of usual std.
_PICTURE_TOLERANCE = 1e-3
_TOLERANCE = 1e-5
Inputs: TypeAlias = dict[str, torch.Tensor]


def check_folder(folder: Folder, sample: pa.Table) -> tuple[str, ...]:
    """Compare inputs and outputs with the library's own, and tell what was compared, in words.

    Args:
        folder: as it was read.
        sample: rows as the nightly job will have them.

    Raises:
        ModelError: they differ.
    """
    (step, *_) = folder.job.preprocess
    if isinstance(step, Tokenize):
        compared = _check_texts(folder, step, sample)
    elif isinstance(step, Image):
        compared = _check_pictures(folder, step, sample)
    else:
        raise TypeError(step.step)
    inputs = compared.inputs
    difference = _compare_outputs(folder, inputs)
    first, *_ = inputs.values()
    rows = len(first)
    note = f"{compared.note}; scores of {rows} differ by {difference:.1g}"
    return (note,)


class _Compared(NamedTuple):
    """Inputs that are the library's own.

    Attributes:
        inputs: of the network, by name.
        note: what was compared, in words.
    """

    inputs: Inputs
    note: str


def _take_values(sample: pa.Table, column: str, most: int) -> pa.Array:
    """Return the first values of a column that are there.

    Raises:
        InputError: none is.
    """
    values = sample.column(column).combine_chunks()
    present = values.drop_null()
    if not len(present):
        raise InputError(f"the sample has no value in {column!r}, on which the model is compared")
    return present[:most]


def _check_texts(folder: Folder, step: Tokenize, sample: pa.Table) -> _Compared:
    texts = _take_values(sample, step.column, _TEXTS)
    numbers, mask = tokenize(texts, step)
    library = import_transformers()
    tokenizer = _load_theirs(library.AutoTokenizer, folder)
    # Without padding: a list for each text, of its own length.
    encoded = tokenizer(
        texts.to_pylist(),
        truncation=True,
        max_length=step.max_tokens,
    )
    theirs = encoded["input_ids"]
    for row, expected in enumerate(theirs):
        has_token = mask[row] == 1
        found = numbers[row][has_token]
        if found.tolist() != expected:
            raise ModelError(
                f"huggingface {folder.path}: transformers cuts the sample's text {row} into other "
                "tokens than its tokenizer.json; save the tokenizer again with save_pretrained"
            )
    # Networks are slower than tokenizers: of the texts only some are computed.
    some_numbers = numbers[:_COMPUTED]
    some_mask = mask[:_COMPUTED]
    inputs = {
        step.into: torch.from_numpy(some_numbers),
        step.mask_into: torch.from_numpy(some_mask),
    }
    count = len(theirs)
    note = f"{count:,} texts have the tokens that transformers gives them"
    return _Compared(inputs, note)


def _load_theirs(its_class: Any, folder: Folder) -> Any:
    """Return the library's own tokenizer or processor of a folder; nothing is fetched or run for it."""
    return its_class.from_pretrained(
        str(folder.path),
        local_files_only=True,
        trust_remote_code=False,
    )


def _check_pictures(folder: Folder, step: Image, sample: pa.Table) -> _Compared:
    encoded = _take_values(sample, step.column, _PICTURES)
    pixels = decode_images(encoded, step)
    library = import_transformers()
    processor = _load_theirs(library.AutoImageProcessor, folder)
    pictures = [_open(content, step) for content in encoded.to_pylist()]
    processed = processor(pictures, return_tensors="np")
    expected = processed["pixel_values"]
    # Of other sizes nothing can be subtracted.
    difference = math.inf
    if expected.shape == pixels.shape:
        distances = np.abs(pixels - expected)
        difference = float(distances.max())
    # A difference of NaN is none that is small enough.
    if not difference <= _PICTURE_TOLERANCE:
        theirs = expected.shape[1:]
        ours = pixels.shape[1:]
        raise ModelError(
            f"huggingface {folder.path}: transformers makes of the sample's pictures "
            f"{theirs} and this program {ours} numbers, which differ by "
            f"{difference:.3g}; say the step yourself, with network, parameters and weights"
        )
    in_order = np.ascontiguousarray(pixels)
    inputs = {step.into: torch.from_numpy(in_order)}
    count = len(pixels)
    note = f"{count} pictures differ by {difference:.1g} from transformers' own"
    return _Compared(inputs, note)


def _open(encoded: bytes, step: Image) -> Any:
    with open_picture(encoded, step.max_pixels) as picture:
        upright = ImageOps.exif_transpose(picture)
        return upright.convert("RGB")


def _compare_outputs(folder: Folder, inputs: Inputs) -> float:
    """Return the largest difference between our network and the library's, with one set of weights."""
    job = folder.job
    network = build(job.network, job.parameters)
    network.eval()
    load_weights(network, folder.weights)
    inner = getattr(network, "network", network)
    with torch.inference_mode():
        our_outputs = inner(**inputs)
        their_outputs = folder.native(**inputs)
    ours = name_tensors(our_outputs)
    theirs = name_tensors(their_outputs)
    largest = 0.0
    for name, expected in theirs.items():
        share = _find_difference(ours[name], expected)
        largest = max(largest, share)
    if not largest <= _TOLERANCE:
        raise ModelError(
            f"huggingface {folder.path}: scores differ by {largest:.3g} from those of transformers; "
            "its config says something that is not taken over"
        )
    return largest


def _find_difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Return how far scores are off at most, as a share of the largest one."""
    is_number = theirs.isfinite()
    expected = theirs[is_number]
    # Scores of the library that are no numbers are refused by the proof, which names the weights.
    if not len(expected):
        return 0.0
    # Large outputs are rounded by more: relative to the largest of them, from 1 on.
    largest = _find_largest(expected)
    scale = max(1.0, largest)
    difference = _find_largest(ours[is_number] - expected)
    share = difference / scale
    # `max` passes over NaN, and a score that is no number is as far off as can be.
    if math.isnan(share):
        return math.inf
    return share


def _find_largest(tensor: torch.Tensor) -> float:
    """Return the largest number, without its sign."""
    sizes = tensor.abs()
    return float(sizes.max())
