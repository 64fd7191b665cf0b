"""A network that raises whatever it likes, or gives no scores, ends packaging in one plain line."""

from collections.abc import Callable
from pathlib import Path
import sys

import numpy as np
import pytest
import torch

from pipelines.packing.proof.finite import find_finite
from tests.support.jobs import run_job
from tests.support.packaging import ROWS, Author, Packaged, numbers, stacked

HOSTILE = """
    import sys

    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    class Panic(BaseException):
        pass

    def exits(): sys.exit(0)
    def panics(): raise Panic("lost")
    def fails(): raise Exception
    def is_mute(): raise Mute
    def lacks_a_key(): return {}["width"]
    def gives_nothing(): pass
    def needs_more(width, *, depth): pass

    class Net(nn.Module):
        def __init__(self, shift=0.0):
            super().__init__()
            self.layer = nn.Linear(3, 1)
            self.shift = shift

        def forward(self, x):
            return torch.where(x[:, :1] > 0, self.layer(x), self.layer(x) + self.shift)

    class Exits(Net):
        def forward(self, x):
            sys.exit("enough")

    class Untrainable(Net):
        def train(self, mode=True):
            raise KeyError("mode")

    class Stateless(Net):
        def state_dict(self, *arguments, **named):
            raise Panic

    class Unloadable(Net):
        def load_state_dict(self, *arguments, **named):
            raise AttributeError("frozen")

    class Counts(Net):
        def parameters(self, recurse=True):
            raise KeyError("parameters")

    class Forwardless(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 1)

    class Keyed(Net):
        def forward(self, x):
            return {"id": self.layer(x)}
"""


@pytest.fixture
def pack(author_of: Callable[[str], Author]) -> Callable[..., Packaged]:
    """Package one of the author's networks with the weights of `Net`."""
    author = author_of(HOSTILE)
    weights = author.save(author.module.Net())
    sample = author.sample(**numbers())

    def package(network: str, *flags: str, weights: str = weights) -> Packaged:
        name = f"{author.module.__name__}:{network}"
        flags = (*flags, "--activation", "none")
        return author.package(*flags, network=name, weights=weights, sample=sample, key="id")

    return package


@pytest.mark.parametrize(
    ("network", "told"),
    [
        ("exits", "SystemExit: 0"),
        ("panics", "Panic: lost"),
        ("fails", "does not take the parameters {}: Exception"),
        ("is_mute", "Mute"),
        ("lacks_a_key", "KeyError: 'width'"),
        ("gives_nothing", "gives a NoneType, and no torch.nn.Module"),
        ("needs_more", "TypeError: needs_more() missing 1 required positional argument: 'width'"),
        ("Exits", "the network fails on {'x': 'float32[256, 3]'}: SystemExit: enough"),
        ("Untrainable", "cannot be put into evaluation mode (eval): KeyError: 'mode'"),
        ("Stateless", "does not tell its weights (state_dict): Panic"),
        ("Unloadable", "the weights are not those of the network: AttributeError: frozen"),
        ("Counts", "cannot be called: KeyError: 'parameters'"),
        ("Forwardless", "has no forward"),
    ],
)
def test_whatever_it_raises_is_told_with_its_kind(
    network: str, told: str, pack: Callable[..., Packaged]
) -> None:
    pack(network).refused(told, status=3)


@pytest.mark.parametrize("source", ["raise SystemExit(0)", "raise BaseException('odd')", "def f(:"])
def test_a_module_that_cannot_be_imported_is_refused(
    source: str, author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    (author.folder / "authors_broken_module.py").write_text(source)
    monkeypatch.delitem(sys.modules, "authors_broken_module", raising=False)
    author.package(network="authors_broken_module:Net").refused("cannot be imported: ")


def test_ctrl_c_in_a_constructor_interrupts(author_of: Callable[[str], Author]) -> None:
    author = author_of("def net(): raise KeyboardInterrupt")
    packaged = author.package(network=f"{author.module.__name__}:net")
    assert packaged.status == 130
    assert packaged.error.startswith("interrupted")


def test_a_network_that_gives_nan_for_every_row_is_refused(
    pack: Callable[..., Packaged], author: Author
) -> None:
    network = author.module.Net()
    torch.nn.init.constant_(network.layer.bias, float("nan"))
    packaged = pack("Net", weights=author.save(network, "nan.pt"))
    packaged.refused("NaN or infinity for each of 1,200 rows", "layer.bias", status=3)


def test_rows_without_a_finite_score_are_told_and_no_smoke_rows(
    pack: Callable[..., Packaged], author_of: Callable[[str], Author]
) -> None:
    packaged = pack("Net", "--set", "parameters.shift=.inf")
    assert packaged.status == 0, packaged.error
    infinite = int(np.count_nonzero(stacked(numbers())[:, 0] <= 0))
    assert f"{infinite} rows of the sample have scores of NaN or infinity" in packaged.said
    outcome = run_job(Path(packaged.said.splitlines()[-1]))
    assert outcome.status == 0, outcome.error
    assert outcome.scored().num_rows == ROWS - infinite
    assert find_finite({"output": outcome.scored()["output"].to_numpy()}).all()


def test_an_output_that_is_called_like_the_key_is_refused(pack: Callable[..., Packaged]) -> None:
    pack("Keyed").refused("scores have a column 'id', too", "another name in forward")


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_an_unknown_network_of_a_library_names_the_nearest(library: str, author: Author) -> None:
    pytest.importorskip(library)
    weights = author.save(author.module.Net())
    sample = author.sample(**numbers())
    for network, told in (("resnet8", "did you mean resnet"), ("nope", "the nearest is ")):
        packaged = author.package(network=f"{library}:{network}", weights=weights, sample=sample)
        packaged.refused(f"{library} has no network {network!r}", told)
