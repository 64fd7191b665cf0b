"""pipelines.package from the command line: what it finds, what it asks for, and the job that it leaves."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from model_zoo.steps.pad import Pad
from pipelines import package
from pipelines.packing import load_job, summary
from tests.support.jobs import run_job
from tests.support.packaging import NET, ROWS, Author, numbers, stacked


def name_of(author: Author, network: str = "Net") -> str:
    return f"{author.module.__name__}:{network}"


def test_from_a_network_to_its_scores(author: Author) -> None:
    """The last line printed is a job that runs as it stands, and its scores are the network's own."""
    table = numbers()
    network = author.module.Net()
    packaged = author.package(
        network=name_of(author),
        weights=author.save(network),
        sample=author.sample(**table),
        key="id",
        activation="sigmoid",
    )
    assert packaged.status == 0, packaged.error
    starter = Path(packaged.said.splitlines()[-1])
    outcome = run_job(starter)
    scores = outcome.scored().sort_by("id")
    assert scores["id"].to_pylist() == table["id"].tolist()
    with torch.inference_mode():
        expected = network(stacked(table))[:, 0].sigmoid().numpy()
    assert np.abs(scores["probability"].to_numpy() - expected).max() < 1e-6


def test_the_job_of_a_csv_sample_runs_too(author: Author, tmp_path: Path) -> None:
    table = numbers()
    csv = tmp_path / "sample.csv"
    pd.DataFrame(table).to_csv(csv, index=False)
    network = author.module.Net()
    packaged = author.package(
        "--quiet",
        network=name_of(author),
        weights=author.save(network),
        sample=str(csv),
        key="id",
        activation="none",
    )
    assert packaged.error == ""
    (starter,) = packaged.said.splitlines()
    scores = run_job(Path(starter)).scored().sort_by("id")
    with torch.inference_mode():
        expected = network(stacked(table))[:, 0].numpy()
    assert np.abs(scores["output"].to_numpy() - expected).max() < 1e-6


def test_a_file_says_it_all_and_flags_have_the_last_word(author: Author, tmp_path: Path) -> None:
    job = {
        "name": "wide",
        "version": 7,
        "network": name_of(author),
        "parameters": {"out": 4},
        "weights": author.save(author.module.Net(out=4)),
        "sample": author.sample(**numbers()),
        "key": "id",
        "label": "c",
        "activation": "softmax",
        "labels": ["n", "e", "s", "w"],
        "output": "elsewhere",
    }
    config = tmp_path / "package.yaml"
    config.write_text(yaml.safe_dump(job))
    packaged = author.package("--set", "label=null", "--version", "8", config=str(config))
    assert packaged.status == 0, packaged.error
    card = author.opened().card
    assert (card.name, card.version, card.labels) == ("wide", "8", ("n", "e", "s", "w"))
    assert [column.name for column in card.columns] == ["a", "b", "c"]
    assert [column.type for column in card.columns] == ["double", "int64", "double"]
    assert card.outputs["output"].shape == (4,)


def test_what_is_missing_is_asked_for_all_at_once(author: Author) -> None:
    author.package(output="").refused("network (with weights), or one of huggingface", "sample")
    author.package(network=name_of(author)).refused("is needed: weights", "; sample")


def test_names_that_are_not_there_are_told_all_at_once(author: Author) -> None:
    packaged = author.package(
        "--set",
        "fill.d=0",
        network=name_of(author),
        weights=author.save(author.module.Net()),
        sample=author.sample(**numbers()),
        key="idd",
        label="target",
    )
    packaged.refused("no column 'idd'; did you mean id?", "'target'", "'d'")


def test_whether_numbers_are_logits_is_asked_for(author: Author) -> None:
    packaged = author.package(
        network=name_of(author),
        weights=author.save(author.module.Net()),
        sample=author.sample(**numbers()),
        key="id",
    )
    packaged.refused("--task says", "--activation: sigmoid", "softmax", "none")
    assert not (author.folder / "model").exists()


