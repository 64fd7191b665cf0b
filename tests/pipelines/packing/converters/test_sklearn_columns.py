"""Categories of scikit-learn's encoders become tables, a column each; what several columns make together has none."""

from itertools import product

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

pytest.importorskip("onnx")

from onnx import TensorProto, helper
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, PolynomialFeatures

from configs.errors import JobError
from pipelines.packing.converters.sklearn_columns import Columns, _find_changes

NAMES = ["a", "b", "c"]
VALUES = [["x", "y", "z"], ["u", "v"], ["p", "q"]]
FRAME = pd.DataFrame(list(product(*VALUES)), columns=NAMES)
TYPES = dict.fromkeys(NAMES, pa.string())


def features_of(columns: Columns, name: str, codes: np.ndarray) -> np.ndarray:
    """Return what the graph makes of codes, by ONNX's own reference."""
    from onnx.reference import ReferenceEvaluator

    given = helper.make_tensor_value_info("codes", TensorProto.INT64, [None, codes.shape[1]])
    made = helper.make_tensor_value_info(name, TensorProto.DOUBLE, None)
    graph = helper.make_graph(columns.nodes, "g", [given], [made], columns.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    (features,) = ReferenceEvaluator(model).run(None, {"codes": codes})
    return features


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(),
        OneHotEncoder(drop="first", sparse_output=False),
        OrdinalEncoder(),
        make_pipeline(OneHotEncoder(sparse_output=False), OrdinalEncoder()),
    ],
    ids=["one hot", "without the first", "ordinal", "one behind the other"],
)
def test_what_is_made_of_each_category_is_looked_up(encoder: object) -> None:
    columns = Columns(TYPES)
    expected = encoder.fit_transform(FRAME)  # type: ignore[attr-defined]
    name = columns.add_categories(encoder, NAMES)
    assert columns.codes == NAMES
    codes = FRAME.apply(lambda column: column.map(list(column.unique()).index)).to_numpy(np.int64)
    dense = expected.toarray() if hasattr(expected, "toarray") else expected
    np.testing.assert_array_equal(features_of(columns, name, codes), dense)


@pytest.mark.parametrize(
    ("names", "told"), [(["a", "b"], "b"), (["a", "b", "c"], "b"), (["c", "a"], "a")]
)
def test_what_two_columns_make_together_is_refused(names: list[str], told: str) -> None:
    both = PolynomialFeatures(2, interaction_only=True, include_bias=False)
    encoder = make_pipeline(OneHotEncoder(sparse_output=False), both).fit(FRAME[names])
    with pytest.raises(JobError, match=f"what it makes of '{told}' depends on other columns"):
        Columns(TYPES).add_categories(encoder, names)


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        ([[1.0, 2.0]], [False, False]),
        ([[1.0, 2.0], [1.0, 3.0]], [False, True]),
        # NaN is no change of NaN, and one of a number.
        ([[np.nan, 1.0, np.nan]] * 3, [False, False, False]),
        ([[np.nan, 1.0], [np.nan, np.nan], [np.nan, 1.0]], [False, True]),
        ([[np.nan, 1.0], [2.0, 1.0]], [True, False]),
    ],
)
def test_a_feature_changes_where_two_categories_make_different_numbers(
    table: list[list[float]], changes: list[bool]
) -> None:
    assert _find_changes(np.array(table)).tolist() == changes


@pytest.mark.parametrize("values", [["x"], ["x", "y"], ["x", "y", None]])
@pytest.mark.parametrize("place", [0, 1])
def test_a_column_may_know_one_category_alone(values: list[str | None], place: int) -> None:
    """What is made of a column is asked with a known category in each other one, the only one perhaps."""
    other = ["only"] * len(values)
    columns = [other, values] if place else [values, other]
    frame = pd.DataFrame(dict(zip("ab", columns, strict=True)))
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    expected = encoder.fit_transform(frame)
    made = Columns(dict.fromkeys("ab", pa.string()))
    name = made.add_categories(encoder, ["a", "b"])
    codes = frame.apply(lambda column: pd.factorize(column, use_na_sentinel=False)[0])
    features = features_of(made, name, codes.to_numpy(np.int64))
    np.testing.assert_array_equal(features, expected)
