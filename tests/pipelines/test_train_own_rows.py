"""Training on rows of one's own: what one command finds, writes, and asks for."""

import json
from pathlib import Path
import sys
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
import pyarrow.parquet as pq
import pytest
import yaml

from model_zoo.package.package import read_package
from pipelines import evaluate, score, train
from pipelines.cli.command_line import run_program

ROWS = 240
QUICK = ["--set", "training.epochs=3", "--set", "report=false", "--quiet"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which somebody works, with a table of customers."""
    monkeypatch.chdir(tmp_path)
    make_customers().to_parquet("customers.parquet")
    return tmp_path


def make_customers(seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    age = random.normal(45, 12, ROWS)
    city = random.choice(["Bern", "Oslo", "Rome"], ROWS)
    leaves = (age - 45) / 8 + np.where(city == "Oslo", 1.5, -0.5) > 0
    return pd.DataFrame(
        {
            "id": [f"C{row:04d}" for row in range(ROWS)],
            "age": np.where(random.random(ROWS) < 0.1, np.nan, age),
            "city": np.where(random.random(ROWS) < 0.1, None, city),
            "vip": random.random(ROWS) < 0.3,
            "churned": leaves.astype(int),
            "spent": 1000 + 50 * age + 300 * (city == "Oslo"),
        }
    )


def run(*arguments: str) -> int:
    return run_program(train.main, list(arguments))


def train_churn(output: str, *arguments: str, data: str = "customers.parquet") -> int:
    features = "data.features=[age, city, vip]"
    words = ["--data", data, "--label", "churned", "--key", "id", "--set", features]
    return run(*words, "--output", output, *QUICK, *arguments)


def digest_of(package: str) -> str:
    return read_package(package).digest


def test_one_command_leaves_all_that_scoring_and_the_next_training_need(folder: Path) -> None:
    assert train_churn("models/churn/1") == 0
    package = read_package("models/churn/1")
    card = package.card
    assert (card.name, card.version, card.task) == ("churn", "1", "classification")
    assert (card.labels, card.activation) == (("0", "1"), "sigmoid")
    assert [(column.name, column.missing) for column in card.columns] == [
        ("age", "fill"),
        ("city", "fill"),
        ("vip", "fill"),
    ]
    assert set(card.metrics) == {"validation", "test"}
    job = yaml.safe_load(Path("models/churn/1.train.yaml").read_text())
    assert job["data"]["labels"] == ["0", "1"]
    assert [step["step"] for step in job["preprocess"]] == [
        "fill",
        "standardise",
        "fill",
        "one_hot",
        "stack",
    ]
    assert "in_features" not in job["network"]["parameters"]
    assert not Path("models/churn/1.checkpoint").exists()
    # Nothing fitted: that is found in the rows again.
    assert all(not {"values", "mean", "categories"} & set(step) for step in job["preprocess"])


@pytest.mark.slow
def test_the_job_that_it_wrote_gives_the_same_package() -> None:
    assert train_churn("models/churn/1") == 0
    first = digest_of("models/churn/1")
    job = "models/churn/1.train.yaml"
    assert run("--config", job, "--overwrite", "--quiet") == 0
    assert digest_of("models/churn/1") == first
    assert run("--config", job, "--output", "models/churn/2", "--quiet") == 0
    cards = [read_package(f"models/churn/{version}").card for version in ("1", "2")]
    assert [card.version for card in cards] == ["1", "2"]
    assert cards[0].model_copy(update={"version": "2"}) == cards[1]


def test_csv_and_several_shards_give_the_same_weights() -> None:
    table = make_customers()
    table.iloc[:100].to_csv("a.csv", index=False)
    table.iloc[100:].to_csv("b.csv", index=False)
    assert train_churn("models/churn/1") == 0
    assert train_churn("models/churn/2", data="*.csv") == 0
    weights = [
        read_package(f"models/churn/{version}").read_file("weights.safetensors")
        for version in ("1", "2")
    ]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_the_job_beside_scores_the_held_out_rows_and_evaluation_finds_the_same_figures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train_churn("models/churn/1") == 0
    assert run_program(score.main, ["--config", "models/churn/1.job.yaml", "--quiet"]) == 0
    capsys.readouterr()
    words = ["--output", "scores/churn", "--labels", "models/churn/1.held_out/labels.parquet"]
    assert run_program(evaluate.main, [*words, "--key", "id", "--label", "churned", "--json"]) == 0
    found = yaml.safe_load(capsys.readouterr().out)
    expected = read_package("models/churn/1").card.metrics["test"]
    assert found["confusion"] == expected["confusion"]
    for name in ("rows", "accuracy", "precision", "recall", "f1", "roc_auc"):
        assert found[name] == pytest.approx(expected[name]), name


@pytest.mark.slow
def test_a_package_is_trained_further_on_new_rows() -> None:
    assert train_churn("models/churn/1") == 0
    new = make_customers(seed=1)
    # CSV tells no types: whole numbers alone are no reason to refuse.
    new["age"] = new["age"].fillna(45).astype(int)
    new.to_csv("new.csv", index=False)
    words = ["--data", "new.csv", "--from", "models/churn/1", "--output", "models/churn/2"]
    assert run(*words, *QUICK) == 0
    before, after = (read_package(f"models/churn/{version}") for version in ("1", "2"))
    assert after.steps == before.steps
    assert after.card.columns == before.card.columns
    assert after.card.labels == before.card.labels
    assert after.read_file("weights.safetensors") != before.read_file("weights.safetensors")
    refit = ["--set", "refit=true", "--output", "models/churn/3", *QUICK]
    assert run("--data", "new.csv", "--from", "models/churn/1", *refit) == 0
    assert read_package("models/churn/3").steps != before.steps
    # The job that a further training leaves is one, too.
    again = ["--config", "models/churn/2.train.yaml", "--output", "models/churn/4", "--quiet"]
    assert run(*again) == 0
    assert read_package("models/churn/4").read_file("weights.safetensors") == after.read_file(
        "weights.safetensors"
    )


@pytest.mark.slow
def test_a_regression_is_scored_in_the_labels_own_units() -> None:
    words = ["--data", "customers.parquet", "--label", "spent", "--key", "id", "--quiet"]
    features = ["--set", "data.features=[age, city]", "--set", "training.learning_rate=0.03"]
    assert run(*words, *features, "--set", "training.epochs=30", "--output", "m/1") == 0
    card = read_package("m/1").card
    assert (card.task, card.labels, card.activation) == ("regression", ("spent",), "none")
    spread = pq.read_table("m/1.held_out/labels.parquet")["spent"].to_numpy().std()
    assert card.metrics["test"]["root_mean_squared_error"] < spread
    # Trained further, it begins where it was.
    again = ["--from", "m/1", "--output", "m/2", "--quiet", "--set", "training.epochs=1"]
    assert run(*again, "--set", "training.learning_rate=1e-9") == 0
    error = card.metrics["test"]["root_mean_squared_error"]
    found = read_package("m/2").card.metrics["test"]["root_mean_squared_error"]
    assert found == pytest.approx(error, rel=1e-3)


def test_an_output_that_stands_is_refused_before_any_row_is_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train_churn("models/churn/1") == 0
    capsys.readouterr()
    assert train_churn("models/churn/1", data="nowhere.parquet") == 2
    assert "packages never change" in capsys.readouterr().err


def change(**columns: Any) -> pd.DataFrame:
    return make_customers().assign(**columns)


@pytest.mark.parametrize(
    ("rows", "arguments", "status", "parts"),
    [
        (change(), ["--label", "churnd", "--key", "di"], 2, ["'churnd'; did you mean churned", "'di'"]),
        (change(), [], 2, ["data.label is needed", "data.key is needed", "; id has a different value"]),
        (change(churned=1.5), ["--label", "churned", "--key", "id"], 3, ["nothing to learn"]),
        (change(churned=range(ROWS)), ["--label", "churned", "--key", "id"], 2, ["task: classification or task: regression"]),
        (change(churned=None), ["--label", "churned", "--key", "id"], 3, ["no row has a value in 'churned'"]),
        (change(churned=None), ["--label", "churned", "--key", "id", "--task", "regression"], 3, ["no row has a value in 'churned'"]),
        (change(id=7), ["--label", "churned", "--key", "id"], 3, ["names 240 rows with 1 different"]),
        (change(churned=[0, 1] * 120).head(3), ["--label", "churned", "--key", "id"], 2, ["does not suit the 3 rows"]),
        (change().head(0), ["--label", "churned", "--key", "id"], 3, ["data.paths", "has no rows"]),
        (change(), ["--label", "id", "--key", "id"], 2, ["key and label are both 'id'"]),
        (change(), ["--label", "churned", "--key", "id", "--set", "data.features=[age, churned]"], 2, ["must not hold 'churned'"]),
        (change(), ["--label", "churned", "--key", "id", "--set", "data.features=[age, churned]"], 2, ["learns nothing"]),
        (change(text=[f"t{n}" for n in range(ROWS)]), ["--label", "churned", "--key", "id", "--set", "data.features=[text]"], 2, ["no column to learn from", "tokenize"]),
        (change(), ["--label", "churned", "--key", "id", "--from", "nowhere"], 3, ["nowhere"]),
        (change(), ["--label", "churned", "--key", "id", "--network", "mpl"], 3, ["did you mean 'mlp'"]),
        (change(), ["--label", "churned", "--key", "id", "--set", "split.by=time"], 2, ["data.time is needed"]),
    ],
)  # fmt: skip
def test_a_refusal_is_one_plain_line(
    rows: pd.DataFrame,
    arguments: list[str],
    status: int,
    parts: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows.to_parquet("rows.parquet")
    assert run("--data", "rows.parquet", *arguments, "--output", "m/1", *QUICK) == status
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    for part in parts:
        assert part in told
    assert not Path("m/1").exists()


def test_a_label_that_the_package_does_not_know_is_refused_by_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train_churn("models/churn/1") == 0
    capsys.readouterr()
    change(churned=[0, 1, 2] * 80).to_parquet("new.parquet")
    words = ["--data", "new.parquet", "--from", "models/churn/1", "--output", "models/churn/2"]
    assert run(*words, *QUICK) == 2
    assert "has 1 labels that the package does not know, '2'" in capsys.readouterr().err


def test_a_column_that_tells_the_label_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    change(left_at=make_customers()["churned"] * 2).to_parquet("rows.parquet")
    words = ["--data", "rows.parquet", "--label", "churned", "--key", "id", "--output", "m/1"]
    assert run(*words, "--set", "training.epochs=1") == 0
    told = capsys.readouterr().out
    assert "column 'left_at' tells the label by itself" in told
    assert "column 'age' tells" not in told


def test_a_place_that_cannot_be_written_is_refused_before_training(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_churn("customers.parquet/1") == 5
    assert "cannot be written: File exists" in capsys.readouterr().err


def write_pictures(folder: Path) -> None:
    """Write small grey pictures, dark ones and light ones, each in a folder of its class."""
    random = np.random.default_rng(0)
    for number in range(60):
        label = ["dark", "light"][number % 2]
        pixels = random.integers(0, 100, (8, 8)) + 150 * (number % 2)
        place = folder / label
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number}.png")
    (folder / "dark/broken.png").write_bytes(b"no picture")


def test_a_folder_of_pictures_has_its_labels_in_its_folders(folder: Path) -> None:
    write_pictures(folder / "pictures")
    assert run("--data", "pictures", "--output", "m/1", *QUICK) == 0
    card = read_package("m/1").card
    assert (card.builder, card.labels) == ("cnn", ("dark", "light"))
    assert card.inputs["image"].shape == (1, 8, 8)
    labels = pq.read_table("m/1.held_out/labels.parquet")
    assert labels.column_names == ["path", "label"]
    assert all(
        path.startswith(f"{label}/")
        for path, label in zip(*map(list, labels.to_pydict().values()), strict=True)
    )
    # The contents are rows like any other, and the broken one is in some part's count.
    assert not Path("m/1.held_out/shards_csv").exists()
    job = yaml.safe_load(Path("m/1.train.yaml").read_text())
    assert job["data"]["format"] == "files"


def test_files_of_their_own_say_which_rows_are_the_test() -> None:
    table = make_customers()
    table.iloc[:150].to_parquet("train.parquet")
    table.iloc[150:200].to_parquet("validation.parquet")
    table.iloc[200:].to_parquet("test.parquet")
    own = ["--set", "split.test_paths=test.parquet"]
    both = [*own, "--set", "split.validation_paths=validation.parquet"]
    assert train_churn("m/1", *both, data="train.parquet") == 0
    held_out = pq.read_table("m/1.held_out/labels.parquet")["id"].to_pylist()
    assert held_out == table["id"].iloc[200:].tolist()
    assert read_package("m/1").card.metrics["validation"]["rows"] == 50
    # What no file is of is drawn from the training rows.
    assert train_churn("m/2", *own, data="train.parquet") == 0
    assert read_package("m/2").card.metrics["validation"]["rows"] == 23
    assert pq.read_table("m/2.held_out/labels.parquet")["id"].to_pylist() == held_out


def test_columns_are_chosen_by_what_they_tell_of_the_label() -> None:
    steps = [
        {"step": "standardise", "columns": ["noise", "spent"]},
        {"step": "stack", "columns": ["noise", "spent"], "into": "x"},
        {"step": "select", "columns": ["x"], "into": "x", "method": "mutual_information", "k": 1},
    ]
    noise = np.random.default_rng(5).normal(size=ROWS)
    change(noise=noise).to_parquet("rows.parquet")
    words = ["--data", "rows.parquet", "--label", "churned", "--key", "id", "--output", "m/1"]
    features = ["--set", "data.features=[noise, spent]", "--set", f"preprocess={json.dumps(steps)}"]
    assert run(*words, *features, *QUICK) == 0
    assert read_package("m/1").card.inputs["x"].shape == (1,)


_NETWORK = """
from pathlib import Path
import sys
from torch import nn

Path("imported").touch()


def make():
    return nn.Linear(1, 1)
"""


def test_the_code_of_a_package_that_is_trained_further_must_be_allowed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "own_net_of_training.py").write_text(_NETWORK)
    monkeypatch.syspath_prepend(str(folder))
    network = ["--network", "own_net_of_training:make", "--set", "data.features=[age]"]
    inputs = ["--set", "network.inputs={input: [age]}"]
    words = ["--data", "customers.parquet", "--label", "churned", "--key", "id", *QUICK]
    assert run(*words, *network, *inputs, "--output", "m/1") == 0, capsys.readouterr().err

    # As on the machine of somebody who was given the package.
    monkeypatch.delitem(sys.modules, "own_net_of_training")
    Path("imported").unlink()
    further = ["--data", "customers.parquet", "--from", "m/1", *QUICK]
    capsys.readouterr()
    assert run(*further, "--output", "m/2") == 2
    assert "code of the module own_net_of_training" in capsys.readouterr().err
    assert not Path("imported").exists()

    allowed = ["--set", "modules=[own_net_of_training]"]
    assert run(*further, *allowed, "--output", "m/2") == 0
    assert Path("imported").exists()
    # What the job beside the package allows is no word of whoever goes on from it.
    assert "modules" in Path("m/2.train.yaml").read_text()
    assert run("--data", "customers.parquet", "--from", "m/2", *QUICK, "--output", "m/3") == 2
