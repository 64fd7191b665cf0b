"""A table of people with missing values and categories, and scores of the package that was made of a model for it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from model_zoo.activations import sigmoid, softmax
from model_zoo.engines.engine import choose_engine
from model_zoo.engines.settings import Settings
from model_zoo.package.package import read_package
from model_zoo.scoring.scorer import load_scorer
from transforms.preprocess_rows import preprocess_rows


def people(
    rows: int = 1500, seed: int = 0, cities: tuple[str, ...] = ("Ulm", "Bonn")
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, rows),
            "income": rng.lognormal(10, 1, rows),
            "city": rng.choice(cities, rows),
            "plan": rng.choice(["a", "b", "c", "d"], rows),
        }
    )
    frame.loc[rng.random(rows) < 0.1, "age"] = np.nan
    frame.loc[rng.random(rows) < 0.1, "city"] = None
    return frame


def labels(frame: pd.DataFrame, classes: int = 2) -> np.ndarray:
    found = np.where((frame.age.fillna(40) > 40) ^ (frame.plan == "a"), "yes", "no")
    return np.where(frame.income > 30_000, "rich", found) if classes == 3 else found


def score(folder: Path, frame: pd.DataFrame) -> np.ndarray:
    package = read_package(str(folder / "package"))
    card = package.card
    batch = pa.Table.from_pandas(frame, preserve_index=False).combine_chunks().to_batches()[0]
    inputs = preprocess_rows(batch, card.columns, package.steps, card.inputs)
    scorer = load_scorer(package, "cpu", Settings(256, engine=choose_engine(card)), 1)
    (scores,) = scorer(inputs).outputs.values()
    activate = {"sigmoid": sigmoid, "softmax": softmax, "none": np.array}[card.activation]
    return activate(scores)