@pytest.mark.parametrize(
    ("out", "activation", "labels", "words"),
    [
        (4, "sigmoid", "a,b", "labels holds 2 names, and there are 4 classes"),
        (1, "softmax", "", "does not fit"),
        (4, "softmax", "a,b", "labels holds 2 names, and there are 4 classes"),
        (1, "sigmoid", "a,b,c", "labels holds 3 names, and there are 2 classes"),
    ],
)
def test_an_activation_fits_the_output(
    out: int, activation: str, labels: str, words: str, author: Author
) -> None:
    flags = ["--labels", labels] if labels else []
    author.package(
        *flags,
        "--set",
        f"parameters.out={out}",
        network=name_of(author),
        weights=author.save(author.module.Net(out=out)),
        sample=author.sample(**numbers()),
        key="id",
        activation=activation,
    ).refused(words)


def test_a_package_is_never_replaced(author: Author) -> None:
    flags = {
        "network": name_of(author),
        "weights": author.save(author.module.Net()),
        "sample": author.sample(**numbers()),
        "key": "id",
        "activation": "none",
    }
    assert author.package(**flags).status == 0
    before = (author.folder / "model/model.yaml").read_bytes()
    author.package(**flags).refused("holds a model package already")
    assert (author.folder / "model/model.yaml").read_bytes() == before


def test_a_network_that_looks_at_the_rows_beside_is_refused(
    author_of: Callable[[str], Author],
) -> None:
    author = author_of(NET.replace("self.layer(x)", "self.layer(x - x.mean(0))"))
    packaged = author.package(
        network=name_of(author),
        weights=author.save(author.module.Net()),
        sample=author.sample(**numbers()),
        key="id",
        activation="none",
    )
    packaged.refused("differ", "nothing was written", "by the rows beside it", status=3)
    assert not (author.folder / "model").exists()


def test_rows_that_the_contract_rejects_are_told(author: Author) -> None:
    table = numbers()
    table["a"][[3, 5]] = np.nan
    packaged = author.package(
        network=name_of(author),
        weights=author.save(author.module.Net()),
        sample=author.sample(**table),
        key="id",
        activation="none",
    )
    assert packaged.status == 0, packaged.error
    assert f"{ROWS - 2:,} rows scored" in packaged.said
    assert "2 rows of the sample have missing values" in packaged.said
    outcome = run_job(Path(packaged.said.splitlines()[-1]))
    assert [record["row"] for record in outcome.rejected()] == [3, 5]


@pytest.mark.parametrize("wrong", [False, True])
def test_the_authors_own_scores_are_compared_by_key(wrong: bool, author: Author) -> None:
    """They stand in another order, and one of them may be another."""
    table = numbers()
    network = author.module.Net()
    with torch.inference_mode():
        probability = network(stacked(table))[:, 0].double().sigmoid().numpy()
    probability[7] += 0.01 * wrong
    labels = np.where(probability >= 0.5, "yes", "no")
    scores = pd.DataFrame({"id": table["id"], "probability": probability, "label": labels})
    path = author.folder / "expected.parquet"
    scores.sample(frac=1.0, random_state=0).to_parquet(path)
    packaged = author.package(
        network=name_of(author),
        weights=author.save(network),
        sample=author.sample(**table),
        key="id",
        activation="sigmoid",
        labels="no,yes",
        expected=str(path),
    )
    if wrong:
        packaged.refused("probability of 1,200 rows differs by up to 0.01", status=3)
        assert not (author.folder / "model").exists()
    else:
        assert "label of 1,200 rows within 0 of yours" in packaged.said


def test_keys_that_look_like_numbers_are_found_in_scores_of_a_csv_file(author: Author) -> None:
    table = {**numbers(), "id": [str(number) for number in range(1200)]}
    network = author.module.Net()
    with torch.inference_mode():
        found = network(stacked(table))[:, 0].sigmoid().numpy()
    path = author.folder / "expected.csv"
    pd.DataFrame({"id": table["id"], "probability": found}).to_csv(path, index=False)
    packaged = author.package(
        network=name_of(author),
        weights=author.save(network),
        sample=author.sample(**table),
        key="id",
        activation="sigmoid",
        expected=str(path),
    )
    assert "probability of 1,200 rows within" in packaged.said, packaged.error


