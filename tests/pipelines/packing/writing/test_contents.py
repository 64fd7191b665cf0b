"""What any package holds of rows that were scored: the first of them, and a profile of every column and output."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model_zoo.package.package import read_package
from pipelines.packing.proof.scored_as import ScoredAs
from pipelines.packing.writing.contents import (
    ScoredRows,
    make_profile,
    make_smoke_table,
)
from transforms.scores.options import ScoreColumns
from transforms.scores.tokens import Places


def test_the_smoke_table_is_of_the_first_rows_with_what_the_network_took_and_gave() -> None:
    rows = pa.table({"a": [10, 11, 12, 13], "b": ["p", "q", "r", "s"]})
    inputs = {"x": np.arange(8, dtype=np.float32).reshape(4, 2)}
    outputs = {"logit": np.arange(4, dtype=np.float32)}
    smoke = make_smoke_table(ScoredRows(rows, inputs, outputs), 3)
    assert smoke.to_pydict() == {
        "a": [10, 11, 12],
        "b": ["p", "q", "r"],
        "input.x": [[0, 1], [2, 3], [4, 5]],
        "output.logit": [0, 1, 2],
    }


@pytest.mark.parametrize(
    ("finite", "expected"),
    [
        ("yyyyy", [0, 1, 2]),
        ("yyynn", [0, 1, 2]),
        ("nynyy", [1, 3, 4]),
        ("nnnny", [4]),
        # There are no others: without any row nobody could tell what the model gives.
        ("nnnnn", [0, 1, 2]),
    ],
)
def test_smoke_rows_are_the_first_that_give_numbers(finite: str, expected: list[int]) -> None:
    numbers = [float(place) if letter == "y" else np.nan for place, letter in enumerate(finite)]
    rows = pa.table({"a": range(5)})
    inputs = {"x": np.arange(5, dtype=np.float32)}
    outputs = {"logit": np.array(numbers, np.float32)}
    smoke = make_smoke_table(ScoredRows(rows, inputs, outputs), 3)
    assert smoke["a"].to_pylist() == smoke["input.x"].to_pylist() == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "outputs"),
    [("breast_cancer", ["logit"]), ("digits", [f"logits[{n}]" for n in range(10)])],
)
def test_a_package_has_16_smoke_rows_and_a_profile_of_every_number_that_comes_out(
    name: str, outputs: list[str], request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(name)
    package = read_package(str(folder / "model"))
    assert package.smoke.num_rows == 16
    profile = pq.read_table(folder / "model/profile.parquet")["column"].to_pylist()
    features = [column.name for column in package.card.columns]
    assert list(dict.fromkeys(profile)) == [*features, "probability", "label", *outputs]


@pytest.mark.parametrize("labels", [("red", "green", "blue"), ()])
def test_of_several_labels_the_probability_of_each_has_a_profile(labels: tuple[str, ...]) -> None:
    logits = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    scored = ScoredRows(pa.table({"a": range(50)}), {}, {"logits": logits})
    profile = make_profile(scored, ScoredAs(ScoreColumns("sigmoid", labels)))
    means = {row["column"]: row["mean"] for row in profile.to_pylist() if row["mean"] is not None}
    expected = (1 / (1 + np.exp(-logits.astype(np.float64)))).mean(axis=0)
    names = labels or ("0", "1", "2")
    found = [means[f"probability[{name}]"] for name in names]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "lengths", "means"),
    [
        # Of each class, over all tokens but those of padding: three of one row, one of the other.
        ((2, 3, 2), [3, 1], {"logits[0]": 3.0, "logits[1]": 4.0}),
        # What has another size than the tokens is not of tokens, however many rows there are.
        ((3, 2, 1), [1, 2, 2], {"logits[0]": 2.0, "logits[1]": 3.0}),
    ],
)
def test_what_is_given_for_each_token_has_a_profile_of_each_class(
    shape: tuple[int, ...], lengths: list[int], means: dict[str, float]
) -> None:
    logits = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    scored = ScoredRows(pa.table({"a": ["x"] * len(logits)}), {}, {"logits": logits})
    scored_as = ScoredAs(ScoreColumns("none", tokens=3), Places(np.array(lengths)))
    profile = make_profile(scored, scored_as).to_pylist()
    found = {row["column"]: row["mean"] for row in profile if row["mean"] is not None}
    assert found == means
