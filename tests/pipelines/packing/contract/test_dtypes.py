"""In which dtype a network takes fractions: float16 from the column to the network, and back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from torch import nn

from model_zoo.package.card import InputColumn
from pipelines.packing.contract.dtypes import _are_whole, _choose, list_fractions
from tests.support.jobs import run_job
from tests.support.packaging import Author

Write = Callable[[str], Author]
ROWS = 1_000
HALF = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2).half()

        def forward(self, x):
            assert x.dtype is torch.float16, x.dtype
            return self.layer(x)
"""
# Its weights do not tell, and a network that is given float32 overflows nowhere.
SQUARES = """
    class Net(nn.Module):
        def forward(self, x):
            if x.dtype is not torch.float16:
                raise TypeError(f"x is {x.dtype}")
            return (x * x).float().sum(1)
"""
EVENTS = """
    class Net(nn.Module):
        def forward(self, events, events_mask, age):
            assert (events.dtype, age.dtype) == (torch.float16, torch.float32)
            return (events * events_mask).float().sum(1) + age.sum(1)
"""


def halves(*names: str) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {name: random.normal(size=ROWS).astype(np.float16) for name in names}


def pack(author: Author, network: nn.Module, columns: dict[str, Any], *flags: str) -> Any:
    packaged = author.package(
        "--set", "key=id", "--activation", "none", *flags, network=f"{author.module.__name__}:Net",
        weights=author.save(network), sample=author.sample(id=range(ROWS), **columns),
    )  # fmt: skip
    assert packaged.status == 0, packaged.error
    return author.opened().card


def score(author: Author, source: Path | None = None, **settings: Any) -> pa.Table:
    changes = {name.replace("__", "."): value for name, value in settings.items()}
    job = author.folder / "model.job.yaml"
    if source is not None:
        changes["source.paths"] = str(source)
    return run_job(job, settings=changes).scored().sort_by("id")


@pytest.mark.parametrize(
    ("dtypes", "columns", "expected"),
    [
        (["float32"], ["float"], ["float32"]),
        (["float64"], ["float"], ["float64"]),
        (["float16", "int64"], ["double"], ["float16"]),
        (["float32"], ["list<item: halffloat>"], ["float32", "float16"]),
        (["float32", "float16"], ["float"], ["float32", "float16"]),
        ([], ["halffloat"], ["float32", "float16"]),
        (["bfloat16"], ["float"], ["float32"]),
    ],
)
def test_the_likeliest_dtype_is_that_of_the_weights(
    dtypes: list[str], columns: list[str], expected: list[str]
) -> None:
    weights = [torch.zeros(2, dtype=getattr(torch, dtype)) for dtype in dtypes]
    contract = tuple(InputColumn(name="a", type=dtype, missing="reject") for dtype in columns)
    assert list_fractions(weights, contract) == expected


@pytest.mark.parametrize("stored", [np.float16, np.float32])
def test_a_network_in_float16_takes_float16(stored: Any, author_of: Write) -> None:
    author = author_of(HALF)
    torch.manual_seed(0)
    network = author.module.Net()
    columns = {name: column.astype(stored) for name, column in halves("a", "b", "c").items()}
    card = pack(author, network, columns)
    assert (card.inputs["x"].dtype, card.outputs["output"].dtype) == ("float16", "float16")
    x = torch.from_numpy(np.column_stack(list(columns.values())).astype(np.float16))
    with torch.inference_mode():
        expected = network(x).numpy()
    found = np.stack(score(author)["output"].to_numpy())
    # Neighbours in float16, at most: a product of other rows may be added in another order.
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(("stored", "flags"), [
    (np.float16, []), (np.float32, ["--set", "dtypes.x=float16"]),
])  # fmt: skip
def test_a_network_may_want_float16_whatever_its_weights(
    stored: Any, flags: list[str], author_of: Write
) -> None:
    author = author_of(SQUARES)
    columns = {name: column.astype(stored) for name, column in halves("a", "b").items()}
    pack(author, author.module.Net(), columns, *flags)
    x = np.column_stack(list(columns.values())).astype(np.float16)
    expected = np.square(x).astype(np.float32).sum(1)
    np.testing.assert_array_equal(score(author)["output"].to_numpy(), expected)


