"""scikit-learn's transformers of numbers -> nodes of an ONNX graph, in float64 and in their own order of operations.

A new transformer is a function below, and its line in the table at the end.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from configs.errors import JobError
from pipelines.packing.converters.converted import NoGraphError
from pipelines.packing.converters.graph_features import Features, Growing


class NotTakenError(JobError):
    """A transformer whose arithmetic is not known here."""


# What a fitted transformer takes, and the transformer -> what it gives.
AddStage: TypeAlias = Callable[[Features, Any], Features]


def add_stage(graph: Growing, transformer: Any, features: str) -> str:
    """Add a transformer of numbers, and return the name of what it gives.

    Args:
        graph: that grows.
        transformer: fitted.
        features: name of what it takes, float64 (rows, columns).

    Raises:
        NotTakenError: its arithmetic is not known here.
    """
    taken = Features(graph, features)
    given = _transform(taken, transformer)
    return given.name


def _transform(features: Features, transformer: Any) -> Features:
    if transformer in ("passthrough", None):
        return features
    its_class = type(transformer)
    kind = its_class.__name__
    # A class of the author's own may have such a name, too, and other arithmetic.
    is_known = its_class.__module__.startswith("sklearn.")
    if is_known and kind in _STAGES:
        add = _STAGES[kind]
        return add(features, transformer)
    if kind in _OF_TEXTS:
        raise NoGraphError(f"{kind} counts the words of texts, which no graph here does")
    raise NotTakenError(kind)


def _add_pipeline(features: Features, pipeline: Any) -> Features:
    for _, inner in pipeline.steps:
        features = _transform(features, inner)
    return features


def _add_union(features: Features, union: Any) -> Features:
    if union.transformer_weights:
        raise NotTakenError("FeatureUnion with transformer_weights")
    made = []
    for _, part in union.transformer_list:
        if part == "drop":
            continue
        of_part = _transform(features, part)
        made.append(of_part)
    return _put_side_by_side(*made)


def _add_function(features: Features, transformer: Any) -> Features:
    """Add a function of numpy; a ColumnTransformer's passthrough is one, too, without a function."""
    function = transformer.func
    if function is None:
        return features
    if transformer.kw_args or function not in _FUNCTIONS:
        own_name = type(function).__name__
        called = getattr(function, "__name__", own_name)
        known = [each.__name__ for each in _FUNCTIONS]
        names = ", ".join(known)
        raise NotTakenError(f"FunctionTransformer of {called} (those of numpy's {names} are)")
    if function is np.log1p:
        features = features.apply("Add", 1)
    operator = _FUNCTIONS[function]
    return features.apply(operator)


def _add_imputer(features: Features, imputer: Any) -> Features:
    mask = _find_missing(features, imputer.missing_values)
    values = np.asarray(imputer.statistics_, np.float64)
    kept = features
    kept_mask = mask
    is_known = ~np.isnan(values)
    if not imputer.keep_empty_features and not is_known.all():
        # Columns without any value are left out.
        known = np.flatnonzero(is_known)
        values = values[known]
        places = features.hold(known)
        kept = features.apply("Gather", places, axis=1)
        kept_mask = mask.apply("Gather", places, axis=1)
    filled = kept_mask.apply("Where", values, kept)
    indicator = imputer.indicator_
    if indicator is None:
        return filled
    indicated = _indicate(mask, indicator)
    return _put_side_by_side(filled, indicated)


def _add_indicator(features: Features, indicator: Any) -> Features:
    mask = _find_missing(features, indicator.missing_values)
    return _indicate(mask, indicator)


def _indicate(mask: Features, indicator: Any) -> Features:
    """Add the columns that tell missing values, of those that had some in training."""
    chosen = mask.take_columns(indicator.features_)
    return chosen.to_numbers()


def _find_missing(features: Features, value: Any) -> Features:
    """Add a mask of what takes the place of a value."""
    is_number = isinstance(value, int | float | np.number)
    if not is_number:
        kind = type(value).__name__
        raise NotTakenError(f"a missing value of {kind} among numbers")
    # NaN equals nothing, itself included.
    if np.isnan(value):
        return features.apply("IsNaN")
    return features.apply("Equal", value)


class _Operation(NamedTuple):
    """What is done with one fitted attribute of a transformer, and the parameter that switches it off."""

    attribute: str
    operator: str
    switch: str = ""


def _make_arithmetic(*operations: _Operation) -> AddStage:
    """Return what applies fitted values, one after the other."""

    def add(features: Features, transformer: Any) -> Features:
        for operation in operations:
            values = getattr(transformer, operation.attribute)
            # A scaler that does not centre has a mean all the same.
            is_on = getattr(transformer, operation.switch, True)
            if values is None or not is_on:
                continue
            features = features.apply(operation.operator, values)
        return _clip(features, transformer)

    return add


def _clip(features: Features, transformer: Any) -> Features:
    is_clipped = getattr(transformer, "clip", False)
    if not is_clipped:
        return features
    # Of MaxAbsScaler there are no bounds to choose.
    low, high = getattr(transformer, "feature_range", (-1.0, 1.0))
    raised = features.apply("Max", low)
    return raised.apply("Min", high)


def _add_projection(features: Features, transformer: Any) -> Features:
    """Add PCA and TruncatedSVD: onto components, which PCA centres after that."""
    components = np.asarray(transformer.components_, np.float64)
    matrix = components.T
    projected = features.apply("MatMul", matrix)
    mean = getattr(transformer, "mean_", None)
    if mean is not None:
        row = np.asarray(mean, np.float64)
        centre = row.reshape(1, -1) @ matrix
        projected = projected.apply("Sub", centre)
    is_whitened = getattr(transformer, "whiten", False)
    if not is_whitened:
        return projected
    deviations = np.sqrt(transformer.explained_variance_)
    # As scikit-learn does: a component of almost no variance would be divided by almost nothing.
    least = np.finfo(deviations.dtype).eps
    scale = np.maximum(deviations, least)
    return projected.apply("Div", scale)


