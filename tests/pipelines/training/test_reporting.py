"""What the report says of a training is what counted in it."""

import pytest

from pipelines.training.fitting_job import FittingJob
from pipelines.training.reporting import _describe_recipe


@pytest.mark.parametrize(
    ("task", "is_told"),
    [("regression", True), ("classification", False), ("multi_label", False)],
)
def test_a_loss_is_told_where_somebody_may_choose_it(task: str, is_told: bool) -> None:
    job = FittingJob.model_validate({"task": task, "output": "models/churn/1"})
    assert ("loss" in _describe_recipe(job)) == is_told
