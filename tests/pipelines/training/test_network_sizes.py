"""Sizes of a network that a training job may leave out."""

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError
from model_zoo.architectures.builders import build
from pipelines.training.network_sizes import (
    Outputs,
    _find_picture,
    add_sizes,
    add_usual,
    choose_builder,
)

SEQUENCES = {"x": np.zeros((5, 7, 3), np.float32)}
PICTURES = {"image": np.zeros((5, 2, 8, 9), np.float32)}


@pytest.mark.parametrize("builder", ["gru", "lstm"])
def test_a_recurrent_network_takes_the_vectors_of_a_sequence(builder: str) -> None:
    sized = add_sizes(builder, add_usual(builder, {}), (), SEQUENCES, Outputs(4, 4))
    assert sized == {"features": 3, "hidden": 64, "out_features": 4}
    build(builder, sized)


def test_a_discriminator_takes_the_picture() -> None:
    sized = add_sizes("discriminator", {"hidden": [5]}, (), PICTURES, Outputs(1, 2))
    assert sized == {"hidden": [5], "channels": 2, "height": 8, "width": 9}


@pytest.mark.slow
def test_a_classifier_of_transformers_is_told_its_classes_by_their_names() -> None:
    pytest.importorskip("transformers")
    name = "transformers:BertForSequenceClassification"
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 9}
    sized = add_sizes(name, small, (), {}, Outputs(3, 3))
    network = build(name, sized)
    assert dict(network.named_parameters())["classifier.weight"].shape == (3, 8)
    # What the job says counts.
    said = {**small, "id2label": {"0": "a", "1": "b"}}
    assert add_sizes(name, said, (), {}, Outputs(3, 3)) == said


def test_a_size_that_nothing_tells_is_asked_for() -> None:
    with pytest.raises(JobError, match=r"network\.parameters\.hidden: is needed by discriminator"):
        add_sizes("discriminator", {}, (), PICTURES, Outputs(1, 2))


@pytest.mark.parametrize(
    ("shape", "numbers"), [((5,), 1), ((5, 3), 3), ((5, 7, 3), 3), ((5, 1), 1)]
)
def test_a_plain_column_is_one_number_and_a_wide_one_as_many_as_a_step_has(
    shape: tuple[int, ...], numbers: int
) -> None:
    columns = {"x": np.zeros(shape, np.float32), "y": pa.array([1.0] * 5)}
    sized = add_sizes("mlp", {"hidden": [4]}, (), columns, Outputs(2, 2))
    assert sized["in_features"] == numbers + 1


@pytest.mark.parametrize(
    ("columns", "channels"),
    [
        (PICTURES, 2),
        # Of two nobody knows which is meant; and what is no picture is none.
        ({**PICTURES, "other": PICTURES["image"]}, None),
        ({**PICTURES, **SEQUENCES, "a": pa.array([1.0] * 5)}, 2),
        (SEQUENCES, None),
        ({"a": pa.array([1.0] * 5)}, None),
        ({}, None),
    ],
)
def test_a_size_of_pictures_is_that_of_the_only_array_of_them(
    columns: dict, channels: int | None
) -> None:
    assert _find_picture(columns, 1) == channels


@pytest.mark.parametrize(
    ("builder", "parameters"),
    [
        ("torchvision:resnet18", {"num_classes": 2}),
        ("timm:resnet18", {"num_classes": 2}),
        ("transformers:BertForSequenceClassification", {"id2label": {"0": "0", "1": "1"}}),
        ("torch_geometric:GCN", {}),
    ],
)
def test_a_librarys_network_is_told_its_classes_unless_the_job_says_them(
    builder: str, parameters: dict
) -> None:
    assert add_sizes(builder, {}, (), {}, Outputs(1, 2)) == parameters
    said = dict.fromkeys(parameters, 7)
    assert add_sizes(builder, said, (), {}, Outputs(1, 2)) == said


@pytest.mark.parametrize(
    ("builder", "usual"),
    [
        ("mlp", {"hidden": [64, 32], "dropout": 0.1}),
        ("cnn", {"widths": [16, 32]}),
        ("gru", {"hidden": 64}),
        ("lstm", {"hidden": 64}),
        ("torchvision:resnet18", {}),
    ],
)
def test_what_suits_small_tables_stands_where_nothing_is_said(builder: str, usual: dict) -> None:
    assert add_usual(builder, {}) == usual
    assert add_usual(builder, {"hidden": [5]}) == {"hidden": [5]}


def test_pictures_have_a_network_of_their_own() -> None:
    assert choose_builder(PICTURES) == "cnn"
    assert choose_builder(SEQUENCES) == "mlp"
    assert choose_builder({"a": pa.array([1.0]), **PICTURES}) == "cnn"
    assert choose_builder({}) == "mlp"