def _add_selection(features: Features, selector: Any) -> Features:
    places = selector.get_support(indices=True)
    return features.take_columns(places)


def _add_polynomials(features: Features, transformer: Any) -> Features:
    """Add products of columns, multiplied from the last factor to the first as scikit-learn does."""
    powers = np.asarray(transformer.powers_)
    places = _list_factors(powers)
    ones = _add_ones(features)
    wide = _put_side_by_side(features, ones)
    first, *others = places.T[::-1]
    product = wide.take_columns(first)
    for factors in others:
        factor = wide.take_columns(factors)
        product = product.apply("Mul", factor)
    return product


def _list_factors(powers: np.ndarray) -> np.ndarray:
    """Return the columns that each product multiplies, int64 (products, factors).

    Behind the columns stands one of ones, which makes all products equally long.

    Args:
        powers: of each column in each product, (products, columns).
    """
    products, columns = powers.shape
    degrees = powers.sum(axis=1)
    # The product of no column is one of ones, and has a factor, too.
    longest = degrees.max(initial=1)
    places = np.full((products, longest), columns, np.int64)
    numbers = np.arange(columns)
    for place, row in zip(places, powers, strict=True):
        factors = np.repeat(numbers, row)
        place[: len(factors)] = factors
    return places


def _add_ones(features: Features) -> Features:
    """Add a column of ones, of as many rows as there are."""
    first = features.take_columns([0])
    # Of 0, so that a missing or infinite value makes no other one.
    never = features.hold(np.array(False))
    zeros = never.apply("Where", first, 0)
    return zeros.apply("Add", 1)


def _add_bins(features: Features, transformer: Any) -> Features:
    """Add the number of a value's bin, or a column for each bin."""
    last = features.hold(np.array([2], np.int64))
    deep = features.apply("Unsqueeze", last)
    edges = _list_inner_edges(transformer.bin_edges_)
    # A bin's number is how many edges a value has reached.
    is_beyond = deep.apply("GreaterOrEqual", edges)
    beyond = is_beyond.to_numbers()
    bins = beyond.apply("ReduceSum", last, keepdims=0)
    if transformer.encode == "ordinal":
        return bins
    owners = []
    numbers: list[int] = []
    for column, values in enumerate(transformer._encoder.categories_):
        count = len(values)
        owners += [column] * count
        numbers += range(count)
    spread = bins.take_columns(owners)
    is_it = spread.apply("Equal", numbers)
    return is_it.to_numbers()


def _list_inner_edges(bin_edges: Sequence[np.ndarray]) -> np.ndarray:
    """Return each column's edges between bins, float64 (columns, edges); NaN fills the rows up.

    Args:
        bin_edges: of each column, with those at both ends.
    """
    counts = [len(edges) - 2 for edges in bin_edges]
    # Of columns of one bin there is no edge, and no array of none either.
    most = max(1, *counts)
    # No value is beyond NaN.
    inner = np.full((len(counts), most), np.nan)
    for row, count, edges in zip(inner, counts, bin_edges, strict=True):
        row[:count] = edges[1:-1]
    return inner


def _put_side_by_side(first: Features, *others: Features) -> Features:
    return first.apply("Concat", *others, axis=1)


_FUNCTIONS: dict[Any, str] = {
    np.abs: "Abs",
    np.exp: "Exp",
    np.log: "Log",
    np.log1p: "Log",
    np.sqrt: "Sqrt",
}
_OF_TEXTS = ("CountVectorizer", "HashingVectorizer", "TfidfVectorizer")
_SELECTORS = (
    "GenericUnivariateSelect",
    "RFE",
    "RFECV",
    "SelectFdr",
    "SelectFpr",
    "SelectFromModel",
    "SelectFwe",
    "SelectKBest",
    "SelectPercentile",
    "SequentialFeatureSelector",
    "VarianceThreshold",
)
_scale_by_largest = _make_arithmetic(
    _Operation("scale_", "Div"),
)
_scale_to_range = _make_arithmetic(
    _Operation("scale_", "Mul"),
    _Operation("min_", "Add"),
)
_scale_by_quantiles = _make_arithmetic(
    _Operation("center_", "Sub", switch="with_centering"),
    _Operation("scale_", "Div", switch="with_scaling"),
)
_standardise = _make_arithmetic(
    _Operation("mean_", "Sub", switch="with_mean"),
    _Operation("scale_", "Div", switch="with_std"),
)
# By the name of scikit-learn's class.
_STAGES: dict[str, AddStage] = {
    "FeatureUnion": _add_union,
    "FunctionTransformer": _add_function,
    "IncrementalPCA": _add_projection,
    "KBinsDiscretizer": _add_bins,
    "MaxAbsScaler": _scale_by_largest,
    "MinMaxScaler": _scale_to_range,
    "MissingIndicator": _add_indicator,
    "PCA": _add_projection,
    "Pipeline": _add_pipeline,
    "PolynomialFeatures": _add_polynomials,
    "RobustScaler": _scale_by_quantiles,
    "SimpleImputer": _add_imputer,
    "StandardScaler": _standardise,
    "TruncatedSVD": _add_projection,
    **dict.fromkeys(_SELECTORS, _add_selection),
}
