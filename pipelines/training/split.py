"""Which rows are for training, which for validation, and which for the test."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.model_selection import train_test_split

from configs.errors import InputError, JobError
from configs.training_data import Split
from model_zoo.steps.columns import decode_dictionary
from model_zoo.training.objective import Task

PartName: TypeAlias = Literal["training", "validation", "test"]
PARTS: tuple[PartName, ...] = ("training", "validation", "test")
# Words that people use, where the job says none.
_USUAL: dict[PartName, tuple[str, ...]] = {
    "training": ("training", "train"),
    "validation": ("validation", "valid", "val"),
    "test": ("test",),
}
_SHOWN = 5


@dataclass(frozen=True)
class Places:
    """Row numbers of the three parts, each in the order of the data, and what is told of them.

    Attributes:
        parts: int64 (rows,) by name: `training`, `validation`, `test`.
        notes: in words.
    """

    parts: dict[str, np.ndarray]
    notes: tuple[str, ...] = ()


def split_rows(
    split: Split,
    rows: pa.Table,
    targets: np.ndarray,
    labels: tuple[str, ...],
    task: Task,
    seed: int,
    column: str | None = None,
    part: np.ndarray | None = None,
) -> Places:
    """Return which rows are in which part.

    Args:
        split: how.
        rows: all columns.
        targets: of the rows, as the loss takes them.
        labels: names of classes by class number.
        task: what is learned.
        seed: of what is drawn.
        column: with the time, the group or the part of a row.
        part: the number of each row's part in `PARTS`, where files of their own say it.

    Raises:
        JobError: it does not suit the rows, or leaves a part without any.
    """
    if split.by == "fixed" and part is not None:
        places = _split_by_files(split, part, targets if task == "classification" else None, seed)
    elif split.by == "fixed":
        places = _split_fixed(split, _get(rows, column))
    elif split.by == "time":
        places = _split_by_time(split, _get(rows, column))
    elif split.by == "group":
        places = _split_by_group(split, _get(rows, column), seed)
    else:
        stratify = targets if split.by == "stratified" else None
        places = _draw(split, rows.num_rows, stratify, labels, seed)
    _refuse_empty(split, places, rows.num_rows)
    if task == "classification":
        _refuse_unlearned(places, targets, labels)
    return places


def _get(rows: pa.Table, column: str | None) -> pa.Array:
    assert column is not None  # noqa: S101 - such a split names its column
    values = decode_dictionary(rows.column(column).combine_chunks())
    missing = int(pc.sum(pc.is_null(values, nan_is_null=True)).as_py() or 0)
    if missing:
        raise InputError(
            f"split: column {column!r} has no value in {missing:,} rows, so nothing tells their part; "
            "fill them in, or split by something else"
        )
    return values


def _draw(
    split: Split, rows: int, targets: np.ndarray | None, labels: tuple[str, ...], seed: int
) -> Places:
    """Draw the parts: with targets each with the same share of each class."""
    # Of the rows that the test leaves.
    validation_share = split.validation / (1 - split.test)
    every = np.arange(rows)
    # Stratified: of a rare label chance alone could leave a part without a row.
    try:
        rest, test = train_test_split(
            every, test_size=split.test, stratify=targets, random_state=seed
        )
        rest_targets = None if targets is None else targets[rest]
        training, validation = train_test_split(
            rest, test_size=validation_share, stratify=rest_targets, random_state=seed
        )
    except ValueError as error:
        reason = str(error)
        if targets is not None:
            reason = _describe_rare(targets, labels) or reason
        raise JobError(
            f"split does not suit the {rows:,} rows: {reason}; give more rows, or change "
            "split.validation, split.test or split.by"
        ) from error
    return Places(
        {"training": np.sort(training), "validation": np.sort(validation), "test": np.sort(test)}
    )


def _describe_rare(targets: np.ndarray, labels: tuple[str, ...]) -> str:
    """Return which labels have too few rows for three parts; nothing where all have enough."""
    counts = np.bincount(targets, minlength=len(labels))
    rare = [f"{labels[n]!r} has {counts[n]:,}" for n in np.flatnonzero(counts < len(PARTS))]
    if not rare:
        return ""
    return f"each label needs 3 rows or more, and {', '.join(rare[:_SHOWN])}"


def _split_by_time(split: Split, times: pa.Array) -> Places:
    """Return the latest rows as the test, and those before them as the validation."""
    # Rows of one moment stay together, as no model knows one of them before the other.
    order = pc.rank(times, sort_keys="ascending", tiebreaker="max").to_numpy()
    count = len(times)
    share = (order - 1) / count
    is_test = share >= 1 - split.test
    is_validation = (share >= 1 - split.test - split.validation) & ~is_test
    return _from_masks(is_validation, is_test)


def _split_by_group(split: Split, groups: pa.Array, seed: int) -> Places:
    """Return parts of about the wanted sizes, with each group's rows in one of them."""
    encoded = groups.dictionary_encode()
    numbers = encoded.indices.to_numpy(zero_copy_only=False)
    sizes = np.bincount(numbers)
    order = np.random.default_rng(seed).permutation(len(sizes))
    # A group is of the part in which its middle row is.
    middle = np.cumsum(sizes[order]) - sizes[order] / 2
    share = np.empty(len(sizes))
    share[order] = middle / len(numbers)
    is_test = share < split.test
    is_validation = (share < split.test + split.validation) & ~is_test
    return _from_masks(is_validation[numbers], is_test[numbers])


