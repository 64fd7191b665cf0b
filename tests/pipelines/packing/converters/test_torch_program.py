"""How a program of torch is called: with which rows, how many at a time, and what is made of its outputs and errors."""

from collections.abc import Sequence
import logging
from types import SimpleNamespace
from typing import Any
import warnings

import numpy as np
import pytest
import torch

from configs.errors import JobError, ModelError
from pipelines.packing.converters.torch_program import (
    Argument,
    Program,
    list_weight_dtypes,
    quiet,
    refuse_size,
    shorten,
)


@pytest.mark.parametrize(
    ("wanted", "found", "takes"),
    [
        (None, (), True),
        (None, (3, 4), True),
        ((3,), (3,), True),
        ((3,), (4,), False),
        ((3,), (3, 1), False),
        ((None, 4), (9, 4), True),
        ((None, 4), (9, 5), False),
        ((), (), True),
        ((), (1,), False),
    ],
)
def test_an_argument_takes_rows_of_its_shape(
    wanted: tuple[int | None, ...] | None, found: Sequence[int], takes: bool
) -> None:
    assert Argument("x", torch.float32, wanted).takes(found) is takes


class Called:
    """A program of one argument that doubles it, and notes how many rows each call has."""

    def __init__(self, dtype: torch.dtype = torch.float32, **outputs: torch.dtype) -> None:
        self.rows: list[int] = []
        self.dtype = dtype
        self.outputs = outputs or {"y": torch.float32}

    def __call__(self, module: Any, tensors: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        (x,) = tensors
        assert x.dtype == self.dtype
        self.rows.append(len(x))
        return {name: (x * 2).to(dtype) for name, dtype in self.outputs.items()}

    def program(self, rows: int = 4, **fields: Any) -> Program:
        argument = Argument("x", self.dtype, fields.pop("row_shape", (3,)))
        return Program("net.pt2", None, self, (argument,), rows=rows, **fields)


def rows_of(count: int, numbers: int = 3) -> np.ndarray:
    return np.arange(count * numbers, dtype=np.float32).reshape(count, numbers)


@pytest.mark.parametrize(
    ("is_fixed", "rows", "calls"),
    [(False, 6, [4, 2]), (True, 6, [4, 4]), (True, 8, [4, 4]), (True, 1, [4]), (False, 3, [3])],
)
def test_rows_are_computed_so_many_at_a_time_and_filled_up_where_it_takes_no_fewer(
    is_fixed: bool, rows: int, calls: list[int]
) -> None:
    called = Called()
    computed = called.program(has_fixed_rows=is_fixed).compute({"x": rows_of(rows)})
    assert called.rows == calls
    np.testing.assert_array_equal(computed["y"], 2 * rows_of(rows))


def test_any_number_of_rows_is_taken_where_nobody_says_otherwise() -> None:
    called = Called()
    called.program().compute({"x": rows_of(3)})
    assert called.rows == [3]


def test_what_tables_do_not_hold_becomes_what_they_do() -> None:
    called = Called(a=torch.bool, b=torch.uint8, c=torch.float16, d=torch.float64, x=torch.int64)
    computed = called.program().compute({"x": rows_of(2)})
    dtypes = {name: str(array.dtype) for name, array in computed.items()}
    # A graph has no output with the name of an input.
    assert dtypes == {"a": "int32", "b": "int32", "c": "float32", "d": "float64", "x_output": "int64"}  # fmt: skip


@pytest.mark.parametrize(
    ("dtype", "given_as"),
    [(torch.bool, "int64"), (torch.float16, "float32"), (torch.float64, "float64")],
)
def test_an_input_is_given_in_a_type_that_packages_hold(dtype: torch.dtype, given_as: str) -> None:
    called = Called(dtype)
    program = called.program()
    assert program.list_dtypes() == {"x": given_as}
    program.compute({"x": np.ones((2, 3), given_as)})


def test_an_input_of_another_type_is_refused() -> None:
    with pytest.raises(JobError, match=r"^net\.pt2: input 'x' takes uint8, and packages hold"):
        Called(torch.uint8).program().list_dtypes()


@pytest.mark.parametrize(
    ("row_shape", "given", "taken"),
    [((1,), (2,), (2, 1)), ((3,), (2, 3), (2, 3)), (None, (2,), (2,)), ((1, 4), (2, 4), (2, 1, 4))],
)
def test_a_column_is_as_wide_as_the_program_takes_it(
    row_shape: tuple[int, ...] | None, given: tuple[int, ...], taken: tuple[int, ...]
) -> None:
    program = Called().program(row_shape=row_shape)
    (tensor,) = program.make_tensors({"x": np.zeros(given, np.float32)})
    assert tuple(tensor.shape) == taken


def test_columns_that_do_not_make_up_an_input_are_refused() -> None:
    called = Called()
    said = r"'x' takes \(rows, 3\), and the columns give it \(rows, 2\); .* or say inputs\.x"
    with pytest.raises(JobError, match=said):
        called.program().compute({"x": rows_of(4, numbers=2)})
    with pytest.raises(JobError, match=r"takes \(rows, any, 3\), and .* \(rows, 1, 2\)"):
        called.program(row_shape=(None, 3)).compute({"x": rows_of(4, numbers=2)})
    assert called.rows == []


@pytest.mark.parametrize("made", [torch.zeros(()), torch.zeros(3)], ids=["one number", "others"])
def test_an_output_without_the_rows_is_refused(made: torch.Tensor) -> None:
    argument = Argument("x", torch.float32)
    program = Program("net.pt2", None, lambda module, tensors: made, (argument,))
    with pytest.raises(ModelError, match=r"output has shape .* for 2 rows; its first dimension"):
        program.compute({"x": rows_of(2)})


def test_what_it_fails_on_is_told_by_types_and_shapes() -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no\nkernel")

    program = Program("net.pt2", None, fail, (Argument("x", torch.float64),))
    with pytest.raises(ModelError, match=r"^net\.pt2: fails on torch\.float32\[2, 3\]: no kernel"):
        program.compute({"x": rows_of(2)})


def test_weights_of_less_than_two_gib_are_held() -> None:
    # What is left of 2 GiB is for the graph.
    most = (2 << 30) - (64 << 20)
    half: Any = SimpleNamespace(nbytes=most // 2)
    refuse_size("net.pt2", [half, half])
    one: Any = SimpleNamespace(nbytes=1)
    with pytest.raises(JobError, match=r"^net\.pt2: holds 1\.9 GiB of weights"):
        refuse_size("net.pt2", [half, half, one])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no\n  kernel", "no kernel"),
        ("", "RuntimeError"),
        ("x" * 301, "x" * 300),
        ("\x1b[31mred\x1b[0m", "red"),
        ("Traceback of TorchScript, code:\n  line 1\nindex out of range", "index out of range"),
        ("advice\n## Exception summary\n<class 'ValueError'>: no rule", "no rule"),
    ],
)
def test_an_error_is_a_line_without_what_is_around_it(text: str, said: str) -> None:
    assert shorten(RuntimeError(text)) == said


def test_nothing_is_logged_or_warned_and_later_all_is_as_before() -> None:
    before = logging.root.manager.disable
    with quiet():
        assert not logging.getLogger("torch").isEnabledFor(logging.CRITICAL)
        warnings.warn("of a future", FutureWarning, stacklevel=1)
    assert logging.root.manager.disable == before


def test_dtypes_of_weights_are_told_once_in_their_order() -> None:
    weights = [torch.zeros(1, dtype=dtype) for dtype in (torch.int8, torch.float16, torch.int8)]
    assert list_weight_dtypes(weights) == ("torch.float16", "torch.int8")
