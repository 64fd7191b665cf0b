from pathlib import Path
from typing import Any
import uuid

import pytest
import torch

from configs.errors import InputError, JobError
from model_zoo.training.checkpoints import Checkpoints, Content

TENSORS = {
    "a": torch.arange(6.0).reshape(2, 3).T,
    "b": torch.tensor(3),
    "c": torch.tensor([1.5], dtype=torch.bfloat16),
}
ORIGIN = {"recipe": "x", "training rows": "y"}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_was_written_last_is_read(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "deep/checkpoint"))
    assert checkpoints.read(ORIGIN) is None
    for number in (1, 2):
        checkpoints.write(ORIGIN, Content({"number": number, "third": 1 / 3}, TENSORS))
    found = checkpoints.read(ORIGIN)
    assert found is not None
    assert found.progress == {"number": 2, "third": 1 / 3}
    assert found.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(found.tensors[name], tensor)
        assert found.tensors[name].dtype == tensor.dtype
    assert len(list((tmp_path / "deep/checkpoint").iterdir())) == 1


def test_an_object_store_keeps_them_too() -> None:
    checkpoints = Checkpoints(f"memory://{uuid.uuid4().hex}/1.checkpoint")
    for number in (1, 2):
        checkpoints.write(ORIGIN, Content({"number": number}, TENSORS))
    found = checkpoints.read(ORIGIN)
    assert found is not None
    assert found.progress == {"number": 2}
    checkpoints.remove()
    assert checkpoints.read(ORIGIN) is None


def test_weights_that_share_memory_are_kept_both(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path))
    shared = torch.ones(3)
    checkpoints.write(ORIGIN, Content({}, {"a": shared, "b": shared}))
    found = checkpoints.read(ORIGIN)
    assert found is not None
    assert torch.equal(found.tensors["b"], shared)


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({"recipe": "z"}, "another recipe;"),
        ({"recipe": "z", "training rows": "z"}, "another recipe and training rows;"),
        ({"job": "new"}, "another job;"),
    ],
)
def test_one_of_another_training_is_refused(
    tmp_path: Path, changes: dict[str, str], differing: str
) -> None:
    checkpoints = Checkpoints(str(tmp_path))
    checkpoints.write(ORIGIN, Content({}, TENSORS))
    with pytest.raises(JobError, match=f"{differing} train as before .* or remove the folder"):
        checkpoints.read({**ORIGIN, **changes})


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[:70],
        lambda content: b"",
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content.replace(b'"progress"', b'"prOgress"'),
        lambda content: b"0" * 64 + content[64:],
    ],
)
def test_a_damaged_one_is_refused(tmp_path: Path, damage: Any) -> None:
    checkpoints = Checkpoints(str(tmp_path))
    checkpoints.write(ORIGIN, Content({}, TENSORS))
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"the checkpoint is damaged.* remove .* to begin"):
        checkpoints.read(ORIGIN)


def test_removed_it_is_gone(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "checkpoint"))
    checkpoints.write(ORIGIN, Content({}, TENSORS))
    checkpoints.remove()
    checkpoints.remove()
    assert list(tmp_path.iterdir()) == []


def test_one_is_due_after_an_epoch_and_within_a_long_one() -> None:
    clock = Clock()
    checkpoints = Checkpoints("unused", minutes=2, seconds=3, clock=clock)
    assert not checkpoints.is_due(since=100, within_epoch=False)
    clock.now = 103
    assert checkpoints.is_due(since=100, within_epoch=False)
    assert not checkpoints.is_due(since=100, within_epoch=True)
    clock.now = 220
    assert checkpoints.is_due(since=100, within_epoch=True)
