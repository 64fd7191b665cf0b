"""Sequences for a recurrent network of this program: of one length, and padded with a mask."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
import torch

from model_zoo.architectures.builders import build
from tests.support.jobs import run_job
from tests.support.packaging import Author

SIZES = {"features": 2, "hidden": 4, "out_features": 3}
ROWS = 300


def sequences(lengths: np.ndarray) -> list[np.ndarray]:
    random = np.random.default_rng(5)
    return [random.standard_normal((n, 2)).astype(np.float32) for n in lengths]


def pack_and_score(
    author: Author, kind: str, found: list[np.ndarray], *flags: str
) -> tuple[torch.nn.Module, np.ndarray]:
    """Package a network for these sequences, and score them by the starter job."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = build(kind, SIZES).eval()
    columns = {
        "id": pa.array(range(len(found))),
        "walk": pa.array([s.tolist() for s in found], pa.list_(pa.list_(pa.float32()))),
    }
    sizes = [
        word for name, size in SIZES.items() for word in ("--set", f"parameters.{name}={size}")
    ]
    packaged = author.package(
        "--set", "key=id", "--activation", "none", *sizes, *flags,
        network=kind, weights=author.save(network), sample=author.sample(**columns),
    )  # fmt: skip
    assert packaged.status == 0, packaged.error
    assert "scores change" not in packaged.said + packaged.error
    scored = run_job(author.folder / "model.job.yaml").scored().sort_by("id")
    return network, np.array(scored["logits"].to_pylist())


def expect(network: torch.nn.Module, sequence: np.ndarray) -> np.ndarray:
    """What the network gives for the sequence alone, without any padding."""
    if not len(sequence):
        logits = network(x=torch.zeros(1, 1, 2), mask=torch.zeros(1, 1))["logits"]
    else:
        logits = network(x=torch.from_numpy(sequence[None]))["logits"]
    row: np.ndarray = logits[0].detach().numpy()
    return row


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_sequences_of_one_length_need_no_mask(
    kind: str, author_of: Callable[[str], Author]
) -> None:
    author = author_of("")
    found = sequences(np.full(ROWS, 6))
    network, scores = pack_and_score(author, kind, found)
    assert list(author.opened().card.inputs) == ["x"]
    expected = [expect(network, sequence) for sequence in found]
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_padded_sequences_are_scored_as_if_they_were_alone(
    kind: str, author_of: Callable[[str], Author]
) -> None:
    """The mask need not be asked for: without it padding would be taken for vectors, in silence."""
    author = author_of("")
    found = sequences(np.random.default_rng(1).integers(0, 7, ROWS))
    network, scores = pack_and_score(author, kind, found)
    inputs = author.opened().card.inputs
    assert {name: (t.column or name) for name, t in inputs.items()} == {
        "x": "walk",
        "mask": "walk_mask",
    }
    expected = [expect(network, sequence) for sequence in found]
    np.testing.assert_allclose(scores, expected, atol=1e-5)
