"""Which rows are for training, which for validation, and which for the test."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.model_selection import train_test_split

from configs.errors import InputError, JobError
from configs.fields import Names
from configs.training_data import Split
from model_zoo.steps.columns import decode_dictionary
from model_zoo.training.objective import Task
from pipelines.training.label_tasks import quote_names

PartName: TypeAlias = Literal["training", "validation", "test"]
RowNumbers: TypeAlias = dict[str, np.ndarray]
Labels: TypeAlias = Names
# None where rows are drawn without a look at them.
Targets: TypeAlias = np.ndarray | None
PARTS: tuple[PartName, ...] = ("training", "validation", "test")
# Words that people use, where the job says none.
_USUAL: dict[PartName, Names] = {
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

    parts: RowNumbers
    notes: Names = ()


def split_rows(
    split: Split,
    rows: pa.Table,
    targets: np.ndarray,
    labels: Labels,
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
    there_are = rows.num_rows
    by = split.by
    if by == "fixed" and part is not None:
        # Stratified where it can be: of numbers and of label sets no two rows may be alike.
        classes = targets if task == "classification" else None
        places = _split_by_files(split, part, classes, seed)
    elif by == "fixed":
        words = _get(rows, column)
        places = _split_fixed(split, words)
    elif by == "time":
        times = _get(rows, column)
        places = _split_by_time(split, times)
    elif by == "group":
        groups = _get(rows, column)
        places = _split_by_group(split, groups, seed)
    else:
        stratify = targets if by == "stratified" else None
        places = _draw(split, there_are, stratify, labels, seed)
    _refuse_empty(split, places, there_are)
    if task == "classification":
        _refuse_unlearned(places, targets, labels)
    return places


def _get(rows: pa.Table, column: str | None) -> pa.Array:
    assert column is not None  # noqa: S101 - such a split names its column
    whole = rows.column(column).combine_chunks()
    values = decode_dictionary(whole)
    is_missing = pc.is_null(values, nan_is_null=True)
    total = pc.sum(is_missing)
    # Of no rows the sum is null.
    missing = total.as_py() or 0
    if missing:
        raise InputError(
            f"split: column {column!r} has no value in {missing:,} rows, so nothing tells their part; "
            "fill them in, or split by something else"
        )
    return values


def _draw(
    split: Split,
    rows: int,
    targets: Targets,
    labels: Labels,
    seed: int,
) -> Places:
    """Draw the parts: with targets each with the same share of each class."""
    # Of the rows that the test leaves.
    left = 1 - split.test
    validation_share = split.validation / left
    every = np.arange(rows)
    # Stratified: of a rare label chance alone could leave a part without a row.
    try:
        rest, test = train_test_split(
            every,
            test_size=split.test,
            stratify=targets,
            random_state=seed,
        )
        training, validation = train_test_split(
            rest,
            test_size=validation_share,
            stratify=_take(targets, rest),
            random_state=seed,
        )
    except ValueError as error:
        reason = str(error)
        if targets is not None:
            reason = _describe_rare(targets, labels) or reason
        raise JobError(
            f"split does not suit the {rows:,} rows: {reason}; give more rows, or change "
            "split.validation, split.test or split.by"
        ) from error
    parts = {
        "training": np.sort(training),
        "validation": np.sort(validation),
        "test": np.sort(test),
    }
    return Places(parts)


def _describe_rare(targets: np.ndarray, labels: Labels) -> str:
    """Return which labels have too few rows for three parts; nothing where all have enough."""
    counts = _count_by_label(targets, labels)
    is_rare = counts < len(PARTS)
    rare = np.flatnonzero(is_rare)
    if not len(rare):
        return ""
    told = []
    for number in rare[:_SHOWN]:
        label = labels[number]
        count = counts[number]
        told.append(f"{label!r} has {count:,}")
    listed = ", ".join(told)
    return f"each label needs 3 rows or more, and {listed}"


def _split_by_time(split: Split, times: pa.Array) -> Places:
    """Return the latest rows as the test, and those before them as the validation."""
    # Rows of one moment stay together, as no model knows one of them before the other.
    ranks = pc.rank(times, sort_keys="ascending", tiebreaker="max")
    # The first row is of rank 1.
    order = ranks.to_numpy() - 1
    share = order / len(times)
    first_test = 1 - split.test
    first_validation = first_test - split.validation
    is_test = share >= first_test
    is_held_out = share >= first_validation
    return _from_masks(is_held_out & ~is_test, is_test)


def _split_by_group(split: Split, groups: pa.Array, seed: int) -> Places:
    """Return parts of about the wanted sizes, with each group's rows in one of them."""
    encoded = groups.dictionary_encode()
    group_of_row = encoded.indices.to_numpy(zero_copy_only=False)
    sizes = np.bincount(group_of_row)
    random = np.random.default_rng(seed)
    order = random.permutation(len(sizes))
    ordered_sizes = sizes[order]
    ends = np.cumsum(ordered_sizes)
    # A group is of the part in which its middle row is.
    middle = ends - ordered_sizes / 2
    rows = len(group_of_row)
    share = np.empty(len(sizes))
    share[order] = middle / rows

    held_out = split.test + split.validation
    is_test = share < split.test
    is_held_out = share < held_out
    is_validation = is_held_out & ~is_test
    return _from_masks(
        # From groups to their rows.
        is_validation[group_of_row],
        is_test[group_of_row],
    )


