"""scikit-learn's transformers of numbers -> nodes of an ONNX graph, in float64 and in their own order of operations.

A new transformer is a function below, and its line in the table at the end.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from configs.errors import JobError


class NotTakenError(JobError):
    """A transformer whose arithmetic is not known here."""


class Growing(Protocol):
    """A graph that nodes and constants are added to."""

    def add(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node of one output, and return the output's name."""

    def hold(self, values: Any) -> str:
        """Add a constant, and return its name."""


# A graph, a fitted transformer, and the name of what it takes, float64 (rows, columns) -> of what it
# gives.
AddStage: TypeAlias = Callable[[Growing, Any, str], str]


def add_stage(graph: Growing, transformer: Any, features: str) -> str:
    """Add a transformer of numbers, and return the name of what it gives.

    Args:
        graph: that grows.
        transformer: fitted.
        features: name of what it takes, float64 (rows, columns).

    Raises:
        NotTakenError: its arithmetic is not known here.
    """
    if transformer in ("passthrough", None):
        return features
    kind = type(transformer).__name__
    # A class of the author's own may have such a name, too, and other arithmetic.
    is_known = type(transformer).__module__.startswith("sklearn.")
    if is_known and kind in _STAGES:
        return _STAGES[kind](graph, transformer, features)
    if kind in _OF_TEXTS:
        raise JobError(
            f"{kind} counts the words of texts, which no graph here does; make columns of numbers of them "
            "before scoring and train on those, or give a model of texts with --huggingface"
        )
    raise NotTakenError(kind)


def list_taken() -> list[str]:
    """Return the names of all transformers of numbers that are taken."""
    return sorted(set(_STAGES) - {"Pipeline"})


def _add_pipeline(graph: Growing, pipeline: Any, features: str) -> str:
    for _, inner in pipeline.steps:
        features = add_stage(graph, inner, features)
    return features


def _add_union(graph: Growing, union: Any, features: str) -> str:
    if union.transformer_weights:
        raise NotTakenError("FeatureUnion with transformer_weights")
    made = []
    for _, part in union.transformer_list:
        if part != "drop":
            name = add_stage(graph, part, features)
            made.append(name)
    return _put_side_by_side(graph, made)


def _add_function(graph: Growing, transformer: Any, features: str) -> str:
    """Add a function of numpy; a ColumnTransformer's passthrough is one, too, without a function."""
    function = transformer.func
    if function is None:
        return features
    if transformer.kw_args or function not in _FUNCTIONS:
        called = getattr(function, "__name__", type(function).__name__)
        names = ", ".join(known.__name__ for known in _FUNCTIONS)
        raise NotTakenError(f"FunctionTransformer of {called} (those of numpy's {names} are)")
    if function is np.log1p:
        one = _hold_floats(graph, 1)
        features = graph.add("Add", [features, one])
    operator = _FUNCTIONS[function]
    return graph.add(operator, [features])


def _add_imputer(graph: Growing, imputer: Any, features: str) -> str:
    mask = _find_missing(graph, imputer.missing_values, features)
    values = np.asarray(imputer.statistics_, np.float64)
    kept = features
    kept_mask = mask
    is_known = ~np.isnan(values)
    if not imputer.keep_empty_features and not is_known.all():
        # Columns without any value are left out.
        places = graph.hold(np.flatnonzero(is_known))
        values = values[is_known]
        kept = _take_columns(graph, features, places)
        kept_mask = _take_columns(graph, mask, places)
    fill = graph.hold(values)
    filled = graph.add("Where", [kept_mask, fill, kept])
    if imputer.indicator_ is None:
        return filled
    indicated = _indicate(graph, imputer.indicator_, mask)
    return _put_side_by_side(graph, [filled, indicated])


def _add_indicator(graph: Growing, indicator: Any, features: str) -> str:
    mask = _find_missing(graph, indicator.missing_values, features)
    return _indicate(graph, indicator, mask)


