"""Which score columns a run writes, in which order and look, and what of a job does not fit its model."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from configs.errors import JobError
from model_zoo.package.card import ModelCard
from pipelines.planning.output_plan import OutputPlan
from pipelines.planning.plan_output import plan_output
from tests.pipelines.planning.cards import make_card, make_job

SCHEMA = pa.schema([("id", pa.string()), ("n", pa.int64()), ("t", pa.string())])
SCHEMA = SCHEMA.append(pa.field("d", pa.dictionary(pa.int8(), pa.int64())))
CARRIED = {"source": {"key": "id", "passthrough": ["n", "t", "d"]}}


def softmax_card(classes: int = 3) -> ModelCard:
    outputs = {"logits": {"dtype": "float32", "shape": [classes]}}
    return make_card(outputs=outputs, activation="softmax", labels=[])


def label_card(*labels: str) -> ModelCard:
    outputs = {"logits": {"dtype": "float32", "shape": [3]}}
    return make_card(outputs=outputs, activation="sigmoid", labels=list(labels))


def token_card(activation: str = "softmax") -> ModelCard:
    ids = {"dtype": "int64", "shape": [6]}
    outputs = {"logits": {"dtype": "float32", "shape": [6, 3]}}
    return make_card(
        outputs=outputs, activation=activation, labels=[], inputs={"ids": ids, "m": ids}, mask="m"
    )


def number_card(task: str | None = "regression") -> ModelCard:
    outputs = {"y": {"dtype": "float32", "shape": [2]}}
    return make_card(outputs=outputs, activation="none", labels=["price", "weight"], task=task)


def plan_of(folder: Path, card: ModelCard, **postprocess: Any) -> OutputPlan:
    job = make_job(folder, **CARRIED, postprocess=postprocess)
    return plan_output(job, card, "digest", SCHEMA)


@pytest.mark.parametrize(
    ("card", "postprocess", "keep"),
    [
        (make_card(), {}, ("probability", "label")),
        (make_card(labels=[]), {}, ("probability", "class")),
        (make_card(), {"activation": "none"}, ("logit",)),
        (softmax_card(), {}, ("probability", "class")),
        (softmax_card(), {"labels": ["a", "b", "c"]}, ("probability", "label")),
        (softmax_card(), {"labels": ["a", "b", "c"], "top_k": 3}, ("probability", "label", "top_labels", "top_probabilities")),
        (make_card(), {"keep": ["class"]}, ("class",)),
        (make_card(), {"top_k": 2}, ("probability", "label", "top_labels", "top_probabilities")),
        (label_card("a", "b", "c"), {}, ("labels", "probabilities")),
        (label_card(), {}, ("classes", "probabilities")),
        (label_card("a", "b", "c"), {"top_k": 2}, ("labels", "probabilities", "top_labels", "top_probabilities")),
        (token_card(), {}, ("tokens",)),
        (token_card("none"), {}, ("logits",)),
        (number_card(), {}, ("price", "weight")),
        # Older packages have labels that say nothing.
        (number_card(None), {}, ("y",)),
    ],
)  # fmt: skip
def test_a_job_that_names_no_score_columns_gets_those_that_say_most(
    card: ModelCard, postprocess: dict[str, Any], keep: tuple[str, ...], tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, card, **postprocess)
    assert plan.keep == keep
    assert plan.file_format.schema.names == ["id", "n", "t", "d", *keep]


def test_files_say_which_model_made_them_and_store_repeated_texts_once(tmp_path: Path) -> None:
    """Of keys each is another; a dictionary repeats, whatever it holds."""
    look = plan_of(tmp_path, make_card(), model_columns=True).file_format
    assert look.repeating == ("t", "d", "label", "model_name", "model_version", "model_digest")
    expected = {b"model.name": b"tiny", b"model.version": b"1", b"model.digest": b"digest"}
    assert look.schema.metadata == expected


@pytest.mark.parametrize(
    ("card", "postprocess", "message"),
    [
        (make_card(), {"labels": ["a", "b", "c"]}, "labels must name 2 classes for this model, got 3"),
        (make_card(), {"labels": ["a"]}, "labels must name 2 classes for this model, got 1"),
        (softmax_card(), {"labels": ["a", "b"]}, "labels must name 3 classes for this model, got 2"),
        (softmax_card(), {"top_k": 4}, "top_k must be <= 3, the model's classes, got 4"),
        (make_card(), {"top_k": 3}, "top_k is 3, but the model has 2 classes"),
        (make_card(), {"thresholds": {"a": 0.1}}, "thresholds is for a sigmoid over several labels"),
        (label_card("a", "b", "c"), {"labels": ["a", "b"]}, "labels must name 3 classes for this model, got 2"),
        (label_card("a", "b", "c"), {"thresholds": {"d": 0.1}}, "thresholds names 'd', which is no label"),
        (label_card("a", "b", "c"), {"top_k": 4}, "top_k must be <= 3"),
        (token_card(), {"keep": ["spans"]}, "'spans', which are places in a text"),
        (number_card(), {"labels": ["a"]}, "labels names 1 numbers, and the model gives (2,) a row"),
        (make_card(), {"rename": {"probabilty": "p"}}, "names 'probabilty', which postprocess.keep does not; did you mean"),
        (make_card(), {"dtypes": {"probability": "double"}, "rename": {"probability": "p"}}, "names 'probability', which is not a score column"),
        (make_card(), {"sort_by": ["nope desc"]}, "sort_by names column 'nope'; the output has id, n, t, d, probability, label"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_model_is_refused(
    card: ModelCard, postprocess: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(JobError) as refused:
        plan_of(tmp_path, card, **postprocess)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("card", "postprocess"),
    [
        (make_card(), {"labels": ["a", "b"]}),
        (
            make_card(),
            {"top_k": 9, "keep": ["label"]},
        ),  # of a sigmoid nobody asks for the best of many
        (softmax_card(), {"top_k": 3}),
        (softmax_card(2), {"labels": ["a", "b"], "top_k": 2}),
        (softmax_card(), {"activation": "none", "labels": ["a"], "top_k": 9}),
        (make_card(), {"rename": {"probability": "p"}, "dtypes": {"p": "double"}}),
    ],
)
def test_what_fits_the_model_is_taken(
    card: ModelCard, postprocess: dict[str, Any], tmp_path: Path
) -> None:
    plan_of(tmp_path, card, **postprocess)


def test_rows_are_sorted_by_columns_that_have_an_order(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, make_card(), sort_by=["probability desc", "n"])
    assert plan.file_format.sort_by == (("probability", "descending"), ("n", "ascending"))
    schema = SCHEMA.append(pa.field("l", pa.list_(pa.int64())))
    job = make_job(
        tmp_path, source={"key": "id", "passthrough": ["l"]}, postprocess={"sort_by": ["l"]}
    )
    with pytest.raises(JobError, match=r"column 'l' of type list<.*> has no order"):
        plan_output(job, make_card(), "digest", schema)


def test_what_a_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    schema = SCHEMA.append(pa.field("l", pa.list_(pa.int64())))
    source = {"key": "id", "passthrough": ["l"]}
    csv = make_job(tmp_path, source=source, sink={"format": "csv"})
    with pytest.raises(JobError, match="csv cannot hold column 'l'"):
        plan_output(csv, make_card(), "digest", schema)
    parquet = make_job(tmp_path, source=source)
    assert plan_output(parquet, make_card(), "digest", schema).file_format.format == "parquet"


def test_outputs_keep_their_shape_and_runs_that_write_such_are_told_apart(tmp_path: Path) -> None:
    """Older versions wrote them flat, under the id that the run has without this."""
    plan = plan_of(tmp_path, token_card("none"))
    assert str(plan.file_format.schema.field("logits").type).count("list") == 2
    assert plan.nested == ("logits",)
    outputs = {
        "grid": {"dtype": "float32", "shape": [4, 3]},
        "y": {"dtype": "float32", "shape": [4]},
    }
    both = plan_of(tmp_path, make_card(outputs=outputs, activation="none", labels=[]))
    assert both.nested == ("grid",)
    assert plan_of(tmp_path, make_card()).nested == ()
