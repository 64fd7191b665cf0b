"""`evaluate` of labels of tokens and of spans: figures counted by hand, and what cannot be compared."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from pipelines import evaluate
from pipelines.cli.command_line import run_program
from pipelines.evaluating.tokens import _name_all
from tests.support.published import publish

Run = Callable[..., tuple[int, Any]]
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
# "Ada Lovelace saw Bern" and "Bern": one name right, one too short, one of another label.
TAGS = [["B-PER", "I-PER", "O", "B-LOC"], ["B-LOC"]]
FOUND = [["B-PER", "O", "O", "B-LOC"], ["B-PER"]]
PLACES = [[(0, 3), (4, 12), (13, 16), (17, 21)], [(0, 4)]]
SPANS = [[("PER", 0, 12), ("LOC", 17, 21)], [("LOC", 0, 4)]]
FOUND_SPANS = [[("PER", 0, 3), ("LOC", 17, 21)], [("PER", 0, 4)]]


def to_structs(rows: list[list[tuple[str, int, int]]]) -> list[list[dict[str, Any]]]:
    return [
        [dict(zip(("label", "start", "end"), span, strict=True)) for span in row] for row in rows
    ]


def publish_names(folder: Path, **columns: Any) -> None:
    tokens = [
        [{"label": label, "start": at[0], "end": at[1], "score": 0.5} for label, at in zip(*row, strict=True)]
        for row in zip(FOUND, PLACES, strict=True)
    ]  # fmt: skip
    whole = {"tokens": tokens, "spans": to_structs(FOUND_SPANS)} | columns
    table = pa.table({"id": [1, 2], **whole})
    publish(folder / "out", table, model={"task": "tokens", "labels": LABELS})


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Status, and the printed JSON or the error line, for true labels in a file."""

    def call(truth: Any, *flags: str, ending: str = "parquet") -> tuple[int, Any]:
        path = tmp_path / f"labels.{ending}"
        labels = pa.table({"id": [2, 1], "truth": truth[::-1]})
        (pacsv.write_csv if ending == "csv" else pq.write_table)(labels, path)
        words = ["--output", str(tmp_path / "out"), "--labels", str(path), "--key", "id"]
        status = run_program(evaluate.main, [*words, "--label", "truth", "--json", *flags])
        out, err = capsys.readouterr()
        return status, json.loads(out) if status == 0 else err

    return call


# As they may stand in a file; and whether they tell the tags of tokens.
TRUTH: dict[str, tuple[Any, list[str], bool]] = {
    "tags": (TAGS, [], True),
    "numbers": ([[LABELS.index(tag) for tag in row] for row in TAGS], [], True),
    "texts": ([" ".join(row) for row in TAGS], ["--separator", " "], True),
    "spans": (to_structs(SPANS), [], False),
}


@pytest.mark.parametrize("kind", TRUTH)
def test_entities_are_compared_whole(kind: str, tmp_path: Path, run: Run) -> None:
    publish_names(tmp_path)
    truth, flags, has_tags = TRUTH[kind]
    status, found = run(truth, *flags)
    assert status == 0, found
    counts = (found["true_entities"], found["predicted_entities"])
    assert counts == (3, 3)
    # One of three is right: Bern in the first row.
    assert found["f1"] == pytest.approx(1 / 3)
    assert found["macro_f1"] == pytest.approx((0 + 2 / 3) / 2)
    assert found["token_accuracy"] == (pytest.approx(3 / 5) if has_tags else None)


def test_tags_as_text_of_a_csv_file(tmp_path: Path, run: Run) -> None:
    publish_names(tmp_path)
    status, found = run(TRUTH["texts"][0], "--separator", " ", ending="csv")
    assert (status, found["f1"]) == (0, pytest.approx(1 / 3))


def test_a_token_without_a_tag_is_left_out(tmp_path: Path, run: Run) -> None:
    publish_names(tmp_path)
    status, found = run([[1, -100, -100, 3], [-100]])
    assert status == 0, found
    assert (found["true_entities"], found["f1"], found["token_accuracy"]) == (2, 1, 1)


def test_labels_that_name_no_entities_are_compared_one_by_one(tmp_path: Path, run: Run) -> None:
    tokens = [[{"label": "NOUN", "score": 0.5}, {"label": "VERB", "score": 0.5}], []]
    table = pa.table({"id": [1, 2], "tokens": tokens})
    publish(tmp_path / "out", table, model={"task": "tokens", "labels": ["NOUN", "VERB"]})
    status, found = run([["NOUN", "NOUN"], []])
    assert (status, found["accuracy"]) == (0, 0.5)


REFUSED: dict[str, tuple[Any, list[str], int, str]] = {
    "another length": ([["O"], ["O"]], [], 3, "1 of 2 rows have more or fewer tags than"),
    "text": (["O O", "O"], [], 3, "--separator ' ' for example"),
    "numbers": ([[1.5], [1.5]], [], 3, "no label of the one"),
    "class numbers": ([[0, 0, 0, 9], [0]], [], 3, "a class number is none of the model's 5 labels"),
    "strange tags": ([["B-GPE"] * 4, ["B-GPE"]], [], 3, "no label of the one"),
    "strange spans": (to_structs([[("GPE", 0, 1)], []]), [], 3, "no label of the one"),
    "other fields": ([[{"text": "Ada"}], []], [], 3, "holds no spans: lists of {label, start, end}"),
    "half a span": ([[{"label": "PER", "start": 0, "end": None}], []], [], 3, "a span lacks"),
    "two": (TAGS, ["--prediction", "tokens", "--prediction", "spans"], 2, "compares one --prediction"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_compared_is_refused(kind: str, tmp_path: Path, run: Run) -> None:
    publish_names(tmp_path)
    truth, flags, expected, said = REFUSED[kind]
    if kind == "numbers":
        truth = [[1.5] * 4, [1.5]]
    status, error = run(truth, *flags)
    assert (status, said in error) == (expected, True), error
    assert "Ada" not in error


def test_spans_of_a_run_without_places_are_refused(tmp_path: Path, run: Run) -> None:
    tokens = [[{"label": "B-PER", "score": 0.5}], [{"label": "O", "score": 0.5}]]
    table = pa.table({"id": [1, 2], "tokens": tokens})
    publish(tmp_path / "out", table, model={"task": "tokens", "labels": LABELS})
    status, error = run(to_structs(SPANS))
    assert (status, "holds no spans" in error) == (3, True), error


def test_class_numbers_name_the_labels_from_the_first_to_the_last() -> None:
    known = ["O", "B-PER", "I-PER"]
    assert _name_all([0, 2, None, -100], known, "tags") == ["O", "I-PER", None, None]
    for number in (-1, 3):
        with pytest.raises(InputError, match="none of the model's 3 labels"):
            _name_all([0, number], known, "tags")
