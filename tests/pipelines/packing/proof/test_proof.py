"""A package is proven beside its author's own model, and what is not proven is left nowhere."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from configs.errors import JobError, ModelError
from pipelines.packing import network_packing
from pipelines.packing.asking.gaps import refuse_standing
from pipelines.packing.proof.proof import prove
from storage import files
from tests.support.packaging import NET, Author, numbers

# A row of large numbers is one that it fails on.
FAILS = NET.replace(
    "return self.layer(x)",
    "return self.layer(x) if x.abs().max() < 1000 else self.layer(x[:, :1])",
)
Proof = dict[str, Any]


@pytest.fixture
def proof(author_of: Callable[[str], Author], monkeypatch: pytest.MonkeyPatch) -> Proof:
    """What packaging asks to be proven, by the names of `prove`'s parameters."""
    author = author_of(FAILS)
    torch.manual_seed(0)
    asked: list[tuple[Any, ...]] = []

    def note(*arguments: Any) -> float:
        asked.append(arguments)
        return prove(*arguments)

    monkeypatch.setattr(network_packing, "prove", note)
    packaged = author.package(
        network=f"{author.module.__name__}:Net",
        weights=author.save(author.module.Net()),
        sample=author.sample(**numbers()),
        key="id",
        activation="none",
    )
    assert packaged.status == 0, packaged.error
    (arguments,) = asked
    return dict(
        zip(("content", "modules", "inputs", "wanted", "tolerance"), arguments, strict=True)
    )


def list_left() -> list[str]:
    return files.list_names("memory://packaging")


def test_the_largest_difference_of_any_number_is_told(proof: Proof) -> None:
    (name,) = proof["wanted"]
    wanted = proof["wanted"][name].copy()
    wanted[-1] += 0.5
    found = prove(**{**proof, "wanted": {name: wanted}, "tolerance": 1.0})
    # Relative to the largest number.
    assert found == pytest.approx(0.5 / np.abs(wanted).max(), rel=1e-4)
    assert prove(**proof) < 1e-5
    assert list_left() == []


@pytest.mark.parametrize("change", [0.5, np.nan])
def test_one_number_that_differs_is_enough(proof: Proof, change: float) -> None:
    (name,) = proof["wanted"]
    wanted = proof["wanted"][name].copy()
    wanted[-1] += change
    with pytest.raises(ModelError, match=r"scores of the sample differ by .*; nothing was written"):
        prove(**{**proof, "wanted": {name: wanted}})
    assert list_left() == []


def test_a_row_that_scoring_fails_on_is_told(proof: Proof) -> None:
    (name,) = proof["inputs"]
    inputs = proof["inputs"][name].copy()
    inputs[7] = 1_000
    with pytest.raises(ModelError, match=r"scoring fails on a row of the sample: .*; nothing was"):
        prove(**{**proof, "inputs": {name: inputs}})
    assert list_left() == []


def test_what_refuses_to_load_is_told_without_the_place_in_memory(proof: Proof) -> None:
    with pytest.raises(JobError, match="list authors_module") as refused:
        prove(**{**proof, "modules": ()})
    assert "memory:" not in str(refused.value)
    assert list_left() == []


def test_scores_are_finished_before_they_are_compared(proof: Proof) -> None:
    (name,) = proof["wanted"]
    wanted = {"twice": proof["wanted"][name] * 2}
    found = prove(**{**proof, "wanted": wanted}, finish=lambda scores: {"twice": scores[name] * 2})
    assert found < 1e-5


def test_a_package_that_stands_is_refused_at_once(proof: Proof, tmp_path: Any) -> None:
    refuse_standing(str(tmp_path / "another"))
    with pytest.raises(JobError, match="holds a model package already"):
        refuse_standing(str(tmp_path / "model"))
