"""The comparison of encoders runs, and both give the same embeddings."""

from pathlib import Path

import pytest

pytest.importorskip("transformers")

from tests.benchmarks.encoders import compare
from tests.support.long import long


@long
@pytest.mark.slow
def test_both_give_the_same(tmp_path: Path) -> None:
    head, *lines = compare(tmp_path, rows=100, repeats=1, layers=1)
    assert head.startswith("100 texts, 1 repeats")
    assert [line.partition("  ")[0] for line in lines] == [
        "whole command, wall",
        "whole command, CPU",
        "work alone, wall",
        "network alone, 256 texts, CPU",
    ]
