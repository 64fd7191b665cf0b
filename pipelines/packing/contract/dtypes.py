"""The dtypes in which a network may take its arguments, the likeliest first.

A network does not say which it takes, but fails with others: an embedding with floats, a mask with
integers where it must be bool. So they are tried in turn, and the author may say them.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import torch

from configs.errors import JobError
from configs.fields import Names
from configs.packaging import PackagingJob
from configs.suggest import nearest
from model_zoo.package.card import Contract
from model_zoo.steps.columns import Column, Columns, is_number
from model_zoo.steps.table import AnyStep

# Arguments of the network, each with the column that it takes as it is, or with those that are
# stacked.
Wiring: TypeAlias = dict[str, str | Names]
DTypes: TypeAlias = dict[str, str]
# In which networks take numbers of words; others are what tables are stored with.
_INDICES = ("int32", "int64")
_WAYS = ("usual", "long", "floats", "stored")
# Kinds of numpy's dtypes.
_WHOLE = ("i", "u")
# A mask of integers where bools are meant may pick items in silence; so bools are tried first.
_MASKS = ("bool", "int64")
# That columns and arrays may have, the likeliest first. Not bfloat16, which numpy has not.
_FRACTIONS = ("float32", "float64", "float16")
# As a contract's types say float16, also inside lists.
_HALF = "halffloat"


def list_fractions(weights: Iterable[torch.Tensor], contract: Contract) -> list[str]:
    """Return the dtypes in which a network may take its fractions, the likeliest first.

    They are those of its weights, where all are of one, and float32. A network takes its weights'
    dtype; but some of its layers may have another one, and a network without weights may compute in
    the dtype that its columns are stored in.

    Args:
        weights: of the network.
        contract: every model column.
    """
    kinds = set()
    for weight in weights:
        if weight.is_floating_point():
            full_name = str(weight.dtype)
            kind = full_name.removeprefix("torch.")
            kinds.add(kind)
    is_of_one = len(kinds) == 1 and kinds.issubset(_FRACTIONS)
    likeliest = list(kinds) if is_of_one else ["float32"]
    if any(_HALF in rule.type for rule in contract):
        kinds.add("float16")
    others = kinds.difference(likeliest)
    in_order = [name for name in _FRACTIONS if name in others]
    return likeliest + in_order


def list_dtypes(
    job: PackagingJob[AnyStep],
    wiring: Wiring,
    columns: Columns,
    masks: frozenset[str],
    fractions: Sequence[str] = ("float32",),
) -> list[DTypes]:
    """Return the dtypes to try, by argument; those that the job states are in all of them.

    Args:
        job: the job.
        wiring: which columns make up each argument.
        columns: what the steps have made.
        masks: names of columns that tell items from padding.
        fractions: dtypes in which it may take fractions, the likeliest first.

    Raises:
        JobError: the job states the dtype of something that is no argument.
    """
    _check_stated(job, wiring)
    tries: list[DTypes] = []
    for fraction in fractions:
        for found in _guess(wiring, columns, masks):
            dtypes = {}
            for name, dtype in found.items():
                # A guess says float32 for any fraction.
                is_fraction = dtype == "float32"
                dtypes[name] = fraction if is_fraction else dtype
            dtypes |= job.dtypes
            if dtypes not in tries:
                tries.append(dtypes)
    return tries


def _are_whole(wiring: Wiring, columns: Columns) -> bool:
    """Tell whether all numbers that are stacked are integers, so that they may be indices.

    Args:
        wiring: which columns make up each argument.
        columns: what the steps have made.
    """
    for parts in wiring.values():
        if isinstance(parts, str):
            continue
        kinds = {_kind(columns[part]) for part in parts}
        if not kinds.issubset(_WHOLE):
            return False
    return True


def _guess(wiring: Wiring, columns: Columns, masks: frozenset[str]) -> Iterator[DTypes]:
    stacks = ["float32"]
    if _are_whole(wiring, columns):
        # An embedding takes numbers of words, and no other integers are told apart from numbers.
        stacks.append("int64")
    for how, stacked, mask in product(_WAYS, stacks, _MASKS):
        dtypes = {}
        for name, source in wiring.items():
            if not isinstance(source, str):
                dtypes[name] = stacked
            elif source in masks:
                dtypes[name] = mask
            else:
                column = columns[source]
                dtypes[name] = _choose(column, how)
        yield dtypes


def _choose(column: Column, how: str) -> str:
    """Return the dtype of a column that is taken as it is.

    Args:
        column: what the steps have made.
        how: `usual`, with integers as indices; `long`, with indices of the widest kind; `floats`,
            with integers as amounts; or as it is `stored`.
    """
    # What is no number is refused when it is taken.
    if not isinstance(column, np.ndarray) and not is_number(column.type):
        return "float32"
    dtype = _dtype(column)
    # Engines compute in float32, whatever the width of what they are given.
    if dtype.kind == "f":
        return "float32"
    name = str(dtype)
    if how == "stored":
        return name
    is_whole = dtype.kind in _WHOLE
    if how == "floats" or not is_whole:
        return "float32"
    if how == "usual" and name in _INDICES:
        return name
    return "int64"


def _dtype(column: Column) -> np.dtype:
    if isinstance(column, np.ndarray):
        return column.dtype
    # Booleans with nulls among them would be Python objects.
    if pa.types.is_boolean(column.type):
        return np.dtype(bool)
    as_pandas_has_it = column.type.to_pandas_dtype()
    return np.dtype(as_pandas_has_it)


def _kind(column: Column) -> str:
    if not isinstance(column, np.ndarray) and not pa.types.is_integer(column.type):
        return ""
    dtype = _dtype(column)
    return dtype.kind


def _check_stated(job: PackagingJob[AnyStep], wiring: Wiring) -> None:
    arguments = list(wiring)
    there = ", ".join(arguments)
    problems = []
    for name in job.dtypes:
        if name not in wiring:
            hint = nearest(name, arguments)
            problems.append(f"dtypes.{name}: the network's arguments are {there}{hint}")
    if problems:
        raise JobError("; ".join(problems))
