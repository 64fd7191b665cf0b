import numpy as np
import pytest
import torch

from configs.errors import ModelError
from model_zoo.architectures.builders import build

SIZES = {"channels": 2, "height": 3, "width": 4}


def layers_of(network: torch.nn.Module) -> list[np.ndarray]:
    return [weight.detach().numpy().astype(np.float64) for weight in network.parameters()]


def test_a_discriminator_is_what_numpy_computes_from_its_weights() -> None:
    network = build("discriminator", {**SIZES, "hidden": [6, 5]}).eval()
    images = torch.randn(7, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        actual = network(image=images)
    values = images.numpy().reshape(7, -1)
    first, a, second, b, last, c = layers_of(network)
    for matrix, bias in ((first, a), (second, b)):
        values = values @ matrix.T + bias
        values = np.where(values > 0, values, 0.2 * values)
    assert list(actual) == ["logit"]
    np.testing.assert_allclose(actual["logit"].numpy(), (values @ last.T + c)[:, 0], atol=1e-5)


def test_a_generator_makes_pictures_between_black_and_white() -> None:
    network = build("generator", {**SIZES, "noise": 5, "hidden": [6]}).eval()
    noise = 9 * torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        made = network(noise=noise)["image"].numpy()
    first, a, last, b = layers_of(network)
    values = np.maximum(noise.numpy() @ first.T + a, 0) @ last.T + b
    np.testing.assert_allclose(made, np.tanh(values).reshape(7, 2, 3, 4), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("discriminator", {**SIZES, "hidden": 3}),
        ("discriminator", {**SIZES, "hidden": [-3]}),
        ("discriminator", {**SIZES, "hidden": [3], "dropout": 2}),
        ("generator", {**SIZES, "noise": 2.5, "hidden": [3]}),
        ("generator", {**SIZES, "hidden": [3]}),
    ],
)
def test_parameters_that_do_not_fit_are_refused(name: str, parameters: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=f"builder {name} does not take the parameters"):
        build(name, parameters)
