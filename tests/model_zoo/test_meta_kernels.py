"""torch without most of its meta device: our own networks are outlined and called without it."""

import subprocess
import sys

import pytest

from model_zoo.meta_kernels import meta_kernels_left_out
from tests.support.repository import REPOSITORY

# A process of its own, as torch is imported once.
PROGRAM = """
import sys
from model_zoo.meta_kernels import meta_kernels_left_out
with meta_kernels_left_out(are_unused=True):
    import torch
assert "torch._decomp" not in sys.modules, "they were imported all the same"
assert "torch._meta_registrations" not in sys.modules

from model_zoo.architectures.builders import BUILDERS, build
from model_zoo.package.weights import _WithoutDrawing
picture = {"channels": 1, "height": 8, "width": 8}
sequence = {"features": 2, "hidden": 3, "out_features": 1, "layers": 2, "dropout": 0.1}
networks = {
    "cnn": {**picture, "classes": 2, "widths": [2]},
    "discriminator": {**picture, "hidden": [4]},
    "generator": {**picture, "hidden": [4], "noise": 2},
    "gru": sequence,
    "lstm": sequence,
    "mlp": {"in_features": 3, "hidden": [4], "out_features": 1, "dropout": 0.1},
    "resnet18": {"classes": 2},
    "sentence_encoder": {
        "vocabulary": 9, "width": 8, "layers": 1, "heads": 2, "feed_forward": 8, "positions": 5
    },
}
assert networks.keys() == BUILDERS.keys()
for name, parameters in networks.items():
    with torch.device("meta"), _WithoutDrawing():
        outline = build(name, parameters)
    assert all(tensor.is_meta for tensor in outline.state_dict().values()), name
    assert outline.state_dict().keys() == build(name, parameters).state_dict().keys(), name
"""


@pytest.mark.program
def test_our_networks_need_none_of_them() -> None:
    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_they_are_left_out_only_before_torch_is_there_and_where_nobody_needs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "torch._meta_registrations"
    kernels = sys.modules[name]
    with meta_kernels_left_out(are_unused=True):
        assert sys.modules[name] is kernels
    # As if nobody had imported torch; nothing of it is imported here.
    monkeypatch.setitem(sys.modules, "torch", kernels)
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.delitem(sys.modules, name)
    with meta_kernels_left_out(are_unused=False):
        assert name not in sys.modules
    with meta_kernels_left_out(are_unused=True):
        assert sys.modules[name] is not kernels
    assert name not in sys.modules
