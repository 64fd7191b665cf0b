"""A `.skops` file is scikit-learn's own objects and numbers, or it is refused by the names of the others."""

import io
from typing import Any
import zipfile

import numpy as np
import pytest

skops_io = pytest.importorskip("skops.io")

import pandas as pd  # noqa: E402
from sklearn.datasets import make_blobs  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier  # noqa: E402
from sklearn.linear_model import LogisticRegression, Ridge  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier  # noqa: E402
from sklearn.preprocessing import FunctionTransformer  # noqa: E402

from model_zoo.activations import sigmoid, softmax  # noqa: E402
from model_zoo.engines.child import sklearn_model  # noqa: E402
from model_zoo.engines.child.sklearn_model import (  # noqa: E402
    choose_table,
    load,
    make_table,
    open_model,
    predict,
    to_logits,
)

X, Y = make_blobs(60, 4, centers=3, random_state=0)


class Own(Ridge):
    """A class of the author's."""


# Some of them count this machine's cores with a program.
@pytest.mark.program
@pytest.mark.parametrize(
    "estimator",
    [RandomForestClassifier(3), HistGradientBoostingClassifier(max_iter=2), KNeighborsClassifier()],
    ids=lambda e: type(e).__name__,
)
def test_what_scikit_learn_itself_has_made_is_made_again(estimator: Any) -> None:
    estimator.fit(X, Y)
    again = open_model(skops_io.dumps(estimator))
    np.testing.assert_array_equal(again.predict_proba(X), estimator.predict_proba(X))


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (Own().fit(X, Y), "test_sklearn_model.Own"),
        # A function that reads files, as many of numpy's do.
        (FunctionTransformer(np.load), "numpy.load"),
        (FunctionTransformer(np.fromfile), "numpy.fromfile"),
    ],
    ids=["class", "load", "fromfile"],
)
def test_what_is_not_its_own_is_refused_by_name(estimator: Any, name: str) -> None:
    with pytest.raises(ValueError, match="is not scikit-learn's own") as refused:
        open_model(skops_io.dumps(estimator))
    assert name.rpartition(".")[2] in str(refused.value)


def test_no_few_bytes_become_many() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", bytes(20 << 20))
    with pytest.raises(ValueError, match="unpacks to more than"):
        open_model(sink.getvalue())
    with pytest.raises(ValueError, match=r"no .skops file"):
        open_model(b"PK\3\4")


