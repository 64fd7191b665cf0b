"""The table of engines: what is not there, or not installed, is refused; settings of the only engine that was look as they did."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from configs.errors import ModelError
from model_zoo.engines import table
from model_zoo.engines.engine import Network, choose_engine, find_engine
from model_zoo.engines.settings import Scale, Settings
from model_zoo.engines.table import ENGINES_OF_FORMS
from model_zoo.engines.torch_engine import TorchEngine
from model_zoo.package.package import read_package
from model_zoo.scoring.scorer import load_scorer
from tests.support.builders import tiny_network, tiny_package


class Absent(TorchEngine):
    name = "absent"
    libraries = ("no_such_library",)
    extra = "absent"


class Halves(TorchEngine):
    """Computes as torch, but half as much where it is fast."""

    name = "halves"

    def load(self, package, device, threads, settings) -> Network:
        network = super().load(
            package, device, threads, replace(settings, engine="torch").as_reference()
        )
        factor = 1.0 if settings.is_reference else 0.5
        return replace(
            network, compute=lambda **x: {n: t * factor for n, t in network.compute(**x).items()}
        )


@pytest.fixture(autouse=True)
def _more_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    for engine in ("Absent", "Halves"):
        monkeypatch.setitem(table.ENGINES, engine.lower(), f"{__name__}:{engine}")


def test_an_engine_is_found_by_its_name() -> None:
    assert isinstance(find_engine("torch"), TorchEngine)


def test_an_unknown_engine_is_refused_with_the_nearest() -> None:
    with pytest.raises(ModelError, match=r"engine 'torhc' is unknown; did you mean torch\?"):
        find_engine("torhc")


def test_an_engine_without_its_library_is_refused_with_its_extra() -> None:
    with pytest.raises(ModelError, match=r"needs no_such_library.*pip install '\.\[absent\]'"):
        find_engine("absent")


def test_settings_of_torch_do_not_name_it_and_others_do() -> None:
    scales = (Scale("a", 0.5, 3, 0, 255),)
    assert list(Settings(4, "int8", scales=scales).as_dict()) == [
        "batch_rows",
        "dtype",
        "layout",
        "compiled",
        "scales",
    ]
    assert str(Settings(4)) == "float32"
    assert Settings(4, engine="onnx").as_dict()["engine"] == "onnx"
    assert str(Settings(4, engine="onnx")) == "onnx float32"
    assert Settings(4, engine="onnx").is_reference
    assert not Settings(4, "bfloat16").is_reference


def test_a_model_is_proved_with_reference_settings_and_then_with_the_wanted(tmp_path: Path) -> None:
    package = read_package(tiny_package(tmp_path / "model"))
    x = np.ones((3, 3), np.float32)
    scored = load_scorer(package, "cpu", Settings(8, engine="halves"), 1)({"x": x})
    with torch.inference_mode():
        expected = tiny_network()(x=torch.from_numpy(x))["logit"].numpy()
    np.testing.assert_allclose(scored.outputs["logit"], expected, rtol=1e-6)
    assert scored.computed_by.startswith("cpu halves float32, 1 thread(s), torch ")
    with pytest.raises(ModelError, match="smoke output logit differs"):
        load_scorer(package, "cpu", Settings(8, "bfloat16", engine="halves"), 1)


@pytest.mark.parametrize(("form", "engine"), ENGINES_OF_FORMS.items())
def test_a_library_s_own_file_is_computed_by_its_library(form: str, engine: str) -> None:
    card: Any = SimpleNamespace(has_network=False, onnx=None, remote=None, forms={form: "a file"})
    assert choose_engine(card) == engine
    # A graph is computed wherever there is one, and a network above all.
    card.onnx = "a graph"
    assert choose_engine(card) == "onnxruntime"
    card.has_network = True
    assert choose_engine(card) == "torch"
