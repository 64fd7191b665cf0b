"""What timm says of a network's pictures, as the step that makes them so."""

from typing import Any

import pytest

from pipelines.packing.networks.pictures import _describe_timm

FOUND: dict[str, Any] = {
    "input_size": (3, 224, 224),
    "interpolation": "bicubic",
    "mean": (0.1, 0.2, 0.3),
    "std": (0.4, 0.5, 0.6),
    "crop_pct": 0.875,
    "crop_mode": "center",
}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, {"height": 224, "width": 224, "resize_height": 256, "mode": "RGB"}),
        ({}, {"resize": "shorter", "resize_width": None, "resize_with": "pillow"}),
        ({}, {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6), "interpolation": "bicubic"}),
        # Cut down, as timm does.
        ({"crop_pct": 0.95}, {"resize_height": 235}),
        ({"input_size": (1, 28, 28)}, {"mode": "L", "mean": (0.1,), "std": (0.4,)}),
        (
            {"crop_mode": "squash", "input_size": (3, 224, 112)},
            {"resize": "exact", "resize_height": 256, "resize_width": 128, "width": 112},
        ),
        # Both sides are cut down to the same length.
        (
            {"input_size": (3, 224, 225), "crop_pct": 100.0},
            {"resize": "shorter", "resize_height": 2, "height": 224, "width": 225},
        ),
    ],
)
def test_a_way_that_the_step_has(changes: dict[str, Any], fields: dict[str, Any]) -> None:
    step = _describe_timm({**FOUND, **changes})
    assert step is not None
    assert {name: step[name] for name in fields} == fields


@pytest.mark.parametrize(
    "changes",
    [
        {"interpolation": "lanczos"},
        {"input_size": (4, 224, 224)},
        {"crop_mode": "border"},
        # `shorter` has one length, whichever side of a picture it is.
        {"input_size": (3, 224, 112)},
    ],
)
def test_a_way_that_the_step_has_not(changes: dict[str, Any]) -> None:
    assert _describe_timm({**FOUND, **changes}) is None
