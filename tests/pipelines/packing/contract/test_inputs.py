"""What a network takes: found by its arguments and the sample's columns, or said by the author."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from configs.errors import JobError
from model_zoo.package.package import Package
from model_zoo.scoring.smoke import smoke_arrays
from pipelines.packing.contract.inputs import _choose_features
from tests.support.jobs import run_job
from tests.support.packaging import ROWS, Author, numbers, stacked

Write = Callable[[str], Author]


def pack(author: Author, *flags: str, network: str = "Net", **columns: Any) -> Package:
    """Package with no activation, and open what was made."""
    named = f"{author.module.__name__}:{network}"
    made = getattr(author.module, network)()
    packaged = author.package(
        "--set", "key=id", "--activation", "none", *flags, network=named,
        weights=author.save(made), sample=author.sample(**columns),
    )  # fmt: skip
    assert packaged.status == 0, packaged.error
    return author.opened()


def test_an_argument_of_a_columns_name_takes_that_column(author_of: Write) -> None:
    author = author_of("""
        class Net(nn.Module):
            def forward(self, b, a, scale=2.0):
                return (a - b) * scale
    """)
    package = pack(author, **numbers())
    assert list(package.card.inputs) == ["b", "a"]
    assert package.card.inputs["b"].dtype == "int64"
    inputs, outputs = smoke_arrays(package)
    assert np.allclose(outputs["output"], (inputs["a"] - inputs["b"]) * 2)


def test_an_argument_may_take_several_columns(author_of: Write) -> None:
    author = author_of("""
        class Net(nn.Module):
            def forward(self, left, right):
                return left.sum(1) - right.sum(1)
    """)
    flags = ["--set", "inputs.left=[a,c]", "--set", "inputs.right=[b]"]
    package = pack(author, *flags, **numbers())
    assert [t.shape for t in package.card.inputs.values()] == [(2,), (1,)]
    x = stacked(numbers())[:16].numpy()
    _, outputs = smoke_arrays(package)
    assert np.allclose(outputs["output"], x[:, 0] + x[:, 2] - x[:, 1], atol=1e-5)


def test_an_argument_may_take_a_column_of_another_name(author_of: Write) -> None:
    """As it is, in its own dtype; within a list it would be stacked."""
    author = author_of("""
        class Net(nn.Module):
            def forward(self, left, right):
                return left - right[:, 0]
    """)
    flags = ["--set", "inputs.left=b", "--set", "inputs.right=[b]"]
    package = pack(author, *flags, **numbers())
    left, right = package.card.inputs.values()
    assert (left.dtype, left.shape, left.column) == ("int64", (), "b")
    assert (right.dtype, right.shape, right.column) == ("float32", (1,), None)
    outcome = run_job(author.folder / "model.job.yaml")
    assert outcome.scored()["output"].to_pylist() == [0.0] * ROWS


def test_arguments_by_position_are_given_by_position(author_of: Write) -> None:
    author = author_of("""
        class Net(nn.Module):
            def forward(self, first, second, /):
                return first - second.float()
    """)
    flags = ["--set", "inputs.a=[a]", "--set", "inputs.b=[b]"]
    package = pack(author, *flags, **numbers())
    assert package.card.call == "positions"
    x = stacked(numbers())[:16].numpy()
    _, outputs = smoke_arrays(package)
    assert np.allclose(outputs["output"], x[:, 0] - x[:, 1], atol=1e-5)


def test_indices_reach_an_embedding_as_integers(author_of: Write) -> None:
    author = author_of("""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.words = nn.Embedding(20, 4)

            def forward(self, tokens):
                return self.words(tokens).sum(1)
    """)
    random = np.random.default_rng(0)
    package = pack(
        author, id=np.arange(300), t0=random.integers(0, 20, 300), t1=random.integers(0, 20, 300)
    )
    assert package.card.inputs["tokens"].dtype == "int64"


DOUBLES = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 1).double()

        def forward(self, x):
            return self.layer(x)
"""


def test_a_network_of_doubles_gives_doubles(author_of: Write) -> None:
    """Of float32 the difference of these numbers would be nothing."""
    author = author_of(DOUBLES)
    table = numbers()
    table["a"] = 1e9 + table["a"]
    torch.manual_seed(0)
    network = author.module.Net()
    packaged = author.package(
        network=f"{author.module.__name__}:Net", weights=author.save(network),
        sample=author.sample(**table), key="id", activation="none",
    )  # fmt: skip
    assert packaged.status == 0, packaged.error
    card = author.opened().card
    assert (card.inputs["x"].dtype, card.outputs["output"].dtype) == ("float64", "float64")
    scores = run_job(Path(packaged.said.splitlines()[-1])).scored().sort_by("id")
    columns = np.column_stack([table[name] for name in "abc"])
    with torch.inference_mode():
        expected = network(torch.from_numpy(columns))[:, 0].numpy()
    assert scores.schema.field("output").type == pa.float64()
    np.testing.assert_allclose(scores["output"], expected, rtol=1e-14)