def _indicate(graph: Growing, indicator: Any, mask: str) -> str:
    """Return the name of the columns that tell missing values, of those that had some in training."""
    places = _hold_places(graph, indicator.features_)
    chosen = _take_columns(graph, mask, places)
    return _to_numbers(graph, chosen)


def _find_missing(graph: Growing, value: Any, features: str) -> str:
    """Return the name of a mask of what takes the place of a value."""
    if not isinstance(value, int | float | np.number):
        raise NotTakenError(f"a missing value of {type(value).__name__} among numbers")
    if np.isnan(value):
        return graph.add("IsNaN", [features])
    held = _hold_floats(graph, value)
    return graph.add("Equal", [features, held])


def _make_arithmetic(*parts: tuple[str, str, str]) -> AddStage:
    """Return what applies fitted values: of each attribute, operator and parameter that switches it off."""

    def add(graph: Growing, transformer: Any, features: str) -> str:
        for attribute, operator, switch in parts:
            values = getattr(transformer, attribute)
            # A scaler that does not centre has a mean all the same.
            if values is None or not getattr(transformer, switch, True):
                continue
            held = _hold_floats(graph, values)
            features = graph.add(operator, [features, held])
        return _clip(graph, transformer, features)

    return add


def _clip(graph: Growing, transformer: Any, features: str) -> str:
    if not getattr(transformer, "clip", False):
        return features
    # Of MaxAbsScaler there are no bounds to choose.
    low, high = getattr(transformer, "feature_range", (-1.0, 1.0))
    least = _hold_floats(graph, low)
    raised = graph.add("Max", [features, least])
    most = _hold_floats(graph, high)
    return graph.add("Min", [raised, most])


def _add_projection(graph: Growing, transformer: Any, features: str) -> str:
    """Add PCA and TruncatedSVD: onto components, which PCA centres after that."""
    components = np.asarray(transformer.components_, np.float64).T
    matrix = graph.hold(components)
    projected = graph.add("MatMul", [features, matrix])
    mean = getattr(transformer, "mean_", None)
    if mean is not None:
        row = np.asarray(mean, np.float64).reshape(1, -1)
        centre = graph.hold(row @ components)
        projected = graph.add("Sub", [projected, centre])
    if getattr(transformer, "whiten", False):
        deviations = np.sqrt(transformer.explained_variance_)
        # As scikit-learn does: a component of almost no variance would be divided by almost nothing.
        least = np.finfo(deviations.dtype).eps
        scale = _hold_floats(graph, np.maximum(deviations, least))
        projected = graph.add("Div", [projected, scale])
    return projected


def _add_selection(graph: Growing, selector: Any, features: str) -> str:
    places = _hold_places(graph, selector.get_support(indices=True))
    return _take_columns(graph, features, places)


def _add_polynomials(graph: Growing, transformer: Any, features: str) -> str:
    """Add products of columns, multiplied from the last factor to the first as scikit-learn does."""
    places = _list_factors(np.asarray(transformer.powers_))
    ones = _add_ones(graph, features)
    wide = _put_side_by_side(graph, [features, ones])
    product = ""
    for factors in places.T[::-1]:
        held = _hold_places(graph, factors)
        factor = _take_columns(graph, wide, held)
        product = graph.add("Mul", [product, factor]) if product else factor
    return product


def _list_factors(powers: np.ndarray) -> np.ndarray:
    """Return the columns that each product multiplies, int64 (products, factors).

    Behind the columns stands one of ones, which makes all products equally long.

    Args:
        powers: of each column in each product, (products, columns).
    """
    products, columns = powers.shape
    longest = max(1, int(powers.sum(axis=1).max(initial=0)))
    places = np.full((products, longest), columns, np.int64)
    for place, row in zip(places, powers, strict=True):
        factors = np.repeat(np.arange(columns), row)
        place[: len(factors)] = factors
    return places


