"""A promotion that depends on figures: which figures decide, and which are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from configs.errors import GateError, InputError, JobError
from pipelines.versions.gate import Gate, _read_figures, pass_gate
from pipelines.versions.names import Move

NEW, OLD = "1" * 64, "2" * 64
STANDS = Move(kind="promote", version="1", digest=OLD, by="ada", at="2026-01-31T02:00:00+00:00")


def write(folder: Path, name: str, digest: str, labels: str = "a", **figures: Any) -> str:
    of = {"model": "churn, version 2", "model_digest": digest, "labels_sha256": labels}
    path = folder / name
    path.write_text(json.dumps({**figures, "of": of}))
    return str(path)


def ask(folder: Path, new: float, old: float, metric: str = "accuracy", margin: float = 0.0) -> Any:
    gate = Gate(
        metric,
        margin,
        write(folder, "new.json", NEW, **{metric: new}),
        write(folder, "old.json", OLD, **{metric: old}),
    )
    return pass_gate(gate, NEW, STANDS)


@pytest.mark.parametrize(
    ("metric", "new", "old", "margin"),
    [
        ("accuracy", 0.9, 0.9, 0.0),
        ("accuracy", 0.75, 0.5, 0.25),
        ("log_loss", 0.25, 0.5, 0.25),
        ("root_mean_squared_error", 1.0, 1.0, 0.0),
    ],
)
def test_what_is_better_by_the_margin_passes(
    tmp_path: Path, metric: str, new: float, old: float, margin: float
) -> None:
    passed = ask(tmp_path, new, old, metric, margin)
    assert passed == {"metric": metric, "margin": margin, "figure": new, "standing": old}


@pytest.mark.parametrize(
    ("metric", "new", "old", "margin"),
    [
        ("accuracy", 0.8, 0.9, 0.0),
        ("accuracy", 0.625, 0.5, 0.25),
        ("log_loss", 0.5, 0.25, 0.0),
        ("brier", 0.5, 0.625, 0.25),
        ("accuracy", float("nan"), 0.5, 0.0),
    ],
)
def test_what_is_not_is_held_back_with_both_figures(
    tmp_path: Path, metric: str, new: float, old: float, margin: float
) -> None:
    with pytest.raises(GateError, match=rf"{metric} is .* of version 1, which stands: .* nothing"):
        ask(tmp_path, new, old, metric, margin)
    assert GateError.status == 6


def test_a_figure_may_stand_deeper(tmp_path: Path) -> None:
    evaluation = write(tmp_path, "new.json", NEW, mean={"r2": 0.5})
    gate = Gate("mean.r2", 0.0, evaluation, None)
    assert pass_gate(gate, NEW, None)["figure"] == 0.5


def test_figures_of_another_package_or_of_other_labels_decide_nothing(tmp_path: Path) -> None:
    new = write(tmp_path, "new.json", NEW, accuracy=0.9)
    others = write(tmp_path, "others.json", OLD, labels="b", accuracy=0.1)
    with pytest.raises(InputError, match="another package than the one"):
        pass_gate(Gate("accuracy", 0.0, others, None), NEW, None)
    with pytest.raises(InputError, match="another package than the one"):
        pass_gate(Gate("accuracy", 0.0, new, new), NEW, STANDS)
    with pytest.raises(InputError, match=r"is of other labels than .*new\.json"):
        pass_gate(Gate("accuracy", 0.0, new, others), NEW, STANDS)


def test_figures_that_are_missing_are_asked_for(tmp_path: Path) -> None:
    new = write(tmp_path, "new.json", NEW, accuracy=0.9)
    with pytest.raises(JobError, match="--standing_evaluation: the name points to version 1"):
        pass_gate(Gate("accuracy", 0.0, new, None), NEW, STANDS)
    with pytest.raises(JobError, match=r"--metric acuracy: .*did you mean accuracy"):
        pass_gate(Gate("acuracy", 0.0, new, None), NEW, None)
    with pytest.raises(InputError, match="has no figure 'r2'; it has accuracy"):
        pass_gate(Gate("r2", 0.0, new, None), NEW, None)
    with pytest.raises(InputError, match="is not there"):
        pass_gate(Gate("r2", 0.0, str(tmp_path / "gone"), None), NEW, None)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"of": {}}', '{"of": 1}', "3"])
def test_what_is_no_evaluation_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "new.json"
    path.write_text(content)
    with pytest.raises(InputError, match="is not what pipelines"):
        pass_gate(Gate("accuracy", 0.0, str(path), None), NEW, None)


def test_a_folder_in_place_of_figures_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=f"^{tmp_path}: cannot be read: Is a directory; name a file"
    ):
        _read_figures(str(tmp_path), "digest")