def test_lists_of_scores_are_compared_as_numbers(author: Author) -> None:
    """In float64, as another library may leave them."""
    table = numbers()
    network = author.module.Net(out=3)
    with torch.inference_mode():
        found = network(stacked(table)).double().softmax(dim=1).numpy()
    path = author.folder / "expected.parquet"
    pd.DataFrame({"id": table["id"], "probabilities": list(found)}).to_parquet(path)
    packaged = author.package(
        "--set",
        "parameters.out=3",
        network=name_of(author),
        weights=author.save(network),
        sample=author.sample(**table),
        key="id",
        activation="softmax",
        expected=str(path),
    )
    assert "probabilities of 1,200 rows within" in packaged.said, packaged.error


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_sample_is_read_no_further_than_10_000_rows(
    ending: str, author: Author, tmp_path: Path
) -> None:
    """What stands behind them in a file may be broken, or more than fits."""
    rows = pd.DataFrame(numbers(30_000))
    path = tmp_path / f"large.{ending}"
    if ending == "csv":
        rows.to_csv(path, index=False)
        filler = "".join(f"{row},1.0,2,3.0\n" for row in range(400_000))
        path.write_text(path.read_text() + filler + "no,row,at\n")
    else:
        rows.to_parquet(path, row_group_size=5_000)
    packaged = author.package(
        network=name_of(author),
        weights=author.save(author.module.Net()),
        sample=str(path),
        key="id",
        activation="none",
    )
    assert "10,000 rows scored" in packaged.said, packaged.error


def scored_again(author: Author, **settings: list[str]) -> str:
    """Say why scoring refuses the package."""
    starter = author.folder / "model.job.yaml"
    outcome = run_job(starter, settings=settings)
    assert outcome.status != 0
    assert outcome.error.count("\n") == 1, outcome.error
    return outcome.error


@pytest.fixture
def packed(author: Author) -> Author:
    assert (
        author.package(
            network=name_of(author),
            weights=author.save(author.module.Net()),
            sample=author.sample(**numbers()),
            key="id",
            activation="none",
        ).status
        == 0
    )
    return author


def test_a_module_that_the_job_does_not_list_is_not_imported(packed: Author) -> None:
    told = scored_again(packed, **{"model.modules": []})
    assert f"list {packed.module.__name__} in model.modules" in told


def test_a_module_with_another_source_is_refused(packed: Author) -> None:
    path = Path(str(packed.module.__file__))
    path.write_text(path.read_text() + "\n# another version\n")
    assert "its source differs" in scored_again(packed)


def test_a_module_that_is_not_there_is_refused(packed: Author) -> None:
    Path(str(packed.module.__file__)).unlink()
    assert "cannot be read" in scored_again(packed)


def test_the_sample_may_be_several_files(author: Author, tmp_path: Path) -> None:
    table = pa.table(numbers())
    for number in range(3):
        pq.write_table(table.slice(number * 400, 400), tmp_path / f"part-{number}.parquet")
    packaged = author.package(
        network=name_of(author),
        weights=author.save(author.module.Net()),
        sample=str(tmp_path / "part-*.parquet"),
        key="id",
        activation="none",
    )
    assert packaged.status == 0, packaged.error
    assert f"{ROWS:,} rows scored" in packaged.said


@pytest.mark.parametrize(
    "flag", ["--name", "--network", "--weights", "--sample", "--labels", "--version", "--output"]
)
def test_what_a_flag_says_arrives_to_the_letter(flag: str) -> None:
    text = "na\u00efve \U0001f600: 'a' \"b\" #c"
    arguments = package._parse([flag, text])
    said = [yaml.safe_load(value) for _, value in load_job._list_overrides(arguments)]
    assert text in said or [text] in said


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "v: padded with zeros to (4, 2), longer ones are rejected, no mask is taken"),
        (
            {"mask_into": "m", "longer": "cut"},
            "v: padded with zeros to (4, 2), longer ones are cut, mask m",
        ),
        ({"shorter": "reject"}, "v: all of 4 items (4, 2)"),
    ],
)
def test_lists_are_told_with_their_mask(fields: dict[str, str], told: str) -> None:
    step = Pad.model_validate(
        {"step": "pad", "column": "v", "shape": (4, 2), "into": "x", **fields}
    )
    assert summary._describe_lists(step) == told
