"""Labels from somewhere else for scored rows, found by key."""

import pyarrow as pa
from pyarrow import ChunkedArray, DataType
import pyarrow.compute as pc

from configs.errors import InputError
from configs.redaction import shown


def find_true_labels(
    scored_keys: ChunkedArray,
    keys: ChunkedArray,
    labels: ChunkedArray,
    url: str,
) -> ChunkedArray:
    """Return the label of each scored key, in its own type.

    Args:
        scored_keys: of the scores.
        keys, labels: of the labels, row by row.
        url: file of the labels, for errors.

    Raises:
        InputError: a key that is missing, stands twice, or has no label.
    """
    # A labels' file of another origin may hold the same numbers in another width.
    keys = _to_type(keys, scored_keys.type, url)
    _refuse_doubles("the scored rows", scored_keys)
    _refuse_doubles(url, keys)
    # The labels' file may have more rows, in any order.
    value_set = keys.combine_chunks()
    rows = pc.index_in(scored_keys, value_set=value_set)
    found = labels.take(rows)
    missing = found.null_count
    if not missing:
        return found
    is_missing = found.is_null()
    without_label = scored_keys.filter(is_missing)
    first = without_label[0].as_py()
    raise InputError(
        f"{url}: has no label for {missing} of {len(scored_keys)} scored rows, "
        f"the first with key {first!r}"
    )


def _to_type(keys: ChunkedArray, wanted: DataType, url: str) -> ChunkedArray:
    if keys.type == wanted:
        return keys
    try:
        return keys.cast(wanted)
    except pa.ArrowException as error:
        # Arrow's own text may quote a key.
        reason = shown(error)
        raise InputError(
            f"{url}: its keys of type {keys.type} cannot be matched with {wanted}: {reason}"
        ) from error


def _refuse_doubles(place: str, keys: ChunkedArray) -> None:
    if keys.null_count:
        raise InputError(f"{place}: {keys.null_count} rows have no key, so they cannot be matched")
    distinct = pc.count_distinct(keys).as_py()
    count = len(keys)
    if count != distinct:
        raise InputError(
            f"{place}: {count} keys, but only {distinct} different ones, so rows cannot be matched"
        )
