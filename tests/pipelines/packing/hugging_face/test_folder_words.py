"""What the files of a Hugging Face folder say, each by itself and without the library; `test_folder.py` packs whole ones."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configs.errors import JobError
from model_zoo.architectures.library_parameters import is_refused
from pipelines.packing.hugging_face.folder import (
    _find_activation,
    _find_class,
    _find_files,
    _find_poolings,
    _find_task,
    _leave_out_places,
    _make_step,
    _read_json,
    _read_sentence_encoder,
    _take_parameters,
)

POOLING = "1_Pooling/config.json"
FULL = "sentence_transformers.models."
TRANSFORMER, POOL, NORMALIZE = (f"{FULL}{kind}" for kind in ("Transformer", "Pooling", "Normalize"))


def write(folder: Path, name: str, content: Any) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize("names", [None, [], "Net", ["A", "B"], [7]])
def test_a_config_names_one_class(names: Any) -> None:
    assert _find_class(Path("hf"), {"architectures": ["Net"]}) == "Net"
    with pytest.raises(JobError, match="must name the network's class"):
        _find_class(Path("hf"), {"architectures": names})


@pytest.mark.parametrize(
    ("there", "text", "lacking"),
    [
        (["model.safetensors", "tokenizer.json"], "t", ""),
        (["model.safetensors", "preprocessor_config.json"], None, ""),
        (["tokenizer.json"], "t", "has no model.safetensors;"),
        (["model.safetensors", "preprocessor_config.json"], "t", "has no tokenizer.json;"),
        ([], None, "has no model.safetensors and no preprocessor_config.json;"),
    ],
)
def test_files_that_are_needed_hang_on_what_is_scored(
    there: list[str], text: str | None, lacking: str, tmp_path: Path
) -> None:
    for name in there:
        write(tmp_path, name, {})
    job: Any = SimpleNamespace(text=text)
    if not lacking:
        _find_files(job, tmp_path)
        return
    with pytest.raises(JobError, match=lacking):
        _find_files(job, tmp_path)


def test_parameters_are_those_of_the_network_as_yaml_holds_them() -> None:
    config = {
        "hidden_size": 8,
        "sizes": (1, 2),
        "dtype": "float32",
        "transformers_version": "5",
        "stranger": 1,
        "_name_or_path": "somewhere",
        "id2label": {0: "no", 1: "yes"},
    }
    known = {"hidden_size", "sizes", "dtype", "transformers_version", "_name_or_path"}
    assert is_refused("_name_or_path")
    assert _take_parameters(config, known) == {
        "hidden_size": 8,
        "sizes": [1, 2],
        "id2label": {"0": "no", "1": "yes"},
    }
    assert _leave_out_places({"a": 1, "_name_or_path": "x"}) == {"a": 1}


TWO = {0: "no", 1: "yes"}
ACTIVATIONS: list[tuple[str | None, str, str | None, dict[int, str], Any]] = [
    ("none", "NetForSequenceClassification", None, TWO, ("none", ())),
    ("softmax", "NetForSequenceClassification", None, TWO, ("softmax", ("no", "yes"))),
    # The name of a single logit is not that of two classes.
    ("sigmoid", "NetForSequenceClassification", None, {0: "yes"}, ("sigmoid", ())),
    (None, "NetForTokenClassification", None, TWO, ("softmax", ("no", "yes"))),
    (None, "NetForTokenClassification", None, {0: "O"}, ("softmax", ("O",))),
    (None, "NetModel", None, TWO, ("none", ())),
    (None, "NetForSequenceClassification", "regression", {0: "x"}, ("none", ())),
    (
        None,
        "NetForSequenceClassification",
        "multi_label_classification",
        TWO,
        ("sigmoid", ("no", "yes")),
    ),
    (None, "NetForSequenceClassification", None, {1: "yes", 0: "no"}, ("softmax", ("no", "yes"))),
    (
        None,
        "NetForSequenceClassification",
        "single_label_classification",
        TWO,
        ("softmax", ("no", "yes")),
    ),
]


@pytest.mark.parametrize(("said", "name", "problem", "labels", "expected"), ACTIVATIONS)
def test_the_class_and_its_problem_tell_what_makes_scores(
    said: str | None, name: str, problem: str | None, labels: dict[int, str], expected: Any
) -> None:
    job: Any = SimpleNamespace(activation=said)
    config = SimpleNamespace(id2label=labels, num_labels=len(labels))
    scored = _find_activation(job, {"problem_type": problem}, name, config)
    assert (scored.activation, scored.labels) == expected
    is_told = said is None and problem in ("regression", "multi_label_classification")
    assert len(scored.notes) == int(is_told)


def test_one_label_without_a_problem_is_asked_for() -> None:
    job: Any = SimpleNamespace(activation=None)
    config = SimpleNamespace(id2label={0: "x"}, num_labels=1)
    with pytest.raises(JobError, match="activation is needed: the model has one label"):
        _find_activation(job, {}, "NetForSequenceClassification", config)


@pytest.mark.parametrize(
    ("problem", "name", "task"),
    [
        ("regression", "NetForSequenceClassification", "regression"),
        (None, "NetForSequenceClassification", None),
        ("multi_label_classification", "NetForImageClassification", None),
        (None, "NetModel", "embedding"),
    ],
)
def test_what_activation_and_shape_do_not_tell(
    problem: str | None, name: str, task: str | None
) -> None:
    assert _find_task({"problem_type": problem}, name) == task


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode": "cls"}, ["cls"]),
        ({"pooling_mode": ["mean", "cls"]}, ["cls", "mean"]),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, ["cls"]),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, ["max", "mean"]),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, ["mean_sqrt_len_tokens"]),
        ({"pooling_mode_mean_tokens": True, "word_embedding_dimension": 8}, ["mean"]),
    ],
)
def test_poolings_are_said_in_words_or_by_fields(
    pooling: dict[str, Any], expected: list[str], tmp_path: Path
) -> None:
    write(tmp_path, POOLING, pooling)
    assert sorted(_find_poolings(tmp_path)) == sorted(expected)


@pytest.mark.parametrize(
    ("pooling", "told"),
    [
        ({}, "says no mode; taken are"),
        ({"pooling_mode": []}, "says no mode"),
        ({"pooling_mode": ["mean", "median"]}, r"says \['median'\]"),
        ({"pooling_mode_median_tokens": True}, r"says \['median'\]"),
    ],
)
def test_other_poolings_are_refused(pooling: dict[str, Any], told: str, tmp_path: Path) -> None:
    write(tmp_path, POOLING, pooling)
    with pytest.raises(JobError, match=told):
        _find_poolings(tmp_path)


@pytest.mark.parametrize(
    ("kinds", "pooling", "expected"),
    [
        ([TRANSFORMER, POOL], "mean", {"normalise": False}),
        ([TRANSFORMER, POOL, NORMALIZE], "mean", {"normalise": True}),
        ([TRANSFORMER, POOL], "cls", {"normalise": False, "pooling": ["cls"]}),
    ],
)
def test_a_sentence_encoder_is_a_network_a_pooling_and_perhaps_a_length_of_one(
    kinds: list[str], pooling: str, expected: dict[str, Any], tmp_path: Path
) -> None:
    assert _read_sentence_encoder(tmp_path) is None
    write(tmp_path, "modules.json", [{"type": kind} for kind in kinds])
    write(tmp_path, POOLING, {"pooling_mode": pooling})
    assert _read_sentence_encoder(tmp_path) == expected
    write(tmp_path, "config_sentence_transformers.json", {"default_prompt_name": None})
    assert _read_sentence_encoder(tmp_path) == expected
    write(tmp_path, "config_sentence_transformers.json", {"default_prompt_name": "query"})
    with pytest.raises(JobError, match="puts a prompt before every text"):
        _read_sentence_encoder(tmp_path)


@pytest.mark.parametrize(
    "kinds",
    [[TRANSFORMER], [POOL, TRANSFORMER], [TRANSFORMER, POOL, f"{FULL}Dense"], [TRANSFORMER] * 3],
)
def test_other_modules_are_refused(kinds: list[str], tmp_path: Path) -> None:
    write(tmp_path, "modules.json", [{"type": kind} for kind in kinds])
    write(tmp_path, POOLING, {"pooling_mode": "mean"})
    with pytest.raises(JobError, match=r"modules\.json lists"):
        _read_sentence_encoder(tmp_path)


def test_texts_that_are_lowered_elsewhere_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "tokenizer.json", "{}")
    job: Any = SimpleNamespace(image=None, text="review")
    config: Any = SimpleNamespace(model_type="bert", max_position_embeddings=16)
    step: Any = _make_step(job, tmp_path, config)
    assert (step.column, step.max_tokens, step.tokenizer) == ("review", 16, "{}")
    write(tmp_path, "sentence_bert_config.json", {"do_lower_case": True})
    with pytest.raises(JobError, match="do_lower_case is not taken"):
        _make_step(job, tmp_path, config)


@pytest.mark.parametrize(
    ("content", "told"), [("{", "cannot be read"), ("[]", "holds no fields"), (None, "cannot be")]
)
def test_what_is_no_file_of_fields_is_refused(
    content: str | None, told: str, tmp_path: Path
) -> None:
    if content is not None:
        write(tmp_path, "config.json", content)
    with pytest.raises(JobError, match=f"config.json {told}"):
        _read_json(tmp_path, "config.json")
