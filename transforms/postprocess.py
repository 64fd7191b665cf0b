"""PredictionBatch -> ScoredBatch: from raw network outputs to the columns that are written.

Key and pass-through columns keep their exact Arrow types; score columns follow. The score columns to choose from:

    sigmoid   probability (of the second label), class (0 or 1), label
    softmax   probability (of the best class), class, label, probabilities (all classes),
              top_labels, top_classes, top_probabilities (the best `top_k`, best first)
    any       the raw network outputs, by their own names
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import JobError, RowError
from transforms.batches import Arrays, BadRows, PredictionBatch, ScoredBatch, isolate
from transforms.timing import Timed
from transforms.where import where_columns, where_mask


@dataclass(frozen=True)
class ScoreColumns:
    """How score columns are made.

    Attributes:
        activation: `sigmoid`, `softmax` or `none`.
        labels: class names by class number, or none.
        threshold: sigmoid: from this probability on, the class is 1.
        top_k: softmax: how many of the best classes `top_*` hold.
        rename: new names of score columns, by old name.
        dtypes: Arrow types of score columns, by new name, where the natural one is not wanted.
        constants: text columns of one value for every row (model name, version, digest).
    """

    activation: str
    labels: tuple[str, ...] = ()
    threshold: float = 0.5
    top_k: int = 1
    rename: Mapping[str, str] = field(default_factory=dict)
    dtypes: Mapping[str, pa.DataType] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)


def score_columns(outputs: Arrays, how: ScoreColumns, wanted: Sequence[str]) -> dict[str, pa.Array]:
    """The wanted score columns, by their old names.

    Args:
        outputs: raw network outputs (rows, ...); with an activation there is exactly one, of logits: (rows,) or (rows, 1) for
            sigmoid, (rows, classes) for softmax.

    Raises:
        JobError: a wanted column is not one that this activation gives.
    """
    makers: dict[str, Callable[[], pa.Array]] = {n: (lambda a=a: _arrow(a)) for n, a in outputs.items()}  # type: ignore[misc]
    if how.activation == "sigmoid":
        makers.update(_sigmoid_makers(outputs, how))
    if how.activation == "softmax":
        makers.update(_softmax_makers(outputs, how))
    if unknown := sorted(set(wanted) - set(makers)):
        raise JobError(
            f"postprocess names score column {unknown[0]!r}; with activation {how.activation} there are {sorted(makers)}"
        )
    return {name: makers[name]() for name in wanted}


def postprocess_rows(
    rows: pa.RecordBatch, outputs: Arrays, carried: Sequence[str], how: ScoreColumns, keep: Sequence[str], where: str | None
) -> pa.RecordBatch:
    """Carried columns and kept score columns of the rows that `where` leaves in.

    Args:
        rows: input rows, in the order of `outputs`.
        carried: names of key and pass-through columns.
        keep: old names of score columns, in the order to write them.
        where: filter expression over carried and (renamed) score columns, or None.

    Raises:
        BadRows: rows whose score does not fit the declared dtype.
        JobError: names or types that do not fit together.
    """
    old_names = {new: old for old, new in how.rename.items()}
    needed = [old_names.get(n, n) for n in where_columns(where) if n not in carried] if where else []
    made = score_columns(outputs, how, list(dict.fromkeys([*keep, *needed])))
    scores = {how.rename.get(old, old): column for old, column in made.items()}
    scores = {name: _typed(name, column, how.dtypes.get(name)) for name, column in scores.items()}
    everything = {name: rows.column(name) for name in carried} | scores
    kept = [how.rename.get(name, name) for name in keep]
    _refuse_doubles([*carried, *kept, *how.constants])
    columns = {n: everything[n] for n in (*carried, *kept)}
    columns |= {n: pa.repeat(pa.scalar(v), rows.num_rows) for n, v in how.constants.items()}
    fields = [rows.schema.field(n) if n in carried else pa.field(n, c.type) for n, c in columns.items()]
    result = pa.RecordBatch.from_arrays(list(columns.values()), schema=pa.schema(fields))
    return result if where is None else result.filter(pa.array(where_mask(where, everything, rows.num_rows)))


def postprocess_batch(
    batch: PredictionBatch, carried: Sequence[str], how: ScoreColumns, keep: Sequence[str], where: str | None
) -> ScoredBatch:
    """The batch as it will be written, without the rows that were rejected or filtered."""
    raw, outputs = batch.raw, batch.outputs
    while True:
        try:
            rows = postprocess_rows(raw.rows, outputs, carried, how, keep, where)
        except BadRows as bad:
            kept = np.delete(np.arange(len(raw)), sorted(bad.reasons))
            raw, outputs = raw.reject(bad, "postprocess"), {n: a[kept] for n, a in outputs.items()}
            continue
        filtered = len(raw) - rows.num_rows
        return ScoredBatch(raw.unit, raw.id, rows, raw.rows_in, filtered, raw.failed, raw.last, batch.placement, raw.times)


@dataclass
class Postprocess(beam.PTransform):
    """`postprocess_rows` on every batch."""

    carried: tuple[str, ...]
    scores: ScoreColumns
    keep: tuple[str, ...]
    where: str | None

    def expand(self, batches: beam.PCollection[PredictionBatch]) -> beam.PCollection[ScoredBatch]:
        return batches | beam.ParDo(_PostprocessRows(self.carried, self.scores, self.keep, self.where))


@dataclass
class _PostprocessRows(beam.DoFn):
    carried: tuple[str, ...]
    scores: ScoreColumns
    keep: tuple[str, ...]
    where: str | None

    def setup(self) -> None:
        self._timed = Timed("postprocess")

    def process(self, batch: PredictionBatch) -> Iterator[ScoredBatch]:
        with self._timed(len(batch)), batch.raw.times.clocked("postprocess"):
            scored = postprocess_batch(batch, self.carried, self.scores, self.keep, self.where)
        yield scored


def _sigmoid_makers(outputs: Arrays, how: ScoreColumns) -> dict[str, Callable[[], pa.Array]]:
    logits = _only(outputs, "sigmoid")
    with np.errstate(over="ignore"):  # exp(-x) of a very negative x is infinite, and 1 / infinity is the right answer
        probability = 1 / (1 + np.exp(-logits.reshape(len(logits))))
    classes = (probability >= how.threshold).astype(np.int32)
    return {
        "probability": lambda: pa.array(probability),
        "class": lambda: pa.array(classes),
        "label": lambda: _named(classes, how.labels),
    }


def _softmax_makers(outputs: Arrays, how: ScoreColumns) -> dict[str, Callable[[], pa.Array]]:
    logits = _only(outputs, "softmax")
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    if how.top_k > probabilities.shape[1]:
        raise JobError(f"postprocess.top_k is {how.top_k}, but the model has {probabilities.shape[1]} classes")
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, : how.top_k].astype(np.int32)
    best = order[:, 0]
    in_order = np.take_along_axis(probabilities, order, axis=1)
    return {
        "probability": lambda: pa.array(np.ascontiguousarray(in_order[:, 0])),
        "class": lambda: pa.array(best),
        "label": lambda: _named(best, how.labels),
        "probabilities": lambda: _arrow(probabilities),
        "top_classes": lambda: _arrow(order),
        "top_labels": lambda: pa.FixedSizeListArray.from_arrays(_named(order.reshape(-1), how.labels), how.top_k),
        "top_probabilities": lambda: _arrow(in_order),
    }


def _only(outputs: Arrays, activation: str) -> np.ndarray:
    if len(outputs) != 1:
        raise JobError(f"postprocess.activation {activation} needs a model with one output, not {sorted(outputs)}; use none")
    values = next(iter(outputs.values()))
    wide = values.ndim == 2 and values.shape[1] > 1
    if wide != (activation == "softmax") or values.ndim > 2:
        raise JobError(f"postprocess.activation {activation} does not fit a model output of shape (rows, {values.shape[1:]})")
    return values


def _named(classes: np.ndarray, labels: tuple[str, ...]) -> pa.Array:
    """Label of each class number; without labels the number itself as text."""
    if not labels:
        return pa.array(classes).cast(pa.string())
    return pa.array(labels, type=pa.string()).take(pa.array(classes))


def _arrow(values: np.ndarray) -> pa.Array:
    """An array (rows, ...) as a column: numbers, or fixed-size lists of them."""
    if values.ndim == 1:
        return pa.array(np.ascontiguousarray(values))
    width = int(np.prod(values.shape[1:]))
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).reshape(-1)), width)


def _typed(name: str, column: pa.Array, dtype: pa.DataType | None) -> pa.Array:
    if dtype is None or column.type == dtype:
        return column
    try:
        return _cast(column, dtype)
    except pa.ArrowNotImplementedError as error:
        raise JobError(f"postprocess.dtypes: {name} of type {column.type} cannot become {dtype}") from error
    except pa.ArrowInvalid as error:
        try:
            bad = isolate(len(column), lambda at: _cast(column.take(pa.array(at)), dtype))
        except pa.ArrowInvalid:
            raise JobError(f"postprocess.dtypes: {name} of type {column.type} does not fit {dtype} in any row") from error
        raise BadRows({p: RowError(f"score {name} does not fit {dtype}") for p in (bad.reasons if bad else {})}) from error


def _cast(column: pa.Array, dtype: pa.DataType) -> pa.Array:
    """The column as `dtype`; a finite number that became infinite is an error, as one that an integer cannot hold is to Arrow."""
    made = column.cast(dtype)
    if _infinities(made) > _infinities(column):
        raise pa.ArrowInvalid(f"a finite number that does not fit {dtype}")
    return made


def _infinities(column: pa.Array) -> int:
    return int(pc.sum(pc.is_inf(column)).as_py() or 0) if pa.types.is_floating(column.type) else 0


def _refuse_doubles(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise JobError(f"two output columns are called {name!r}; rename the score column with postprocess.rename")
