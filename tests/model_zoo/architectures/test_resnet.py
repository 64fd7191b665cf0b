"""Our ResNet-18 is torchvision's: the names and bits of its weights, and the bits of its answers."""

import pytest
import torch

from model_zoo.architectures.builders import build

models = pytest.importorskip("torchvision.models")


def test_the_same_seed_gives_the_same_weights() -> None:
    ours, theirs = state_dicts(classes=7)
    assert list(ours) == [f"network.{name}" for name in theirs]
    assert all(torch.equal(ours[f"network.{name}"], values) for name, values in theirs.items())


def state_dicts(classes: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    torch.manual_seed(3)
    ours = build("resnet18", {"classes": classes})
    torch.manual_seed(3)
    theirs = models.resnet18(weights=None, num_classes=classes)
    return ours.state_dict(), theirs.state_dict()


@pytest.mark.parametrize(
    ("shape", "training"),
    [((1, 3, 32, 32), False), ((4, 3, 64, 48), False), ((4, 3, 64, 48), True)],
)
def test_its_answers_are_the_same_bits(shape: tuple[int, ...], training: bool) -> None:
    torch.manual_seed(5)
    theirs = models.resnet18(weights=None, num_classes=4)
    ours = build("resnet18", {"classes": 4})
    ours.load_state_dict({f"network.{name}": t for name, t in theirs.state_dict().items()})
    images = torch.rand(shape)
    expected = theirs.train(training)(images)
    assert torch.equal(ours.train(training)(image=images)["logits"], expected)


def test_it_takes_the_same_way_through_the_network() -> None:
    """int8 names the places of a network by its traced graph, and tuning reports hold these names."""
    ours = torch.fx.symbolic_trace(build("resnet18", {"classes": 4}).network)
    theirs = torch.fx.symbolic_trace(models.resnet18(weights=None, num_classes=4))
    assert [(n.op, n.target, n.name) for n in ours.graph.nodes if n.op != "placeholder"] == [
        (n.op, n.target, n.name) for n in theirs.graph.nodes if n.op != "placeholder"
    ]


def test_its_layers_are_the_same_down_to_what_they_do_in_place() -> None:
    """What is computed in place takes no memory of its own."""
    ours = build("resnet18", {"classes": 4}).network
    theirs = models.resnet18(weights=None, num_classes=4)
    described = [
        {name: repr(layer) for name, layer in network.named_modules() if not list(layer.children())}
        for network in (ours, theirs)
    ]
    assert described[0] == described[1]
