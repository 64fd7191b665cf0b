"""Which rows are in which part: each once, as the job says."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.model_selection import train_test_split

from configs.errors import InputError, JobError
from configs.training_data import Split
from pipelines.training.split import PARTS, Places, split_rows

ROWS = 200
TARGETS = np.arange(ROWS) % 5 // 4


def rows_of(**columns: Any) -> pa.Table:
    return pa.table({"id": range(ROWS), **columns})


def places_of(split: dict[str, Any], rows: pa.Table, column: str | None = None) -> Places:
    return split_rows(
        split=Split.model_validate(split),
        rows=rows,
        targets=TARGETS[: rows.num_rows],
        labels=("a", "b"),
        task="classification",
        seed=3,
        column=column,
    )


def test_stratified_parts_are_those_of_scikit_learn() -> None:
    found = places_of({"by": "stratified"}, rows_of()).parts
    rest, test = train_test_split(np.arange(ROWS), test_size=0.25, stratify=TARGETS, random_state=3)
    training, validation = train_test_split(
        rest, test_size=0.2, stratify=TARGETS[rest], random_state=3
    )
    assert found["test"].tolist() == sorted(test)
    assert found["validation"].tolist() == sorted(validation)
    assert found["training"].tolist() == sorted(training)


@pytest.mark.parametrize(
    ("split", "column"),
    [
        ({"by": "random"}, None),
        ({"by": "stratified", "test": 0.4}, None),
        ({"by": "time"}, "when"),
        ({"by": "group"}, "group"),
        ({"by": "fixed", "column": "part"}, "part"),
    ],
)
def test_every_row_is_in_one_part(split: dict[str, Any], column: str | None) -> None:
    part = ["val" if n % 10 == 0 else "test" if n % 10 == 1 else "train" for n in range(ROWS)]
    rows = rows_of(when=list(range(ROWS)), group=[n // 5 for n in range(ROWS)], part=part)
    parts = places_of(split, rows, column).parts
    joined = np.concatenate([parts[name] for name in PARTS])
    assert sorted(joined) == list(range(ROWS))
    assert all(np.all(np.diff(parts[name]) > 0) for name in PARTS)


def test_the_latest_rows_are_the_test_and_a_moment_is_in_one_part() -> None:
    when = np.random.default_rng(0).permutation(ROWS) // 7
    parts = places_of({"by": "time"}, rows_of(when=when), "when").parts
    assert when[parts["training"]].max() < when[parts["validation"]].min()
    assert when[parts["validation"]].max() < when[parts["test"]].min()
    assert len(parts["test"]) == pytest.approx(50, abs=7)


def test_no_group_is_in_two_parts() -> None:
    group = np.random.default_rng(0).integers(0, 30, ROWS)
    parts = places_of({"by": "group"}, rows_of(group=group), "group").parts
    sets = [set(group[parts[name]].tolist()) for name in PARTS]
    assert sum(map(len, sets)) == len(set.union(*sets))
    assert len(parts["test"]) == pytest.approx(50, abs=15)


@pytest.mark.parametrize("seed", range(4))
def test_a_group_is_in_the_part_of_its_middle_row(seed: int) -> None:
    group = np.repeat(np.arange(8), [40, 5, 60, 3, 30, 2, 50, 10])
    parts = split_rows(
        split=Split(by="group", validation=0.2, test=0.3),
        rows=rows_of(group=group),
        targets=TARGETS,
        labels=("a", "b"),
        task="classification",
        seed=seed,
        column="group",
    ).parts
    # Groups one behind the other, as they were shuffled: 60 rows of the test come first.
    line = [
        n for g in np.random.default_rng(seed).permutation(8) for n in np.flatnonzero(group == g)
    ]
    expected: dict[str, list[int]] = {name: [] for name in PARTS}
    for number in range(8):
        places = [place for place, row in enumerate(line) if group[row] == number]
        middle = (places[0] + places[-1] + 1) / 2
        name = "test" if middle < 60 else "validation" if middle < 100 else "training"
        expected[name] += np.flatnonzero(group == number).tolist()
    assert {name: rows.tolist() for name, rows in parts.items()} == expected


def test_a_column_says_the_part_in_whatever_words() -> None:
    words = [["T", "V", "E", "?"][n % 4] for n in range(ROWS)]
    values = {"training": ["T"], "validation": ["V"], "test": ["E"]}
    split = {"by": "fixed", "column": "part", "values": values}
    # Rows of each part have both labels.
    found = places_of(split, rows_of(part=words), "part")
    assert [len(found.parts[name]) for name in PARTS] == [50, 50, 50]
    assert found.notes == ("50 rows are in no part, as their part is '?'",)


@pytest.mark.parametrize(
    ("split", "columns", "column", "message"),
    [
        ({"by": "stratified", "test": 0.001}, {}, None, "does not suit the 200 rows"),
        ({"by": "group"}, {"group": [1] * ROWS}, "group", "leaves no row of 200 for"),
        ({"by": "time"}, {"when": [1] * ROWS}, "when", "leaves no row of 200 for"),
        ({"by": "time"}, {"when": [None] + [1] * (ROWS - 1)}, "when", "no value in 1 rows"),
        ({"by": "group"}, {"group": [float("nan"), 2.0] * (ROWS // 2)}, "group", "no value in 100 rows"),
        ({"by": "fixed", "column": "p"}, {"p": ["train"] * ROWS}, "p", "validation and test"),
        ({"by": "time"}, {"when": [-n % 5 // 4 for n in range(ROWS)]}, "when", "leaves no row"),
        ({"by": "time"}, {"when": [n % 5 // 4 * ROWS + n for n in range(ROWS)]}, "when", "no row of 'b'"),
    ],
)  # fmt: skip
def test_a_split_that_leaves_nothing_to_learn_is_refused(
    split: dict[str, Any], columns: dict[str, Any], column: str | None, message: str
) -> None:
    with pytest.raises((JobError, InputError), match=message):
        places_of(split, rows_of(**columns), column)


def test_labels_of_too_few_rows_are_named() -> None:
    with pytest.raises(JobError, match="'b' has 1; give more rows"):
        split_rows(
            split=Split(by="stratified"),
            rows=rows_of(),
            targets=np.eye(1, ROWS, dtype=np.int64)[0],
            labels=("a", "b"),
            task="classification",
            seed=0,
        )


def test_a_label_that_no_row_has_is_not_missed() -> None:
    """A package that is trained further may know it."""
    parts = split_rows(
        split=Split(by="random"),
        rows=rows_of(),
        targets=TARGETS,
        labels=("a", "b", "c"),
        task="classification",
        seed=3,
    ).parts
    assert sum(len(parts[name]) for name in PARTS) == ROWS


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("rows_of_c", [1, 2])
def test_a_label_of_few_rows_must_be_learned(part: str, rows_of_c: int) -> None:
    """In whichever part they are: without one in the training nobody learns it."""
    words = [["training", "validation", "test"][number % 3] for number in range(ROWS)]
    rare = [number for number, word in enumerate(words) if word == part][:rows_of_c]
    targets = np.arange(ROWS) // 3 % 2
    targets[rare] = 2
    arguments: dict[str, Any] = {
        "split": Split(by="fixed", column="part"),
        "rows": rows_of(part=words),
        "targets": targets,
        "labels": ("a", "b", "c"),
        "task": "classification",
        "seed": 0,
        "column": "part",
    }
    if part == "training":
        found = split_rows(**arguments).parts
        assert set(rare) <= set(found["training"].tolist())
        return
    with pytest.raises(JobError, match="no row of 'c' is in the training part"):
        split_rows(**arguments)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_part_that_no_file_is_of_is_drawn_from_the_training_rows(task: Any) -> None:
    part = np.repeat([0, 2], [150, 50])
    found = split_rows(
        split=Split.model_validate({"by": "fixed", "test_paths": ["/test"]}),
        rows=rows_of(),
        targets=TARGETS,
        labels=("a", "b"),
        task=task,
        seed=3,
        column=None,
        part=part,
    ).parts
    # Of classes each has its share; numbers may all be different.
    stratify = TARGETS[:150] if task == "classification" else None
    split = Split.model_validate({"by": "fixed", "test_paths": ["/test"]})
    training, validation = train_test_split(
        np.arange(150), test_size=split.validation, stratify=stratify, random_state=3
    )
    assert found["training"].tolist() == sorted(training)
    assert found["validation"].tolist() == sorted(validation)
    assert found["test"].tolist() == list(range(150, 200))
