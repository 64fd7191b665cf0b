"""Scores that the author computed elsewhere, with preprocessing of the author's own, beside those of the package."""

from collections.abc import Sequence
import math

import numpy as np
import pyarrow as pa

from configs.errors import InputError, ModelError
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.steps.table import AnyStep
from pipelines.packing.proof.differences import find_difference
from pipelines.packing.proof.scored_as import ScoredAs
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
    how = scored_as.how
    places = scored_as.places
    there = list_score_columns(outputs, how, places)
    names = _choose_columns(job, expected, there)
    made = score_columns(outputs, how, names, places)

    key = str(job.key)
    our_keys = rows.column(key)
    author_keys = expected.column(key)
    our_places, author_places = _join(our_keys, author_keys)
    count = len(our_places)
    if not count:
        raise InputError(
            f"expected {job.expected}: has no key of the sample; name scores of these very rows"
        )
    notes = []
    for name in names:
        ours = made[name].take(our_places)
        whole = expected.column(name).combine_chunks()
        author = whole.take(author_places)
        difference = _compare(ours, author)
        # A difference that is no number is none that is small enough.
        if not difference <= _TOLERANCE:
            raise ModelError(
                f"expected {job.expected}: {name} of {count:,} rows differs by up to "
                f"{difference:.3g}; is the preprocessing the author's, column by column?"
            )
        notes.append(f"{name} of {count:,} rows within {difference:.1g} of yours")
    return notes


def _choose_columns(
    job: PackagingJob[AnyStep], expected: pa.Table, wanted: Sequence[str]
) -> list[str]:
    """Return the columns that can be compared.

    Args:
        job: the job, which names the key.
        expected: the author's scores.
        wanted: columns of scores that the package makes.

    Raises:
        InputError: there are none, or there is no key.
    """
    given = expected.column_names
    names = [name for name in wanted if name in given]
    key = str(job.key)
    if key not in given or not names:
        raise InputError(
            f"expected {job.expected}: must have the key {key!r} and at least one of {wanted}; "
            f"it has {given}"
        )
    return names


def _join(
    ours: pa.ChunkedArray,
    theirs: pa.ChunkedArray,
) -> tuple[pa.Array, pa.Array]:
    """Return positions of the rows that both have, in our order."""
    is_text = pa.types.is_string(ours.type) or pa.types.is_large_string(ours.type)
    if is_text and pa.types.is_integer(theirs.type):
        # Texts that look like numbers in a file of CSV, which tells no types.
        theirs = theirs.cast(ours.type)
    keys = theirs.to_pylist()
    places = {key: place for place, key in enumerate(keys)}
    our_places = []
    their_places = []
    for place, key in enumerate(ours.to_pylist()):
        their_place = places.get(key)
        if their_place is not None:
            our_places.append(place)
            their_places.append(their_place)
    # Without it, a list of none would have no type that rows are taken by.
    dtype = pa.int64()
    our_positions = pa.array(our_places, dtype)
    their_positions = pa.array(their_places, dtype)
    return our_positions, their_positions


def _compare(ours: pa.Array, theirs: pa.Array) -> float:
    """Return the largest relative difference of numbers; of other values infinity where one differs."""
    numbers = _to_numbers(ours)
    if numbers is None:
        is_same = _list_texts(ours) == _list_texts(theirs)
        return 0.0 if is_same else math.inf
    other_numbers = _to_numbers(theirs)
    if other_numbers is None or numbers.shape != other_numbers.shape:
        return math.inf
    return find_difference(numbers, other_numbers)


def _list_texts(column: pa.Array) -> list[str]:
    """Return values as texts: one writer of a file has labels as numbers, and another as words."""
    values = column.to_pylist()
    return list(map(str, values))


def _to_numbers(column: pa.Array) -> np.ndarray | None:
    """Return the numbers of a column, or of its lists, one after the other; None where it has others."""
    values = column
    # A list of lists is flattened twice; structs are compared as they are.
    while pa.types.is_nested(values.type) and not pa.types.is_struct(values.type):
        values = values.flatten()
    is_amount = pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)
    if not is_amount:
        return None
    floats = values.cast(pa.float64())
    numbers: np.ndarray = floats.to_numpy(zero_copy_only=False)
    return numbers