def _split_fixed(split: Split, values: pa.Array) -> Places:
    """Return the parts that a column says; rows of none of them are in no part, which is told."""
    texts = values.cast(pa.string())
    rows = len(values)
    parts: RowNumbers = {}
    taken = np.zeros(rows, bool)
    for part in PARTS:
        usual = _USUAL[part]
        words = split.values.get(part, usual)
        wanted = pa.array(words, pa.string())
        is_meant = pc.is_in(texts, value_set=wanted)
        mask = is_meant.to_numpy(zero_copy_only=False)
        parts[part] = np.flatnonzero(mask)
        taken |= mask
    is_left_out = ~taken
    left_out = int(np.count_nonzero(is_left_out))
    if not left_out:
        return Places(parts)

    mask_of_others = pa.array(is_left_out)
    other_texts = texts.filter(mask_of_others)
    others = other_texts.unique()
    words_of_others = sorted(others.to_pylist())
    shown = quote_names(words_of_others[:_SHOWN])
    note = f"{left_out:,} rows are in no part, as their {split.column} is {shown}"
    return Places(parts, (note,))


def _split_by_files(
    split: Split,
    part: np.ndarray,
    targets: Targets,
    seed: int,
) -> Places:
    """Return the parts that files are of; one that has none is drawn from the training rows."""
    parts: RowNumbers = {}
    for number, name in enumerate(PARTS):
        is_of_it = part == number
        parts[name] = np.flatnonzero(is_of_it)
    shares = {
        "validation": split.validation,
        "test": split.test,
    }
    for drawn_part, share in shares.items():
        if len(parts[drawn_part]):
            continue
        rest = parts["training"]
        try:
            kept, drawn = train_test_split(
                rest,
                test_size=share,
                stratify=_take(targets, rest),
                random_state=seed,
            )
        except ValueError as error:
            rows = len(rest)
            raise JobError(
                f"split.{drawn_part} does not suit the {rows:,} rows: {error}"
            ) from error
        # In the order of the data again, as the draw mixes them.
        parts["training"] = np.sort(kept)
        parts[drawn_part] = np.sort(drawn)
    return Places(parts)


def _take(targets: Targets, rows: np.ndarray) -> Targets:
    if targets is None:
        return None
    return targets[rows]


def _count_by_label(targets: np.ndarray, labels: Labels) -> np.ndarray:
    """Return the rows of each label, int64 (labels,), 0 where it has none."""
    return np.bincount(targets, minlength=len(labels))


def _from_masks(is_validation: np.ndarray, is_test: np.ndarray) -> Places:
    is_training = ~is_validation & ~is_test
    masks = {
        "training": is_training,
        "validation": is_validation,
        "test": is_test,
    }
    parts: RowNumbers = {}
    for part, mask in masks.items():
        parts[part] = np.flatnonzero(mask)
    return Places(parts)


def _refuse_empty(split: Split, places: Places, rows: int) -> None:
    parts = places.parts
    empty = [name for name in PARTS if not parts[name].size]
    if empty:
        listed = " and ".join(empty)
        raise JobError(
            f"split by {split.by} leaves no row of {rows:,} for {listed}; give more rows, "
            "or change split.validation, split.test or split.by"
        )


def _refuse_unlearned(places: Places, targets: np.ndarray, labels: Labels) -> None:
    """Refuse a split after which a class has no row to learn from."""
    training = places.parts["training"]
    learned = _count_by_label(targets[training], labels)
    present = _count_by_label(targets, labels)
    is_learned = learned > 0
    # A package that is trained further may know labels of which there is no row at all.
    is_present = present > 0
    lost = np.flatnonzero(is_present & ~is_learned)
    if lost.size:
        names = [labels[number] for number in lost[:_SHOWN]]
        listed = quote_names(names)
        raise JobError(
            f"split: no row of {listed} is in the training part; split by "
            "stratified, or give more such rows"
        )
