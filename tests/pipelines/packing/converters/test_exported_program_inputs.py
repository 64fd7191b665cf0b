"""What an exported program says of its inputs and of its file, without the seconds that exporting one takes."""

from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.export.graph_signature import ConstantArgument, InputKind, TensorArgument

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


class Symbol:
    """A size that is free, as torch writes it; `times` of one is none that has limits."""

    def __init__(self, name: str, is_symbol: bool = True) -> None:
        self.node = SimpleNamespace(expr=self)
        self.name, self.is_Symbol = name, is_symbol


def sized(*sizes: Any) -> Any:
    """A tensor as an exported program says it."""
    return SimpleNamespace(shape=sizes, ndim=len(sizes), dtype=torch.float32)


def exported_with(*arguments: Any, examples: Any = None, **fields: Any) -> Any:
    """An exported program that is called with these, beside a weight of its own."""
    own = SimpleNamespace(kind=InputKind.PARAMETER, arg=TensorArgument("w"))
    given = [SimpleNamespace(kind=InputKind.USER_INPUT, arg=arg) for arg in arguments]
    signature = SimpleNamespace(input_specs=[own, *given])
    return SimpleNamespace(graph_signature=signature, example_inputs=examples, **fields)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ([(0, inf)], (256, False)),
        ([(1, inf)], (256, False)),
        # torch takes 2 for the least, where nobody says 1.
        ([(2, inf)], (256, True)),
        ([(0, 256)], (256, False)),
        ([(0, 255)], (255, True)),
        ([(300, inf)], (300, True)),
        ([(0, 16), (4, 9)], (9, True)),
        ([(0, 9), (4, inf)], (9, True)),
    ],
)
def test_free_rows_are_as_many_as_the_limits_allow(
    limits: list[tuple[float, float]], expected: tuple[int, bool]
) -> None:
    rows = [Symbol(f"s{number}") for number in range(len(limits))]
    found = {row: SimpleNamespace(lower=low, upper=high) for row, (low, high) in zip(rows, limits, strict=True)}  # fmt: skip
    exported: Any = SimpleNamespace(range_constraints=found)
    values = {row.name: sized(row, 3) for row in rows}
    assert exported_program._find_rows(exported, values, "net.pt2") == expected


def test_of_rows_that_are_a_multiple_of_something_those_of_the_example_are_taken() -> None:
    exported = exported_with(TensorArgument("x"), examples=((torch.zeros(8, 3),), {}))
    values = {"x": sized(Symbol("2*s0", is_symbol=False), 3)}
    assert exported_program._find_rows(exported, values, "net.pt2") == (8, True)


def test_free_and_fixed_rows_do_not_go_together() -> None:
    values = {"x": sized(4, 3), "y": sized(Symbol("s0"), 3)}
    with pytest.raises(JobError, match=r"\(x: 4, y: any\)"):
        exported_program._find_rows(None, values, "net.pt2")


@pytest.mark.parametrize(
    "found", [None, "text", torch.ones(4), torch.ones(0, 3)], ids=["none", "text", "flat", "empty"]
)
def test_without_an_example_there_are_zeros_of_two_where_a_size_is_free(found: Any) -> None:
    example = exported_program._take_example(found, sized(Symbol("s0"), 3))
    assert (tuple(example.shape), float(example.sum())) == ((2, 3), 0.0)


def test_examples_are_those_that_the_file_holds() -> None:
    held = torch.ones(1, 3)
    arguments = [TensorArgument("x"), ConstantArgument("c", 7), TensorArgument("y")]
    exported = exported_with(*arguments, examples=((held, 7), {}))
    values = {"x": sized(4, 3), "y": sized(4)}
    examples = exported_program._list_examples(exported, values)
    assert torch.equal(examples["x"], held)
    assert tuple(examples["y"].shape) == (4,)


def test_constants_stand_where_they_stood_and_a_free_number_is_refused() -> None:
    exported = exported_with(ConstantArgument("c", 7), TensorArgument("x"))
    place = exported_program._PLACE
    assert exported_program._list_given(exported, "net.pt2") == [7, place]
    odd = exported_with(SimpleNamespace(name="n"))
    with pytest.raises(JobError, match="its input 'n' is a number that is free"):
        exported_program._list_given(odd, "net.pt2")


@pytest.mark.parametrize(("devices", "told"), [(["cpu"], ""), (["xpu", "cpu", "cuda"], "cuda")])
def test_weights_are_to_be_on_a_cpu(devices: list[str], told: str) -> None:
    tensors = [SimpleNamespace(device=SimpleNamespace(type=device)) for device in devices]
    exported: Any = SimpleNamespace(state_dict=dict(enumerate(tensors)))
    if not told:
        exported_program._refuse_device(exported, "net.pt2")
        return
    with pytest.raises(JobError, match=f"with its weights on {told}, and graphs"):
        exported_program._refuse_device(exported, "net.pt2")


def test_one_number_has_no_rows() -> None:
    with pytest.raises(JobError, match="its input 'x' is one number, without an axis of rows"):
        exported_program._describe_argument("x", torch.zeros(()), "net.pt2")


def test_a_size_that_is_free_is_told_as_that() -> None:
    value = sized(Symbol("s0"), Symbol("s1"), 3)
    argument = exported_program._describe_argument("x", value, "net.pt2")
    assert argument.row_shape == (None, 3)


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
