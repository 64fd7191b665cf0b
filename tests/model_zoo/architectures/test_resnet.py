"""Our ResNet-18 is torchvision's: the names and bits of its weights, and the bits of its answers."""

from copy import deepcopy

import pytest
import torch

from model_zoo.architectures.builders import build

models = pytest.importorskip("torchvision.models")

Networks = tuple[torch.nn.Module, torch.nn.Module]


@pytest.fixture(scope="module")
def networks() -> Networks:
    """Ours and theirs, of the same seed; to draw their weights takes longer than all that is done with them."""
    torch.manual_seed(3)
    ours = build("resnet18", {"classes": 7})
    torch.manual_seed(3)
    theirs = models.resnet18(weights=None, num_classes=7)
    return ours.eval(), theirs.eval()


def test_the_same_seed_gives_the_same_weights(networks: Networks) -> None:
    ours, theirs = (network.state_dict() for network in networks)
    assert list(ours) == [f"network.{name}" for name in theirs]
    assert all(torch.equal(ours[f"network.{name}"], values) for name, values in theirs.items())


@pytest.mark.parametrize(
    ("shape", "training"),
    [((1, 3, 32, 32), False), ((4, 3, 64, 48), False), ((4, 3, 64, 48), True)],
)
def test_its_answers_are_the_same_bits(
    networks: Networks, shape: tuple[int, ...], training: bool
) -> None:
    # In training they change.
    ours, theirs = deepcopy(networks) if training else networks
    images = torch.rand(shape, generator=torch.Generator().manual_seed(5))
    expected = theirs.train(training)(images)
    assert torch.equal(ours.train(training)(image=images)["logits"], expected)


def test_it_takes_the_same_way_through_the_network(networks: Networks) -> None:
    """int8 names the places of a network by its traced graph, and tuning reports hold these names."""
    ours = torch.fx.symbolic_trace(networks[0].network)
    theirs = torch.fx.symbolic_trace(networks[1])
    assert [(n.op, n.target, n.name) for n in ours.graph.nodes if n.op != "placeholder"] == [
        (n.op, n.target, n.name) for n in theirs.graph.nodes if n.op != "placeholder"
    ]


def test_its_layers_are_the_same_down_to_what_they_do_in_place(networks: Networks) -> None:
    """What is computed in place takes no memory of its own."""
    ours, theirs = networks[0].network, networks[1]
    described = [
        {name: repr(layer) for name, layer in network.named_modules() if not list(layer.children())}
        for network in (ours, theirs)
    ]
    assert described[0] == described[1]