def test_what_is_missing_or_too_large_for_float16_rejects_its_row(author_of: Write) -> None:
    """In CSV, where a text is what the contract says; and NaN is missing there as elsewhere."""
    author = author_of(SQUARES)
    columns = halves("a", "b")
    pack(author, author.module.Net(), columns)
    frame = pd.DataFrame({"id": range(ROWS), **columns}).astype({"a": str})
    spoilt = {3: "", 4: "1e9", 5: "nan", 6: "x", 7: "0.1"}
    for row, text in spoilt.items():
        frame.loc[row, "a"] = text
    shard = author.folder / "rows.csv"
    frame.to_csv(shard, index=False)
    scored = score(
        author, shard, source__format="csv", source__types={"id": "int64"},
        errors__max_rejected_rows=9,
    )  # fmt: skip
    assert sorted(set(range(ROWS)) - set(scored["id"].to_pylist())) == [3, 4, 5, 6]
    x = np.float16([0.1, frame["b"][7]])
    found = dict(zip(scored["id"].to_pylist(), scored["output"].to_pylist(), strict=True))
    assert found[7] == np.square(x).astype(np.float32).sum()


def test_lists_of_float16_are_padded_in_float16(author_of: Write) -> None:
    author = author_of(EVENTS)
    random = np.random.default_rng(1)
    lists: list[Any] = [
        random.normal(size=length).astype(np.float16) for length in [4, 0, 2, 3] * 250
    ]
    columns: dict[str, Any] = {
        "events": pa.array([each.tolist() for each in lists], pa.list_(pa.float16())),
        "age": random.normal(size=ROWS).astype(np.float32),
    }
    inputs = "inputs={events: events, events_mask: events_mask, age: [age]}"
    card = pack(
        author, author.module.Net(), columns, "--set", inputs, "--set", "dtypes.events=float16"
    )
    assert card.inputs["events"].dtype == "float16"
    sums = [np.float32(each).sum() for each in lists]
    np.testing.assert_allclose(score(author)["output"], sums + columns["age"], atol=1e-5)


@pytest.mark.parametrize(
    ("stored", "usual", "long", "floats"),
    [
        ("int64", "int64", "int64", "float32"),
        ("int32", "int32", "int64", "float32"),
        ("int8", "int64", "int64", "float32"),
        ("float64", "float32", "float32", "float32"),
        ("float32", "float32", "float32", "float32"),
    ],
)
def test_whole_numbers_are_indices_or_amounts_by_how_they_are_taken(
    stored: str, usual: str, long: str, floats: str
) -> None:
    column = np.zeros(3, stored)
    found = [_choose(column, how) for how in ("usual", "long", "floats")]
    assert found == [usual, long, floats]
    assert _choose(pa.array(column), "floats") == floats


WHOLE = pa.array([1, 2], pa.int32())
CODES = np.array([1, 2], np.uint8)
FRACTIONS = pa.array([0.5, 1.0], pa.float32())


@pytest.mark.parametrize(
    ("wiring", "is_whole"),
    [
        ({"x": ("a", "b")}, True),
        ({"x": ("a", "c")}, False),
        ({"x": ("c",)}, False),
        ({"x": ("a",), "y": ("b", "c")}, False),
        # What is taken as it is is no stack, whatever it holds.
        ({"x": "c"}, True),
        ({"x": ("a", "b"), "y": "c"}, True),
        ({}, True),
    ],
)
def test_only_a_stack_of_whole_numbers_may_be_indices(wiring: Any, is_whole: bool) -> None:
    columns = {"a": WHOLE, "b": CODES, "c": FRACTIONS}
    assert _are_whole(wiring, columns) is is_whole
