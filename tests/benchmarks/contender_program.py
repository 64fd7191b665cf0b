"""What the programs beside the pipeline are told, and what they say: `python -m tests.benchmarks.X WORKLOAD SHARDS PACKAGE OUTPUT`."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import time


def told(*more: str) -> argparse.Namespace:
    """The command line: `workload`, the folders `shards`, `package` and `output`, and then `more` words."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    for folder in ("shards", "package", "output"):
        parser.add_argument(folder, type=Path)
    for word in more:
        parser.add_argument(word)
    return parser.parse_args()


@contextmanager
def work_timed() -> Iterator[None]:
    """Print how long the block took, as `compare` reads it: what is outside, such as imports, is start-up."""
    started = time.perf_counter()
    yield
    print(f"seconds {time.perf_counter() - started:.3f}")
