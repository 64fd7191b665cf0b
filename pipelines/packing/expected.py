"""Scores that the author computed elsewhere, with preprocessing of the author's own, beside those of the package."""

import numpy as np
import pyarrow as pa

from configs.errors import InputError, ModelError
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.steps.table import AnyStep
from pipelines.packing.differences import find_difference
from pipelines.packing.scores import ScoredAs
from transforms.score_columns import list_score_columns, score_columns

# Other code may add in another order, or in float64.
_TOLERANCE = 1e-4


def check_expected(
    job: PackagingJob[AnyStep],
    expected: pa.Table | None,
    rows: pa.Table,
    outputs: Arrays,
    scored_as: ScoredAs,
) -> list[str]:
    """Compare every column of the author's scores that the package makes, row by row, by key.

    Args:
        job: the job, which names the file and the key.
        expected: the author's scores, or None for none.
        rows: of the sample, that were scored.
        outputs: of the network for these rows.
        scored_as: how scores are made of them.

    Returns:
        What was compared and how far apart it is, in words.

    Raises:
        InputError: the file has no key, none of these rows, or no column of scores.
        ModelError: a column differs.
    """
    if expected is None:
        return []
    how, places = scored_as.how, scored_as.places
    wanted = list_score_columns(outputs, how, places)
    names = [name for name in wanted if name in expected.column_names]
    key = str(job.key)
    if key not in expected.column_names or not names:
        raise InputError(
            f"expected {job.expected}: must have the key {key!r} and at least one of {wanted}; "
            f"it has {expected.column_names}"
        )
    made = score_columns(outputs, how, names, places)
    scored, author = _join(rows.column(key), expected.column(key))
    if not len(scored):
        raise InputError(
            f"expected {job.expected}: has no key of the sample; name scores of these very rows"
        )
    notes = []
    for name in names:
        ours = made[name].take(pa.array(scored))
        theirs = expected.column(name).combine_chunks().take(pa.array(author))
        difference = _compare(ours, theirs)
        if not difference <= _TOLERANCE:
            raise ModelError(
                f"expected {job.expected}: {name} of {len(scored):,} rows differs by up to "
                f"{difference:.3g}; is the preprocessing the author's, column by column?"
            )
        notes.append(f"{name} of {len(scored):,} rows within {difference:.1g} of yours")
    return notes


def _join(ours: pa.ChunkedArray, theirs: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of the rows that both have, in our order."""
    places = {key: place for place, key in enumerate(theirs.to_pylist())}
    pairs = [(at, places[key]) for at, key in enumerate(ours.to_pylist()) if key in places]
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _compare(ours: pa.Array, theirs: pa.Array) -> float:
    """Return the largest relative difference of numbers; of other values infinity where one differs."""
    numbers = _to_numbers(ours)
    if numbers is None:
        pairs = zip(ours.to_pylist(), theirs.to_pylist(), strict=True)
        is_same = all(str(one) == str(other) for one, other in pairs)
        return 0.0 if is_same else float("inf")
    other_numbers = _to_numbers(theirs)
    if other_numbers is None or numbers.shape != other_numbers.shape:
        return float("inf")
    return find_difference(numbers, other_numbers)


def _to_numbers(column: pa.Array) -> np.ndarray | None:
    """Return the numbers of a column, or of its lists, one after the other; None where it has others."""
    values = column
    # A list of lists is flattened twice; structs are compared as they are.
    while pa.types.is_nested(values.type) and not pa.types.is_struct(values.type):
        values = values.flatten()
    is_amount = pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)
    if not is_amount:
        return None
    floats: np.ndarray = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return floats
