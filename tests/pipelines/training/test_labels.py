"""What is learned: labels by class number, and the targets."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.preprocessing import LabelEncoder, MultiLabelBinarizer

from configs.errors import InputError, JobError, Refusal
from pipelines.training.labels import describe_balance, find_labelled, find_labels

ROWS = 40
TAGS = [["b", "a"], ["c"], [], ["a", "a"]] * 10


def column(values: Any, dtype: pa.DataType | None = None) -> dict[str, pa.Array]:
    return {"y": pa.array(values, dtype)}


def test_rows_without_one_of_their_labels_have_none() -> None:
    columns = {"y": pa.array([1, None, 3, 4]), "z": pa.array([0.1, 0.2, float("nan"), 0.4])}
    assert find_labelled(columns).tolist() == [True, False, False, True]


@pytest.mark.parametrize("values", [["no", "yes", "no"], [10, 9, 10], [True, False, True]])
def test_classes_are_numbered_as_scikit_learn_numbers_them(values: list[Any]) -> None:
    encoder = LabelEncoder().fit(values)
    found = find_labels("classification", column(values), (), known_only=False)
    assert found.targets.tolist() == encoder.transform(values).tolist()
    assert found.targets.dtype == np.int64
    texts = pa.array(encoder.classes_.tolist()).cast(pa.string()).to_pylist()
    assert list(found.labels) == texts


def test_the_job_says_which_class_is_the_positive_one() -> None:
    values = column(["yes", "no", "no"])
    found = find_labels("classification", values, ("yes", "no"), known_only=False)
    assert found.targets.tolist() == [0, 1, 1]


def test_label_sets_are_those_of_scikit_learn() -> None:
    binarizer = MultiLabelBinarizer()
    expected = binarizer.fit_transform(TAGS)
    found = find_labels("multi_label", column(TAGS), (), known_only=False)
    assert list(found.labels) == binarizer.classes_.tolist()
    np.testing.assert_array_equal(found.targets, expected)
    flags = {name: pa.array(expected[:, n]) for n, name in enumerate(found.labels)}
    of_columns = find_labels("multi_label", flags, (), known_only=False)
    np.testing.assert_array_equal(of_columns.targets, expected)
    assert of_columns.labels == found.labels


def test_numbers_are_targets_in_their_own_units() -> None:
    one = find_labels("regression", column([1, 2, 4]), (), known_only=False)
    assert one.labels == ("y",)
    assert one.targets.tolist() == [1.0, 2.0, 4.0]
    wide = find_labels("regression", column([[1.0, 2.0], [3.0, 5.0]]), (), known_only=False)
    assert wide.labels == ("y_0", "y_1")
    assert wide.targets.tolist() == [[1.0, 2.0], [3.0, 5.0]]
    both = {"y": pa.array([1.0, 2.0]), "z": pa.array([5, 7])}
    assert find_labels("regression", both, (), known_only=False).targets.tolist() == [
        [1, 5],
        [2, 7],
    ]


@pytest.mark.parametrize(
    ("task", "columns", "wanted", "known_only", "message"),
    [
        ("classification", column(["a"] * 3), (), False, "one value in all 3 rows, 'a'"),
        ("classification", column(["a", "b"]), ("a", "c"), False, "must be the values of y"),
        ("classification", column(["a", "b"]), ("a", "b", "c"), False, "must be the values of y"),
        ("classification", column(["a", "d"]), ("a", "b"), True, "does not know, 'd'"),
        ("classification", column([["a"], ["b"]]), (), False, "holds lists; say task: multi_label"),
        ("classification", column([{"a": 1}] * 3), (), False, "'y' is struct"),
        ("multi_label", column(["a", "b"]), (), False, "no list of labels"),
        ("multi_label", column([[{"a": 1}]] * 3), (), False, "'y' is list<.*struct"),
        ("multi_label", column([["a"], ["a"]]), (), False, "one label alone, 'a'"),
        ("multi_label", column([["a", None], ["b"]]), (), False, "1 labels in the lists of 'y'"),
        ("regression", column([1.0, 1.0]), (), False, "nothing to learn"),
        ("regression", column([1.0, float("inf")]), (), False, "1 numbers that are infinite"),
        ("regression", column(["a", "b"]), (), False, "and no number"),
        ("regression", column([[1.0], [1.0, 2.0]]), (), False, "have 1 to 2 items"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    task: Any, columns: dict[str, pa.Array], wanted: tuple[str, ...], known_only: bool, message: str
) -> None:
    with pytest.raises((InputError, JobError), match=message) as caught:
        find_labels(task, columns, wanted, known_only)
    assert isinstance(caught.value, Refusal)


def test_a_package_may_know_labels_that_no_row_has() -> None:
    found = find_labels("classification", column(["a", "c"]), ("a", "b", "c"), known_only=True)
    assert found.targets.tolist() == [0, 2]


def test_rare_labels_are_told() -> None:
    balanced = find_labels("classification", column(["a", "b"] * 20), (), known_only=False)
    assert describe_balance(balanced) == []
    rare = find_labels("classification", column(["a"] * 38 + ["b"] * 2), (), known_only=False)
    (told,) = describe_balance(rare)
    assert told.startswith("imbalanced: of 40 rows 'b' is of 2 rows")
    assert "class_weights=balanced" in told


@pytest.mark.parametrize(
    ("often", "rarely", "is_told"),
    # A label that comes two fifths as often as if all came alike is none of the rare ones.
    [(8, 2, False), (9, 1, True), (40, 9, True), (40, 10, False)],
)
def test_a_label_is_rare_below_two_fifths_of_its_share(
    often: int, rarely: int, is_told: bool
) -> None:
    labelled = find_labels(
        "classification", column(["a"] * often + ["b"] * rarely), (), known_only=False
    )
    assert bool(describe_balance(labelled)) is is_told


@pytest.mark.parametrize(("rare", "shown", "more"), [(5, 5, ""), (6, 5, "and 1 more labels")])
def test_five_rare_labels_are_named(rare: int, shown: int, more: str) -> None:
    values = ["often"] * 1000 + [f"rare {number}" for number in range(rare)]
    labelled = find_labels("classification", column(values), (), known_only=False)
    (told,) = describe_balance(labelled)
    assert told.count("is of 1 rows") == shown
    assert ("more labels" in told) is bool(more)
    assert more in told


def test_five_labels_that_a_package_does_not_know_are_named() -> None:
    known = [f"k{number}" for number in range(6)]
    new = [f"n{number}" for number in range(6)]
    with pytest.raises(JobError) as refused:
        find_labels("classification", column([*known, *new]), known, known_only=True)
    text = str(refused.value)
    assert "has 6 labels that the package does not know" in text
    assert ("n4" in text, "n5" in text) == (True, False)
    assert ("k4" in text, "k5" in text) == (True, False)
