"""Columns that no argument and no step names are none of the model's: rows that lack them are scored."""

from collections.abc import Callable
from typing import Any

import pytest

from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines.packing.contract.used_columns import leave_out_unused
from tests.support.packaging import ROWS, Author, numbers

COLUMNS = ["a", "b", "c", "pages", "pages_seen", "photo"]
INPUTS = {"x": ["a", "b"], "mask": "pages_mask"}
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing is said": ({}, COLUMNS),
    "inputs": ({"inputs": INPUTS}, ["a", "b", "pages"]),
    "steps": (
        {"inputs": INPUTS, "preprocess": [{"step": "fill", "columns": ["c"], "strategy": "mean"}]},
        ["a", "b", "c", "pages"],
    ),
    "a picture": ({"inputs": {"x": "photo"}, "image": "photo"}, ["photo"]),
    "a word for columns": (
        {"inputs": INPUTS, "preprocess": [{"step": "fill", "columns": "all", "strategy": "mean"}]},
        COLUMNS,
    ),
    "a function of the whole batch": (
        {"inputs": INPUTS, "preprocess": [{"step": "function", "function": "mine.features:f"}]},
        COLUMNS,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_named_is_seen(case: str) -> None:
    said, expected = CASES[case]
    fields = {"network": "mlp", "sample": "s.parquet", "output": "m", **said}
    job = PackagingJob[AnyStep].model_validate(fields)
    assert leave_out_unused(job, COLUMNS) == expected


def test_a_row_that_lacks_what_the_model_does_not_take_is_kept(
    author_of: Callable[[str], Author],
) -> None:
    author = author_of("""
        class Net(nn.Module):
            def forward(self, x):
                return x.sum(1)
    """)
    columns = numbers() | {"note": [None, *["text"] * (ROWS - 1)]}
    packaged = author.package(
        "--set", "key=id", "--activation", "none", "--set", "inputs.x=[a,b]",
        network=f"{author.module.__name__}:Net", weights=author.save(author.module.Net()),
        sample=author.sample(**columns),
    )  # fmt: skip
    assert packaged.status == 0, packaged.error
    assert [rule.name for rule in author.opened().card.columns] == ["a", "b"]
    assert f"{ROWS:,} rows scored" in packaged.said
