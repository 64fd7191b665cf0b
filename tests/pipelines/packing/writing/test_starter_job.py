"""The job beside a package: its head is a command that works, and it stands where the package stands."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.packing.writing.starter_job import (
    _list_choices,
    _make_budget,
    _tell_budget,
)
from tests.support.jobs import run_job
from tests.support.packaging import NET, Author, Packaged, numbers

HOLE = """

def add_half(columns):
    return {"a": columns["a"].to_numpy() + 0.5}
"""


def package(author: Author, *flags: str, **fields: Any) -> Packaged:
    return author.package(
        *flags,
        network=f"{author.module.__name__}:Net",
        weights=author.save(author.module.Net()),
        sample=author.sample(**numbers()),
        key="id",
        activation="none",
        **fields,
    )


def head_of(packaged: Packaged) -> str:
    return Path(packaged.said.splitlines()[-1]).read_text().splitlines()[0]


@pytest.mark.parametrize("beside", [True, False])
def test_the_head_says_the_path_of_a_module_in_this_folder(
    beside: bool, author: Author, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path if beside else elsewhere)
    packaged = package(author)
    assert packaged.status == 0, packaged.error
    command = f"python -m pipelines.score --config {tmp_path / 'model'}.job.yaml"
    command = f"PYTHONPATH=. {command}" if beside else command
    assert head_of(packaged) == f"# {command}"
    assert f"score      {command}\n" in packaged.said


def test_a_job_that_cannot_be_written_leaves_no_package(author: Author) -> None:
    """So that the same command works once there is room for it."""
    in_the_way = author.folder / "model.job.yaml"
    in_the_way.mkdir()
    package(author).refused("cannot be written", "model.job.yaml", "run the same command again")
    assert not (author.folder / "model").exists()
    in_the_way.rmdir()
    packaged = package(author)
    assert packaged.status == 0, packaged.error
    assert run_job(Path(packaged.said.splitlines()[-1])).scored().num_rows == len(numbers()["id"])


def test_a_package_that_cannot_be_written_leaves_no_job(author: Author) -> None:
    (author.folder / "model").write_text("a file stands where the folder goes")
    package(author).refused("cannot be written", "File exists")
    assert not (author.folder / "model.job.yaml").exists()


def test_a_module_of_a_step_counts_too(
    author_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step may be the author's own where the network is a library's."""
    author = author_of(NET.rstrip() + "\n" + HOLE.replace("\n", "\n    "))
    monkeypatch.chdir(tmp_path)
    step = f"preprocess=[{{step: function, function: '{author.module.__name__}:add_half'}}]"
    packaged = package(author, "--set", step)
    assert packaged.status == 0, packaged.error
    assert head_of(packaged).startswith("# PYTHONPATH=. python")


@pytest.mark.parametrize(
    ("card", "choices"),
    [
        (
            {"task": "multi_label", "activation": "sigmoid", "labels": ("a",)},
            {"keep": ["labels", "probabilities"], "threshold": 0.5},
        ),
        (
            {"task": "multi_label", "activation": "sigmoid", "labels": ()},
            {"keep": ["classes", "probabilities"], "threshold": 0.5},
        ),
        ({"task": "multi_label", "activation": "none", "labels": ("a",)}, {}),
        ({"task": "classification", "activation": "sigmoid", "labels": ("a", "b")}, {}),
        # Of tokens, where it is known which they are.
        ({"task": "tokens", "mask": None, "labels": ()}, {}),
        ({"task": "tokens", "mask": "m", "labels": ("O", "X")}, {"keep": ["tokens"]}),
        ({"task": "tokens", "mask": "m", "labels": ("O", "B-X")}, {"keep": ["tokens"]}),
    ],
)
def test_choices_that_a_user_will_want_to_change_are_those_of_scoring(
    card: dict[str, Any], choices: dict[str, Any]
) -> None:
    said: Any = SimpleNamespace(**{"activation": "none", "columns": (), "mask": None, **card})
    assert _list_choices(said, ()) == choices


@pytest.mark.parametrize(
    ("rows", "scored", "percent"),
    [(100, 0, 100.0), (100, 100, _make_budget(7, 7)["max_rejected_percent"])],
)
def test_a_budget_is_of_the_rows_that_the_sample_has_too(
    rows: int, scored: int, percent: float
) -> None:
    assert _make_budget(rows, scored) == {"max_rejected_percent": percent}


@pytest.mark.parametrize(
    ("rows", "scored", "percent"),
    [(100, 92, 10.0), (100, 91, 11.0), (1_000, 500, 60.0), (100, 16, 100.0), (3, 2, 40.0)],
)
def test_a_fifth_more_rows_may_be_rejected_than_of_the_sample_and_a_tenth_of_all(
    rows: int, scored: int, percent: float
) -> None:
    assert _make_budget(rows, scored) == {"max_rejected_percent": percent}


def test_a_job_says_that_it_lets_many_rows_be_rejected() -> None:
    assert _tell_budget(100, 92) == ""
    told = _tell_budget(1_000, 500)
    assert "500 of 1,000 rows are rejected, so this job lets 60 % be" in told
    assert all(line.startswith("#") for line in told.splitlines())