def _split_fixed(split: Split, values: pa.Array) -> Places:
    """Return the parts that a column says; rows of none of them are in no part, which is told."""
    words = {part: split.values.get(part, _USUAL[part]) for part in PARTS}
    texts = values.cast(pa.string())
    parts: dict[str, np.ndarray] = {}
    taken = np.zeros(len(values), dtype=bool)
    for part, meant in words.items():
        is_meant = pc.is_in(texts, value_set=pa.array(meant, pa.string()))
        mask = is_meant.to_numpy(zero_copy_only=False)
        parts[part] = np.flatnonzero(mask)
        taken |= mask
    left_out = int(np.count_nonzero(~taken))
    if not left_out:
        return Places(parts)
    others = pc.unique(texts.filter(pa.array(~taken))).to_pylist()
    shown = ", ".join(map(repr, sorted(others)[:_SHOWN]))
    return Places(parts, (f"{left_out:,} rows are in no part, as their {split.column} is {shown}",))


def _split_by_files(
    split: Split, part: np.ndarray, targets: np.ndarray | None, seed: int
) -> Places:
    """Return the parts that files are of; one that has none is drawn from the training rows."""
    parts: dict[str, np.ndarray] = {}
    for number, name in enumerate(PARTS):
        parts[name] = np.flatnonzero(part == number)
    shares = {"validation": split.validation, "test": split.test}
    for drawn_part, share in shares.items():
        if len(parts[drawn_part]):
            continue
        rest = parts["training"]
        stratify = None if targets is None else targets[rest]
        try:
            kept, drawn = train_test_split(
                rest, test_size=share, stratify=stratify, random_state=seed
            )
        except ValueError as error:
            raise JobError(
                f"split.{drawn_part} does not suit the {len(rest):,} rows: {error}"
            ) from error
        parts |= {"training": np.sort(kept), drawn_part: np.sort(drawn)}
    return Places(parts)


def _from_masks(is_validation: np.ndarray, is_test: np.ndarray) -> Places:
    is_training = ~is_validation & ~is_test
    masks = {"training": is_training, "validation": is_validation, "test": is_test}
    parts: dict[str, np.ndarray] = {}
    for part, mask in masks.items():
        parts[part] = np.flatnonzero(mask)
    return Places(parts)


def _refuse_empty(split: Split, places: Places, rows: int) -> None:
    empty = [part for part in PARTS if not len(places.parts[part])]
    if empty:
        raise JobError(
            f"split by {split.by} leaves no row of {rows:,} for {' and '.join(empty)}; give more rows, "
            "or change split.validation, split.test or split.by"
        )


def _refuse_unlearned(places: Places, targets: np.ndarray, labels: tuple[str, ...]) -> None:
    """Refuse a split after which a class has no row to learn from."""
    counts = np.bincount(targets[places.parts["training"]], minlength=len(labels))
    present = np.bincount(targets, minlength=len(labels))
    lost = [repr(labels[n]) for n in np.flatnonzero((counts == 0) & (present > 0))]
    if lost:
        raise JobError(
            f"split: no row of {', '.join(lost[:_SHOWN])} is in the training part; split by "
            "stratified, or give more such rows"
        )
