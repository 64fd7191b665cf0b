"""Outputs of any shape and label sets, from a network to what other programs read, and the author's own scores beside them."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from configs.packaging import PackagingJob
from model_zoo.package.card import InputColumn
from model_zoo.steps.table import AnyStep
from model_zoo.steps.tokenize import Tokenize, tokenize
from pipelines import evaluate
from pipelines.cli.command_line import run_program
from pipelines.packing.proof.scored_as import ScoredAs
from pipelines.packing.proof.scores import describe_scores
from tests.support.jobs import run_job
from tests.support.packaging import ROWS, Author, numbers, stacked
from tests.support.text_models import tokenizer
from tests.support.without_beam import run_without_beam

SHAPES = """
    class Shapes(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 12)

        def forward(self, x):
            wide = self.layer(x)
            return {"first": wide[:, 0], "vector": wide, "grid": wide.reshape(-1, 4, 3)}
"""
LABELS = """
    class Labels(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 4)

        def forward(self, x):
            return self.layer(x)
"""
NAMES = ("cat", "dog", "owl", "yak")

# Packages and scores, some of them thrice.
whole = pytest.mark.slow

TOKENS = 6
SENTENCES = ("word1 word2", "word3", None)


@pytest.fixture(autouse=True)
def _without_beam(monkeypatch: pytest.MonkeyPatch) -> None:
    run_without_beam(monkeypatch)


def pack_and_score(author: Author, name: str, *flags: str) -> tuple[Any, Path, Path]:
    """Return the author's network, its starter job, and the published folder."""
    torch.manual_seed(0)
    network = getattr(author.module, name)()
    words = ("--network", f"{author.module.__name__}:{name}", "--weights", author.save(network))
    packaged = author.package(*words, *flags, sample=author.sample(**numbers()), key="id")
    assert packaged.status == 0, packaged.error
    starter = Path(packaged.said.splitlines()[-1])
    return network, starter, run_job(starter).output


@whole
def test_outputs_keep_their_shape_whoever_reads_them(
    author_of: Callable[[str], Author], capsys: pytest.CaptureFixture[str]
) -> None:
    author = author_of(SHAPES)
    network, _, output = pack_and_score(author, "Shapes")
    with torch.inference_mode():
        expected = {name: y.numpy() for name, y in network(stacked(numbers())).items()}
    parts = f"{output}/current/*.parquet"
    rows = duckdb.sql(f"SELECT first, vector, grid FROM '{parts}' ORDER BY id").fetchall()
    read = dict(zip(expected, zip(*rows, strict=True), strict=True))
    frame = pd.read_parquet(output / "current").sort_values("id")
    for name, array in expected.items():
        assert array.shape[0] == ROWS
        np.testing.assert_allclose(np.array(read[name]), array, atol=1e-6)
        # Arrays in an array, which pandas leaves to whoever stacks them.
        by_pandas = frame[name]
        if array.ndim > 1:
            by_pandas = np.array([np.array(list(value)) for value in by_pandas])
        np.testing.assert_allclose(by_pandas, array, atol=1e-6)
    polars = pytest.importorskip("polars")
    by_polars = polars.read_parquet(parts).sort("id")["grid"].to_numpy()
    np.testing.assert_allclose(by_polars, expected["grid"], atol=1e-6)

    # And restored here: the very numbers, flat or not, are compared as they are.
    truth = pa.table({"id": numbers()["id"], "grid": expected["vector"].tolist()})
    pq.write_table(truth, author.folder / "truth.parquet")
    flags = ["--labels", str(author.folder / "truth.parquet"), "--key", "id", "--label", "grid"]
    capsys.readouterr()
    words = ["--output", str(output), *flags, "--prediction", "grid", "--json"]
    assert run_program(evaluate.main, words) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["outputs"]) == 12
    assert found["mean"]["mean_absolute_error"] < 1e-6