def test_a_probability_of_doubles_is_one(author_of: Write) -> None:
    author = author_of(DOUBLES)
    table = numbers()
    network = author.module.Net()
    packaged = author.package(
        network=f"{author.module.__name__}:Net", weights=author.save(network),
        sample=author.sample(**table), key="id", activation="sigmoid",
    )  # fmt: skip
    scores = run_job(Path(packaged.said.splitlines()[-1])).scored().sort_by("id")
    columns = np.column_stack([table[name] for name in "abc"])
    with torch.inference_mode():
        expected = network(torch.from_numpy(columns))[:, 0].sigmoid().numpy()
    np.testing.assert_allclose(scores["probability"], expected, rtol=1e-14)


def test_steps_are_fitted_on_the_sample(author: Author) -> None:
    table = numbers()
    steps = (
        "preprocess=[{step: fill, columns: [a], strategy: median},"
        "{step: standardise, columns: [a, b, c]}]"
    )
    with_missing = np.where(table["id"] % 10 == 0, np.nan, table["a"])
    package = pack(author, "--set", steps, **{**table, "a": with_missing})
    fill, standardise, _ = package.steps
    assert fill.values == (np.nanmedian(with_missing),)  # type: ignore[union-attr]
    assert np.allclose(standardise.mean[1], table["b"].mean())  # type: ignore[union-attr,index]
    assert [c.missing for c in package.card.columns] == ["fill", "reject", "reject"]


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.string_view()],
    ids=str,
)
def test_a_text_is_a_text_in_every_form(kind: pa.DataType, author: Author) -> None:
    """A file of any form can be a sample, and the contract speaks of texts."""
    colours = pa.array(["red", "green", "blue"] * 100).cast(kind)
    flags = ["--set", "preprocess=[{step: one_hot, columns: [colour], unknown: zeros}]"]
    package = pack(author, *flags, id=np.arange(300), colour=colours)
    assert package.card.columns[0].type == "string"
    inputs, _ = smoke_arrays(package)
    (shape,) = {array.shape[1:] for array in inputs.values()}
    assert shape == (3,)


REFUSED = {
    "a text that no step encodes": (
        {"id": range(9), "city": ["x"] * 9, "when": [b"y"] * 9},
        [],
        ["'city' of type string", "'when' of type binary", "encode them"],
    ),
    "an argument of a column that is not there": (
        numbers(9),
        ["--set", "inputs.x=[a,bb]"],
        ["inputs.x: there is no column 'bb'; did you mean b?"],
    ),
    "rows without values": (
        {"id": range(9), "a": pa.array([None] * 9, pa.float64())},
        [],
        ["every row of the sample has a missing value"],
    ),
    "missing values that must not be": (
        {"id": range(9), "a": [1.0, None] + [1.0] * 7, "b": [None] + [1.0] * 8},
        ["--set", "missing=error"],
        ["'a' has 1 missing", "'b' has 1 missing", "fill.a"],
    ),
}


@pytest.mark.parametrize(("columns", "flags", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_found_is_asked_for(
    columns: dict[str, Any], flags: list[str], words: list[str], author: Author
) -> None:
    packaged = author.package(
        "--set", "key=id", "--activation", "none", *flags,
        network=f"{author.module.__name__}:Net",
        weights=author.save(author.module.Net()),
        sample=author.sample(**columns),
    )  # fmt: skip
    packaged.refused(*words)


def test_a_network_of_many_arguments_says_them(author_of: Write) -> None:
    author = author_of("""
        class Net(nn.Module):
            def forward(self, user, item):
                return user + item
    """)
    packaged = author.package(
        "--set", "key=id", network=f"{author.module.__name__}:Net",
        weights=author.save(author.module.Net()), sample=author.sample(**numbers(9)),
    )  # fmt: skip
    packaged.refused("the network takes user, item", "inputs.user=", "there are a, b, c")


def test_a_network_that_fails_is_told_with_what_it_was_given(author: Author) -> None:
    packaged = author.package(
        "--set", "columns=[a,b]", "--set", "key=id", "--activation", "none",
        network=f"{author.module.__name__}:Net",
        weights=author.save(author.module.Net()), sample=author.sample(**numbers(9)),
    )  # fmt: skip
    packaged.refused("fails on", "float32[9, 2]", "mat1 and mat2", status=3)


def test_what_is_scored_is_what_the_network_gives(author: Author) -> None:
    package = pack(author, **numbers())
    _, outputs = smoke_arrays(package)
    network = author.module.Net()
    network.load_state_dict(torch.load(author.folder / "w.pt"))
    with torch.inference_mode():
        expected = network(stacked(numbers())[:16])[:, 0].numpy()
    assert np.allclose(outputs["output"], expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 2, 4), (3, 1, 8, 8)])
def test_the_only_array_is_what_the_network_takes(shape: tuple[int, ...]) -> None:
    """Whatever columns of other kinds there are; with numbers, which are not stacked, it is asked for."""
    columns = {"name": pa.array(["a", "b", "c"]), "x": np.zeros(shape, np.float32)}
    assert _choose_features(columns) == "x"
    with pytest.raises(JobError, match="there are the array x and the numbers age, which are not"):
        _choose_features({**columns, "age": pa.array([1, 2, 3])})


def test_plain_and_wide_numbers_are_stacked() -> None:
    columns = {"age": pa.array([1, 2, 3]), "x": np.zeros((3, 2), np.float32)}
    assert _choose_features(columns) == ("age", "x")