def _add_ones(graph: Growing, features: str) -> str:
    """Add a column of ones, of as many rows as there are."""
    left = _hold_places(graph, [0])
    first = _take_columns(graph, features, left)
    # Of 0, so that a missing or infinite value makes no other one.
    never = graph.hold(np.array(False))
    zero = _hold_floats(graph, 0)
    zeros = graph.add("Where", [never, first, zero])
    one = _hold_floats(graph, 1)
    return graph.add("Add", [zeros, one])


def _add_bins(graph: Growing, transformer: Any, features: str) -> str:
    """Add the number of a value's bin, or a column for each bin."""
    last = _hold_places(graph, [2])
    deep = graph.add("Unsqueeze", [features, last])
    edges = graph.hold(_list_inner_edges(transformer.bin_edges_))
    is_beyond = graph.add("GreaterOrEqual", [deep, edges])
    beyond = _to_numbers(graph, is_beyond)
    bins = graph.add("ReduceSum", [beyond, last], keepdims=0)
    if transformer.encode == "ordinal":
        return bins
    counts = [len(values) for values in transformer._encoder.categories_]
    owners = np.repeat(np.arange(len(counts)), counts)
    numbers = [np.arange(count) for count in counts]
    places = _hold_places(graph, owners)
    spread = _take_columns(graph, bins, places)
    held = _hold_floats(graph, np.concatenate(numbers))
    is_it = graph.add("Equal", [spread, held])
    return _to_numbers(graph, is_it)


def _list_inner_edges(bin_edges: Sequence[np.ndarray]) -> np.ndarray:
    """Return each column's edges between bins, float64 (columns, edges); NaN fills the rows up.

    Args:
        bin_edges: of each column, with those at both ends.
    """
    most = max(map(len, bin_edges)) - 2
    # No value is beyond NaN. Of columns of one bin there is no edge, and no array of none either.
    inner = np.full((len(bin_edges), max(1, most)), np.nan)
    for row, edges in zip(inner, bin_edges, strict=True):
        row[: len(edges) - 2] = edges[1:-1]
    return inner


def _hold_floats(graph: Growing, values: Any) -> str:
    """Add numbers as a constant in float64, in which scikit-learn computes."""
    return graph.hold(np.asarray(values, np.float64))


def _hold_places(graph: Growing, places: Any) -> str:
    """Add numbers of columns as a constant."""
    return graph.hold(np.asarray(places, np.int64))


def _take_columns(graph: Growing, features: str, places: str) -> str:
    return graph.add("Gather", [features, places], axis=1)


def _put_side_by_side(graph: Growing, parts: Sequence[str]) -> str:
    return graph.add("Concat", parts, axis=1)


def _to_numbers(graph: Growing, mask: str) -> str:
    from onnx import TensorProto

    return graph.add("Cast", [mask], to=TensorProto.DOUBLE)


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
# By the name of scikit-learn's class.
_STAGES: dict[str, AddStage] = {
    "FeatureUnion": _add_union,
    "FunctionTransformer": _add_function,
    "IncrementalPCA": _add_projection,
    "KBinsDiscretizer": _add_bins,
    "MaxAbsScaler": _make_arithmetic(("scale_", "Div", "")),
    "MinMaxScaler": _make_arithmetic(("scale_", "Mul", ""), ("min_", "Add", "")),
    "MissingIndicator": _add_indicator,
    "PCA": _add_projection,
    "Pipeline": _add_pipeline,
    "PolynomialFeatures": _add_polynomials,
    "RobustScaler": _make_arithmetic(
        ("center_", "Sub", "with_centering"), ("scale_", "Div", "with_scaling")
    ),
    "SimpleImputer": _add_imputer,
    "StandardScaler": _make_arithmetic(
        ("mean_", "Sub", "with_mean"), ("scale_", "Div", "with_std")
    ),
    "TruncatedSVD": _add_projection,
    **dict.fromkeys(_SELECTORS, _add_selection),
}
