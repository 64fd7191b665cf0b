"""What a Hugging Face model takes: its tokenizer and its image processor as steps of this program."""

from collections.abc import Mapping
from typing import Any

from configs.errors import JobError
from configs.fields import Fields
from model_zoo.steps.image import Image
from model_zoo.steps.tokenize import Tokenize

# Tokenizers without a limit say 10**30.
_NO_LIMIT = 1_000_000
# RoBERTa and those made after it count positions from the padding's number on.
_COUNTED_BEHIND_PADDING = ("roberta", "camembert", "mpnet")
_FACTOR = 1 / 255
# As Pillow numbers them.
_BILINEAR = 2
_INTERPOLATIONS = {_BILINEAR: "bilinear", 3: "bicubic"}
_CONVNEXT_CROPS_BELOW = 384
_DEFAULT_CROP = 224 / 256


def find_longest(
    config: Any,
    tokenizer: Mapping[str, Any],
    sentence: Mapping[str, Any],
) -> int:
    """Return how many tokens the model takes at most: the least of what its files say.

    Args:
        config: of the network, as the library read it.
        tokenizer: content of `tokenizer_config.json`, or nothing.
        sentence: content of `sentence_bert_config.json`, or nothing.

    Raises:
        JobError: none of them says it.
    """
    limits = [
        sentence.get("max_seq_length"),
        tokenizer.get("model_max_length"),
        _count_positions(config),
    ]
    # None where a file does not say it.
    said = [limit for limit in limits if isinstance(limit, int | float)]
    known = [int(limit) for limit in said if limit < _NO_LIMIT]
    if not known:
        raise JobError(
            "huggingface: neither tokenizer_config.json (model_max_length) nor config.json "
            "(max_position_embeddings) says how many tokens the model takes; write one of them"
        )
    return min(known)


def _count_positions(config: Any) -> int | None:
    """Return how many tokens have a position; None where the network does not number them."""
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int):
        return None
    if any(family in config.model_type for family in _COUNTED_BEHIND_PADDING):
        first = (config.pad_token_id or 0) + 1
        return positions - first
    return positions


def make_tokenize_step(
    path: str,
    column: str,
    content: str,
    longest: int,
    settings: Mapping[str, Any],
) -> Tokenize:
    """Return the step that cuts texts into tokens.

    Args:
        path: of the folder, for messages.
        column: of texts.
        content: of `tokenizer.json`.
        longest: tokens of the longest text.
        settings: content of `tokenizer_config.json`.

    Raises:
        JobError: padding or cutting at the left, which no step does.
    """
    for name in ("padding_side", "truncation_side"):
        side = settings.get(name, "right")
        if side != "right":
            raise JobError(f"huggingface {path}: {name} is {side!r}; only right is taken")
    fields = {
        "step": "tokenize",
        "column": column,
        "max_tokens": longest,
        "tokenizer": content,
    }
    return Tokenize.model_validate(fields)


def make_image_step(path: str, column: str, settings: Mapping[str, Any]) -> Image:
    """Return the step that makes of pictures what an image processor does.

    Args:
        path: of the folder, for messages.
        column: of pictures.
        settings: content of `preprocessor_config.json`.

    Raises:
        JobError: something in it that the step cannot do.
    """
    problems = _list_problems(settings)
    sizes = _find_sizes(settings)
    if sizes is None:
        problems.append(f"size is {settings.get('size')}")
    if problems or sizes is None:
        found = ", ".join(problems)
        raise JobError(
            f"huggingface {path}: preprocessor_config.json: {found}, which the image "
            "step does not do"
        )
    interpolation = settings.get("resample", _BILINEAR)
    fields = {
        "step": "image",
        "column": column,
        "into": "pixel_values",
        "mean": tuple(settings["image_mean"]),
        "std": tuple(settings["image_std"]),
        "interpolation": _INTERPOLATIONS[interpolation],
        "crop_starts": "cut",
        **sizes,
    }
    return Image.model_validate(fields)


def _list_problems(settings: Mapping[str, Any]) -> list[str]:
    """Return what an image processor does otherwise than the step, sizes aside."""
    needed = ("do_resize", "do_rescale", "do_normalize")
    problems = [f"{name} is false" for name in needed if not settings.get(name, True)]
    factor = settings.get("rescale_factor", _FACTOR)
    # As it is written in JSON, its last digits may be others.
    if abs(factor - _FACTOR) > 1e-9:
        problems.append("rescale_factor is not 1/255")
    if settings.get("do_pad"):
        problems.append("do_pad is true")
    if settings.get("resample", _BILINEAR) not in _INTERPOLATIONS:
        problems.append("resample is neither bilinear (2) nor bicubic (3)")
    return problems


def _find_sizes(settings: Mapping[str, Any]) -> Fields | None:
    """Return the step's fields about sizes; None for what the step cannot do."""
    size = _to_sides(settings.get("size", {}))
    crop = None
    if settings.get("do_center_crop"):
        crop = _to_sides(settings.get("crop_size"))
    if set(size) == {"height", "width"}:
        wanted = crop or size
        return {
            "height": wanted["height"],
            "width": wanted["width"],
            "resize_height": size["height"],
            "resize_width": size["width"],
        }
    if set(size) != {"shortest_edge"}:
        return None
    shorter = size["shortest_edge"]
    if _is_convnext(settings):
        return _find_convnext_sizes(settings, shorter)
    if crop is None:
        # Pictures of many widths, of which no batch can be made.
        return None
    return {
        "height": crop["height"],
        "width": crop["width"],
        "resize": "shorter",
        "resize_height": shorter,
    }


def _to_sides(size: Any) -> Any:
    """Return a size as newer versions write it: older ones wrote a square's as one number."""
    if isinstance(size, int):
        return {"height": size, "width": size}
    return size


def _is_convnext(settings: Mapping[str, Any]) -> bool:
    # Older versions had the other name for it.
    kind = settings.get("image_processor_type") or settings.get("feature_extractor_type")
    return str(kind or "").startswith("ConvNext")


def _find_convnext_sizes(settings: Mapping[str, Any], shorter: int) -> Fields:
    """Return what ConvNeXT's own processor does: small pictures are cropped, large ones are not."""
    sizes: Fields = {"height": shorter, "width": shorter}
    if shorter < _CONVNEXT_CROPS_BELOW:
        share = settings.get("crop_pct", _DEFAULT_CROP)
        resized = int(shorter / share)
        sizes |= {"resize": "shorter", "resize_height": resized}
    return sizes
