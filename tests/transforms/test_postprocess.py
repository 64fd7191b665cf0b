from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest
import torch

from configs.errors import JobError
from tests.support.builders import raw_batch
from transforms.batch_function import BatchFunction
from transforms.batches import PredictionBatch, ScoredBatch
from transforms.postprocess import postprocess_batch
from transforms.postprocess_rows import postprocess_rows
from transforms.score_columns import score_columns
from transforms.scores.options import ScoreColumns
from transforms.written_columns import WrittenColumns

LOGITS = np.random.default_rng(11).normal(0, 3, (50, 4)).astype(np.float32)
LABELS = ("a", "b", "c", "d")


def test_sigmoid_is_torchs() -> None:
    logit = np.array([-200, -88.8, -5, -0.0, 0, 1e-3, 5, 200], dtype=np.float32)
    columns = score_columns(
        {"logit": logit},
        ScoreColumns("sigmoid", ("no", "yes")),
        ["probability", "class", "label", "logit"],
    )
    np.testing.assert_allclose(
        columns["probability"], torch.sigmoid(torch.from_numpy(logit)), rtol=1e-6, atol=1e-38
    )
    assert columns["class"].to_pylist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert columns["label"].to_pylist() == ["no"] * 3 + ["yes"] * 5
    assert columns["logit"].to_pylist() == logit.tolist()
    assert [columns[n].type for n in ("probability", "class", "label")] == [
        pa.float32(),
        pa.int32(),
        pa.string(),
    ]


def test_a_logit_of_one_column_is_the_same_as_a_flat_one() -> None:
    flat, wide = (
        score_columns({"l": logits}, ScoreColumns("sigmoid"), ["probability"])
        for logits in (LOGITS[:, 0], LOGITS[:, :1])
    )
    assert flat["probability"].equals(wide["probability"])


@pytest.mark.parametrize(
    ("threshold", "classes"),
    [(0.0, [1, 1, 1]), (0.5, [0, 1, 1]), (0.75, [0, 0, 1]), (1.0, [0, 0, 0])],
)
def test_from_the_threshold_on_a_row_is_of_the_second_class(
    threshold: float, classes: list[int]
) -> None:
    logit = np.array([-1.0, 0.0, 2.0], dtype=np.float32)
    made = score_columns({"l": logit}, ScoreColumns("sigmoid", threshold=threshold), ["class"])
    assert made["class"].to_pylist() == classes


def test_softmax_and_top_k_are_torchs() -> None:
    how = ScoreColumns("softmax", LABELS, top_k=3)
    names = [
        "probability",
        "class",
        "label",
        "probabilities",
        "top_classes",
        "top_labels",
        "top_probabilities",
    ]
    columns = score_columns({"logits": LOGITS}, how, names)
    probabilities = torch.softmax(torch.from_numpy(LOGITS), dim=1)
    best = torch.topk(probabilities, 3, dim=1)
    np.testing.assert_allclose(
        np.stack(columns["probabilities"].to_pylist()), probabilities, rtol=1e-5
    )
    np.testing.assert_allclose(
        np.stack(columns["top_probabilities"].to_pylist()), best.values, rtol=1e-5
    )
    np.testing.assert_array_equal(np.stack(columns["top_classes"].to_pylist()), best.indices)
    assert columns["top_labels"].to_pylist() == [
        [LABELS[i] for i in row] for row in best.indices.tolist()
    ]
    np.testing.assert_allclose(columns["probability"], best.values[:, 0], rtol=1e-5)
    assert columns["class"].to_pylist() == best.indices[:, 0].tolist()
    assert columns["label"].to_pylist() == [LABELS[i] for i in best.indices[:, 0].tolist()]
    assert columns["top_labels"].type == pa.list_(pa.string(), 3)


def test_softmax_of_large_logits_is_finite() -> None:
    made = score_columns(
        {"l": np.array([[1e30, -1e30, 0]], dtype=np.float32)},
        ScoreColumns("softmax"),
        ["probabilities"],
    )
    assert made["probabilities"].to_pylist() == [[1.0, 0.0, 0.0]]


