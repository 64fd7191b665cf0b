"""What predictions are by their type, where neither the model nor the command line says."""

from pathlib import Path
import re
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from configs.errors import JobError
from pipelines.evaluating import compared
from pipelines.evaluating.compared import (
    _choose_predictions,
    _choose_probability,
    _find_task,
    _find_told_task,
    _list_optional,
    _list_scores,
    _list_wrong_counts,
    _list_wrong_options,
    _read_truth,
)


@pytest.mark.parametrize(
    ("dtype", "task"),
    [
        (pa.list_(pa.string()), "multi_label"),
        (pa.list_(pa.int32()), "multi_label"),
        (pa.list_(pa.float32(), 3), "regression"),
        (pa.list_(pa.struct({"label": pa.string()})), "tokens"),
        (pa.float32(), "regression"),
        (pa.decimal128(9, 2), "regression"),
        (pa.string(), "classification"),
        (pa.int64(), "classification"),
        (pa.bool_(), "classification"),
    ],
    ids=str,
)
def test_a_number_with_a_fraction_is_an_amount(dtype: pa.DataType, task: str) -> None:
    assert _find_task(dtype) == task


def list_scores(monkeypatch: pytest.MonkeyPatch, columns: str, source: Any) -> list[str]:
    """Return the column of scores of a run that has these columns."""
    types = dict.fromkeys(columns, pa.float32())
    monkeypatch.setattr(compared, "list_types", lambda _: types)
    return list(_list_scores({"job": {"source": source}}))


