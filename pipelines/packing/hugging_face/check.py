"""Compare what was made of a Hugging Face folder with what the library makes of it, on rows of the sample."""

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
    rows = len(next(iter(inputs.values())))
    return (f"{compared}; scores of {rows} differ by {difference:.1g}",)


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
    encoded = tokenizer(texts.to_pylist(), truncation=True, max_length=step.max_tokens)
    found = encoded["input_ids"]
    for row, expected in enumerate(found):
        has_token = mask[row] == 1
        if numbers[row][has_token].tolist() != expected:
            raise ModelError(
                f"huggingface {folder.path}: transformers cuts the sample's text {row} into other "
                "tokens than its tokenizer.json; save the tokenizer again with save_pretrained"
            )
    inputs = {
        step.into: torch.from_numpy(numbers[:_COMPUTED]),
        step.mask_into: torch.from_numpy(mask[:_COMPUTED]),
    }
    return inputs, f"{len(found):,} texts have the tokens that transformers gives them"


def _check_pictures(
    folder: Folder, step: Image, sample: pa.Table
) -> tuple[dict[str, torch.Tensor], str]:
    encoded = _take_values(sample, step.column, _PICTURES)
    pixels = decode_images(encoded, step)
    processor = import_transformers().AutoImageProcessor.from_pretrained(
        str(folder.path), local_files_only=True, trust_remote_code=False
    )
    pictures = [_open(value.as_py(), step) for value in encoded]
    expected = processor(pictures, return_tensors="np")["pixel_values"]
    difference = float("inf")
    if expected.shape == pixels.shape:
        difference = float(np.abs(pixels - expected).max())
    if not difference <= _PICTURE_TOLERANCE:
        raise ModelError(
            f"huggingface {folder.path}: transformers makes of the sample's pictures "
            f"{expected.shape[1:]} and this program {pixels.shape[1:]} numbers, which differ by "
            f"{difference:.3g}; say the step yourself, with network, parameters and weights"
        )
    inputs = {step.into: torch.from_numpy(np.ascontiguousarray(pixels))}
    return inputs, f"{len(pixels)} pictures differ by {difference:.1g} from transformers' own"


def _open(encoded: bytes, step: Image) -> Any:
    with open_picture(encoded, step.max_pixels) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


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
        scale = max(1.0, float(expected.abs().max()))
        largest = max(largest, float((ours[name] - expected).abs().max()) / scale)
    if not largest <= _TOLERANCE:
        raise ModelError(
            f"huggingface {folder.path}: scores differ by {largest:.3g} from those of transformers; "
            "its config says something that is not taken over"
        )
    return largest
