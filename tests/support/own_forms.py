"""Packages that hold a model as its own library keeps it, and files that were damaged on purpose."""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from configs.errors import ModelError, WorkerError
from model_zoo.engines.settings import Settings
from model_zoo.package.package import SMOKE, read_package, write_package
from model_zoo.scoring.scorer import load_scorer
from model_zoo.tensor_columns import to_column
from tests.faults.counts import full_or
from tests.support.builders import parquet, tiny_card

_SMOKE_ROWS = 4
# Of nodes that lead back to each other no score comes.
_PATIENCE_SECONDS = 10.0
# Cut, other figures of a text, some other bytes, more of them: see `damaged`.
_KINDS_OF_DAMAGE = 4


def own_form_package(
    url: Path,
    form: str,
    content: bytes,
    inputs: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.ndarray],
    **changes: Any,
) -> str:
    """Write a package of a model's own file, whose columns are its inputs, and return its URL."""
    columns: dict[str, Any] = {}
    for prefix, arrays in (("input", inputs), ("output", outputs)):
        for name, array in arrays.items():
            columns[f"{prefix}.{name}"] = to_column(array[:_SMOKE_ROWS])
    card = tiny_card(**changes)
    del card["builder"], card["parameters"]
    name = f"model.{form}"
    card["forms"] = {form: name}
    card["columns"] = []
    card["inputs"] = _describe(inputs)
    card["outputs"] = _describe(outputs)
    contents = {name: content, SMOKE: parquet(pa.table(columns))}
    write_package(str(url), card, (), contents)
    return str(url)


def _describe(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    described = {}
    for name, array in arrays.items():
        described[name] = {"dtype": array.dtype.name, "shape": array.shape[1:]}
    return described


def damaged(content: bytes, count: int) -> Iterator[bytes]:
    """Yield files that are cut, or have a few other bytes than they should."""
    random = np.random.default_rng(0)
    for number in range(count):
        if number % 4 == 0:
            yield content[: random.integers(1, len(content))]
            continue
        changed = np.frombuffer(content, np.uint8).copy()
        places = random.integers(0, len(changed), 1 + 8 * (number % 4))
        values = random.integers(0, 256, len(places))
        if number % 4 == 1:
            # Of a text another number, which may be the place of another node.
            places = random.permutation(np.flatnonzero((changed >= 48) & (changed < 58)))[:20]
            values = random.integers(48, 58, len(places))
        changed[places] = values
        yield changed.tobytes()


def check_bits(
    url: str, engine: str, inputs: Mapping[str, np.ndarray], batches: tuple[int, ...]
) -> Any:
    """Score with batches of several sizes on several threads, and return the scores, alike to the bit.

    One thread and the smallest batches are compared with four and the largest; with FULL_COUNTS all sizes are with one, two and four.
    """
    package = read_package(url)
    ends = [(batches[0], 1), (batches[-1], 4)]
    first = None
    for batch_rows, threads in full_or(ends, list(product(batches, (1, 2, 4)))):
        settings = Settings(batch_rows, engine=engine)
        scored = load_scorer(package, "cpu", settings, threads)(dict(inputs))
        assert scored.rejected == {}
        if first is None:
            first = scored
        for name, array in scored.outputs.items():
            np.testing.assert_array_equal(array, first.outputs[name])
    assert first is not None
    return first


def check_damaged(
    folder: Path,
    form: str,
    engine: str,
    content: bytes,
    inputs: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.ndarray],
    count: int,
) -> list[str]:
    """Score with damaged files, and return why each was refused; those that were not refused scored all rows.

    One of each kind of damage is tried, with FULL_COUNTS `count` files.
    """
    refusals = []
    for number, broken in enumerate(damaged(content, full_or(_KINDS_OF_DAMAGE, count))):
        url = own_form_package(
            folder / str(number), form, broken, inputs, outputs, smoke_tolerance=1e9
        )
        package = read_package(url)
        try:
            settings = Settings(16, engine=engine)
            scored = load_scorer(package, "cpu", settings, 1, _PATIENCE_SECONDS)(dict(inputs))
        except (ModelError, WorkerError) as refused:
            refusals.append(str(refused))
        else:
            rows = len(next(iter(inputs.values())))
            assert all(len(array) == rows for array in scored.outputs.values())
    # Each in one line, as whatever a run refuses.
    assert not any("\n" in refusal for refusal in refusals)
    return refusals
