"""What an image processor's settings become: the step that does the same, or a refusal that names what it cannot do."""

from types import SimpleNamespace
from typing import Any

import pytest

from configs.errors import JobError
from pipelines.packing.hugging_face.inputs import (
    _count_positions,
    find_longest,
    make_image_step,
    make_tokenize_step,
)

PLAIN: dict[str, Any] = {
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.2, 0.2, 0.1],
    "size": {"height": 8, "width": 6},
}


def test_what_is_not_said_is_done_as_the_library_does_it() -> None:
    step = make_image_step("hf", "photo", PLAIN)
    said = dict.fromkeys(("do_resize", "do_rescale", "do_normalize"), True)
    usual = {"rescale_factor": 1 / 255, "resample": 2, "do_pad": False, "do_center_crop": False}
    assert step == make_image_step("hf", "photo", {**PLAIN, **said, **usual})
    assert (step.height, step.width, step.interpolation) == (8, 6, "bilinear")
    assert (step.mean, step.std) == ((0.5, 0.4, 0.3), (0.2, 0.2, 0.1))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"do_resize": False}, "do_resize is false"),
        ({"do_rescale": False}, "do_rescale is false"),
        ({"do_normalize": False}, "do_normalize is false"),
        ({"do_resize": False, "do_normalize": False}, "do_resize is false, do_normalize is false"),
        ({"rescale_factor": 1 / 127.5}, "rescale_factor is not 1/255"),
        ({"do_pad": True}, "do_pad is true"),
        ({"resample": 0}, "resample is neither bilinear"),
        ({"size": {"longest_edge": 5}}, "size is {'longest_edge': 5}"),
    ],
)
def test_what_the_step_does_not_do_is_named(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(JobError, match=r"^huggingface hf: preprocessor_config\.json: ") as refused:
        make_image_step("hf", "photo", {**PLAIN, **settings})
    assert f": {told}" in str(refused.value)


@pytest.mark.parametrize(("factor", "is_taken"), [(0.00392156862745098, True), (0.0039216, False)])
def test_the_last_digits_of_a_factor_may_be_others(factor: float, is_taken: bool) -> None:
    settings = {**PLAIN, "rescale_factor": factor}
    if is_taken:
        assert make_image_step("hf", "photo", settings) == make_image_step("hf", "photo", PLAIN)
        return
    with pytest.raises(JobError, match="rescale_factor is not 1/255"):
        make_image_step("hf", "photo", settings)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 0}, 512),
        # Its positions are counted from behind that of padding.
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": None}, 513),
        ({"model_type": "t5"}, None),
    ],
)
def test_a_text_has_as_many_tokens_as_there_are_positions(
    config: dict[str, Any], expected: int | None
) -> None:
    assert _count_positions(SimpleNamespace(**config)) == expected


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, ""),
        ({"padding_side": "right", "truncation_side": "right"}, ""),
        ({"padding_side": "left"}, "padding_side is 'left'; only right is taken"),
        ({"truncation_side": "left"}, "truncation_side is 'left'; only right is taken"),
    ],
)
def test_texts_are_cut_and_padded_at_the_right_alone(settings: dict[str, str], told: str) -> None:
    if not told:
        step = make_tokenize_step("hf", "text", "{}", 12, settings)
        assert (step.column, step.tokenizer, step.max_tokens) == ("text", "{}", 12)
        return
    with pytest.raises(JobError, match=told):
        make_tokenize_step("hf", "text", "{}", 12, settings)


@pytest.mark.parametrize(
    ("shorter", "crop", "resized"),
    [(224, None, 256), (383, None, 437), (224, 0.5, 448), (384, None, None), (512, 0.5, None)],
)
def test_a_convnext_crops_small_pictures_alone(
    shorter: int, crop: float | None, resized: int | None
) -> None:
    said = {} if crop is None else {"crop_pct": crop}
    settings = {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": shorter},
    }
    step = make_image_step("hf", "photo", {**PLAIN, **settings, **said})
    assert (step.height, step.width) == (shorter, shorter)
    assert step.resize == ("exact" if resized is None else "shorter")
    assert step.resize_height == resized


@pytest.mark.parametrize(
    ("sentence", "tokenizer", "positions", "longest"),
    [
        (None, None, 512, 512),
        (256, 512, 512, 256),
        (None, 128, 512, 128),
        (None, 10**30, 512, 512),
        (None, 64.0, None, 64),
        (128, None, None, 128),
    ],
)
def test_a_text_is_as_long_as_all_files_allow(
    sentence: int | None, tokenizer: float | None, positions: int | None, longest: int
) -> None:
    config = SimpleNamespace(model_type="bert", max_position_embeddings=positions)
    said = {"max_seq_length": sentence}, {"model_max_length": tokenizer}
    assert find_longest(config, said[1], said[0]) == longest


def test_a_length_that_no_file_says_is_asked_for() -> None:
    with pytest.raises(JobError, match="says how many tokens the model takes"):
        find_longest(SimpleNamespace(model_type="t5"), {"model_max_length": 10**30}, {})


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        ({"size": 8}, (8, 8, "exact", 8, 8)),
        ({"size": {"height": 9, "width": 7}}, (9, 7, "exact", 9, 7)),
        (
            {"size": {"height": 9, "width": 7}, "do_center_crop": True, "crop_size": 5},
            (5, 5, "exact", 9, 7),
        ),
        ({"size": {"height": 9, "width": 7}, "crop_size": 5}, (9, 7, "exact", 9, 7)),
        (
            {"size": {"shortest_edge": 9}, "do_center_crop": True, "crop_size": 5},
            (5, 5, "shorter", 9, None),
        ),
    ],
)
def test_sizes_are_said_as_one_number_or_as_sides(
    settings: dict[str, Any], sizes: tuple[Any, ...]
) -> None:
    step = make_image_step("hf", "photo", {**PLAIN, **settings})
    actual = (step.height, step.width, step.resize, step.resize_height, step.resize_width)
    assert actual == sizes


@pytest.mark.parametrize("settings", [{"size": {"shortest_edge": 9}}, {"size": {}}])
def test_pictures_of_many_widths_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(JobError, match="size is"):
        make_image_step("hf", "photo", {**PLAIN, **settings})
