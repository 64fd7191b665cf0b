"""How far scores of faster settings may be from float32: what a job may say, from end to end."""

from pydantic import ValidationError
import pytest

from configs.tolerance import Tolerance


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("max_difference", 0.0, 1e300), ("label_agreement", 0.0, 1.0), ("cosine", -1.0, 1.0)],
)
def test_each_takes_what_it_may_be_and_nothing_beyond(name: str, least: float, most: float) -> None:
    for value in (least, (least + most) / 2, most):
        assert getattr(Tolerance(**{name: value}), name) == value
    beyond = [least - 1e-9] if most > 1 else [least - 1e-9, most + 1e-9]
    for value in beyond:
        with pytest.raises(ValidationError, match=name):
            Tolerance(**{name: value})


def test_a_job_that_says_nothing_allows_little() -> None:
    assert Tolerance().model_dump() == {
        "max_difference": 0.01,
        "label_agreement": 0.995,
        "cosine": 0.999,
    }
