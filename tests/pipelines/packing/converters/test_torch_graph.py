"""A program as a graph of any number of rows, and its names, in this process; `test_torch_script.py` packs files."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.packing.converters import torch_graph
from pipelines.packing.converters.torch_graph import (
    _capture,
    _choose_free_name,
    _list_free_axes,
    _rename_namesakes,
    clean_graph,
    make_example,
)

FREE = torch.export.Dim.DYNAMIC


@pytest.mark.parametrize(("unlike", "rows"), [(2, 11), (13, 11), (11, 13), (0, 11)])
@pytest.mark.parametrize("given", [1, 3, 20])
def test_rows_are_as_many_as_no_other_axis_and_come_again(
    unlike: int, rows: int, given: int
) -> None:
    inputs = {"x": np.arange(given), "y": np.arange(2 * given).reshape(given, 2)}
    example = make_example(inputs, unlike)
    expected = [number % given for number in range(rows)]
    assert example["x"].tolist() == expected
    assert example["y"].tolist() == [[2 * number, 2 * number + 1] for number in expected]


@pytest.mark.parametrize(
    ("row_shape", "axes"),
    [
        ((3,), {0: FREE}),
        ((None,), {0: FREE, 1: FREE}),
        ((3, None), {0: FREE, 2: FREE}),
        ((), {0: FREE}),
        (None, {0: FREE}),
    ],
)
def test_rows_are_free_and_what_has_no_size(row_shape: Any, axes: dict[int, Any]) -> None:
    argument: Any = SimpleNamespace(row_shape=row_shape)
    assert _list_free_axes(argument) == axes


def value(name: str) -> Any:
    return SimpleNamespace(name=name)


def test_values_inside_are_not_called_as_what_a_graph_takes_or_gives() -> None:
    given, result = value("cat"), value("y")
    namesake, other, like_result = value("cat"), value("cat_inside_0"), value("y")
    nodes = [
        SimpleNamespace(outputs=[namesake, other]),
        SimpleNamespace(outputs=[like_result]),
        SimpleNamespace(outputs=[result]),
    ]
    graph = SimpleNamespace(inputs=[given], outputs=[result], all_nodes=lambda: nodes)
    _rename_namesakes(graph)
    assert (given.name, result.name) == ("cat", "y")
    assert (namesake.name, other.name) == ("cat_inside_1", "cat_inside_0")
    assert like_result.name == "y_inside_0"
    assert _choose_free_name("a", {"a_inside_0", "a_inside_1"}) == "a_inside_2"


def test_a_module_is_captured_in_another_way_where_one_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ways: list[bool] = []

    def export(module: Any, tensors: Any, dynamic_shapes: Any, strict: bool) -> str:
        ways.append(strict)
        if strict not in taken:
            raise ValueError(f"strict {strict}")
        return f"captured {dynamic_shapes}"

    monkeypatch.setattr(torch.export, "export", export)
    network = torch.nn.Identity()
    taken = {False, True}
    assert _capture(network, (), ({0: 1},)) == "captured (({0: 1},),)"
    taken = {True}
    assert _capture(network, (), ()) == "captured ((),)"
    taken = set()
    # What hindered the first says more of the author's code.
    with pytest.raises(ValueError, match="strict False"):
        _capture(network, (), ())
    assert ways == [False, False, True, False, True]


def test_functions_of_a_graph_become_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    library = SimpleNamespace(inline_local_functions=lambda model: f"{model} inlined")
    monkeypatch.setattr(torch_graph, "import_library", lambda *_: library)
    monkeypatch.setattr(torch_graph, "forget_origin", told.append)
    plain = SimpleNamespace(functions=[])
    assert clean_graph(plain) is plain

    class Model:
        """Stands in for a graph."""

        functions = ("f",)

        def __str__(self) -> str:
            return "model"

    assert clean_graph(Model()) == "model inlined"
    assert told == [plain, "model inlined"]
