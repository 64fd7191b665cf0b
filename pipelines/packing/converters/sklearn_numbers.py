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
    parts = [part for _, part in union.transformer_list if part != "drop"]
    return graph.add("Concat", [add_stage(graph, part, features) for part in parts], axis=1)


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
        features = graph.add("Add", [features, graph.hold(np.float64(1))])
    return graph.add(_FUNCTIONS[function], [features])


def _add_imputer(graph: Growing, imputer: Any, features: str) -> str:
    mask = _find_missing(graph, imputer.missing_values, features)
    values = np.asarray(imputer.statistics_, np.float64)
    kept = features
    kept_mask = mask
    if not imputer.keep_empty_features and np.isnan(values).any():
        # Columns without any value are left out.
        positions = graph.hold(np.flatnonzero(~np.isnan(values)))
        values = values[~np.isnan(values)]
        kept = graph.add("Gather", [features, positions], axis=1)
        kept_mask = graph.add("Gather", [mask, positions], axis=1)
    filled = graph.add("Where", [kept_mask, graph.hold(values), kept])
    if imputer.indicator_ is None:
        return filled
    positions = graph.hold(np.asarray(imputer.indicator_.features_, np.int64))
    chosen = graph.add("Gather", [mask, positions], axis=1)
    return graph.add("Concat", [filled, _to_numbers(graph, chosen)], axis=1)


def _add_indicator(graph: Growing, indicator: Any, features: str) -> str:
    mask = _find_missing(graph, indicator.missing_values, features)
    positions = graph.hold(np.asarray(indicator.features_, np.int64))
    return _to_numbers(graph, graph.add("Gather", [mask, positions], axis=1))


def _find_missing(graph: Growing, value: Any, features: str) -> str:
    """Return the name of a mask of what takes the place of a value."""
    if not isinstance(value, int | float | np.number):
        raise NotTakenError(f"a missing value of {type(value).__name__} among numbers")
    if np.isnan(value):
        return graph.add("IsNaN", [features])
    return graph.add("Equal", [features, graph.hold(np.float64(value))])


def _make_arithmetic(*parts: tuple[str, str, str]) -> AddStage:
    """Return what applies fitted values: of each attribute, operator and parameter that switches it off."""

    def add(graph: Growing, transformer: Any, features: str) -> str:
        for attribute, operator, switch in parts:
            values = getattr(transformer, attribute)
            # A scaler that does not centre has a mean all the same.
            if values is None or not getattr(transformer, switch, True):
                continue
            features = graph.add(operator, [features, graph.hold(np.asarray(values, np.float64))])
        return _clip(graph, transformer, features)

    return add


def _clip(graph: Growing, transformer: Any, features: str) -> str:
    if not getattr(transformer, "clip", False):
        return features
    # Of MaxAbsScaler there are no bounds to choose.
    low, high = getattr(transformer, "feature_range", (-1.0, 1.0))
    raised = graph.add("Max", [features, graph.hold(np.float64(low))])
    return graph.add("Min", [raised, graph.hold(np.float64(high))])


def _add_projection(graph: Growing, transformer: Any, features: str) -> str:
    """Add PCA and TruncatedSVD: onto components, which PCA centres after that."""
    components = np.asarray(transformer.components_, np.float64).T
    projected = graph.add("MatMul", [features, graph.hold(components)])
    mean = getattr(transformer, "mean_", None)
    if mean is not None:
        centre = np.asarray(mean, np.float64).reshape(1, -1) @ components
        projected = graph.add("Sub", [projected, graph.hold(centre)])
    if getattr(transformer, "whiten", False):
        scale = np.sqrt(transformer.explained_variance_)
        # As scikit-learn does: a component of almost no variance would be divided by almost nothing.
        least = np.finfo(scale.dtype).eps
        wide = np.maximum(scale, least).astype(np.float64)
        projected = graph.add("Div", [projected, graph.hold(wide)])
    return projected


def _add_selection(graph: Growing, selector: Any, features: str) -> str:
    positions = np.asarray(selector.get_support(indices=True), np.int64)
    return graph.add("Gather", [features, graph.hold(positions)], axis=1)


def _add_polynomials(graph: Growing, transformer: Any, features: str) -> str:
    """Add products of columns, multiplied from the last factor to the first as scikit-learn does."""
    powers = np.asarray(transformer.powers_)
    columns = powers.shape[1]
    factors = [np.repeat(np.arange(columns), row).tolist() for row in powers]
    longest = max(1, *map(len, factors))
    # Behind the columns one of ones, which makes all products equally long.
    places = np.array([row + [columns] * (longest - len(row)) for row in factors], np.int64)
    first = graph.add("Gather", [features, graph.hold(np.array([0], np.int64))], axis=1)
    # Of 0, so that a missing or infinite value makes no other one.
    zeros = graph.add("Where", [graph.hold(np.array(False)), first, graph.hold(np.float64(0))])
    ones = graph.add("Add", [zeros, graph.hold(np.float64(1))])
    wide = graph.add("Concat", [features, ones], axis=1)
    product = ""
    for number in reversed(range(longest)):
        factor = graph.add("Gather", [wide, graph.hold(places[:, number])], axis=1)
        product = graph.add("Mul", [product, factor]) if product else factor
    return product


def _add_bins(graph: Growing, transformer: Any, features: str) -> str:
    """Add the number of a value's bin, or a column for each bin."""
    inner = [np.asarray(edges, np.float64)[1:-1] for edges in transformer.bin_edges_]
    most = max(1, *map(len, inner))
    # No value is beyond NaN, which fills the rows up.
    edges = np.full((len(inner), most), np.nan)
    for number, of_column in enumerate(inner):
        edges[number, : len(of_column)] = of_column
    last = graph.hold(np.array([2], np.int64))
    deep = graph.add("Unsqueeze", [features, last])
    beyond = _to_numbers(graph, graph.add("GreaterOrEqual", [deep, graph.hold(edges)]))
    bins = graph.add("ReduceSum", [beyond, last], keepdims=0)
    if transformer.encode == "ordinal":
        return bins
    counts = [len(values) for values in transformer._encoder.categories_]
    owners = np.repeat(np.arange(len(counts)), counts)
    numbers = np.concatenate([np.arange(count, dtype=np.float64) for count in counts])
    spread = graph.add("Gather", [bins, graph.hold(owners)], axis=1)
    return _to_numbers(graph, graph.add("Equal", [spread, graph.hold(numbers)]))


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
