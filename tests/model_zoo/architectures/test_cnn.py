"""Pictures are halved between blocks, and something must be left of them."""

import pytest
import torch

from model_zoo.architectures.builders import build


def build_cnn(height: int, width: int, widths: list[int], **more: object) -> torch.nn.Module:
    sizes = {"channels": 1, "height": height, "width": width, "classes": 3}
    return build("cnn", {**sizes, "widths": widths, **more}).eval()


@pytest.mark.parametrize(
    ("height", "width", "widths", "is_built"),
    [
        (1, 1, [4], True),
        (1, 5, [4], True),
        (1, 5, [4, 4], False),
        (2, 9, [4, 4], True),
        (4, 4, [2, 2, 2], True),
        (3, 4, [2, 2, 2], False),
        (4, 4, [], False),
    ],
)
def test_a_picture_is_halved_as_often_as_it_can_be(
    height: int, width: int, widths: list[int], is_built: bool
) -> None:
    if not is_built:
        with pytest.raises(Exception, match=rf"not halve {height} x {width} below 1 pixel"):
            build_cnn(height, width, widths)
        return
    outputs = build_cnn(height, width, widths)(torch.zeros(2, 1, height, width))
    assert outputs["logits"].shape == (2, 3)
