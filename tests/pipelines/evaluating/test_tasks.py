"""`evaluate` of several labels, several numbers and rankings: scikit-learn's own figures of the same arrays."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from sklearn import metrics

from pipelines import evaluate
from pipelines.cli.command_line import run_program
from pipelines.evaluating.tasks import TASKS
from tests.support.published import publish

Run = Callable[..., tuple[int, Any]]
DRAW = np.random.default_rng(3)
NAMES = ("cat", "dog", "owl", "yak")
TRUE = DRAW.integers(0, 2, (60, 4))
PROBABILITIES = np.clip(0.5 * TRUE + DRAW.uniform(0, 0.7, TRUE.shape), 0, 1).astype(np.float32)
PREDICTED = (PROBABILITIES >= 0.5).astype(int)
IDS = pa.array(range(60))


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Status, and the printed JSON or the error line, for labels that are put into a file first."""

    def call(labels: pa.Table, *flags: str, ending: str = "parquet") -> tuple[int, Any]:
        path = tmp_path / f"labels.{ending}"
        (pacsv.write_csv if ending == "csv" else pq.write_table)(labels, path)
        words = ["--output", str(tmp_path / "out"), "--labels", str(path), "--key", "id"]
        status = run_program(evaluate.main, [*words, "--json", *flags])
        out, err = capsys.readouterr()
        return status, json.loads(out) if status == 0 else err

    return call


def to_sets(flags: np.ndarray) -> list[list[str]]:
    return [[name for name, has in zip(NAMES, row, strict=True) if has] for row in flags]


@pytest.fixture
def published(tmp_path: Path) -> None:
    table = pa.table({"id": IDS, "labels": to_sets(PREDICTED)})
    lists = pa.FixedSizeListArray.from_arrays(pa.array(PROBABILITIES.reshape(-1)), 4)
    table = table.append_column("probabilities", lists)
    model = {"task": "multi_label", "labels": list(NAMES)}
    publish(tmp_path / "out", table.slice(0, 25), table.slice(25), model=model)


def flag_columns() -> dict[str, Any]:
    return {name: TRUE[:, place] for place, name in enumerate(NAMES)}


LABELS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "lists of names": ({"truth": to_sets(TRUE)}, ["--label", "truth"]),
    "lists of 0 and 1": ({"truth": TRUE.tolist()}, ["--label", "truth"]),
    "lists of truth values": ({"truth": (TRUE == 1).tolist()}, ["--label", "truth"]),
    "texts": (
        {"truth": ["; ".join(row) for row in to_sets(TRUE)]},
        ["--label", "truth", "--separator", ";"],
    ),
    "columns": (flag_columns(), [word for name in NAMES for word in ("--label", name)]),
}


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_label_sets(kind: str, ending: str, run: Run) -> None:
    columns, flags = LABELS[kind]
    if ending == "csv" and kind.startswith("lists"):
        pytest.skip("CSV has no lists")
    status, found = run(pa.table({"id": IDS, **columns}), *flags, ending=ending)
    assert status == 0, found
    for average in ("micro", "macro"):
        expected = metrics.precision_recall_fscore_support(TRUE, PREDICTED, average=average)
        names = ("precision", "recall", "f1")
        actual = [found[f"{average}_{name}"] for name in names]
        np.testing.assert_allclose(actual, expected[:3])
    assert found["hamming_loss"] == pytest.approx(np.mean(TRUE != PREDICTED))
    assert found["exact_match"] == pytest.approx(np.mean((TRUE == PREDICTED).all(axis=1)))
    mean = metrics.average_precision_score(TRUE, PROBABILITIES, average="macro")
    assert found["mean_average_precision"] == pytest.approx(mean)
    assert [label["label"] for label in found["labels"]] == list(NAMES)
    by_label = metrics.f1_score(TRUE, PREDICTED, average=None)
    np.testing.assert_allclose([label["f1"] for label in found["labels"]], by_label)
    assert [label["true_rows"] for label in found["labels"]] == TRUE.sum(axis=0).tolist()


@pytest.mark.usefixtures("published")
def test_label_sets_that_cannot_be_compared_are_refused(run: Run) -> None:
    strangers = pa.table({"id": IDS, "truth": [["Katze"]] * 60})
    status, error = run(strangers, "--label", "truth")
    assert (status, "no label of the one" in error) == (3, True)
    texts = pa.table({"id": IDS, "truth": ["cat;dog"] * 60})
    status, error = run(texts, "--label", "truth")
    assert (status, "--separator ';' for example" in error) == (3, True)
    status, error = run(texts, "--label", "truth", "--prediction", "probabilities")
    assert (status, "holds no numbers" in error) == (3, True)
    counts = pa.table({"id": IDS, "cat": [2] * 60, "dog": [0] * 60})
    status, error = run(counts, "--label", "cat", "--label", "dog")
    assert (status, "holds other numbers than 0 and 1" in error) == (3, True)


