"""What is made for the comparisons: packages with a graph wherever one can be exported, and loops that read what torchvision would."""

import io
from pathlib import Path
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
import torch

from tests.benchmarks import digits_loops, graphs, images_loops
from tests.benchmarks.made_data import is_whole
from tests.support.long import long


def encode(pixels: np.ndarray) -> bytes:
    sink = io.BytesIO()
    PIL.Image.fromarray(pixels).save(sink, "PNG")
    return sink.getvalue()


def test_a_package_without_a_graph_is_made_anew_where_one_can_be_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What everybody has.
    monkeypatch.setattr(graphs, "LIBRARIES", ("numpy",))
    assert not is_whole(tmp_path)
    (tmp_path / "model.yaml").touch()
    assert not is_whole(tmp_path)
    (tmp_path / "model.onnx").touch()
    assert is_whole(tmp_path)


def test_where_no_graph_can_be_exported_it_is_said_and_the_package_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(graphs, "LIBRARIES", ("numpy", "nobody_has_this"))
    files: dict[str, bytes] = {}
    graphs.add_graph({}, files, torch.nn.Identity(), {})
    assert files == {}
    said = capsys.readouterr().err
    assert "needs nobody_has_this; pip install '.[onnx]'" in said
    (tmp_path / "model.yaml").touch()
    assert is_whole(tmp_path)


@pytest.mark.slow
def test_plain_loops_give_the_network_what_torchvision_would() -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    random = np.random.default_rng(0)
    photograph = random.integers(0, 256, (300, 256, 3), dtype=np.uint8)
    of_photographs = transforms.Compose(
        [
            transforms.Resize((224, 224)),
            transforms.ToTensor(),
            transforms.Normalize(images_loops.MEAN, images_loops.STD),
        ]
    )
    found = images_loops.transform(encode(photograph))
    expected = of_photographs(PIL.Image.fromarray(photograph))
    torch.testing.assert_close(found, expected)

    digit = random.integers(0, 256, (8, 8), dtype=np.uint8)
    of_digits = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
    found = digits_loops.transform(encode(digit))
    expected = of_digits(PIL.Image.fromarray(digit))
    torch.testing.assert_close(found, expected)


@long
@pytest.mark.program
def test_what_starts_the_contenders_imports_neither_torch_nor_beam() -> None:
    """A process starts with the peak memory of the one that forks it."""
    code = "import sys, tests.benchmarks.__main__; sys.exit(bool({'torch', 'apache_beam'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