@pytest.mark.parametrize(
    ("columns", "source"),
    [
        ("y", None),
        ("y", {}),
        ("ky", {"key": "k"}),
        ("yk", {"key": "k", "passthrough": None}),
        ("ykab", {"key": "k", "passthrough": ["a", "b"]}),
        ("ay", {"passthrough": ["a"]}),
    ],
)
def test_the_column_that_no_row_brought_is_the_score(
    columns: str, source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list_scores(monkeypatch, columns, source) == ["y"]


@pytest.mark.parametrize(
    ("columns", "source", "told"),
    [
        ("kyz", {"key": "k"}, "y, z"),
        ("kay", {"key": "k", "passthrough": []}, "a, y"),
        ("k", {"key": "k"}, ""),
    ],
)
def test_of_several_scores_one_must_be_said(
    columns: str, source: Any, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = re.escape(f"--prediction is needed: the run has the columns {told}, and")
    with pytest.raises(JobError, match=expected):
        list_scores(monkeypatch, columns, source)


@pytest.mark.parametrize(
    ("task", "group", "separator", "told"),
    [
        ("ranking", "q", None, []),
        ("ranking", None, None, ["--group is needed"]),
        ("classification", "q", None, ["--group is for"]),
        ("classification", None, None, []),
        ("multi_label", None, ",", []),
        ("tokens", None, ",", []),
        ("regression", None, ",", ["--separator is for"]),
        ("ranking", None, ",", ["--group is needed", "--separator is for"]),
        ("regression", "q", ",", ["--group is for", "--separator is for"]),
    ],
)
def test_options_of_other_tasks_are_told_all_at_once(
    task: str, group: str | None, separator: str | None, told: list[str]
) -> None:
    question: Any = SimpleNamespace(group=group, separator=separator)
    problems = list(_list_wrong_options(question, task))
    assert len(problems) == len(told)
    for problem, words in zip(problems, told, strict=True):
        assert problem.startswith(words)


@pytest.mark.parametrize(
    ("group", "has_group", "read"),
    [("q", True, {"y", "q"}), ("q", False, {"y"}), (None, True, {"y"}), (None, False, {"y"})],
)
def test_the_group_stands_beside_the_labels_where_the_run_has_none(
    group: str | None, has_group: bool, read: set[str], tmp_path: Path
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("id,y,q\n1,0.5,a\n2,1.5,b\n")
    question: Any = SimpleNamespace(key="id", label=("y",), group=group, labels=str(labels), csv=())
    keys = pa.chunked_array([[2, 1]], pa.int64())
    truth = _read_truth(question, "ranking", keys, has_group)
    assert set(truth) == read
    assert truth["y"].to_pylist() == [1.5, 0.5]
    if "q" in read:
        assert truth["q"].to_pylist() == ["b", "a"]


@pytest.mark.parametrize(
    ("task", "predicted", "prediction", "label", "told"),
    [
        ("regression", "y", "", "a", []),
        ("regression", "yz", "yz", "ab", []),
        ("regression", "yz", "", "a", ["regression compares each"]),
        ("regression", "y", "", "ab", ["regression compares each"]),
        ("classification", "y", "", "a", []),
        ("classification", "y", "y", "a", []),
        ("classification", "yz", "yz", "a", ["classification compares one --prediction, got y, z"]),
        ("classification", "y", "", "ab", ["classification compares one --label, got a, b"]),
        ("tokens", "yz", "yz", "ab", ["tokens compares one --pred", "tokens compares one --label"]),
        ("multi_label", "y", "y", "ab", []),
        ("multi_label", "yz", "yz", "ab", ["multi_label compares one --prediction"]),
    ],
)
def test_how_many_columns_are_compared(
    task: str, predicted: str, prediction: str, label: str, told: list[str]
) -> None:
    question: Any = SimpleNamespace(prediction=tuple(prediction), label=tuple(label))
    columns = dict.fromkeys(predicted, pa.chunked_array([[1]]))
    problems = list(_list_wrong_counts(question, task, columns))
    assert len(problems) == len(told)
    for problem, words in zip(problems, told, strict=True):
        assert problem.startswith(words)


@pytest.mark.parametrize(
    ("task", "columns", "labels", "chosen"),
    [
        ("regression", ["price", "weight", "other"], ["price", "weight"], ("price", "weight")),
        ("regression", ["price", "other"], ["price", "weight"], ("price",)),
        ("regression", ["score"], ["price"], ("score",)),
        ("ranking", ["score"], None, ("score",)),
        ("tokens", ["tokens", "spans"], None, ("tokens", "spans")),
        ("tokens", ["spans"], None, ("spans",)),
        ("tokens", ["other"], None, ("tokens",)),
        ("multi_label", ["classes", "labels"], None, ("labels",)),
        ("multi_label", ["label", "classes"], None, ("classes",)),
        (None, ["class", "labels"], None, ("labels",)),
        (None, ["class"], None, ("class",)),
        ("classification", ["labels", "class"], None, ("class",)),
        ("classification", ["other"], None, ("label",)),
    ],
)
def test_predictions_that_nobody_names_are_those_of_the_task(
    task: str | None,
    columns: list[str],
    labels: list[str] | None,
    chosen: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    types = dict.fromkeys(columns, pa.float32())
    monkeypatch.setattr(compared, "list_types", lambda _: types)
    manifest = {"model": {"labels": labels}, "job": {"source": None}}
    assert _choose_predictions(task, manifest) == chosen


@pytest.mark.parametrize(
    ("asked", "prediction", "of_model", "task"),
    [
        ("tokens", ("y",), "ranking", "tokens"),
        (None, ("y",), "ranking", None),
        (None, (), "ranking", "ranking"),
        (None, (), "classification", None),
        (None, (), None, None),
    ],
)
def test_the_task_is_the_one_that_is_asked_for_or_else_the_models(
    asked: str | None, prediction: tuple[str, ...], of_model: str | None, task: str | None
) -> None:
    question: Any = SimpleNamespace(task=asked, prediction=prediction)
    assert _find_told_task(question, {"model": {"task": of_model}}) == task


def test_probabilities_and_groups_are_read_where_the_run_has_them() -> None:
    question: Any = SimpleNamespace(probability=None, group=None)
    assert _choose_probability(question, "multi_label") == "probabilities"
    assert _list_optional(question, None, ["id", "label"]) == ["probability"]
    grouped: Any = SimpleNamespace(probability="p", group="q")
    assert _choose_probability(grouped, "multi_label") == "p"
    assert _list_optional(grouped, "ranking", ["id", "score"]) == ["p", "q"]
    assert _list_optional(grouped, "ranking", ["q", "score"]) == ["p"]
