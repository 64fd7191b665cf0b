"""A network with its weights: how large it may be, and what is said of one that does not fit.

`test_weights.py` starts programs; this file is about the same module without any.
"""

from collections.abc import Callable
from pathlib import Path
import threading

import pytest
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.package import weights
from model_zoo.package.package import read_package
from model_zoo.package.weights import load_network
from tests.support.builders import tiny_network, tiny_package


def loads(package: str, monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    monkeypatch.setattr(weights, "_count_parts", lambda _: parts)
    load_network(read_package(package))


def test_layers_and_weights_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tiny network has three layers in a fourth, and two of them have two weights each."""
    package = tiny_package(tmp_path / "model")
    loads(package, monkeypatch, 8)
    with pytest.raises(ModelError, match="a network of more than 7 layers and weights"):
        loads(package, monkeypatch, 7)


def test_a_weight_stands_for_eight_parts_and_a_thousand_are_free() -> None:
    names = ("a", "b", "c")
    for count in range(4):
        state = {name: torch.zeros(1) for name in names[:count]}
        assert weights._count_parts(state) == 8 * count + 1_000


def test_networks_that_other_threads_build_meanwhile_are_not_counted() -> None:
    built = []
    with weights._counted_parts(8):
        other = threading.Thread(target=lambda: built.append(tiny_network()))
        other.start()
        other.join()
        tiny_network()
        assert len(built) == 1
        with pytest.raises(ModelError, match="more than 8"):
            tiny_network()
    # Nothing is counted behind the block.
    tiny_network()


@pytest.mark.parametrize("numbers", [0, 1, 6])
def test_a_network_has_as_many_numbers_as_the_file_has_bytes_and_no_more(numbers: int) -> None:
    network = nn.Module()
    network.weight = nn.Parameter(torch.zeros(numbers // 2))
    network.register_buffer("other", torch.zeros(numbers - numbers // 2))
    weights._check_size(network, {}, numbers)
    network.register_buffer("another", torch.zeros(1))
    with pytest.raises(ValueError, match=f"describes {numbers + 1} numbers, .* {numbers} bytes"):
        weights._check_size(network, {}, numbers)


@pytest.mark.parametrize(
    ("found", "fits"),
    [
        (torch.float32, True),
        (torch.float64, True),
        (torch.int64, False),
        (torch.bool, False),
        (torch.complex64, False),
    ],
)
def test_weights_of_another_kind_are_refused(found: torch.dtype, fits: bool) -> None:
    network, state = nn.Linear(1, 1), {"weight": torch.zeros(1, 1, dtype=found)}
    if fits:
        weights._check_size(network, state, 100)
        return
    with pytest.raises(
        ValueError, match=r"weight is torch\.\w+, and the network has torch.float32"
    ):
        weights._check_size(network, state, 100)


@pytest.mark.parametrize(
    "draw",
    [
        lambda tensor: tensor.normal_(),
        lambda tensor: tensor.normal_(0.0, 1.0),
        lambda tensor: nn.init.normal_(tensor),
        lambda tensor: nn.init.normal_(tensor=tensor, std=2.0),
    ],
)
def test_weights_without_memory_are_given_back_undrawn(
    draw: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    tensor = torch.zeros(3)
    with weights._WithoutDrawing():
        assert draw(tensor) is tensor
        # Whatever else is asked is done.
        assert torch.add(tensor, 1, alpha=2).tolist() == [2.0, 2.0, 2.0]
    assert tensor.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("several\n  lines"), "several lines"),
        (ValueError("x" * 400), "x" * 300),
        (KeyError(), "KeyError"),
        (ValueError(), "ValueError"),
    ],
)
def test_why_weights_do_not_fit_is_told_in_one_short_line(
    error: Exception, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, content: bytes) -> None:
        raise error

    monkeypatch.setattr(weights, "read_state_dict", fail)
    url = tiny_package(tmp_path / "model")
    with pytest.raises(ModelError) as caught:
        load_network(read_package(url))
    assert str(caught.value) == (
        f"{url}/weights.safetensors: does not hold the weights of mlp: {reason}"
    )
