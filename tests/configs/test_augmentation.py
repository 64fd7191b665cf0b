"""What changes pictures in training: which amounts there are, and that something is named."""

from typing import Any

from pydantic import ValidationError
import pytest

from configs.augmentation import Augmentation


@pytest.mark.parametrize(
    "fields",
    [
        {"flip": "both"},
        {"rotate": 180},
        {"rotate": 0.5},
        {"crop": 0.01},
        {"crop": 0.99, "flip": "vertical"},
        # Cuts nothing, and so needs company.
        {"crop": 1, "noise": 0.1},
        {"shift": 0.5, "brightness": 0.5},
    ],
    ids=str,
)
def test_amounts_up_to_their_limits_are_taken(fields: dict[str, Any]) -> None:
    taken = Augmentation.model_validate(fields)
    assert {name: getattr(taken, name) for name in fields} == fields


@pytest.mark.parametrize(
    "fields",
    [
        {"rotate": 180.1},
        {"rotate": -1},
        {"crop": 0},
        {"crop": 1.01},
        {"shift": -0.1},
        {"shift": 1.1},
        {"noise": -0.1},
        {"flip": "diagonal"},
        {"zoom": 2},
    ],
    ids=str,
)
def test_amounts_beyond_them_are_refused_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Augmentation.model_validate(fields)
    (error,) = refused.value.errors()
    assert error["loc"] == tuple(fields)


@pytest.mark.parametrize("fields", [{}, {"input": "x"}, {"crop": 1, "rotate": 0, "noise": 0}])
def test_what_does_nothing_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="names nothing to do: flip, rotate, shift, crop"):
        Augmentation.model_validate(fields)