@whole
def test_label_sets_from_a_network_to_its_scores(author_of: Callable[[str], Author]) -> None:
    author = author_of(LABELS)
    network, starter, output = pack_and_score(
        author, "Labels", "--task", "multi_label", "--labels", ",".join(NAMES)
    )
    assert author.opened().card.task == "multi_label"
    postprocess = yaml.safe_load(starter.read_text())["postprocess"]
    assert postprocess == {"keep": ["labels", "probabilities"], "threshold": 0.5}
    with torch.inference_mode():
        probabilities = network(stacked(numbers())).sigmoid().numpy()
    scores = pd.read_parquet(output / "current").sort_values("id")
    np.testing.assert_allclose(np.stack(scores["probabilities"]), probabilities, atol=1e-6)
    expected = [[NAMES[place] for place in np.flatnonzero(row >= 0.5)] for row in probabilities]
    assert [list(row) for row in scores["labels"]] == expected
    profile = pq.read_table(author.folder / "model/profile.parquet")["column"].to_pylist()
    assert [f"probability[{name}]" for name in NAMES] == [n for n in profile if "probab" in n]


@whole
@pytest.mark.parametrize(
    ("source", "name", "flags", "columns"),
    [
        (SHAPES, "Shapes", (), ["grid", "vector"]),
        (LABELS, "Labels", ("--activation", "sigmoid"), ["classes", "probabilities"]),
        (LABELS, "Labels", ("--task", "regression", "--labels", ",".join(NAMES)), ["cat", "yak"]),
    ],
)
def test_the_authors_own_scores_are_compared_in_any_shape(
    source: str,
    name: str,
    flags: tuple[str, ...],
    columns: list[str],
    author_of: Callable[[str], Author],
) -> None:
    author = author_of(source)
    _, _, output = pack_and_score(author, name, *flags)
    scores = pq.read_table(output / "current").select(["id", *columns])
    path = author.folder / "expected.parquet"

    def package_again(version: str) -> Any:
        words = ("--network", f"{author.module.__name__}:{name}", "--expected", str(path), *flags)
        sample, weights = str(author.folder / "sample.parquet"), str(author.folder / "w.pt")
        return author.package(*words, output=version, key="id", sample=sample, weights=weights)

    pq.write_table(scores, path)
    said = package_again("second").said
    for column in columns:
        assert f"{column} of 1,200 rows within" in said
    other = scores.slice(1).append_column("shifted", scores[columns[0]].slice(0, ROWS - 1))
    renamed = other.drop_columns(columns).rename_columns(["id", columns[0]])
    pq.write_table(renamed, path)
    assert f"{columns[0]} of 1,199 rows differs" in package_again("third").error


def describe_texts(task: str, mask: str | None = "attention_mask") -> ScoredAs:
    """Describe the scores of a model of texts, the last of which is missing and filled."""
    step = Tokenize(step="tokenize", column="text", max_tokens=TOKENS, tokenizer=tokenizer())
    contract = [InputColumn(name="text", type="string", missing="fill", fill="word4")]
    job = PackagingJob[AnyStep].model_validate(
        {"network": "sentence_encoder", "task": task, "labels": ["a", "b"], "output": "model"}
    )
    filled = [text or "word4" for text in SENTENCES]
    token_numbers, is_token = tokenize(pa.array(filled), step)
    inputs = {"input_ids": token_numbers, "attention_mask": is_token}
    rows = pa.table({"text": SENTENCES})
    return describe_scores(job, rows, inputs, mask, contract, [step])


def test_tokens_have_places_in_their_text_where_each_is_scored() -> None:
    scored = describe_texts("tokens")
    assert scored.how.tokens == TOKENS
    assert scored.places is not None
    assert scored.places.lengths.tolist() == [2, 1, 1]
    # By hand, row by row: two words, one word, and the word that fills.
    assert scored.places.starts.tolist() == [0, 6, 0, 0]
    assert scored.places.ends.tolist() == [5, 11, 5, 5]


@pytest.mark.parametrize("task", ["classification", "multi_label", "regression"])
def test_other_tasks_have_lengths_alone(task: str) -> None:
    scored = describe_texts(task)
    assert scored.places is not None
    assert scored.places.lengths.tolist() == [2, 1, 1]
    assert scored.places.starts is None
    # What names numbers names them in a regression alone.
    named = ("a", "b") if task == "regression" else ()
    assert tuple(scored.how.numbers) == named


def test_a_model_without_a_mask_has_no_places() -> None:
    scored = describe_texts("classification", mask=None)
    assert scored.places is None
    assert scored.how.tokens is None
