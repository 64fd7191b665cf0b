"""What a missing value does: said once for all columns, found in the steps, by name where it differs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import torch

from model_zoo.steps.table import STEPS
from pipelines.packing.contract.missing import settle_missing
from tests.support.jobs import run_job
from tests.support.packaging import Author, Packaged, numbers

TYPES = {"a": pa.float64(), "b": pa.int64(), "default": pa.string()}
MEDIANS = [{"step": "fill", "columns": "numbers", "strategy": "median"}]
SHORT = (
    "preprocess=[{step: fill, columns: all, strategy: median}, {step: standardise, columns: all}]"
)


@pytest.mark.parametrize(
    ("steps", "fill", "missing", "words"),
    [
        ([], {}, {}, ["error", "error", "error"]),
        ([], {}, {"default": "reject"}, ["reject", "reject", "reject"]),
        (MEDIANS, {}, {}, ["fill", "fill", "error"]),
        (MEDIANS, {}, {"default": "reject"}, ["fill", "fill", "reject"]),
        (MEDIANS, {}, {"a": "reject"}, ["reject", "fill", "error"]),
        (MEDIANS, {"default": "?"}, {"a": "error"}, ["error", "fill", "fill"]),
        ([], {"b": 0}, {"default": "reject", "b": "fill"}, ["reject", "fill", "reject"]),
    ],
)
def test_a_name_counts_most_then_a_step_then_the_word_for_all(
    steps: Any, fill: Any, missing: Any, words: list[str]
) -> None:
    contract = settle_missing(TYPES, STEPS.validate_python(steps), fill, missing, "error")
    assert [rule.missing for rule in contract] == words
    assert {rule.name: rule.fill for rule in contract if rule.fill is not None} == fill


def with_holes() -> dict[str, np.ndarray]:
    table = numbers()
    random = np.random.default_rng(1)
    for name in "abc":
        table[name] = np.where(random.random(len(table["id"])) < 0.2, np.nan, table[name])
    return table


def package(author: Author, table: Mapping[str, Any], *flags: str) -> Packaged:
    return author.package(
        *flags,
        network=f"{author.module.__name__}:Net",
        weights=author.save(author.module.Net()),
        sample=author.sample(**table),
        key="id",
        activation="none",
    )


def test_what_a_step_fills_is_filled_in_every_row_of_the_job(author: Author) -> None:
    """The network gets what scikit-learn's own imputer and scaler make, and no row is rejected."""
    table = with_holes()
    torch.manual_seed(0)
    network = author.module.Net()
    packaged = author.package(
        "--set",
        SHORT,
        network=f"{author.module.__name__}:Net",
        weights=author.save(network),
        sample=author.sample(**table),
        key="id",
        activation="none",
    )
    assert packaged.status == 0, packaged.error
    scores = run_job(Path(packaged.said.splitlines()[-1])).scored().sort_by("id")
    matrix = np.column_stack([table[name] for name in "abc"])
    prepared = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit_transform(
        matrix
    )
    with torch.inference_mode():
        expected = network(torch.tensor(prepared).float())[:, 0].numpy()
    assert len(scores) == len(expected)
    assert np.abs(scores["output"].to_numpy() - expected).max() < 1e-5


def test_a_column_by_name_is_rejected_all_the_same(author: Author) -> None:
    table = with_holes()
    packaged = package(author, table, "--set", SHORT, "--set", "missing={default: fill, a: reject}")
    assert packaged.status == 0, packaged.error
    missing = np.flatnonzero(np.isnan(table["a"]))
    assert f"{len(missing)} rows of the sample have missing values" in packaged.said
    assert [c.missing for c in author.opened().card.columns] == ["reject", "fill", "fill"]


def test_what_nothing_fills_and_the_network_cannot_take_is_told(author: Author) -> None:
    packaged = package(author, with_holes(), "--set", "missing=fill", "--set", "fill.b=0.0")
    packaged.refused("nothing fills a, c,", "gives NaN", "add a fill step, fill.a")
    assert not (author.folder / "model").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["missing={a: reject}", "fill.a=0.0"], ["missing.a says reject, and fill.a"]),
        (["missing.aa=fill"], ["no column 'aa'"]),
        (["missing={id: fill}", "fill.id=3"], ["fill.id: the model does not see", "missing.id"]),
        (["columns=[a,b]", "missing.c=fill"], ["missing.c: the model does not see 'c'"]),
        (["preprocess=[{step: standardise, columns: texts}]"], ["texts stands for none"]),
        (["preprocess=[{step: standardise, columns: al}]"], ["preprocess.0.standardise.columns"]),
    ],
)
def test_what_does_not_fit_together_is_refused(
    flags: list[str], words: list[str], author: Author
) -> None:
    said = [word for flag in flags for word in ("--set", flag)]
    package(author, numbers(), *said).refused(*words)


def test_a_column_without_any_value_has_no_type(author: Author) -> None:
    table = {**numbers(), "d": pa.nulls(1_200), "e": pa.nulls(1_200)}
    package(author, table).refused("the sample has no value in 'd', 'e'", "leave these out")
