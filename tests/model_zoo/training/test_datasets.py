"""Every bundled data set against its source: scikit-learn, and Python's own Unicode database."""

from functools import cache
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn import datasets

from model_zoo.training.datasets import DATASETS

ROWS = {
    "breast_cancer": 569,
    "character_names": 2344,
    "diabetes": 442,
    "digit_graphs": 1797,
    "digit_sequences": 1797,
    "digit_traits": 1797,
    "digits": 1797,
    "digits_and_others": 2697,
    "iris": 150,
    "linnerud": 20,
    "wine": 178,
}


@cache
def make(name: str) -> pa.Table:
    """Make a data set, which nobody can change."""
    return DATASETS[name]()


def test_data_sets_are_listed_by_name() -> None:
    assert list(DATASETS) == sorted(DATASETS) == list(ROWS)


@pytest.mark.parametrize(("name", "rows"), ROWS.items())
def test_every_row_has_its_own_id_and_nothing_is_missing(name: str, rows: int) -> None:
    table = make(name)
    assert table.schema.field("id").type == pa.int64()
    assert table.num_rows == rows == pc.count_distinct(table.column("id")).as_py()
    assert sum(column.null_count for column in table.columns) == 0


@pytest.mark.parametrize(
    ("name", "label"), [("breast_cancer", "diagnosis"), ("wine", "cultivar"), ("iris", "species")]
)
def test_tables_of_classes_are_scikit_learns_bit_for_bit(name: str, label: str) -> None:
    table = make(name)
    found = getattr(datasets, f"load_{name}")()
    assert table.column_names == ["id", *found.feature_names, label]
    for number, feature in enumerate(found.feature_names):
        np.testing.assert_array_equal(table.column(feature).to_numpy(), found.data[:, number])
    assert table.column(label).to_pylist() == [found.target_names[t] for t in found.target]


def test_regressions_are_scikit_learns_in_their_own_units() -> None:
    table = make("diabetes")
    found = datasets.load_diabetes(scaled=False)
    assert table.column_names == ["id", *found.feature_names, "progression"]
    for number, feature in enumerate(found.feature_names):
        np.testing.assert_array_equal(table.column(feature).to_numpy(), found.data[:, number])
    np.testing.assert_array_equal(table.column("progression").to_numpy(), found.target)
    # Years, and not parts of a standard deviation.
    assert pc.max(table.column("age")).as_py() == 79

    several = make("linnerud").select(["Chins", "Situps", "Jumps", "Weight", "Waist", "Pulse"])
    found = datasets.load_linnerud()
    expected = np.hstack([found.data, found.target])
    actual = np.column_stack([column.to_numpy() for column in several.columns])
    np.testing.assert_array_equal(actual, expected)


def test_names_of_characters_are_pythons_own() -> None:
    table = make("character_names")
    letters = {
        "letter": "L",
        "mark": "M",
        "number": "N",
        "punctuation": "P",
        "symbol": "S",
    }
    for row in table.to_pylist()[::7]:
        character = unicodedata.lookup(row["name"])
        assert ord(character) == row["id"]
        # Unicode 3.2: some have another category in newer ones.
        category = unicodedata.ucd_3_2_0.category(character)
        assert category[0] == letters[row["kind"]]
    counts = pc.value_counts(table.column("kind"))
    assert {entry["values"].as_py() for entry in counts} == set(letters)
    assert min(entry["counts"].as_py() for entry in counts) > 300
    assert max(entry["counts"].as_py() for entry in counts) <= 600
    ids = table.column("id").to_pylist()
    assert ids == sorted(ids)