def test_of_equal_classes_the_first_is_best() -> None:
    made = score_columns(
        {"l": np.zeros((2, 4), dtype=np.float32)},
        ScoreColumns("softmax", top_k=2),
        ["class", "top_classes"],
    )
    assert made["class"].to_pylist() == [0, 0]
    assert made["top_classes"].to_pylist() == [[0, 1], [0, 1]]


@pytest.mark.parametrize("classes", [2, 4])
def test_all_classes_may_be_asked_for_and_no_more(classes: int) -> None:
    outputs = {"l": LOGITS[:, :classes]}
    top = score_columns(outputs, ScoreColumns("softmax", LABELS, top_k=classes), ["top_labels"])[
        "top_labels"
    ]
    assert [sorted(row) for row in top.to_pylist()] == [list(LABELS[:classes])] * 50
    with pytest.raises(
        JobError, match=f"top_k is {classes + 1}, but the model has {classes} classes"
    ):
        score_columns(outputs, ScoreColumns("softmax", LABELS, top_k=classes + 1), ["top_labels"])


def test_the_best_class_alone_is_asked_for_where_nothing_is_said() -> None:
    made = score_columns({"l": LOGITS}, ScoreColumns("softmax"), ["top_classes"])
    assert made["top_classes"].to_pylist() == [[best] for best in LOGITS.argmax(axis=1).tolist()]
    at_half = score_columns(
        {"l": np.array([-1e-3, 0.0], np.float32)}, ScoreColumns("sigmoid"), ["class"]
    )
    assert at_half["class"].to_pylist() == [0, 1]


def test_without_labels_a_class_is_its_number() -> None:
    assert score_columns({"l": LOGITS[:1]}, ScoreColumns("softmax"), ["label"])[
        "label"
    ].to_pylist() == [str(LOGITS[0].argmax())]


def test_raw_outputs_of_any_shape() -> None:
    outputs = {
        "y": np.arange(3, dtype=np.int64),
        "e": np.arange(24, dtype=np.float32).reshape(3, 2, 4).transpose(0, 2, 1),
    }
    made = score_columns(outputs, ScoreColumns("none"), ["e", "y"])
    assert list(made) == ["e", "y"]
    assert made["y"].to_pylist() == [0, 1, 2]
    assert made["e"].to_pylist() == outputs["e"].tolist()


@pytest.mark.parametrize(
    "how",
    [
        ScoreColumns("sigmoid", ("n", "y")),
        ScoreColumns("softmax", LABELS, top_k=2),
        ScoreColumns("none"),
    ],
)
def test_no_rows_give_the_same_types_as_some(how: ScoreColumns) -> None:
    outputs = {"l": LOGITS[:, 0] if how.activation == "sigmoid" else LOGITS}
    names = {
        "sigmoid": ["probability", "class", "label", "l"],
        "softmax": ["probability", "top_labels", "top_probabilities"],
        "none": ["l"],
    }
    some = score_columns(outputs, how, names[how.activation])
    none = score_columns({n: a[:0] for n, a in outputs.items()}, how, names[how.activation])
    assert {n: c.type for n, c in some.items()} == {n: c.type for n, c in none.items()}
    assert all(len(c) == 0 for c in none.values())


@pytest.mark.parametrize(
    ("outputs", "how", "wanted", "words"),
    [
        (
            {"l": LOGITS[:, 0]},
            ScoreColumns("sigmoid"),
            "labels",
            "names score column 'labels'; with activation sigmoid",
        ),
        (
            {"l": LOGITS[:, 0]},
            ScoreColumns("sigmoid", top_k=3),
            "top_labels",
            "top_k is 3, but the model has 2 classes",
        ),
        ({"l": LOGITS}, ScoreColumns("none"), "probability", "there are ['l']"),
        (
            {"l": LOGITS},
            ScoreColumns("sigmoid"),
            "probability",
            "names score column 'probability'; with activation sigmoid",
        ),
        (
            {"l": LOGITS[:, 0]},
            ScoreColumns("softmax"),
            "probability",
            "does not fit a model output of shape",
        ),
        (
            {"l": LOGITS[:, :1]},
            ScoreColumns("softmax"),
            "probability",
            "does not fit a model output of shape",
        ),
        (
            {"l": LOGITS.reshape(25, 2, 4)},
            ScoreColumns("softmax"),
            "probability",
            "does not fit a model output of shape",
        ),
        (
            {"l": LOGITS.reshape(25, 2, 4)},
            ScoreColumns("sigmoid"),
            "probability",
            "does not fit a model output of shape",
        ),
        (
            {"l": LOGITS, "m": LOGITS},
            ScoreColumns("softmax"),
            "probability",
            "needs a model with one output",
        ),
        (
            {"l": LOGITS},
            ScoreColumns("softmax", top_k=5),
            "top_classes",
            "top_k is 5, but the model has 4 classes",
        ),
    ],
)
def test_what_the_activation_does_not_give_is_refused(
    outputs: Any, how: ScoreColumns, wanted: str, words: str
) -> None:
    with pytest.raises(JobError) as caught:
        score_columns(outputs, how, [wanted])
    assert words in str(caught.value)


