"""Engines of libraries' own files: what they are loaded with, and what they do not do, without starting a child."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from configs.errors import ModelError
from model_zoo.engines import native_engine
from model_zoo.engines.native_engine import NativeEngine
from model_zoo.engines.settings import Settings
from model_zoo.package.card import Tensor

ENGINE = NativeEngine(
    name="trees",
    form="xgboost",
    libraries=("trees",),
    distributions=("no-such-distribution", "numpy"),
    extra="trees",
    child_module="a.module",
)
CPU = torch.device("cpu")


@pytest.fixture
def package() -> Any:
    tensor = Tensor(dtype="float32", shape=(3,))
    card = SimpleNamespace(
        forms={"xgboost": "model.ubj"},
        inputs={"x": tensor},
        outputs={"y": tensor},
        activation="none",
    )
    return SimpleNamespace(url="m", card=card, read_file=lambda name: name.encode())


def test_a_child_is_given_the_file_and_what_the_card_says(
    package: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(
        native_engine, "start_child", lambda *given, what: started.append((*given, what))
    )
    network = ENGINE.load(package, CPU, 3, Settings(8, engine="trees"))
    of_row = {"dtype": "float32", "shape": [3]}
    told = {"inputs": {"x": of_row}, "outputs": {"y": of_row}, "activation": "none"}
    assert started == [("a.module", b"model.ubj", told, 3, "m/model.ubj")]
    # It computes in the model's own types, whatever those are.
    assert network.dtype is None


@pytest.mark.parametrize(
    ("device", "settings", "told"),
    [
        ("cuda", Settings(8, engine="trees"), "computes it on a CPU here, and not on cuda"),
        ("cpu", Settings(8, "bfloat16", engine="trees"), "computes in the model's own types"),
        ("cpu", Settings(8, "float16", engine="trees"), "set model.dtype to float32"),
    ],
)
def test_other_devices_and_types_are_refused(
    device: str, settings: Settings, told: str, package: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before anything is started.
    monkeypatch.setattr(native_engine, "start_child", None)
    with pytest.raises(ModelError, match=told):
        ENGINE.load(package, torch.device(device), 1, settings)


def test_it_reads_its_own_form_and_tells_its_version(package: Any) -> None:
    assert ENGINE.reads(package.card) == "model.ubj"
    package.card.forms = {"lightgbm": "model.txt"}
    assert ENGINE.reads(package.card) is None
    # Of the names that a library is installed by, the one that is there.
    assert ENGINE.describe_version().startswith("trees 2.")
    assert NativeEngine("x", "keras", (), ("no-such",), "x", "m").describe_version() == "x"


def test_only_want_of_memory_is_worth_fewer_rows() -> None:
    assert ENGINE.is_out_of_memory(MemoryError())
    assert not ENGINE.is_out_of_memory(ValueError("memory"))


@pytest.mark.parametrize(
    ("declared", "computed", "returned"),
    [
        # A list of one number is a number, and the other way round.
        ((), (3, 1), (3,)),
        ((1,), (3,), (3, 1)),
        ((), (3,), (3,)),
        ((2,), (3, 2), (3, 2)),
        ((2,), (3, 1, 2), (3, 2)),
        # Of other rows, of other numbers, or deeper: for others to refuse.
        ((), (2,), (2,)),
        ((), (1, 3), (1, 3)),
        ((2,), (3,), (3,)),
        ((), (3, 1, 1), (3, 1, 1)),
        ((2,), (3, 1, 1, 2), (3, 1, 1, 2)),
    ],
)
def test_what_a_child_computes_takes_the_shape_of_the_card(
    declared: tuple[int, ...], computed: tuple[int, ...], returned: tuple[int, ...]
) -> None:
    def compute(arrays: Any, most_bytes: int) -> Any:
        return {"y": np.zeros(computed), "other": np.zeros(3)}

    child: Any = compute
    call = native_engine._Call(child, {"y": Tensor(shape=declared)})
    outputs = call(x=torch.zeros(3, 4))
    assert outputs["y"].shape == returned
    assert outputs["other"].shape == (3,)
