"""An author's weights: state dicts, checkpoints, wrappers' prefixes, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
import torch
from torch import nn

from configs.errors import JobError, ModelError
from pipelines.packing.networks.state import load_weights, read_weights


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def loaded(path: Path) -> tuple[nn.Module, tuple[str, ...]]:
    """A network of other weights, once it has those of the file; and what was said."""
    torch.manual_seed(2)
    fresh = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    notes = load_weights(fresh, read_weights(str(path)))
    return fresh, notes


def is_same(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


def test_safetensors(tmp_path: Path) -> None:
    save_file(network().state_dict(), tmp_path / "w.safetensors")
    found, notes = loaded(tmp_path / "w.safetensors")
    assert is_same(found, network())
    assert notes == ()


PLACES = ["state_dict", "model_state_dict", "model", "net", "network", "module", "model_state"]
PREFIXES = ["", "module.", "_orig_mod.", "module._orig_mod.", "model.", "net."]


@pytest.mark.parametrize("place", [None, *PLACES])
def test_a_checkpoint_holds_it_under_a_name(place: str | None, tmp_path: Path) -> None:
    state: dict[str, Any] = dict(network().state_dict())
    optimiser = {"state": {0: {"step": torch.tensor(3)}}, "param_groups": [{"lr": 0.1}]}
    saved = state if place is None else {"epoch": 3, "optimizer": optimiser, place: state}
    torch.save(saved, tmp_path / "w.pt")
    found, notes = loaded(tmp_path / "w.pt")
    assert is_same(found, network())
    assert [repr(place) in note for note in notes] == ([] if place is None else [True])


def test_a_checkpoint_may_be_named_as_torchs_own_example_names_it(tmp_path: Path) -> None:
    torch.save({"state_dict": network().state_dict()}, tmp_path / "best.pth.tar")
    found, _ = loaded(tmp_path / "best.pth.tar")
    assert is_same(found, network())
    torch.save(network().state_dict(), tmp_path / "w.tar")
    with pytest.raises(JobError, match=r"or one of torch\.save: \.pt, \.pth, \.ckpt"):
        loaded(tmp_path / "w.tar")


@pytest.mark.parametrize("before", ["", "module."])
def test_a_network_of_which_a_part_was_compiled(before: str, tmp_path: Path) -> None:
    # As torch.compile names what is inside a part; calling it takes many seconds.
    state = {}
    for name, tensor in network().state_dict().items():
        state[before + name.replace("0.", "0._orig_mod.")] = tensor
    torch.save(state, tmp_path / "w.pt")
    found, notes = loaded(tmp_path / "w.pt")
    assert is_same(found, network())
    assert "took '_orig_mod.' off the weights' names" in notes


@pytest.mark.parametrize("prefix", PREFIXES)
def test_wrappers_prefixes_are_taken_off_and_said(prefix: str, tmp_path: Path) -> None:
    state = {prefix + name: tensor for name, tensor in network().state_dict().items()}
    torch.save(state, tmp_path / "w.pth")
    found, notes = loaded(tmp_path / "w.pth")
    assert is_same(found, network())
    assert len(notes) == prefix.count(".")


def test_a_network_that_has_the_prefix_keeps_it(tmp_path: Path) -> None:
    """A network of its own part `model`: nothing is taken off."""

    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = network()

    torch.save(Holder().state_dict(), tmp_path / "w.pt")
    fresh = Holder()
    assert load_weights(fresh, read_weights(str(tmp_path / "w.pt"))) == ()
    assert is_same(fresh, Holder())


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(3, 2).state_dict(), tmp_path / "w.pt")
    with pytest.raises(ModelError, match="not those of the network"):
        loaded(tmp_path / "w.pt")


class Planted:
    """What runs when a pickle of it is read."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.canary,)


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a checkpoint"])
def test_nothing_of_a_file_is_run(inside: bool, tmp_path: Path) -> None:
    planted = Planted(tmp_path / "canary")
    saved = {"model": network().state_dict(), "extra": planted} if inside else planted
    torch.save(saved, tmp_path / "w.pt")
    with pytest.raises(JobError, match="state_dict"):
        read_weights(str(tmp_path / "w.pt"))
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("w.pt", None, "there is no such file"),
        ("w.pt", b"", "no file of torch.save"),
        ("w.pt", b"garbage", "no file of torch.save"),
        ("w.safetensors", b"garbage", "not a safetensors file"),
        ("w.h5", b"garbage", "must be a .safetensors"),
    ],
)
def test_what_is_no_weights_file(
    name: str, content: bytes | None, words: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(JobError, match=words):
        read_weights(str(tmp_path / name))


@pytest.mark.parametrize("saved", [{"epoch": 3}, [torch.zeros(2)], {"model": {"a": 1}}])
def test_a_file_without_a_state_dict(saved: Any, tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "w.pt")
    with pytest.raises(JobError, match="state_dict"):
        read_weights(str(tmp_path / "w.pt"))
