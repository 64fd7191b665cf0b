"""What an exported program says of its inputs and of its file, without the seconds that exporting one takes."""

from pathlib import Path
from typing import Any

import pytest
import torch

from configs.errors import JobError, ModelError
from pipelines.packing.converters import exported_program


@pytest.mark.parametrize(
    "shapes", [{"x": (4, 6)}, {"x": (4,)}, {"x": (4, 6), "weight": (4,), "picture": (4, 3, 8, 8)}]
)
def test_the_first_dimension_is_the_rows(shapes: dict[str, tuple[int, ...]]) -> None:
    values = {name: torch.zeros(shape) for name, shape in shapes.items()}
    rows = exported_program._find_rows(None, values, "net.pt2")
    assert rows == (4, True)


def test_first_dimensions_that_differ_are_named() -> None:
    values = {"x": torch.zeros(4, 6), "weight": torch.zeros(6, 6)}
    with pytest.raises(JobError, match=r"net\.pt2: .* \(x: 4, weight: 6\), and those must be"):
        exported_program._find_rows(None, values, "net.pt2")


@pytest.mark.parametrize(
    ("value", "row_shape"), [(torch.zeros(4), ()), (torch.zeros(4, 3, 2), (3, 2))]
)
def test_a_row_has_the_other_dimensions(value: torch.Tensor, row_shape: tuple[int, ...]) -> None:
    argument = exported_program._describe_argument("x", value, "net.pt2")
    assert (argument.name, argument.row_shape) == ("x", row_shape)


def test_a_file_whose_classes_are_unknown_is_read_again_once_they_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    imported: list[tuple[str, str]] = []

    def read(*_: Any) -> str:
        if not imported:
            raise ModelError(
                "Deserializing transformers.modeling_outputs.BaseModelOutput in pytree is not registered"
            )
        return "program"

    monkeypatch.setattr(exported_program, "_read", read)
    monkeypatch.setattr(exported_program, "import_library", lambda *names: imported.append(names))
    assert exported_program._load(Path("net.pt2"), "net.pt2") == "program"
    assert imported == [("transformers.modeling_outputs", "transformers")]


def test_any_other_complaint_about_a_file_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: Any) -> None:
        raise ModelError("it is cut short")

    monkeypatch.setattr(exported_program, "_read", read)
    with pytest.raises(ModelError, match="it is cut short"):
        exported_program._load(Path("net.pt2"), "net.pt2")
