"""What a packaging job leaves out: each thing is asked for where it is missing, and nowhere else."""

from typing import Any

import pytest

from configs.errors import JobError
from configs.packaging import CONVERTED, PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.packing.asking.gaps import ask_beside, list_gaps

COMPLETE = {"network": "mlp", "weights": "w.pt", "sample": ["s.csv"], "output": "model"}


def find_gaps(**fields: Any) -> list[str]:
    """Return the first word of each gap of a complete job that is changed so."""
    job = PackagingJob[AnyStep].model_construct(**{**COMPLETE, **fields})
    return [gap.partition(",")[0].partition(" ")[0] for gap in list_gaps(job)]


@pytest.mark.parametrize(
    ("fields", "gaps"),
    [
        ({}, []),
        ({"network": ""}, ["network"]),
        ({"weights": ""}, ["weights"]),
        ({"sample": ()}, ["sample"]),
        ({"output": ""}, ["output"]),
        ({"expected": "e.csv"}, ["key"]),
        ({"expected": "e.csv", "key": "id"}, []),
        ({"key": "id"}, []),
        ({"network": "", "huggingface": "hf"}, ["text"]),
        ({"network": "", "huggingface": "hf", "text": "t"}, []),
        ({"network": "", "huggingface": "hf", "image": "i"}, []),
        # A network alone has weights beside it.
        ({"network": "", "weights": "", "huggingface": "hf", "text": "t"}, []),
    ],
)
def test_what_is_missing_is_asked_for(fields: dict[str, Any], gaps: list[str]) -> None:
    assert find_gaps(**fields) == gaps


@pytest.mark.parametrize("kind", CONVERTED)
def test_a_model_of_another_kind_takes_a_networks_place(kind: str) -> None:
    assert find_gaps(network="", weights="", **{kind: "file"}) == []


def test_all_of_it_is_asked_for_beside_what_is_wrong() -> None:
    error = JobError("task: must be one of those")
    told = str(ask_beside(error, {"task": "rankings", "nonsense": 1}))
    before, _, after = told.partition("; is needed: ")
    assert before == str(error)
    words = [gap.partition(",")[0].partition(" ")[0] for gap in after.split("; ")]
    assert words == ["network", "sample", "output"]
    assert ask_beside(error, COMPLETE) is error


def test_what_was_found_elsewhere_is_no_gap() -> None:
    job = PackagingJob[AnyStep].model_construct(**{**COMPLETE, "weights": "", "sample": ()})
    assert len(list_gaps(job)) == 2
    assert list_gaps(job, has_weights=True, has_sample=True) == []
