"""Labels of tokens, and spans of their neighbours, as a plain loop finds them."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError
from transforms.score_columns import score_columns
from transforms.scores.options import ScoreColumns
from transforms.scores.tokens import Places

TAGS = ("O", "B-P", "I-P", "B-L", "I-L", "X")


def logits_of(rows: list[list[int]], room: int = 8) -> np.ndarray:
    """Of the tokens whose classes are these; zeros behind the last one of a row."""
    logits = np.zeros((len(rows), room, len(TAGS)), dtype=np.float32)
    for row, classes in enumerate(rows):
        for token, number in enumerate(classes):
            logits[row, token, number] = 1 + token
    return logits


def places_of(rows: list[list[int]]) -> Places:
    """Each token is two characters, with a blank behind; the first and last of a row are added."""
    places, added = [], []
    for classes in rows:
        last = len(classes) - 1
        for token in range(len(classes)):
            is_added = token in (0, last)
            added.append(is_added)
            places.append((0, 0) if is_added else (3 * token, 3 * token + 2))
    starts, ends = np.array(places, dtype=np.int32).reshape(-1, 2).T
    return Places(
        np.array(list(map(len, rows)), dtype=np.int64), starts, ends, np.array(added, bool)
    )


def make(rows: list[list[int]], wanted: str, places: Places | None = None) -> list[Any]:
    how = ScoreColumns("softmax", TAGS, tokens=8)
    outputs = {"logits": logits_of(rows)}
    column = score_columns(outputs, how, [wanted], places or places_of(rows))[wanted]
    column.validate(full=True)
    return list(column.to_pylist())


def join(classes: list[int]) -> list[tuple[str, int, int, float]]:
    spans: list[list[tuple[str, int, int, float]]] = []
    for token in range(1, len(classes) - 1):
        name = TAGS[classes[token]]
        high = np.exp(1.0 + token)
        entry = (name, 3 * token, 3 * token + 2, high / (high + len(TAGS) - 1))
        goes_on = spans and spans[-1][-1][0][-1] == name[-1] and not name.startswith("B-")
        if goes_on:
            spans[-1].append(entry)
        else:
            spans.append([entry])
    return [
        (s[0][0][-1], s[0][1], s[-1][2], float(np.mean([e[3] for e in s])))
        for s in spans
        if s[0][0] != "O"
    ]


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(0, len(TAGS) - 1), max_size=8), max_size=6))
def test_neighbours_of_one_label_are_a_span_of_their_row_alone(rows: list[list[int]]) -> None:
    actual = make(rows, "spans")
    for spans, classes in zip(actual, rows, strict=True):
        expected = join(classes)
        assert [(s["label"], s["start"], s["end"]) for s in spans] == [e[:3] for e in expected]
        np.testing.assert_allclose([s["score"] for s in spans], [e[3] for e in expected], rtol=1e-5)
    for tokens, classes in zip(make(rows, "tokens"), rows, strict=True):
        assert [t["label"] for t in tokens] == [TAGS[number] for number in classes[1:-1]]


def test_tokens_without_a_text_have_no_place_and_no_spans() -> None:
    lengths = Places(np.array([2, 0, 1]))
    rows = make([[1, 2], [], [0]], "tokens", lengths)
    assert [[token["label"] for token in row] for row in rows] == [["B-P", "I-P"], [], ["O"]]
    assert [list(token) for row in rows for token in row] == [["label", "score"]] * 3
    with pytest.raises(JobError, match="'spans', which are places in a text"):
        make([[1, 2], [], [0]], "spans", lengths)


def test_what_is_given_for_tokens_ends_with_them() -> None:
    outputs = {"logits": logits_of([[1, 2], [], [0]])}
    how = ScoreColumns("none", tokens=8)
    made = score_columns(outputs, how, ["logits"], Places(np.array([2, 0, 1])))["logits"]
    assert made.type == pa.list_(pa.list_(pa.float32(), len(TAGS)))
    assert [len(row) for row in made.to_pylist()] == [2, 0, 1]
    assert made.to_pylist()[0] == outputs["logits"][0, :2].tolist()


def test_labels_of_a_model_without_names_are_its_class_numbers() -> None:
    rows = [[0, 5, 3, 0]]
    how = ScoreColumns("softmax", tokens=8)
    found = score_columns({"logits": logits_of(rows)}, how, ["tokens"], places_of(rows))
    (tokens,) = found["tokens"].to_pylist()
    assert [token["label"] for token in tokens] == ["5", "3"]
