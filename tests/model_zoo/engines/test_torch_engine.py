"""What torch is told, and which settings are worth trying for which model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from configs.errors import ModelError
from model_zoo.architectures.builders import build
from model_zoo.engines import torch_engine, torch_private
from model_zoo.engines.settings import Scale, Settings
from model_zoo.engines.torch_engine import TorchEngine
from model_zoo.package.card import ModelCard
from model_zoo.package.package import read_package
from tests.support.builders import tiny_card, tiny_package
from tests.support.text_models import text_package

CPU = torch.device("cpu")
CUDA = torch.device("cuda")
DTYPES = {
    CPU: ["float32", "bfloat16", "int8"],
    CUDA: ["float32", "bfloat16", "float16"],
}


def card_of(*shapes: tuple[int, ...], **changes: Any) -> ModelCard:
    inputs = {f"x{number}": {"shape": shape} for number, shape in enumerate(shapes)}
    return ModelCard.model_validate({**tiny_card(inputs=inputs, **changes), "files": {}})


IMAGES, TABLE = card_of((3, 8, 8)), card_of((5,), (4, 2))
BOTH = card_of((5,), (1, 8, 8))


@pytest.mark.parametrize("device", [CPU, CUDA])
@pytest.mark.parametrize(
    ("card", "without", "layouts"),
    [
        (IMAGES, (), ["contiguous", "channels_last"]),
        (BOTH, (), ["contiguous", "channels_last"]),
        (TABLE, (), ["contiguous"]),
        (IMAGES, ("channels_last",), ["contiguous"]),
        (IMAGES, ("float32", "bfloat16"), ["contiguous", "channels_last"]),
    ],
)
def test_every_dtype_of_the_device_is_tried_in_every_layout_but_the_reference(
    device: torch.device, card: ModelCard, without: tuple[str, ...], layouts: list[str]
) -> None:
    found = TorchEngine().list_settings(card, device, 16, without)
    has_images = card is not TABLE
    expected = [
        (16, dtype, layout)
        for dtype in DTYPES[device]
        for layout in layouts
        if dtype not in without
        and (dtype, layout) != ("float32", "contiguous")
        # Of anything but images torch's int8 was nowhere the fastest.
        and (dtype != "int8" or has_images)
    ]
    assert [(s.batch_rows, s.dtype, s.layout) for s in found] == expected


def test_8_bits_are_not_tried_where_torch_has_nothing_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch_private, "has_graph_quantisation", lambda: False)
    found = TorchEngine().list_settings(IMAGES, CPU, 16, ("channels_last",))
    assert [settings.dtype for settings in found] == ["bfloat16"]


FASTEST = [Settings(4, "int8"), Settings(8, "bfloat16", "channels_last"), Settings(4)]


def test_the_fastest_settings_in_floating_point_are_compiled() -> None:
    refined = TorchEngine().list_refinements(IMAGES, FASTEST, ("int8",))
    assert list(refined) == [Settings(8, "bfloat16", "channels_last", compiled=True)]


@pytest.mark.parametrize(
    ("card", "without"),
    [
        (IMAGES, ("compile",)),
        (card_of((5,), mask="x0"), ()),
        (card_of((5,), mask="x0"), ("compile",)),
    ],
)
def test_nothing_is_compiled_where_nobody_wants_it_or_texts_have_many_lengths(
    card: ModelCard, without: tuple[str, ...]
) -> None:
    assert list(TorchEngine().list_refinements(card, FASTEST, without)) == []


def test_a_model_of_texts_is_not_compiled(tmp_path: Path) -> None:
    package = read_package(text_package(tmp_path / "model"))
    with pytest.raises(ModelError, match="a model of texts is not compiled"):
        TorchEngine().load(package, CPU, 1, Settings(4, compiled=True))


def test_float32_is_computed_in_full(tmp_path: Path) -> None:
    places = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [place.allow_tf32 for place in places]
    package = read_package(tiny_package(tmp_path / "model"))
    try:
        for place in places:
            place.allow_tf32 = True
        TorchEngine().load(package, CPU, 1, Settings(4))
        assert [place.allow_tf32 for place in places] == [False, False]
    finally:
        for place, value in zip(places, before, strict=True):
            place.allow_tf32 = value


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_network_is_compiled_for_mini_batches_as_it_will_get_them(
    dtype: Any, layout: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[nn.Module, dict[str, torch.Tensor], dict[str, Any]]] = []
    monkeypatch.setattr(torch_engine, "compile_network", lambda *given: asked.append(given))
    parameters = {"channels": 3, "height": 8, "width": 8, "classes": 2, "widths": [4]}
    monkeypatch.setattr(torch_engine, "load_network", lambda _: build("cnn", parameters))
    url = tiny_package(
        tmp_path / "model",
        inputs={
            "x": {"shape": [3]},
            "image": {"shape": [3, 8, 8]},
            "n": {"dtype": "int64", "shape": []},
        },
    )
    settings = Settings(16, dtype, layout, compiled=True)
    package = read_package(url)
    loaded = TorchEngine().load(package, CPU, 1, settings)
    ((compiled, example, identity),) = asked
    wanted, form = getattr(torch, dtype), getattr(torch, f"{layout}_format", torch.channels_last)
    assert {name: (t.dtype, tuple(t.shape)) for name, t in example.items()} == {
        "x": (wanted, (16, 3)),
        "image": (wanted, (16, 3, 8, 8)),
        "n": (torch.int64, (16,)),
    }
    weight = next(compiled.parameters())
    for tensor in (example["image"], weight):
        assert tensor.is_contiguous(memory_format=form)
    assert weight.dtype == loaded.dtype == wanted
    assert loaded.layout == form
    assert identity["model"] == package.digest
    assert identity["settings"] == settings.as_dict()


def test_what_a_dtype_needs_is_measured_on_a_sample_and_nothing_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, rows = read_package(tiny_package(tmp_path / "model")), [{"x": torch.zeros(4, 3)}]
    scales = (Scale("a", 0.5, 3, 0, 255),)
    asked: list[int] = []

    def sample(most: int) -> list[dict[str, torch.Tensor]]:
        asked.append(most)
        return rows

    # Not every processor measures these; how it does has tests of its own.
    monkeypatch.setattr(torch_engine, "measure_scales", lambda _, batches: scales)
    for settings, expected in (
        (Settings(4), Settings(4)),
        (Settings(4, "bfloat16"), Settings(4, "bfloat16")),
        (Settings(4, "int8"), Settings(4, "int8", scales=scales)),
    ):
        assert TorchEngine().calibrate(package, settings, sample) == expected
    assert len(asked) == 1


def test_a_network_that_fails_on_float32_has_no_scales(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = read_package(tiny_package(tmp_path / "model"))

    def measure(network: nn.Module, batches: Any) -> None:
        raise AssertionError("x must be\nfloat16")

    monkeypatch.setattr(torch_engine, "measure_scales", measure)
    with pytest.raises(ModelError, match=r"^int8 is measured in float32.*x must be float16$"):
        TorchEngine().calibrate(package, Settings(4, "int8"), lambda most: [])


def test_a_network_in_float64_is_calibrated_in_float32_with_rows_in_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = read_package(tiny_package(tmp_path / "model"))
    rows = {
        "x": torch.full((4, 3), 0.1, dtype=torch.float64),
        "code": torch.zeros(4, dtype=torch.int64),
    }
    seen: list[torch.Tensor] = []

    def measure(network: nn.Module, batches: Any) -> tuple[()]:
        dtypes = {parameter.dtype for parameter in network.parameters()}
        assert dtypes == {torch.float32}
        for batch in batches:
            seen.extend(batch.values())
        return ()

    # Not every processor measures these; how it does has tests of its own.
    monkeypatch.setattr(torch_engine, "measure_scales", measure)
    TorchEngine().calibrate(package, Settings(4, "int8"), lambda most: [rows])
    assert [tensor.dtype for tensor in seen] == [torch.float32, torch.int64]