ROWS = pa.RecordBatch.from_arrays(
    [
        pa.array([7, 8, 9], type=pa.uint16()),
        pa.array(["x", None, "z"]).dictionary_encode(),
        pa.array([0, 1, None], type=pa.timestamp("ns", tz="Europe/Berlin")),
        pa.array([[1], [], None], type=pa.list_(pa.int8())),
    ],
    schema=pa.schema(
        [
            pa.field("id", pa.uint16(), nullable=False),
            ("c", pa.dictionary(pa.int32(), pa.string())),
            ("t", pa.timestamp("ns", tz="Europe/Berlin")),
            ("l", pa.list_(pa.int8())),
        ]
    ),
)
LOGIT = {"logit": np.array([-2.0, 0.0, 2.0], dtype=np.float32)}
SIGMOID = ScoreColumns("sigmoid", ("no", "yes"))


def post(
    how: ScoreColumns = SIGMOID,
    keep: tuple[str, ...] = ("probability", "label"),
    where: str | None = None,
    carried: Any = ("id",),
) -> pa.RecordBatch:
    return postprocess_rows(ROWS, LOGIT, WrittenColumns(carried, how, keep, where))


def test_carried_columns_keep_their_fields_exactly_and_come_first() -> None:
    out = post(carried=("t", "id", "l", "c"))
    assert out.schema.names == ["t", "id", "l", "c", "probability", "label"]
    for name in ("t", "id", "l", "c"):
        assert out.schema.field(name).equals(ROWS.schema.field(name), check_metadata=True)
        assert out[name].equals(ROWS[name])


def test_where_keeps_rows_and_may_read_what_is_not_kept() -> None:
    out = post(keep=("label",), where="probability >= 0.4 and id != 9")
    assert out.to_pylist() == [{"id": 8, "label": "yes"}]
    assert out.schema == post(keep=("label",)).schema


def test_where_reads_renamed_columns_by_their_new_name() -> None:
    how = ScoreColumns("sigmoid", rename={"probability": "p"})
    assert post(how, ("probability",), "p > 0.6").schema.names == ["id", "p"]
    assert post(how, ("class",), "p > 0.6")["id"].to_pylist() == [9]
    with pytest.raises(JobError, match="names column 'probability'"):
        post(how, ("probability",), "probability > 0.6")


def test_dtypes_by_new_name() -> None:
    how = ScoreColumns(
        "sigmoid", rename={"probability": "p"}, dtypes={"p": pa.float64(), "class": pa.int8()}
    )
    out = post(how, ("probability", "class"))
    assert (out.schema.field("p").type, out.schema.field("class").type) == (pa.float64(), pa.int8())


def test_a_dtype_that_cannot_be_is_refused() -> None:
    with pytest.raises(JobError, match="probability of type float cannot become"):
        post(ScoreColumns("sigmoid", dtypes={"probability": pa.list_(pa.int8())}))


def test_a_dtype_that_no_row_fits_is_refused() -> None:
    with pytest.raises(JobError, match="probability of type float does not fit int8 in any row"):
        postprocess_rows(
            pa.RecordBatch.from_pydict({"id": range(50)}),
            {"l": np.full(50, 0.5, dtype=np.float32)},
            WrittenColumns(
                ("id",),
                ScoreColumns("sigmoid", dtypes={"probability": pa.int8()}),
                ("probability",),
            ),
        )


