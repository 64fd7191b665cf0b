"""Loading a network's weights does not import torch's compiler, which takes seconds; it is there for whoever wants it.

Really started: a process forked from one that has imported everything could not tell.
"""

from importlib.util import find_spec
from pathlib import Path
import subprocess
import sys

import pytest

from tests.support.repository import REPOSITORY
from tests.support.text_models import text_package

pytestmark = pytest.mark.program
# What is asked of one process after the other: each part finds that the ones before it have not imported the compiler either.
BEGIN = """
import sys, torch
from model_zoo.architectures.builders import build

def check(what):
    loaded = {"torch._dynamo", "torch._inductor"}.intersection(sys.modules)
    assert not loaded, (what, loaded)
"""
EMBEDDINGS = """
from model_zoo.package.package import read_package
from model_zoo.package.weights import load_network
load_network(read_package(sys.argv[1]))
check("a network with embeddings")
"""
INT8 = """
from model_zoo.engines.int8 import measure_scales, quantise
cnn = {"channels": 1, "height": 8, "width": 8, "classes": 2, "widths": [4]}
network = build("cnn", cnn).eval()
inputs = {"image": torch.rand(4, 1, 8, 8)}
quantise(network, inputs, measure_scales(network, [inputs]))
check("a network in int8")
"""
TORCHVISION = """
network = build("resnet18", {"classes": 3}).eval()
check("a network of torchvision")
import torchvision
boxes = [torch.tensor([[0.0, 0.0, 4.0, 4.0]])]
# An operator whose import wanted the compiler.
assert torchvision.ops.roi_align(torch.ones(1, 3, 8, 8), boxes, 2).shape == (1, 3, 2, 2)
"""
WANTED = """
torch.export.export(network, (torch.zeros(1, *example),))
assert "torch._dynamo" in sys.modules
"""


def test_no_kind_of_network_imports_it_and_who_wants_it_has_it(tmp_path: Path) -> None:
    parts = [BEGIN, EMBEDDINGS, INT8, "network, example = build('cnn', cnn).eval(), (1, 8, 8)\n"]
    if find_spec("torchvision"):
        parts += [TORCHVISION, "example = 3, 32, 32\n"]
    code = "".join([*parts, WANTED])
    package = text_package(tmp_path / "model")
    subprocess.run([sys.executable, "-c", code, package], cwd=REPOSITORY, check=True)
