"""Compare what was made of a Hugging Face folder with what the library makes of it, on rows of the sample."""

import math
from typing import Any

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
_TEXTS, _PICTURES, _COMPUTED = 1000, 32, 32
# torch rounds a byte of one number in a thousand otherwise; 1/255, divided by the least of usual std.
_PICTURE_TOLERANCE = 1e-3
_TOLERANCE = 1e-5


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
        inputs, compared = _check_texts(folder, step, sample)
    elif isinstance(step, Image):
        inputs, compared = _check_pictures(folder, step, sample)
    else:
        raise TypeError(step.step)
    difference = _compare_outputs(folder, inputs)
    first = next(iter(inputs.values()))
    note = f"{compared}; scores of {len(first)} differ by {difference:.1g}"
    return (note,)


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


def _check_texts(
    folder: Folder, step: Tokenize, sample: pa.Table
) -> tuple[dict[str, torch.Tensor], str]:
    texts = _take_values(sample, step.column, _TEXTS)
    numbers, mask = tokenize(texts, step)
    library = import_transformers()
    tokenizer = library.AutoTokenizer.from_pretrained(
        str(folder.path), local_files_only=True, trust_remote_code=False
    )
    # Without padding: a list for each text, of its own length.
    encoded = tokenizer(texts.to_pylist(), truncation=True, max_length=step.max_tokens)
    theirs = encoded["input_ids"]
    for row, expected in enumerate(theirs):
        has_token = mask[row] == 1
        found = numbers[row][has_token].tolist()
        if found != expected:
            raise ModelError(
                f"huggingface {folder.path}: transformers cuts the sample's text {row} into other "
                "tokens than its tokenizer.json; save the tokenizer again with save_pretrained"
            )
    # Networks are slower than tokenizers: of the texts only some are computed.
    inputs = {
        step.into: torch.from_numpy(numbers[:_COMPUTED]),
        step.mask_into: torch.from_numpy(mask[:_COMPUTED]),
    }
    return inputs, f"{len(theirs):,} texts have the tokens that transformers gives them"


def _check_pictures(
    folder: Folder, step: Image, sample: pa.Table
) -> tuple[dict[str, torch.Tensor], str]:
    encoded = _take_values(sample, step.column, _PICTURES)
    pixels = decode_images(encoded, step)
    library = import_transformers()
    processor = library.AutoImageProcessor.from_pretrained(
        str(folder.path), local_files_only=True, trust_remote_code=False
    )
    pictures = [_open(value.as_py(), step) for value in encoded]
    processed = processor(pictures, return_tensors="np")
    expected = processed["pixel_values"]
    # Of other sizes nothing can be subtracted.
    difference = math.inf
    if expected.shape == pixels.shape:
        distances = np.abs(pixels - expected)
        difference = float(distances.max())
    # A difference of NaN is none that is small enough.
    if not difference <= _PICTURE_TOLERANCE:
        raise ModelError(
            f"huggingface {folder.path}: transformers makes of the sample's pictures "
            f"{expected.shape[1:]} and this program {pixels.shape[1:]} numbers, which differ by "
            f"{difference:.3g}; say the step yourself, with network, parameters and weights"
        )
    in_order = np.ascontiguousarray(pixels)
    inputs = {step.into: torch.from_numpy(in_order)}
    return inputs, f"{len(pixels)} pictures differ by {difference:.1g} from transformers' own"


def _open(encoded: bytes, step: Image) -> Any:
    with open_picture(encoded, step.max_pixels) as picture:
        upright = ImageOps.exif_transpose(picture)
        return upright.convert("RGB")


def _compare_outputs(folder: Folder, inputs: dict[str, torch.Tensor]) -> float:
    """Return the largest difference between our network and the library's, with one set of weights."""
    network = build(folder.job.network, folder.job.parameters).eval()
    load_weights(network, folder.weights)
    inner = getattr(network, "network", network)
    with torch.inference_mode():
        ours = name_tensors(inner(**inputs))
        theirs = name_tensors(folder.native(**inputs))
    largest = 0.0
    for name, expected in theirs.items():
        # Large outputs are rounded by more: relative to the largest of them, from 1 on.
        is_number = expected.isfinite()
        expected = expected[is_number]
        # Scores of the library that are no numbers are refused by the proof, which names the weights.
        if not len(expected):
            continue
        scale = max(1.0, _find_largest(expected))
        difference = _find_largest(ours[name][is_number] - expected)
        share = difference / scale
        # `max` passes over NaN, and a score that is no number is as far off as can be.
        largest = max(largest, math.inf if math.isnan(share) else share)
    if not largest <= _TOLERANCE:
        raise ModelError(
            f"huggingface {folder.path}: scores differ by {largest:.3g} from those of transformers; "
            "its config says something that is not taken over"
        )
    return largest


def _find_largest(tensor: torch.Tensor) -> float:
    """Return the largest number, without its sign."""
    return float(tensor.abs().max())