def test_constants_are_text_columns_of_every_row() -> None:
    out = post(
        ScoreColumns("sigmoid", constants={"model_name": "m", "model_version": "1"}),
        ("probability",),
    )
    assert out["model_name"].to_pylist() == ["m"] * 3
    assert out.schema.names == ["id", "probability", "model_name", "model_version"]


@pytest.mark.parametrize(
    ("how", "keep", "carried"),
    [
        (ScoreColumns("sigmoid", rename={"probability": "id"}), ("probability",), ("id",)),
        (SIGMOID, ("label", "label"), ("id",)),
        (SIGMOID, ("label",), ("id", "id")),
        (
            ScoreColumns("sigmoid", rename={"probability": "p", "class": "p"}),
            ("probability", "class"),
            ("id",),
        ),
        (ScoreColumns("sigmoid", constants={"label": "x"}), ("label",), ("id",)),
    ],
)
def test_two_output_columns_of_one_name_are_refused(
    how: ScoreColumns, keep: Any, carried: Any
) -> None:
    with pytest.raises(
        JobError, match=r"two output columns are called .*; name a carried column once"
    ):
        post(how, keep, carried=carried)


def scored(
    outputs: dict[str, np.ndarray], how: ScoreColumns, where: str | None = None
) -> ScoredBatch:
    rows = len(next(iter(outputs.values())))
    raw = raw_batch({"id": np.arange(rows) + 100}, first_row=10, last=False)
    wanted = WrittenColumns(("id",), how, tuple(outputs), where)
    function = partial(postprocess_batch, wanted=wanted)
    verb = BatchFunction(function, "postprocess")
    verb.setup()
    (result,) = verb.process(PredictionBatch(raw, outputs, "cpu"))
    return result


def test_filtered_rows_are_counted() -> None:
    result = scored({"y": np.arange(10.0)}, ScoreColumns("none"), "y >= 7")
    assert (
        result.rows.num_rows,
        result.rows_filtered,
        result.rows_in,
        result.last,
        result.computed_by,
    ) == (3, 7, 10, False, "cpu")


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(-300, 300), min_size=1, max_size=30).filter(
        lambda v: sum(not -128 <= x <= 127 for x in v) < 8
    )
)
def test_rows_whose_score_does_not_fit_its_dtype_are_rejected(values: list[int]) -> None:
    result = scored(
        {"y": np.array(values)}, ScoreColumns("none", dtypes={"y": pa.int8()}), "y >= 0"
    )
    fits = [(i, v) for i, v in enumerate(values) if -128 <= v <= 127]
    assert result.rows.to_pylist() == [{"id": 100 + i, "y": v} for i, v in fits if v >= 0]
    assert result.rows_filtered == sum(v < 0 for _, v in fits)
    bad = [i for i, v in enumerate(values) if not -128 <= v <= 127]
    assert [r for f in result.rejected for r in f.rows["row"].to_pylist()] == [10 + i for i in bad]
    assert {s for f in result.rejected for s in f.rows["stage"].to_pylist()} <= {"postprocess"}
    assert result.rows_in == len(values)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([1.5, 1e300, np.inf, -1e300, np.nan, -np.inf]), pa.float32()),
        (np.array([1.5, 1e30, np.inf, -70_000, np.nan, -np.inf]), pa.float16()),
        (np.array([1.5, 1e30, np.inf, -70_000, np.nan, -np.inf], dtype=np.float32), pa.float16()),
    ],
)
def test_a_finite_score_that_would_become_infinite_is_rejected(
    values: np.ndarray, dtype: pa.DataType
) -> None:
    result = scored({"y": values}, ScoreColumns("none", dtypes={"y": dtype}))
    assert result.rows["id"].to_pylist() == [100, 102, 104, 105]
    np.testing.assert_array_equal(
        result.rows["y"].to_numpy(zero_copy_only=False), values[[0, 2, 4, 5]].astype("float32")
    )
    records = [record for failed in result.rejected for record in failed.rows.to_pylist()]
    assert [(r["row"], r["error"], r["message"]) for r in records] == [
        (row, "RowError", f"score y does not fit {dtype}") for row in (11, 13)
    ]


def test_a_floating_dtype_that_no_score_fits_is_refused() -> None:
    with pytest.raises(JobError, match="y of type double does not fit float in any row"):
        scored({"y": np.full(50, 1e300)}, ScoreColumns("none", dtypes={"y": pa.float32()}))
