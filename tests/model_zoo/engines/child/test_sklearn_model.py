"""A `.skops` file is scikit-learn's own objects and numbers, or it is refused by the names of the others."""

import io
from typing import Any
import zipfile

import numpy as np
import pytest

skops_io = pytest.importorskip("skops.io")

from sklearn.datasets import make_blobs  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier  # noqa: E402
from sklearn.linear_model import Ridge  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier  # noqa: E402
from sklearn.preprocessing import FunctionTransformer  # noqa: E402

from model_zoo.activations import sigmoid, softmax  # noqa: E402
from model_zoo.engines.child.sklearn_model import open_model, to_logits  # noqa: E402

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


def test_logits_give_the_probabilities_that_they_are_of() -> None:
    three = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(softmax(to_logits(three, is_of_label_sets=False)), three, atol=1e-12)
    two = np.array([[0.75, 0.25], [0.0, 1.0], [0.5, 0.5]])
    logits = to_logits(two, is_of_label_sets=False)
    np.testing.assert_allclose(sigmoid(logits), two[:, 1], atol=1e-9)
    # The first of two that are alike, as scikit-learn says.
    assert logits[2] < 0
    np.testing.assert_allclose(sigmoid(to_logits(two, is_of_label_sets=True)), two, atol=1e-12)
