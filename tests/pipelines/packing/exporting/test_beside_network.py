"""Packages hold a graph beside their network where it scores alike; else one line says why, and nothing fails."""

from collections.abc import Callable
import hashlib
from pathlib import Path
import time

import numpy as np
import pytest
import torch

from model_zoo.engines.settings import Settings
from model_zoo.scoring.scorer import load_scorer
from pipelines.packing.exporting import beside_network
from tests.support.packaging import Author, Packaged, numbers, stacked

pytestmark = pytest.mark.usefixtures("exports")

BRANCH = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 1)

        def forward(self, x):
            logit = self.layer(x)
            return logit if float(x.abs().sum()) >= 0 else -logit
"""
# A loop over rows would be written out as often as the example has some.
LOOP = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 1)

        def forward(self, x):
            return torch.stack([self.layer(row) for row in x])
"""
LENGTH = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 1)

        def forward(self, x):
            return self.layer(x)[torch.arange(len(x)), 0]
"""


def package(author: Author, *flags: str, output: str = "model") -> Packaged:
    torch.manual_seed(0)
    packaged = author.package(
        *flags,
        output=output,
        network=f"{author.module.__name__}:Net",
        weights=author.save(author.module.Net()),
        sample=author.sample(**numbers()),
        key="id",
        activation="none",
    )
    assert packaged.status == 0, packaged.error
    return packaged


def said_of_forms(packaged: Packaged) -> str:
    (line,) = [line for line in packaged.said.splitlines() if line.startswith("forms ")]
    return line


def test_a_job_may_want_no_graph(author: Author) -> None:
    packaged = package(author, "--set", "onnx=false")
    assert "forms " not in packaged.said
    assert author.opened().card.onnx is None


def test_a_library_that_is_absent_is_named_with_its_extra(
    author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside_network, "LIBRARIES", ("onnx", "no_such_exporter"))
    packaged = package(author)
    assert said_of_forms(packaged) == (
        "forms      stays torch's: exporting to ONNX needs no_such_exporter, not installed here; "
        "install the extra: pip install '.[onnx]'"
    )
    card = author.opened().card
    assert card.onnx is None
    assert "onnx" not in card.libraries


def test_an_exporter_that_takes_for_ever_is_left_behind(
    author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside_network, "EXPORT_SECONDS", 0.05)
    monkeypatch.setattr(beside_network, "export_network", lambda *_: time.sleep(1))
    packaged = package(author)
    assert said_of_forms(packaged) == (
        "forms      stays torch's: exporting took longer than 0.05 s"
    )


def test_whatever_an_exporter_raises_is_one_line(
    author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise SystemExit("\x1b[31mno\n\n such operator\x1b[0m")

    monkeypatch.setattr(beside_network, "export_network", fail)
    packaged = package(author)
    assert said_of_forms(packaged) == "forms      stays torch's: SystemExit: no such operator"


@pytest.mark.slow
def test_the_graph_scores_as_the_network_and_needs_none_of_its_code(author: Author) -> None:
    packaged = package(author)
    assert "also as ONNX: scores differ by at most" in said_of_forms(packaged)
    opened = author.opened()
    assert opened.card.onnx is not None
    assert {"model.onnx", "weights.safetensors"} <= opened.card.files.keys()
    x = stacked(numbers())
    scorer = load_scorer(opened, "cpu", Settings(64, engine="onnxruntime"), threads=2)
    torch.manual_seed(0)
    with torch.inference_mode():
        expected = author.module.Net()(x)[:, 0].numpy()
    scored = scorer({"x": x.numpy()})
    np.testing.assert_allclose(scored.outputs["output"], expected, atol=1e-5)


@pytest.mark.slow
def test_the_same_job_makes_the_same_package_twice(author: Author) -> None:
    package(author)
    package(author, output="again")
    digests = [
        hashlib.sha256((author.folder / name / "model.yaml").read_bytes()).hexdigest()
        for name in ("model", "again")
    ]
    assert digests[0] == digests[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "why"),
    [
        (BRANCH, "its code goes one way or another by numbers of its input (data-dependent)"),
        (LOOP, "its code makes a fixed number of how many rows there are, and a graph takes any"),
    ],
)
def test_a_network_that_cannot_be_exported_stays_torchs(
    source: str, why: str, author_of: Callable[[str], Author]
) -> None:
    author = author_of(source)
    packaged = package(author)
    assert said_of_forms(packaged) == f"forms      stays torch's: {why}"
    assert packaged.error == ""
    assert author.opened().card.onnx is None


@pytest.mark.slow
def test_code_that_asks_for_the_number_of_rows_is_exported(
    author_of: Callable[[str], Author],
) -> None:
    """Run, `len(x)` is the example's number; read, it is any."""
    author = author_of(LENGTH)
    assert "also as ONNX" in said_of_forms(package(author))


@pytest.mark.slow
def test_a_graph_that_scores_otherwise_is_left_out(
    author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = beside_network.export_network

    def export_another(network, card, inputs):  # a wrong weight, as of a wrong translation
        state = {name: tensor * 1.001 for name, tensor in network.state_dict().items()}
        other = author.module.Net().eval()
        other.load_state_dict(state)
        return export(other, card, inputs)

    monkeypatch.setattr(beside_network, "export_network", export_another)
    line = said_of_forms(package(author))
    assert line.startswith("forms      stays torch's: ")
    assert "differs by" in line
    assert author.opened().card.onnx is None
    assert not (Path(author.folder) / "model" / "model.onnx").exists()
