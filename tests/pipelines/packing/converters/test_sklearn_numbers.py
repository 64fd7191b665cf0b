"""Transformers of numbers kept as graphs give what scikit-learn makes of the same rows, bit for bit where trees split on it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD  # noqa: E402
from sklearn.ensemble import RandomForestClassifier  # noqa: E402
from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: E402
from sklearn.feature_selection import SelectFromModel, SelectKBest, VarianceThreshold  # noqa: E402
from sklearn.impute import MissingIndicator, SimpleImputer  # noqa: E402
from sklearn.pipeline import FeatureUnion, make_pipeline  # noqa: E402
from sklearn.preprocessing import (  # noqa: E402
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

from pipelines.packing.converters.converted import NoGraphError  # noqa: E402
from pipelines.packing.converters.sklearn_columns import Columns  # noqa: E402
from pipelines.packing.converters.sklearn_numbers import (  # noqa: E402
    NotTakenError,
    _list_factors,
    add_stage,
)

ROWS = 1000


def rows(seed: int = 0, missing: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    x = random.normal(size=(ROWS, 5))
    x[:, 2] = random.integers(0, 4, ROWS)
    x[random.random(x.shape) < missing] = np.nan
    return x


def compute(transformer: Any, x: np.ndarray) -> np.ndarray:
    """What the graph of a transformer makes of rows."""
    grown = Columns({})
    output = add_stage(grown, transformer, "x")
    kind = TensorProto.DOUBLE
    x_info = helper.make_tensor_value_info("x", kind, ["rows", x.shape[1]])
    output_info = helper.make_tensor_value_info(output, kind, None)
    graph = helper.make_graph(grown.nodes, "g", [x_info], [output_info], grown.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run([output], {"x": x})[0]


def transformed(transformer: Any, x: np.ndarray) -> np.ndarray:
    found = transformer.transform(x)
    return np.asarray(found.toarray() if hasattr(found, "toarray") else found, np.float64)


def bins(encode: str) -> KBinsDiscretizer:
    return KBinsDiscretizer(
        n_bins=[2, 5, 3, 4, 3], encode=encode, strategy="quantile", quantile_method="averaged_inverted_cdf"
    )  # fmt: skip


EXACT = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    RobustScaler(with_scaling=False),
    MinMaxScaler((-1, 1)),
    MinMaxScaler(clip=True),
    MaxAbsScaler(),
    SelectKBest(k=2),
    VarianceThreshold(0.99),
    SelectFromModel(RandomForestClassifier(5, random_state=0)),
    PolynomialFeatures(3),
    PolynomialFeatures((2, 4), include_bias=False),
    PolynomialFeatures(2, interaction_only=True),
    bins("ordinal"),
    bins("onehot"),
    bins("onehot-dense"),
    FeatureUnion([("a", StandardScaler()), ("b", "passthrough"), ("c", make_pipeline(MaxAbsScaler()))]),
]  # fmt: skip


@pytest.mark.parametrize("transformer", EXACT)
def test_transformers_are_computed_bit_for_bit(transformer: Any) -> None:
    train = rows()
    transformer.fit(train, train[:, 0] > 0)
    fresh = rows(seed=1)
    np.testing.assert_array_equal(compute(transformer, fresh), transformed(transformer, fresh))


def test_functions_of_numpy() -> None:
    x = np.abs(rows()) + 0.1
    for function in (None, np.log1p, np.log, np.exp, np.sqrt, np.abs):
        transformer = FunctionTransformer(function).fit(x)
        np.testing.assert_allclose(compute(transformer, x), transformer.transform(x), atol=1e-14)


@pytest.mark.parametrize("encode", ["ordinal", "onehot"])
def test_values_at_the_edges_of_bins_and_beside_them(encode: str) -> None:
    binned = bins(encode).fit(rows())
    random = np.random.default_rng(2)
    edges = np.concatenate(binned.bin_edges_)
    near = np.concatenate([edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)])
    x = random.choice(near, (ROWS, 5))
    np.testing.assert_array_equal(compute(binned, x), transformed(binned, x))


@pytest.mark.parametrize(
    "transformer",
    [PCA(3), PCA(5, whiten=True), IncrementalPCA(2), TruncatedSVD(3)],
    ids=lambda t: type(t).__name__,
)
def test_projections(transformer: Any) -> None:
    transformer.fit(rows())
    x = rows(seed=1)
    np.testing.assert_allclose(compute(transformer, x), transformed(transformer, x), atol=1e-12)


@pytest.mark.parametrize(
    "transformer",
    [
        SimpleImputer(),
        SimpleImputer(strategy="median", add_indicator=True),
        SimpleImputer(strategy="most_frequent", missing_values=2.0, add_indicator=True),
        SimpleImputer(strategy="constant", fill_value=-1, keep_empty_features=True),
        MissingIndicator(),
        make_pipeline(SimpleImputer(add_indicator=True), StandardScaler(), PolynomialFeatures(2)),
    ],
)
@pytest.mark.filterwarnings("ignore:Skipping features without any observed:UserWarning")
@pytest.mark.parametrize("empty", [False, True])
def test_missing_values(transformer: Any, empty: bool) -> None:
    is_nan = getattr(transformer, "missing_values", np.nan) is np.nan
    train, fresh = (rows(seed, missing=0.2 if is_nan else 0) for seed in (0, 1))
    # A column that has a missing value only when it is scored.
    train[:, 4] = 1.0
    if empty:
        train[:, 1] = np.nan if is_nan else 2.0
    transformer.set_params(
        **{"error_on_new": False} if isinstance(transformer, MissingIndicator) else {}
    )
    transformer.fit(train)
    found = compute(transformer, fresh)
    np.testing.assert_array_equal(found, transformed(transformer, fresh))


class Scaler:
    """A user's own class, of a name that scikit-learn has, too."""


Scaler.__name__ = "StandardScaler"


@pytest.mark.parametrize(
    ("transformer", "error", "message"),
    [
        (PowerTransformer, NotTakenError, "PowerTransformer"),
        (Scaler, NotTakenError, "StandardScaler"),
        (lambda: FunctionTransformer(np.cbrt), NotTakenError, "FunctionTransformer of cbrt"),
        (lambda: FeatureUnion([("a", "passthrough")], transformer_weights={"a": 2}), NotTakenError, "weights"),
        (TfidfVectorizer, NoGraphError, "counts the words of texts"),
    ],
)  # fmt: skip
def test_others_are_refused_by_name(
    transformer: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        add_stage(Columns({}), transformer(), "x")


@pytest.mark.parametrize(
    ("powers", "places"),
    [
        ([[0, 0, 0], [1, 1, 1], [0, 2, 0]], [[3, 3, 3], [0, 1, 2], [1, 1, 3]]),
        ([[1, 1, 1]], [[0, 1, 2]]),
        ([[0, 0]], [[2]]),
    ],
)
def test_products_are_made_equally_long_by_ones(
    powers: list[list[int]], places: list[list[int]]
) -> None:
    assert _list_factors(np.array(powers)).tolist() == places
