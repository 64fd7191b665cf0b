"""Which rows a program of torch takes, of what its archive says of its arguments."""

from collections.abc import Sequence

import pytest
import torch

from pipelines.packing.converters.torch_program import Argument


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
