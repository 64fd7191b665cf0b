"""Loading a network's weights does not import torch's compiler, which takes seconds; it is there for whoever wants it.

Really started: a process forked from one that has imported everything could not tell.
"""

from pathlib import Path
import subprocess
import sys

import pytest

from tests.support.repository import REPOSITORY
from tests.support.text_models import text_package

pytestmark = pytest.mark.program
COMPILER = ("torch._dynamo", "torch._inductor")
LOAD = f"""
import sys
from model_zoo.package.package import read_package
from model_zoo.package.weights import load_network
load_network(read_package(sys.argv[1]))
assert not set(sys.modules).intersection({COMPILER})
"""
RESNET = f"""
import sys, torch
from model_zoo.architectures.builders import build
network = build("resnet18", {{"classes": 3}}).eval()
assert not set(sys.modules).intersection({COMPILER})
import torchvision
boxes = [torch.tensor([[0.0, 0.0, 4.0, 4.0]])]
assert torchvision.ops.roi_align(torch.ones(1, 3, 8, 8), boxes, 2).shape == (1, 3, 2, 2)  # whose import wanted the compiler
torch.export.export(network, (torch.zeros(1, 3, 32, 32),))
"""

INT8 = f"""
import sys, torch
from model_zoo.architectures.builders import build
from model_zoo.engines.int8 import measure_scales, quantise
network = build("cnn", {{"channels": 1, "height": 8, "width": 8, "classes": 2, "widths": [4]}}).eval()
inputs = {{"image": torch.rand(4, 1, 8, 8)}}
quantise(network, inputs, measure_scales(network, [inputs]))
assert not set(sys.modules).intersection({COMPILER})
"""


def test_of_a_network_with_embeddings(tmp_path: Path) -> None:
    run(LOAD, text_package(tmp_path / "model"))


def test_of_a_network_of_torchvision() -> None:
    pytest.importorskip("torchvision")
    run(RESNET)


def test_of_a_network_in_int8() -> None:
    run(INT8)


def run(code: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-c", code, *arguments], cwd=REPOSITORY, check=True)
