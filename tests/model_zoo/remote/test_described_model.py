"""What a server's answers say of a model, over whatever protocol: which version is asked, and how many rows a request may have."""

from typing import Any

import pytest

from model_zoo.remote.client import TensorSpec
from model_zoo.remote.described_model import Metadata, Tensor, choose_version, describe_model
from model_zoo.remote.failures import WrongError


def describe(*shapes: tuple[int, ...], most: int | None = None, wanted: str | None = None) -> Any:
    """Return the description of a model of inputs of these shapes."""
    inputs = [Tensor(f"x{number}", "float32", shape) for number, shape in enumerate(shapes)]
    outputs = [Tensor("y", "float64", (-1,))]
    return describe_model(Metadata("memory 1", ["3"], inputs, outputs, most), wanted)


@pytest.mark.parametrize(
    ("shapes", "most", "most_rows", "takes_fewer"),
    [
        ([(-1, 3)], None, None, True),
        # Triton's word for no batches at all.
        ([(-1, 3)], 0, None, True),
        ([(-1, 3)], 8, 8, True),
        # Each request must have exactly so many.
        ([(16, 3)], None, 16, False),
        ([(16, 3)], 8, 16, False),
        ([(-1, 3), (1, 2)], None, 1, False),
    ],
)
def test_rows_of_a_request_are_bounded_or_fixed(
    shapes: list[tuple[int, ...]], most: int | None, most_rows: int | None, takes_fewer: bool
) -> None:
    described = describe(*shapes, most=most)
    assert (described.most_rows, described.takes_fewer_rows) == (most_rows, takes_fewer)


def test_tensors_are_described_by_a_row_whose_free_sizes_are_none() -> None:
    described = describe((-1, 3, -1), (-1,))
    assert described.inputs == {
        "x0": TensorSpec("float32", (3, None)),
        "x1": TensorSpec("float32", ()),
    }
    assert described.outputs == {"y": TensorSpec("float64", ())}
    assert (described.server, described.model_version) == ("memory 1", "3")


def test_a_tensor_without_rows_is_wrong() -> None:
    with pytest.raises(WrongError, match="input x0 has no dimension of rows"):
        describe(())


@pytest.mark.parametrize(
    ("versions", "wanted", "chosen"),
    [
        (["3"], None, "3"),
        (["3"], "3", "3"),
        (["3", "4"], "4", "4"),
        ([], None, ""),
        ([""], None, ""),
        # Some servers tell of one version without a name.
        (["", "3"], None, "3"),
        ([], "3", "3"),
        ([""], "3", "3"),
    ],
)
def test_the_version_is_the_one_that_is_named_or_the_only_one(
    versions: list[str], wanted: str | None, chosen: str
) -> None:
    assert choose_version(versions, wanted) == chosen


@pytest.mark.parametrize(
    ("versions", "wanted", "told"),
    [
        (["3", "4"], None, "has versions 3, 4: name one"),
        (["3"], "4", "has no version 4"),
        (["3", ""], "4", "has no version 4"),
    ],
)
def test_none_or_several_versions_are_wrong(
    versions: list[str], wanted: str | None, told: str
) -> None:
    with pytest.raises(WrongError, match=told):
        choose_version(versions, wanted)
