"""Models of scikit-learn without an exact graph are kept as they are, and scored by scikit-learn to the last digits."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("skl2onnx")
skops = pytest.importorskip("skops.io")

from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor  # noqa: E402
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer  # noqa: E402
from sklearn.linear_model import LogisticRegression, Ridge  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, PowerTransformer  # noqa: E402

from model_zoo.package.package import read_package  # noqa: E402
from tests.support.graphs import pack_file  # noqa: E402
from tests.support.own_forms import check_bits  # noqa: E402

pytestmark = pytest.mark.usefixtures("forked_children")
WORDS = ["good", "bad", "fine", "über", "slow", "火"]


def comments(seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(WORDS, 5)) for _ in range(200)]
    frame = pd.DataFrame({"comment": texts, "age": random.normal(40, 10, 200)})
    frame["visits"] = random.integers(0, 9, 200)
    frame["city"] = pd.Series(random.choice(["Ulm", "Kiel"], 200), dtype="str")
    frame.loc[::17, "city"] = None
    return frame


def pack(folder: Path, model: Any, frame: pd.DataFrame, **fields: Any) -> Any:
    skops.dump(model, folder / "m.skops")
    return pack_file(folder, "sklearn", folder / "m.skops", frame, **fields)


def test_words_of_texts_beside_categories_and_numbers(tmp_path: Path) -> None:
    frame = comments()
    columns = ColumnTransformer(
        [
            ("words", TfidfVectorizer(), "comment"),
            ("city", OneHotEncoder(handle_unknown="ignore"), ["city"]),
            ("numbers", "passthrough", ["age", "visits"]),
        ]
    )
    target = frame.comment.str.contains("good")
    model = make_pipeline(columns, LogisticRegression(max_iter=500)).fit(frame, target)
    packed = pack(tmp_path, model, frame)
    assert (packed.card.onnx, packed.card.forms) == (None, {"skops": "model.skops"})
    assert packed.difference < 1e-12
    kinds = {name: tensor.dtype for name, tensor in packed.card.inputs.items()}
    assert kinds == {"comment": "uint8", "age": "float64", "visits": "int64", "city": "uint8"}
    missing = {column.name: column.missing for column in packed.card.columns}
    # scikit-learn takes it for a category of its own.
    assert missing["city"] == "fill"
    assert missing["comment"] == "reject"


def test_a_list_of_texts_and_counts_of_words(tmp_path: Path) -> None:
    frame = comments()[["comment"]]
    model = make_pipeline(CountVectorizer(analyzer="char"), LogisticRegression(max_iter=500))
    model.fit(frame["comment"], frame.comment.str.contains("good"))
    assert pack(tmp_path, model, frame).difference < 1e-12


def test_a_forest_of_several_numbers_has_the_same_bits_on_any_number_of_threads(
    tmp_path: Path,
) -> None:
    frame = comments()[["age", "visits"]].astype("float64")
    numbers = np.stack([frame.age, -frame.visits], axis=1)
    # Its own threads add up in any order, and are not used.
    forest = RandomForestRegressor(30, max_depth=4, random_state=0, n_jobs=2).fit(frame, numbers)
    packed = pack(tmp_path, forest, frame, task="regression", labels="[a,b]")
    assert packed.difference < 1e-12
    url = str(tmp_path / "package")
    inputs = {"numbers": frame.to_numpy()}
    scored = check_bits(url, "sklearn", inputs, batches=(7, 64))
    np.testing.assert_allclose(scored.outputs["prediction"], forest.predict(frame), rtol=1e-12)


def test_a_forest_of_several_labels(tmp_path: Path) -> None:
    frame = comments()[["age", "visits"]]
    flags = np.stack([frame.age > 40, frame.visits > 4], axis=1).astype(int)
    forest = RandomForestClassifier(5, random_state=0).fit(frame, flags)
    card = pack(tmp_path, forest, frame, labels="[old,frequent]").card
    assert (card.task, card.labels) == ("multi_label", ("old", "frequent"))


def test_other_transformers_are_scikit_learns_to_compute(tmp_path: Path) -> None:
    frame = comments()[["age"]]
    model = make_pipeline(PowerTransformer(), Ridge()).fit(frame, frame.age)
    packed = pack(tmp_path, model, frame)
    assert packed.difference < 1e-12
    assert any("PowerTransformer is no part of a graph" in note for note in packed.notes)


def test_the_own_form_is_kept_in_place_of_the_graph_where_the_author_says_so(
    tmp_path: Path,
) -> None:
    frame = comments()[["age"]]
    packed = pack(tmp_path, Ridge().fit(frame, frame.age), frame, native=True)
    card = read_package(str(tmp_path / "package")).card
    assert (card.onnx, list(card.forms)) == (None, ["skops"])
    assert packed.difference == 0