def test_a_label_that_the_model_does_not_know_is_one_more(tmp_path: Path, run: Run) -> None:
    table = pa.table(
        {"id": [1, 2], "labels": [["a"], []], "probabilities": [[0.9, 0.1], [0.1, 0.2]]}
    )
    publish(tmp_path / "out", table, model={"task": "multi_label", "labels": ["a", "b"]})
    status, found = run(pa.table({"id": [1, 2], "t": [["a", "z"], ["a"]]}), "--label", "t")
    assert (status, [label["label"] for label in found["labels"]]) == (0, ["a", "z"])
    # The probabilities' order is the model's, and says nothing of the others.
    assert found["mean_average_precision"] is None
    assert found["micro_recall"] == pytest.approx(1 / 3)


def test_several_numbers_have_figures_of_their_own(tmp_path: Path, run: Run) -> None:
    true = DRAW.normal(0, 1, (60, 2))
    predicted = (true + DRAW.normal(0, 0.3, true.shape)).astype(np.float32)
    table = pa.table({"id": IDS, "price": predicted[:, 0], "weight": predicted[:, 1]})
    model = {"task": "regression", "labels": ["price", "weight"]}
    publish(tmp_path / "out", table, model=model)
    labels = pa.table({"id": IDS, "p": true[:, 0], "w": true[:, 1]})
    status, found = run(labels, "--label", "p", "--label", "w")
    assert status == 0, found
    for place, name in enumerate(("price", "weight")):
        error = metrics.mean_absolute_error(true[:, place], predicted[:, place])
        assert found["outputs"][name]["mean_absolute_error"] == pytest.approx(error)
    assert found["mean"]["r2"] == pytest.approx(metrics.r2_score(true, predicted))
    status, error = run(labels, "--label", "p")
    assert (status, "each --prediction with a --label" in error) == (2, True)


def test_outputs_of_any_shape_are_compared_number_by_number(tmp_path: Path, run: Run) -> None:
    true = DRAW.normal(0, 1, (60, 3, 2))
    predicted = true + 0.5
    publish(tmp_path / "out", pa.table({"id": IDS, "grid": predicted.tolist()}))
    labels = pa.table({"id": IDS, "truth": true.tolist(), "flat": true.reshape(60, 6).tolist()})
    for label in ("truth", "flat"):
        status, found = run(labels, "--label", label, "--prediction", "grid")
        assert status == 0, found
        assert len(found["outputs"]) == 6
        assert found["mean"]["bias"] == pytest.approx(0.5)
    ragged = pa.table({"id": IDS, "truth": [[1.0] * (1 + row % 2) for row in range(60)]})
    status, error = run(ragged, "--label", "truth", "--prediction", "grid")
    assert (status, "of several lengths" in error) == (3, True)


@pytest.mark.parametrize("place", ["scores", "labels"])
def test_rankings_are_compared_group_by_group(place: str, tmp_path: Path, run: Run) -> None:
    group = pa.array([f"q{number}" for number in DRAW.integers(0, 12, 60)])
    relevance = DRAW.integers(0, 4, 60) * (DRAW.uniform(size=60) > 0.4)
    score = pa.array(relevance + DRAW.normal(0, 1, 60), pa.float32())
    scores, labels = {"id": IDS, "score": score}, {"id": IDS, "relevance": relevance}
    (scores if place == "scores" else labels)["query"] = group
    publish(tmp_path / "out", pa.table(scores), model={"task": "ranking"})
    flags = ["--label", "relevance", "--group", "query", "--k", "3", "--prediction", "score"]
    status, found = run(pa.table(labels), "--task", "ranking", *flags)
    assert status == 0, found
    expected = []
    for name in sorted(set(group.to_pylist())):
        rows = [row for row, other in enumerate(group.to_pylist()) if other == name]
        true, predicted = relevance[rows], np.array(score)[rows]
        if not true.any():
            continue
        ndcg = metrics.ndcg_score([true], [predicted], k=3) if len(rows) > 1 else 1.0
        order = np.argsort(-predicted)
        places = np.flatnonzero(true[order] > 0) + 1
        precision = np.mean([(number + 1) / at for number, at in enumerate(places)])
        expected.append((ndcg, precision, 1 / places[0]))
    names = ("ndcg", "mean_average_precision", "mean_reciprocal_rank")
    np.testing.assert_allclose(
        [found[name] for name in names], np.mean(expected, axis=0), rtol=1e-6
    )
    assert found["groups"] == len(expected)


def test_what_a_task_needs_is_asked_for(tmp_path: Path, run: Run) -> None:
    table = pa.table({"id": [1, 2], "score": [0.5, 0.2]})
    publish(tmp_path / "out", table, model={"task": "ranking"})
    labels = pa.table({"id": [1, 2], "t": [1, 0], "u": [1, 0]})
    status, error = run(labels, "--label", "t", "--label", "u")
    assert status == 2
    assert "--group is needed for ranking" in error
    assert "ranking compares one --label" in error
    for wrong in ("0", "-1", "x", "1.5"):
        error = run(labels, "--label", "t", "--k", wrong)[1]
        assert "--k: must be a whole number of 1 or more" in error
    status, error = run(labels, "--label", "t", "--task", "regression", "--separator", ",")
    assert (status, "--separator is for --task multi_label or tokens" in error) == (2, True)


def test_help_names_the_tasks_that_there_are() -> None:
    assert tuple(TASKS) == evaluate.TASK_NAMES
