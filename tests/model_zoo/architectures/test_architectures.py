import numpy as np
import pytest
import torch

from configs.errors import ModelError
from model_zoo.architectures.builders import BUILDERS, build


def test_mlp_is_what_numpy_computes_from_its_weights() -> None:
    network = build("mlp", {"in_features": 5, "hidden": [7, 4], "out_features": 3}).eval()
    x = np.random.default_rng(0).standard_normal((11, 5)).astype(np.float32)
    weights = [p.detach().numpy().astype(np.float64) for p in network.parameters()]
    expected = x.astype(np.float64)
    for matrix, bias in zip(weights[0:-2:2], weights[1:-2:2], strict=True):
        expected = np.maximum(expected @ matrix.T + bias, 0)
    expected = expected @ weights[-2].T + weights[-1]
    with torch.inference_mode():
        actual = network(x=torch.from_numpy(x))
    assert list(actual) == ["logits"]
    np.testing.assert_allclose(actual["logits"].numpy(), expected, rtol=1e-5, atol=1e-6)


def test_mlp_with_one_output_gives_one_logit_per_row_even_for_one_row() -> None:
    network = build("mlp", {"in_features": 2, "hidden": [], "out_features": 1}).eval()
    for rows in (0, 1, 3):
        assert tuple(network(x=torch.zeros(rows, 2))["logit"].shape) == (rows,)


def test_dropout_only_acts_in_training() -> None:
    network = build("mlp", {"in_features": 4, "hidden": [64], "out_features": 1, "dropout": 0.5})
    x = torch.ones(1, 4)
    assert not torch.equal(network.train()(x=x)["logit"], network(x=x)["logit"])
    assert torch.equal(network.eval()(x=x)["logit"], network(x=x)["logit"])


@pytest.mark.parametrize(
    ("channels", "height", "width", "widths"),
    [(1, 8, 8, [4]), (3, 32, 32, [4, 8, 8]), (3, 9, 17, [4, 4, 4])],
)
def test_cnn_gives_logits_for_images_of_its_size(
    channels: int, height: int, width: int, widths: list[int]
) -> None:
    parameters = {
        "channels": channels,
        "height": height,
        "width": width,
        "classes": 6,
        "widths": widths,
    }
    outputs = build("cnn", parameters).eval()(image=torch.zeros(2, channels, height, width))
    assert {name: tuple(tensor.shape) for name, tensor in outputs.items()} == {"logits": (2, 6)}


def test_a_row_of_cnn_does_not_depend_on_its_neighbours() -> None:
    network = build(
        "cnn", {"channels": 1, "height": 8, "width": 8, "classes": 3, "widths": [4, 8]}
    ).eval()
    images = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together = network(image=images)["logits"]
        alone = torch.cat([network(image=image[None])["logits"] for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_unknown_builder_names_the_nearest() -> None:
    with pytest.raises(ModelError, match="'mpl' is unknown; did you mean 'mlp'"):
        build("mpl", {})


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mlp", {"in_features": 3, "hidden": [2]}),
        ("mlp", {"in_features": 3, "hidden": [2], "out_features": 1, "depth": 2}),
        ("mlp", {"in_features": 3, "hidden": 2, "out_features": 1}),
        ("cnn", {"channels": 1, "height": 8, "width": 8, "classes": 3, "widths": []}),
        ("cnn", {"channels": 1, "height": 8, "width": 8, "classes": 3, "widths": [4] * 5}),
    ],
)
def test_parameters_that_do_not_fit_are_refused(name: str, parameters: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=f"builder {name} does not take the parameters"):
        build(name, parameters)


def test_builders_are_listed_by_name() -> None:
    assert sorted(BUILDERS) == list(BUILDERS)


@pytest.mark.parametrize(
    ("height", "width", "blocks"), [(1, 1, 1), (2, 9, 2), (9, 2, 2), (8, 8, 4), (16, 31, 5)]
)
def test_a_picture_is_halved_down_to_one_pixel_and_no_further(
    height: int, width: int, blocks: int
) -> None:
    parameters = {"channels": 1, "height": height, "width": width, "classes": 2}
    network = build("cnn", {**parameters, "widths": [2] * blocks}).eval()
    assert tuple(network(image=torch.zeros(3, 1, height, width))["logits"].shape) == (3, 2)
    with pytest.raises(ModelError, match=f"not halve {height} x {width} below 1 pixel"):
        build("cnn", {**parameters, "widths": [2] * (blocks + 1)})


def test_weights_have_these_names_and_shapes_for_ever() -> None:
    """Packages hold them by name."""
    cnn = build("cnn", {"channels": 1, "height": 4, "width": 4, "classes": 2, "widths": [3, 5]})
    shapes = {name: tuple(tensor.shape) for name, tensor in cnn.named_parameters()}
    convolutions = {0: (3, 1, 3, 3), 3: (3, 3, 3, 3), 7: (5, 3, 3, 3), 10: (5, 5, 3, 3)}
    expected: dict[str, tuple[int, ...]] = {}
    for place, shape in convolutions.items():
        expected[f"blocks.{place}.weight"] = shape
        for kind in ("weight", "bias"):
            expected[f"blocks.{place + 1}.{kind}"] = shape[:1]
    assert shapes == {**expected, "head.weight": (2, 5 * 2 * 2), "head.bias": (2,)}
    plain = build("mlp", {"in_features": 2, "hidden": [3], "out_features": 1})
    assert list(plain.state_dict()) == [
        f"layers.{place}.{kind}" for place in (0, 2) for kind in ("weight", "bias")
    ]