@pytest.mark.parametrize(("more", "is_taken"), [(0, True), (1, False)])
def test_a_file_unpacks_to_as_much_as_is_said(
    more: int, is_taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = skops_io.dumps(Ridge().fit(X, Y))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    # As much as it is by itself, and 20 times its length.
    least = size - 20 * len(content) - more
    monkeypatch.setattr(sklearn_model, "_UNPACKED_AT_LEAST", least)
    if is_taken:
        assert open_model(content).coef_.shape == (4,)
        return
    with pytest.raises(ValueError, match="unpacks to more than"):
        open_model(content)


class Named:
    """Stands in for an estimator: what it has seen when it was trained."""

    def __init__(self, names: list[str] | None = None, columns: int | None = None) -> None:
        if names is not None:
            self.feature_names_in_ = names
        if columns is not None:
            self.n_features_in_ = columns


def texts_of(*texts: bytes | None) -> np.ndarray:
    """Return texts as step `text_bytes` writes them, 255 behind each, and 254 for a missing one."""
    rows = [b"\xfe" if text is None else text for text in texts]
    return np.array([list(row.ljust(4, b"\xff")) for row in rows], np.uint8)


def test_a_matrix_stays_one_unless_columns_had_names() -> None:
    matrix = np.arange(6.0).reshape(3, 2)
    assert make_table(Named(columns=2), {"x": matrix}) is matrix
    named = make_table(Named(["a", "b"]), {"x": matrix})
    assert list(named.columns) == ["a", "b"]
    np.testing.assert_array_equal(named.to_numpy(), matrix)


def test_columns_become_a_table_of_numbers_and_texts() -> None:
    inputs = {"n": np.arange(3), "t": texts_of(b"ab", None, b"")}
    table = make_table(Named(["n", "t"]), inputs)
    assert list(table.columns) == ["n", "t"]
    assert table["n"].tolist() == [0, 1, 2]
    assert table["t"].dtype == "str"
    assert table["t"][0] == "ab"
    assert table["t"].isna().tolist() == [False, True, False]
    # Bytes by themselves are texts too, and a text may fill its row.
    (full,) = make_table(Named(), {"t": texts_of(b"abcd")})
    assert full == "abcd"


@pytest.mark.parametrize(
    ("model", "columns", "kind"),
    [
        (Named(["a"]), ["a"], "frame"),
        (Named(["a", "b"]), ["a", "b"], "frame"),
        # What counts words knows no number of columns.
        (Named(), ["a"], "list"),
        (Named(columns=1), ["a"], "matrix"),
        (Named(), ["a", "b"], "matrix"),
    ],
)
def test_a_table_is_given_as_the_model_knows_it(model: Any, columns: list[str], kind: str) -> None:
    frame = pd.DataFrame({name: [1.0, 2.0] for name in columns})
    chosen = choose_table(model, frame)
    if kind == "frame":
        assert chosen is frame
        return
    assert chosen.shape == ((2,) if kind == "list" else (2, len(columns)))


class Labels:
    """Stands in for an estimator of several labels."""

    def __init__(self, as_list: bool) -> None:
        self._as_list = as_list

    def predict_proba(self, given: Any) -> Any:
        if self._as_list:
            return [np.array([[0.25, 0.75], [1, 0]]), np.array([[0.5, 0.5], [0.125, 0.875]])]
        return np.array([[0.75, 0.5], [0, 0.875]])

    def predict(self, given: Any) -> Any:
        return [7, 8]


@pytest.mark.parametrize("as_list", [True, False])
def test_probabilities_of_labels_are_those_of_having_them(as_list: bool) -> None:
    found = predict(Labels(as_list), None, is_of_classes=True)
    assert found.tolist() == [[0.75, 0.5], [0.0, 0.875]]
    numbers = predict(Labels(as_list), None, is_of_classes=False)
    assert isinstance(numbers, np.ndarray)
    assert numbers.tolist() == [7, 8]


@pytest.mark.parametrize(
    ("estimator", "output", "shape", "activation"),
    [
        (LogisticRegression(), "logit", [3], "softmax"),
        (Ridge(), "prediction", [], "none"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_child_computes_what_scikit_learn_does(
    estimator: Any, output: str, shape: list[int], activation: str
) -> None:
    estimator.fit(X, Y)
    card = {"activation": activation, "outputs": {output: {"shape": shape}}}
    scores = load(skops_io.dumps(estimator), card)()({"x": X})[output]
    if output == "prediction":
        np.testing.assert_array_equal(scores, estimator.predict(X))
        return
    np.testing.assert_allclose(scores, np.log(estimator.predict_proba(X)), atol=1e-12)


@pytest.mark.parametrize(
    ("activation", "shape", "is_of_sets"),
    [("sigmoid", [3], True), ("sigmoid", [], False), ("softmax", [3], False)],
)
def test_label_sets_are_told_by_their_activation_and_shape(
    activation: str, shape: list[int], is_of_sets: bool
) -> None:
    model = LogisticRegression().fit(X, Y)
    card = {"activation": activation, "outputs": {"logit": {"shape": shape}}}
    logits = load(skops_io.dumps(model), card)()({"x": X})["logit"]
    expected = to_logits(model.predict_proba(X), is_of_sets)
    np.testing.assert_array_equal(logits, expected)


def test_one_class_and_three_keep_a_logit_each() -> None:
    one = to_logits(np.array([[1.0], [0.5]]), is_of_label_sets=False)
    np.testing.assert_allclose(one, [[0.0], [np.log(0.5)]], atol=1e-12)


def test_logits_give_the_probabilities_that_they_are_of() -> None:
    three = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(softmax(to_logits(three, is_of_label_sets=False)), three, atol=1e-12)
    two = np.array([[0.75, 0.25], [0.0, 1.0], [0.5, 0.5]])
    logits = to_logits(two, is_of_label_sets=False)
    np.testing.assert_allclose(sigmoid(logits), two[:, 1], atol=1e-9)
    # The first of two that are alike, as scikit-learn says.
    assert logits[2] < 0
    np.testing.assert_allclose(sigmoid(to_logits(two, is_of_label_sets=True)), two, atol=1e-12)
