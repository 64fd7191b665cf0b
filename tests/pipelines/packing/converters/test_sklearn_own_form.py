"""What scikit-learn's own form takes and gives, in this process; `test_sklearn_own.py` packs files."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("skops.io")

from sklearn.linear_model import LogisticRegression, Ridge

from configs.errors import JobError
from model_zoo.activations import sigmoid, softmax
from pipelines.packing.converters import sklearn_own
from pipelines.packing.converters.sklearn_own import (
    OwnTask,
    _find_dtype,
    is_of_label_sets,
    keep_as_skops,
    read_own_task,
)
from pipelines.packing.converters.text_lengths import choose_text_length


class Classifier:
    """Stands in for an estimator of classes."""

    def __init__(self, classes: Any, **fields: Any) -> None:
        self.classes_ = classes
        self.__dict__.update(fields)

    def predict_proba(self, given: Any) -> Any:
        return given


@pytest.mark.parametrize(
    ("estimator", "task"),
    [
        (Ridge(), OwnTask("none")),
        (Classifier(np.array(["no", "yes"])), OwnTask("sigmoid", ("no", "yes"))),
        (Classifier(np.array([1, 2, 3])), OwnTask("softmax", ("1", "2", "3"))),
        (Classifier(np.array([1])), OwnTask("softmax", ("1",))),
        (Classifier([np.array([0, 1])] * 3), OwnTask("sigmoid", ("0", "1", "2"), True)),
        (Classifier(np.arange(3), multilabel_=True), OwnTask("sigmoid", ("0", "1", "2"), True)),
        (Classifier(np.arange(2), multilabel_=False), OwnTask("sigmoid", ("0", "1"))),
    ],
)
def test_what_scores_are_is_read_of_the_estimator(estimator: Any, task: OwnTask) -> None:
    assert read_own_task(estimator, "m") == task


@pytest.mark.parametrize(
    ("kind", "is_of_sets"),
    [("multilabel-indicator", True), ("multiclass", False), (None, False)],
)
def test_a_binarizer_may_say_that_rows_have_several(kind: str | None, is_of_sets: bool) -> None:
    binarizer = None if kind is None else SimpleNamespace(y_type_=kind)
    estimator = Classifier(np.arange(2), _label_binarizer=binarizer)
    assert is_of_label_sets(estimator) is is_of_sets


def test_other_scores_are_refused() -> None:
    without = SimpleNamespace(classes_=np.arange(2))
    with pytest.raises(JobError, match=r"m: SimpleNamespace gives no probabilities of one label"):
        read_own_task(without, "m")
    three = Classifier([np.arange(2), np.arange(3)])
    with pytest.raises(JobError, match=r"gives several labels of more than two kinds a row"):
        read_own_task(three, "m")


@pytest.mark.parametrize(
    ("texts", "length"),
    [
        (["ab"], 4),
        (["abc", "a"], 8),
        (["abcd", None], 8),
        (["abcde"], 16),
        # In bytes, and not in letters.
        (["éé"], 8),
        ([""], 2),
        ([None], 2),
    ],
)
def test_texts_have_room_for_twice_the_longest(texts: Any, length: int) -> None:
    assert choose_text_length(pa.array(texts, pa.string())) == length


@pytest.mark.parametrize(
    ("values", "dtype", "takes_missing", "expected"),
    [
        ([True, False], pa.bool_(), False, "bool"),
        ([1.0], pa.float32(), False, "float32"),
        ([1.0], pa.float64(), True, "float64"),
        ([1.0], pa.float16(), False, "float64"),
        ([1], pa.int8(), False, "int64"),
        # Of what may be missing there is no integer.
        ([1], pa.int64(), True, "float64"),
        ([1, None], pa.int64(), False, "float64"),
    ],
)
def test_columns_are_numbers(
    values: Any, dtype: pa.DataType, takes_missing: bool, expected: str
) -> None:
    assert _find_dtype("a", pa.array(values, dtype), takes_missing, "m") == expected


@pytest.mark.parametrize("values", [[True, None], [b"x"], [[1]]])
def test_other_columns_are_refused_by_name(values: Any) -> None:
    with pytest.raises(
        JobError, match=r"m: takes column 'a' of type .*; give it numbers and texts"
    ):
        _find_dtype("a", pa.array(values), False, "m")


def keep(task: OwnTask, sample: dict[str, Any], lengths: Any = None) -> Any:
    model = Ridge()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sklearn_own, "_dump", lambda *_: b"content")
        table = pa.table(sample)
        names = table.column_names
        missing = frozenset[str]()
        return keep_as_skops(model, dict, names, missing, task, table, lengths or {}, "m")


def test_numbers_of_one_type_are_one_array() -> None:
    kept = keep(OwnTask("none"), {"a": [1.0], "b": [2.0]})
    assert kept.inputs == {"numbers": ("a", "b")}
    assert kept.dtypes == {"numbers": "float64"}
    assert (kept.columns, kept.steps, kept.graph) == (("a", "b"), (), None)
    narrow = pa.array([1.0], pa.float32())
    assert keep(OwnTask("none"), {"a": narrow}).dtypes == {"numbers": "float32"}


@pytest.mark.parametrize(
    ("sample", "dtypes"),
    [
        ({"a": [1.0], "b": [2]}, {"a": "float64", "b": "int64"}),
        # Integers would become floats side by side.
        ({"a": [1], "b": [2]}, {"a": "int64", "b": "int64"}),
        ({"a": [1.0], "b": ["x"]}, {"a": "float64", "b": "uint8"}),
        ({"a": ["y"], "b": ["x"]}, {"a": "uint8", "b": "uint8"}),
    ],
)
def test_columns_of_several_types_are_inputs_of_their_own(
    sample: dict[str, Any], dtypes: dict[str, str]
) -> None:
    kept = keep(OwnTask("none"), sample, {"b": 7})
    assert kept.dtypes == dtypes
    assert kept.inputs == {"a": "a", "b": "b"}
    lengths = {step.column: step.length for step in kept.steps}
    expected = {"a": 2, "b": 7}
    texts = [name for name, dtype in dtypes.items() if dtype == "uint8"]
    assert lengths == {name: expected[name] for name in texts}


@pytest.mark.parametrize(
    ("task", "probabilities"),
    [
        (OwnTask("softmax", ("a", "b", "c")), [[0.2, 0.3, 0.5]]),
        (OwnTask("sigmoid", ("a", "b"), True), [[0.2, 0.9]]),
        (OwnTask("sigmoid", ("a", "b")), [[0.25, 0.75]]),
    ],
)
def test_probabilities_are_kept_as_logits_and_come_back(
    task: OwnTask, probabilities: list[list[float]]
) -> None:
    given = np.array(probabilities)
    kept = keep(task, {"a": [1.0]})
    logits = kept.begin({"probability": given})["logit"]
    back = softmax(logits) if task.activation == "softmax" else sigmoid(logits)
    expected = given[:, 1] if logits.ndim == 1 else given
    np.testing.assert_allclose(back, expected, atol=1e-9)
    np.testing.assert_allclose(kept.finish({"logit": logits})["probability"], given, atol=1e-9)
    assert (kept.activation, kept.labels) == (task.activation, task.labels)


def test_numbers_are_kept_as_they_are() -> None:
    kept = keep(OwnTask("none"), {"a": [1.0]})
    given = {"prediction": np.array([7.0])}
    assert kept.begin(given) is given
    assert kept.finish(given) == given


def test_what_is_not_scikit_learns_own_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    assert sklearn_own._dump(model, "m")[:2] == b"PK"
    monkeypatch.setattr(sklearn_own, "list_foreign", lambda content: ["a.B", "c.D"])
    with pytest.raises(JobError, match=r"m: holds a.B, c.D, which is not scikit-learn's own"):
        sklearn_own._dump(model, "m")
